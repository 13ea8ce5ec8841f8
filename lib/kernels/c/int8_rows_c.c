/* SPDX-License-Identifier: BSD-2-Clause */
/* Vectors in int8 (core/int8_vector.h): products of a few rows with them, and widening, in plain C. */
#include "kernels/variants.h"

#include "core/int8_vector.h"

/* Eight sums side by side, as those of gemv_c.c: every value is exact once widened, so the result has the same bits. */
#define N_SUMS 8

static float dot(const float *x, const int8_t *w, float scale, int64_t n)
{
    float sums[N_SUMS] = {0};
    int64_t k = 0;
    for (; k + N_SUMS <= n; k += N_SUMS) {
        for (int i = 0; i < N_SUMS; i++)
            sums[i] += x[k + i] * ((float)w[k + i] * scale);
    }
    for (int i = 0; k < n; i++, k++)
        sums[i] += x[k] * ((float)w[k] * scale);
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

void pali__dot_int8_rows_c(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t n_x, const void *w,
                           int64_t w_stride, int64_t n_w, int64_t n)
{
    for (int64_t j = 0; j < n_w; j++) {
        const int8_t *row = (const int8_t *)w + j * w_stride;
        float scale = pali__int8_vector_scale(row, n);
        for (int64_t r = 0; r < n_x; r++)
            y[r * y_stride + j] = dot(x + r * x_stride, row, scale, n);
    }
}

void pali__widen_int8_row_c(float *y, const int8_t *x, int64_t n)
{
    float scale = pali__int8_vector_scale(x, n);
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)x[i] * scale;
}
