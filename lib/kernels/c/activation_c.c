/* SPDX-License-Identifier: BSD-2-Clause */
/* Element-wise functions, in plain C. */
#include "kernels/variants.h"

#include <math.h>

static float gelu_tanh(float x)
{
    const float root_2_over_pi = 0.7978845608028654f, cubic = 0.044715f;
    return 0.5f * x * (1.0f + tanhf(root_2_over_pi * (x + cubic * x * x * x)));
}

void pali__gelu_c(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = gelu_tanh(x[i]);
}

void pali__gelu_mul_c(float *gate, const float *up, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        gate[i] = gelu_tanh(gate[i]) * up[i];
}

void pali__silu_mul_c(float *gate, const float *up, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        gate[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
}

void pali__soft_cap_c(float *x, int64_t n, float cap)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = cap * tanhf(x[i] / cap);
}

void pali__add_c(float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += x[i];
}

void pali__scale_c(float *y, const float *x, int64_t n, float factor)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = factor * x[i];
}

void pali__rotate_c(float *a, float *b, const float *cosine, const float *sine, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float first = a[i], second = b[i];
        a[i] = first * cosine[i] - second * sine[i];
        b[i] = second * cosine[i] + first * sine[i];
    }
}
