/* SPDX-License-Identifier: BSD-2-Clause */
/* Normalisation of one row, in plain C. */
#include "kernels/variants.h"

#include <math.h>

void pali__rms_norm_c(float *y, const float *x, const float *weight, int64_t n, float eps, float offset)
{
    double squares = 0;
    for (int64_t i = 0; i < n; i++)
        squares += (double)x[i] * (double)x[i];
    float factor = 1.0f / sqrtf((float)(squares / (double)n) + eps);
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] * factor * (offset + weight[i]);
}

void pali__layer_norm_c(float *y, const float *x, const float *weight, const float *bias, int64_t n, float eps)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i];
    float mean = (float)(sum / (double)n);
    for (int64_t i = 0; i < n; i++) {
        float centred = x[i] - mean;
        squares += (double)centred * (double)centred;
    }
    float factor = 1.0f / sqrtf((float)(squares / (double)n) + eps);
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) * factor * weight[i] + bias[i];
}
