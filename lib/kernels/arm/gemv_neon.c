/* SPDX-License-Identifier: BSD-2-Clause */
/* Products of a few rows with a matrix, as x86/gemv_avx512.c. A row of x gets the same sums whatever other rows come
 * with it. */
#include "kernels/variants.h"

#include <arm_neon.h>
#include <string.h>

enum { N_SUMS = 4, LANES = 4 };

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 4") /* the sums live in registers only if their indices are constants */

/* Four values of each type of weight. */
INLINE float32x4_t load_f32(const float *w)
{
    return vld1q_f32(w);
}

INLINE float32x4_t load_bf16(const uint16_t *w)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(w), 16));
}

INLINE float32x4_t load_f16(const uint16_t *w)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(w)));
}

/* y[r] = Σ x[r, k]·w[k] for n_x rows, a constant; then the kernel. */
#define DEFINE_DOT_ROWS(name, type, load)                                                                              \
    INLINE void name##_row(float *y, int64_t y_stride, const float *x, int64_t x_stride, const int n_x, const type *w, \
                           int64_t n)                                                                                  \
    {                                                                                                                  \
        float32x4_t sums[PALI__DOT_ROWS_MAX][N_SUMS];                                                                  \
        UNROLL                                                                                                         \
        for (int r = 0; r < n_x; r++) {                                                                                \
            UNROLL                                                                                                     \
            for (int s = 0; s < N_SUMS; s++)                                                                           \
                sums[r][s] = vdupq_n_f32(0);                                                                           \
        }                                                                                                              \
        int64_t k = 0;                                                                                                 \
        for (; k + N_SUMS * LANES <= n; k += N_SUMS * LANES) {                                                         \
            UNROLL                                                                                                     \
            for (int s = 0; s < N_SUMS; s++) {                                                                         \
                float32x4_t weights = load(w + k + s * LANES);                                                         \
                UNROLL                                                                                                 \
                for (int r = 0; r < n_x; r++)                                                                          \
                    sums[r][s] = vfmaq_f32(sums[r][s], weights, vld1q_f32(x + r * x_stride + k + s * LANES));          \
            }                                                                                                          \
        }                                                                                                              \
        for (; k < n; k += LANES) {                                                                                    \
            int64_t left = n - k < LANES ? n - k : LANES;                                                              \
            type tail[LANES] = {0};                                                                                    \
            memcpy(tail, w + k, (size_t)left * sizeof *w);                                                             \
            float32x4_t weights = load(tail);                                                                          \
            UNROLL                                                                                                     \
            for (int r = 0; r < n_x; r++) {                                                                            \
                float in[LANES] = {0};                                                                                 \
                memcpy(in, x + r * x_stride + k, (size_t)left * sizeof *in);                                           \
                sums[r][0] = vfmaq_f32(sums[r][0], weights, vld1q_f32(in));                                            \
            }                                                                                                          \
        }                                                                                                              \
        UNROLL                                                                                                         \
        for (int r = 0; r < n_x; r++)                                                                                  \
            y[r * y_stride] = vaddvq_f32(vaddq_f32(vaddq_f32(sums[r][0], sums[r][1]),                                  \
                                                   vaddq_f32(sums[r][2], sums[r][3])));                                \
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

DEFINE_DOT_ROWS(pali__dot_rows_f32_neon, float, load_f32)
DEFINE_DOT_ROWS(pali__dot_rows_bf16_neon, uint16_t, load_bf16)
DEFINE_DOT_ROWS(pali__dot_rows_f16_neon, uint16_t, load_f16)
