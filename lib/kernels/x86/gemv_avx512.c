/* SPDX-License-Identifier: BSD-2-Clause */
/* Products of a few rows with a matrix (dot_rows_tmpl.h), and conversions, for AVX-512. */
#include "kernels/variants.h"

#include "kernels/x86/vector_avx512.h"

#define TILE_OUTPUTS 6

typedef __m512 vector;
#define vector_zero _mm512_setzero_ps
#define vector_load _mm512_loadu_ps
#define vector_load_first(x, n) _mm512_maskz_loadu_ps(lanes_of(n), x)
#define vector_add _mm512_add_ps
#define vector_multiply_add _mm512_fmadd_ps
#define vector_sum _mm512_reduce_add_ps

#include "kernels/dot_rows_tmpl.h"

/* The first n ≤ 16 values of each type of weight; lanes behind them are not read and become 0. */
INLINE __m512 load_first_f32(const float *w, int64_t n)
{
    return _mm512_maskz_loadu_ps(lanes_of(n), w);
}

INLINE __m512 load_first_bf16(const uint16_t *w, int64_t n)
{
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes_of(n), w));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

INLINE __m512 load_first_f16(const uint16_t *w, int64_t n)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes_of(n), w));
}

INLINE __m512 load_f32(const float *w)
{
    return load_first_f32(w, LANES);
}

INLINE __m512 load_bf16(const uint16_t *w)
{
    return load_first_bf16(w, LANES);
}

INLINE __m512 load_f16(const uint16_t *w)
{
    return load_first_f16(w, LANES);
}

DEFINE_DOT_ROWS(pali__dot_rows_f32_avx512, float, load_f32, load_first_f32)
DEFINE_DOT_ROWS(pali__dot_rows_bf16_avx512, uint16_t, load_bf16, load_first_bf16)
DEFINE_DOT_ROWS(pali__dot_rows_f16_avx512, uint16_t, load_f16, load_first_f16)

void pali__widen_bf16_avx512(float *y, const uint16_t *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += LANES)
        _mm512_mask_storeu_ps(y + i, lanes_of(n - i), load_first_bf16(x + i, n - i));
}

void pali__widen_f16_avx512(float *y, const uint16_t *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += LANES)
        _mm512_mask_storeu_ps(y + i, lanes_of(n - i), load_first_f16(x + i, n - i));
}

void pali__narrow_bf16_avx512(uint16_t *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_of(n - i);
        __m512 value = _mm512_maskz_loadu_ps(lanes, x + i);
        __m512i bits = _mm512_castps_si512(value), high = _mm512_srli_epi32(bits, 16);
        __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
        __m512i rounded = _mm512_srli_epi32(
            _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd), 16);
        __m512i quiet = _mm512_or_si512(high, _mm512_set1_epi32(0x40));
        rounded = _mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q), quiet);
        _mm256_mask_storeu_epi16(y + i, lanes, _mm512_cvtepi32_epi16(rounded));
    }
}
