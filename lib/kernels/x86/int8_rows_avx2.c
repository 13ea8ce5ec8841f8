/* SPDX-License-Identifier: BSD-2-Clause */
/* Vectors in int8 (core/int8_vector.h): products of a few rows with them, and widening, for AVX2. */
#include "kernels/variants.h"

#include <string.h>

#include "core/int8_vector.h"
#include "kernels/x86/vector_avx2.h"

enum { LANES = 8 };

typedef __m256 vector;
#define vector_zero _mm256_setzero_ps
#define vector_set _mm256_set1_ps
#define vector_load _mm256_loadu_ps
#define vector_load_first(x, n) _mm256_maskload_ps(x, first_lanes(n))
#define vector_add _mm256_add_ps
#define vector_multiply _mm256_mul_ps
#define vector_multiply_add _mm256_fmadd_ps
#define vector_sum sum_lanes

static inline __attribute__((always_inline)) __m256 load_int8(const int8_t *w)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)w)));
}

static inline __attribute__((always_inline)) __m256 load_first_int8(const int8_t *w, int64_t n)
{
    int8_t values[LANES] = {0};
    memcpy(values, w, (size_t)n);
    return load_int8(values);
}

#include "kernels/int8_rows_tmpl.h"

DEFINE_DOT_INT8_ROWS(pali__dot_int8_rows_avx2)

void pali__widen_int8_row_avx2(float *y, const int8_t *x, int64_t n)
{
    float scale = pali__int8_vector_scale(x, n);
    __m256 factor = _mm256_set1_ps(scale);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(y + i, _mm256_mul_ps(load_int8(x + i), factor));
    for (; i < n; i++)
        y[i] = (float)x[i] * scale;
}
