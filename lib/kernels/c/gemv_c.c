/* SPDX-License-Identifier: BSD-2-Clause */
/* Products of a few rows with a matrix, and conversions between the floating-point types, in plain C. */
#include "kernels/variants.h"

#include "core/dtype.h"

/* Eight sums side by side: a quarter of the rounding error of one, and room for the compiler's vectors. */
#define N_SUMS 8

static float sum_of(const float *sums)
{
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

/* Defines the kernel for one type of weight, whose values `load` turns into float. */
#define DEFINE_DOT_ROWS(name, type, load)                                                                              \
    void name(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t n_x, const void *w,                \
              int64_t w_stride, int64_t n_w, int64_t n)                                                                \
    {                                                                                                                  \
        for (int64_t j = 0; j < n_w; j++) {                                                                            \
            const type *row = (const type *)w + j * w_stride;                                                          \
            for (int64_t r = 0; r < n_x; r++) {                                                                        \
                const float *in = x + r * x_stride;                                                                    \
                float sums[N_SUMS] = {0};                                                                              \
                int64_t k = 0;                                                                                         \
                for (; k + N_SUMS <= n; k += N_SUMS) {                                                                 \
                    for (int i = 0; i < N_SUMS; i++)                                                                   \
                        sums[i] += in[k + i] * load(row[k + i]);                                                       \
                }                                                                                                      \
                for (int i = 0; k < n; i++, k++)                                                                       \
                    sums[i] += in[k] * load(row[k]);                                                                   \
                y[r * y_stride + j] = sum_of(sums);                                                                    \
            }                                                                                                          \
        }                                                                                                              \
    }

static float load_f32(float value)
{
    return value;
}

DEFINE_DOT_ROWS(pali__dot_rows_f32_c, float, load_f32)
DEFINE_DOT_ROWS(pali__dot_rows_bf16_c, uint16_t, pali__float_from_bf16)
DEFINE_DOT_ROWS(pali__dot_rows_f16_c, uint16_t, pali__float_from_f16)

void pali__widen_bf16_c(float *y, const uint16_t *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = pali__float_from_bf16(x[i]);
}

void pali__widen_f16_c(float *y, const uint16_t *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = pali__float_from_f16(x[i]);
}

void pali__narrow_bf16_c(uint16_t *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = pali__bf16_from_float(x[i]);
}
