/* SPDX-License-Identifier: BSD-2-Clause */
/* What attention does to a tile of scores, in plain C. */
#include "kernels/variants.h"

#include <math.h>

enum { COLUMNS = 16 }; /* whose sums stay in registers */

float pali__max_c(const float *x, int64_t n)
{
    float largest = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;
    return largest;
}

float pali__exp_sum_c(float *x, int64_t n, float shift)
{
    float sum = 0;
    for (int64_t i = 0; i < n; i++) {
        x[i] = expf(x[i] - shift);
        sum += x[i];
    }
    return sum;
}

void pali__product_c(float *c, int64_t c_stride, const float *a, int64_t a_stride, const float *b, int64_t b_stride,
                     int64_t m, int64_t n, int64_t k, bool add)
{
    for (int64_t i = 0; i < m; i++) {
        for (int64_t first = 0; first < n; first += COLUMNS) {
            int64_t n_columns = n - first < COLUMNS ? n - first : COLUMNS;
            float *out = c + i * c_stride + first, sums[COLUMNS] = {0};
            for (int64_t l = 0; l < k; l++) {
                float factor = a[i * a_stride + l];
                const float *row = b + l * b_stride + first;
                if (n_columns == COLUMNS) {
                    for (int64_t j = 0; j < COLUMNS; j++)
                        sums[j] += factor * row[j];
                } else {
                    for (int64_t j = 0; j < n_columns; j++)
                        sums[j] += factor * row[j];
                }
            }
            for (int64_t j = 0; j < n_columns; j++)
                out[j] = add ? out[j] + sums[j] : sums[j];
        }
    }
}

void pali__transpose_c(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t n_rows,
                       int64_t n_columns)
{
    for (int64_t i = 0; i < n_rows; i++) {
        for (int64_t j = 0; j < n_columns; j++)
            y[j * y_stride + i] = x[i * x_stride + j];
    }
}
