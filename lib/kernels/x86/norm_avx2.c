/* SPDX-License-Identifier: BSD-2-Clause */
/* Normalisation of one row. */
#include "kernels/variants.h"

#include <math.h>

#include "kernels/x86/vector_avx2.h"

enum { LANES = 8 };

#define INLINE static inline __attribute__((always_inline))

/* Σ (x - centre)², in four vectors of sums. */
static float sum_of_squares(const float *x, int64_t n, float centre)
{
    __m256 mean = _mm256_set1_ps(centre);
    __m256 sums[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
#pragma GCC unroll 4
        for (int s = 0; s < 4; s++) {
            __m256 in = _mm256_sub_ps(_mm256_loadu_ps(x + i + s * LANES), mean);
            sums[s] = _mm256_fmadd_ps(in, in, sums[s]);
        }
    }
    for (; i < n; i += LANES) {
        __m256i lanes = first_lanes(n - i < LANES ? n - i : LANES);
        __m256 in = _mm256_sub_ps(_mm256_maskload_ps(x + i, lanes), mean);
        in = _mm256_and_ps(in, _mm256_castsi256_ps(lanes));
        sums[0] = _mm256_fmadd_ps(in, in, sums[0]);
    }
    return sum_lanes(_mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3])));
}

static float sum_of(const float *x, int64_t n)
{
    __m256 sums[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
#pragma GCC unroll 4
        for (int s = 0; s < 4; s++)
            sums[s] = _mm256_add_ps(sums[s], _mm256_loadu_ps(x + i + s * LANES));
    }
    for (; i < n; i += LANES)
        sums[0] = _mm256_add_ps(sums[0], _mm256_maskload_ps(x + i, first_lanes(n - i < LANES ? n - i : LANES)));
    return sum_lanes(_mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3])));
}

/* y = (x - mean) · factor · (offset + weight) + bias, without a bias where it is NULL. */
struct affine {
    const float *x, *weight, *bias;
    __m256 mean, factor, offset;
};

INLINE void affine_vector(float *y, const struct affine *f, int64_t i, const bool has_bias, const bool masked,
                          __m256i lanes)
{
    __m256 gain = _mm256_add_ps(f->offset, load_lanes(f->weight + i, masked, lanes));
    __m256 in = _mm256_mul_ps(_mm256_sub_ps(load_lanes(f->x + i, masked, lanes), f->mean), f->factor);
    __m256 out = has_bias ? _mm256_fmadd_ps(in, gain, load_lanes(f->bias + i, masked, lanes)) : _mm256_mul_ps(in, gain);
    store_lanes(y + i, out, masked, lanes);
}

INLINE void affine(float *y, const struct affine *f, int64_t n, const bool has_bias)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        affine_vector(y, f, i, has_bias, false, _mm256_setzero_si256());
    if (i < n)
        affine_vector(y, f, i, has_bias, true, first_lanes(n - i));
}

void pali__rms_norm_avx2(float *y, const float *x, const float *weight, int64_t n, float eps, float offset)
{
    float factor = 1.0f / sqrtf(sum_of_squares(x, n, 0.0f) / (float)n + eps);
    struct affine f = {x, weight, NULL, _mm256_setzero_ps(), _mm256_set1_ps(factor), _mm256_set1_ps(offset)};
    affine(y, &f, n, false);
}

void pali__layer_norm_avx2(float *y, const float *x, const float *weight, const float *bias, int64_t n, float eps)
{
    float mean = sum_of(x, n) / (float)n;
    float factor = 1.0f / sqrtf(sum_of_squares(x, n, mean) / (float)n + eps);
    struct affine f = {x, weight, bias, _mm256_set1_ps(mean), _mm256_set1_ps(factor), _mm256_setzero_ps()};
    affine(y, &f, n, true);
}
