/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Products of a few rows with a matrix. One row of weights after the other, with four vectors of sums, streams
 * faster than several rows side by side. A row of x gets the same sums whatever other rows come with it.
 */
#include "kernels/variants.h"

#include <string.h>

#include "kernels/x86/vector_avx2.h"

enum { N_SUMS = 4, LANES = 8 };

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 4") /* the sums live in registers only if their indices are constants */

/* Eight values of each type of weight. */
INLINE __m256 load_f32(const float *w)
{
    return _mm256_loadu_ps(w);
}

INLINE __m256 load_bf16(const uint16_t *w)
{
    __m128i bits = _mm_loadu_si128((const __m128i *)(const void *)w);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

INLINE __m256 load_f16(const uint16_t *w)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)w));
}

/* y[r] = Σ x[r, k]·w[k] for n_x rows, a constant; then the kernel, which takes the rows of x in pairs: the second
 * pair finds the row of weights in the cache. */
#define DEFINE_DOT_ROWS(name, type, load)                                                                              \
    INLINE void name##_row(float *y, int64_t y_stride, const float *x, int64_t x_stride, const int n_x, const type *w, \
                           int64_t n)                                                                                  \
    {                                                                                                                  \
        __m256 sums[2][N_SUMS];                                                                                        \
        UNROLL                                                                                                         \
        for (int r = 0; r < n_x; r++) {                                                                                \
            UNROLL                                                                                                     \
            for (int s = 0; s < N_SUMS; s++)                                                                           \
                sums[r][s] = _mm256_setzero_ps();                                                                      \
        }                                                                                                              \
        int64_t k = 0;                                                                                                 \
        for (; k + N_SUMS * LANES <= n; k += N_SUMS * LANES) {                                                         \
            UNROLL                                                                                                     \
            for (int s = 0; s < N_SUMS; s++) {                                                                         \
                __m256 weights = load(w + k + s * LANES);                                                              \
                UNROLL                                                                                                 \
                for (int r = 0; r < n_x; r++)                                                                          \
                    sums[r][s] = _mm256_fmadd_ps(weights, _mm256_loadu_ps(x + r * x_stride + k + s * LANES),           \
                                                 sums[r][s]);                                                          \
            }                                                                                                          \
        }                                                                                                              \
        for (; k + LANES <= n; k += LANES) {                                                                           \
            __m256 weights = load(w + k);                                                                              \
            UNROLL                                                                                                     \
            for (int r = 0; r < n_x; r++)                                                                              \
                sums[r][0] = _mm256_fmadd_ps(weights, _mm256_loadu_ps(x + r * x_stride + k), sums[r][0]);              \
        }                                                                                                              \
        if (k < n) {                                                                                                   \
            type tail[LANES] = {0};                                                                                    \
            memcpy(tail, w + k, (size_t)(n - k) * sizeof *w);                                                          \
            __m256 weights = load(tail);                                                                               \
            UNROLL                                                                                                     \
            for (int r = 0; r < n_x; r++) {                                                                            \
                __m256 in = _mm256_maskload_ps(x + r * x_stride + k, first_lanes(n - k));                              \
                sums[r][1] = _mm256_fmadd_ps(weights, in, sums[r][1]);                                                 \
            }                                                                                                          \
        }                                                                                                              \
        UNROLL                                                                                                         \
        for (int r = 0; r < n_x; r++)                                                                                  \
            y[r * y_stride] = sum_lanes(_mm256_add_ps(_mm256_add_ps(sums[r][0], sums[r][1]),                           \
                                                      _mm256_add_ps(sums[r][2], sums[r][3])));                         \
    }                                                                                                                  \
                                                                                                                       \
    void name(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t n_x, const void *w,                \
              int64_t w_stride, int64_t n_w, int64_t n)                                                                \
    {                                                                                                                  \
        for (int64_t j = 0; j < n_w; j++) {                                                                            \
            const type *row = (const type *)w + j * w_stride;                                                          \
            int64_t r = 0;                                                                                             \
            for (; r + 2 <= n_x; r += 2)                                                                               \
                name##_row(y + r * y_stride + j, y_stride, x + r * x_stride, x_stride, 2, row, n);                     \
            if (r < n_x)                                                                                               \
                name##_row(y + r * y_stride + j, y_stride, x + r * x_stride, x_stride, 1, row, n);                     \
        }                                                                                                              \
    }

DEFINE_DOT_ROWS(pali__dot_rows_f32_avx2, float, load_f32)
DEFINE_DOT_ROWS(pali__dot_rows_bf16_avx2, uint16_t, load_bf16)
DEFINE_DOT_ROWS(pali__dot_rows_f16_avx2, uint16_t, load_f16)

void pali__widen_bf16_avx2(float *y, const uint16_t *x, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(y + i, load_bf16(x + i));
    if (i < n)
        pali__widen_bf16_c(y + i, x + i, n - i);
}

void pali__widen_f16_avx2(float *y, const uint16_t *x, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(y + i, load_f16(x + i));
    if (i < n)
        pali__widen_f16_c(y + i, x + i, n - i);
}

/* Eight floats, each rounded to bfloat16 in the low half of its lane. */
INLINE __m256i narrow8(const float *x)
{
    __m256 value = _mm256_loadu_ps(x);
    __m256i bits = _mm256_castps_si256(value), high = _mm256_srli_epi32(bits, 16);
    __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
    __m256i rounded = _mm256_srli_epi32(
        _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd), 16);
    __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
    __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(value, value, _CMP_UNORD_Q));
    return _mm256_blendv_epi8(rounded, quiet, is_nan);
}

void pali__narrow_bf16_avx2(uint16_t *y, const float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        __m256i packed = _mm256_packus_epi32(narrow8(x + i), narrow8(x + i + LANES));
        packed = _mm256_permute4x64_epi64(packed, 0xd8); /* packing works within halves: put them in order */
        _mm256_storeu_si256((__m256i *)(void *)(y + i), packed);
    }
    if (i < n)
        pali__narrow_bf16_c(y + i, x + i, n - i);
}
