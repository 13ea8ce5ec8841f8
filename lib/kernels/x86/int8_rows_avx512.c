/* SPDX-License-Identifier: BSD-2-Clause */
/* Vectors in int8 (core/int8_vector.h): products of a few rows with them, and widening, for AVX-512. */
#include "kernels/variants.h"

#include "core/int8_vector.h"
#include "kernels/x86/vector_avx512.h"

typedef __m512 vector;
#define vector_zero _mm512_setzero_ps
#define vector_set _mm512_set1_ps
#define vector_load _mm512_loadu_ps
#define vector_load_first(x, n) _mm512_maskz_loadu_ps(lanes_of(n), x)
#define vector_add _mm512_add_ps
#define vector_multiply _mm512_mul_ps
#define vector_multiply_add _mm512_fmadd_ps
#define vector_sum _mm512_reduce_add_ps

/* The first n ≤ 16 values; lanes behind them are not read and become 0. */
static inline __attribute__((always_inline)) __m512 load_first_int8(const int8_t *w, int64_t n)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(lanes_of(n), w)));
}

static inline __attribute__((always_inline)) __m512 load_int8(const int8_t *w)
{
    return load_first_int8(w, LANES);
}

#include "kernels/int8_rows_tmpl.h"

DEFINE_DOT_INT8_ROWS(pali__dot_int8_rows_avx512)

void pali__widen_int8_row_avx512(float *y, const int8_t *x, int64_t n)
{
    __m512 scale = _mm512_set1_ps(pali__int8_vector_scale(x, n));
    for (int64_t i = 0; i < n; i += LANES)
        _mm512_mask_storeu_ps(y + i, lanes_of(n - i), _mm512_mul_ps(load_first_int8(x + i, n - i), scale));
}
