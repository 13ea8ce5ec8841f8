/* SPDX-License-Identifier: BSD-2-Clause */
/* Normalisation of one row. */
#include "kernels/variants.h"

#include <math.h>

#include "kernels/x86/vector_avx512.h"

/* Σ (x - centre)², in two vectors of sums. */
static float sum_of_squares(const float *x, int64_t n, float centre)
{
    __m512 mean = _mm512_set1_ps(centre), sums[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    for (int64_t i = 0; i < n; i += 2 * LANES) {
#pragma GCC unroll 4
        for (int s = 0; s < 2; s++) {
            __mmask16 lanes = lanes_of(n - i - s * LANES);
            __m512 in = _mm512_maskz_sub_ps(lanes, _mm512_maskz_loadu_ps(lanes, x + i + s * LANES), mean);
            sums[s] = _mm512_fmadd_ps(in, in, sums[s]);
        }
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(sums[0], sums[1]));
}

static float sum_of(const float *x, int64_t n)
{
    __m512 sums[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    for (int64_t i = 0; i < n; i += 2 * LANES) {
#pragma GCC unroll 4
        for (int s = 0; s < 2; s++)
            sums[s] = _mm512_add_ps(sums[s], _mm512_maskz_loadu_ps(lanes_of(n - i - s * LANES), x + i + s * LANES));
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(sums[0], sums[1]));
}

void pali__rms_norm_avx512(float *y, const float *x, const float *weight, int64_t n, float eps, float offset)
{
    float factor = 1.0f / sqrtf(sum_of_squares(x, n, 0.0f) / (float)n + eps);
    __m512 factors = _mm512_set1_ps(factor), offsets = _mm512_set1_ps(offset);
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_of(n - i);
        __m512 gain = _mm512_add_ps(offsets, _mm512_maskz_loadu_ps(lanes, weight + i));
        __m512 in = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, x + i), factors);
        _mm512_mask_storeu_ps(y + i, lanes, _mm512_mul_ps(in, gain));
    }
}

void pali__layer_norm_avx512(float *y, const float *x, const float *weight, const float *bias, int64_t n, float eps)
{
    float mean = sum_of(x, n) / (float)n;
    float factor = 1.0f / sqrtf(sum_of_squares(x, n, mean) / (float)n + eps);
    __m512 factors = _mm512_set1_ps(factor), means = _mm512_set1_ps(mean);
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_of(n - i);
        __m512 in = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, x + i), means), factors);
        __m512 out = _mm512_fmadd_ps(in, _mm512_maskz_loadu_ps(lanes, weight + i),
                                     _mm512_maskz_loadu_ps(lanes, bias + i));
        _mm512_mask_storeu_ps(y + i, lanes, out);
    }
}
