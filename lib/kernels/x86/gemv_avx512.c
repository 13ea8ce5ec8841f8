/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Products of a few rows with a matrix: as gemv_avx2.c, but with the registers for four rows of x at once. A row of x
 * gets the same sums whatever other rows come with it.
 */
#include "kernels/variants.h"

#include "kernels/x86/vector_avx512.h"

enum { N_SUMS = 4 };

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 4") /* the sums live in registers only if their indices are constants */

/* Sixteen values of each type of weight; lanes outside the mask are not read and become 0. */
INLINE __m512 load_f32(__mmask16 lanes, const float *w)
{
    return _mm512_maskz_loadu_ps(lanes, w);
}

INLINE __m512 load_bf16(__mmask16 lanes, const uint16_t *w)
{
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, w));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

INLINE __m512 load_f16(__mmask16 lanes, const uint16_t *w)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes, w));
}

/* y[r] = Σ x[r, k]·w[k] for n_x rows, a constant; then the kernel. */
#define DEFINE_DOT_ROWS(name, type, load)                                                                              \
    INLINE void name##_row(float *y, int64_t y_stride, const float *x, int64_t x_stride, const int n_x, const type *w, \
                           int64_t n)                                                                                  \
    {                                                                                                                  \
        __m512 sums[PALI__DOT_ROWS_MAX][N_SUMS];                                                                       \
        UNROLL                                                                                                         \
        for (int r = 0; r < n_x; r++) {                                                                                \
            UNROLL                                                                                                     \
            for (int s = 0; s < N_SUMS; s++)                                                                           \
                sums[r][s] = _mm512_setzero_ps();                                                                      \
        }                                                                                                              \
        int64_t k = 0;                                                                                                 \
        for (; k + N_SUMS * LANES <= n; k += N_SUMS * LANES) {                                                         \
            UNROLL                                                                                                     \
            for (int s = 0; s < N_SUMS; s++) {                                                                         \
                __m512 weights = load((__mmask16)0xffff, w + k + s * LANES);                                           \
                UNROLL                                                                                                 \
                for (int r = 0; r < n_x; r++)                                                                          \
                    sums[r][s] = _mm512_fmadd_ps(weights, _mm512_loadu_ps(x + r * x_stride + k + s * LANES),           \
                                                 sums[r][s]);                                                          \
            }                                                                                                          \
        }                                                                                                              \
        for (; k < n; k += LANES) {                                                                                    \
            __mmask16 lanes = lanes_of(n - k);                                                                         \
            __m512 weights = load(lanes, w + k);                                                                       \
            UNROLL                                                                                                     \
            for (int r = 0; r < n_x; r++)                                                                              \
                sums[r][0] = _mm512_fmadd_ps(weights, _mm512_maskz_loadu_ps(lanes, x + r * x_stride + k), sums[r][0]); \
        }                                                                                                              \
        UNROLL                                                                                                         \
        for (int r = 0; r < n_x; r++)                                                                                  \
            y[r * y_stride] = _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sums[r][0], sums[r][1]),                \
                                                                 _mm512_add_ps(sums[r][2], sums[r][3])));              \
    }                                                                                                                  \
                                                                                                                       \
    void name(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t n_x, const void *w,                \
              int64_t w_stride, int64_t n_w, int64_t n)                                                                \
    {                                                                                                                  \
        for (int64_t j = 0; j < n_w; j++) {                                                                            \
            const type *row = (const type *)w + j * w_stride;                                                          \
            if (n_x == 1)                                                                                              \
                name##_row(y + j, y_stride, x, x_stride, 1, row, n);                                                   \
            else if (n_x == 2)                                                                                         \
                name##_row(y + j, y_stride, x, x_stride, 2, row, n);                                                   \
            else if (n_x == 3)                                                                                         \
                name##_row(y + j, y_stride, x, x_stride, 3, row, n);                                                   \
            else if (n_x == 4)                                                                                         \
                name##_row(y + j, y_stride, x, x_stride, 4, row, n);                                                   \
        }                                                                                                              \
    }

DEFINE_DOT_ROWS(pali__dot_rows_f32_avx512, float, load_f32)
DEFINE_DOT_ROWS(pali__dot_rows_bf16_avx512, uint16_t, load_bf16)
DEFINE_DOT_ROWS(pali__dot_rows_f16_avx512, uint16_t, load_f16)

void pali__widen_bf16_avx512(float *y, const uint16_t *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_of(n - i);
        _mm512_mask_storeu_ps(y + i, lanes, load_bf16(lanes, x + i));
    }
}

void pali__widen_f16_avx512(float *y, const uint16_t *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_of(n - i);
        _mm512_mask_storeu_ps(y + i, lanes, load_f16(lanes, x + i));
    }
}

void pali__narrow_bf16_avx512(uint16_t *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_of(n - i);
        __m512 value = _mm512_maskz_loadu_ps(lanes, x + i);
        __m512i bits = _mm512_castps_si512(value), high = _mm512_srli_epi32(bits, 16);
        __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
        __m512i rounded = _mm512_srli_epi32(
            _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd), 16);
        __m512i quiet = _mm512_or_si512(high, _mm512_set1_epi32(0x40));
        rounded = _mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q), quiet);
        _mm256_mask_storeu_epi16(y + i, lanes, _mm512_cvtepi32_epi16(rounded));
    }
}
