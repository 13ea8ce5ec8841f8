/* SPDX-License-Identifier: BSD-2-Clause */
/* Vectors of sixteen floats: tails, exp and tanh. Only for files that are compiled for AVX-512. */
#ifndef PALI_KERNELS_X86_VECTOR_AVX512_H
#define PALI_KERNELS_X86_VECTOR_AVX512_H

#include <stdint.h>

#include <immintrin.h>

enum { LANES = 16 };

/* Lanes 0…n-1; all of them for n ≥ 16, none for n ≤ 0. */
static inline __mmask16 lanes_of(int64_t n)
{
    if (n >= LANES)
        return 0xffff;
    if (n <= 0)
        return 0;
    return (__mmask16)((1u << n) - 1u);
}

/* As exp8 of vector_avx2.h. */
static inline __m512 exp16(__m512 x)
{
    const __m512 lowest = _mm512_set1_ps(-87.33f);
    __m512 in = _mm512_max_ps(lowest, _mm512_min_ps(_mm512_set1_ps(89.0f), x)); /* NaN passes as second operand */
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(in, _mm512_set1_ps(1.44269504f)), 0);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), in);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
    __m512 p = _mm512_set1_ps(1.9875691500e-4f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1f));
    p = _mm512_add_ps(_mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r), _mm512_set1_ps(1.0f));
    __m512i exponent = _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23);
    p = _mm512_mul_ps(p, _mm512_castsi512_ps(exponent));
    return _mm512_mask_mov_ps(p, _mm512_cmp_ps_mask(x, lowest, _CMP_LT_OQ), _mm512_setzero_ps());
}

/* As exp_falling8. */
static inline __m512 exp_falling16(__m512 x)
{
    const __m512 lowest = _mm512_set1_ps(-87.0f), round = _mm512_set1_ps(12582912.0f);
    const __m512 per_ln2 = _mm512_set1_ps(1.44269502f), rest = _mm512_set1_ps(1.925962989e-8f);
    __m512 in = _mm512_max_ps(x, lowest);
    __m512 shifted = _mm512_fmadd_ps(in, per_ln2, round), n = _mm512_sub_ps(shifted, round);
    __m512 r = _mm512_fmadd_ps(in, rest, _mm512_fmsub_ps(in, per_ln2, n));
    __m512 p = _mm512_set1_ps(1.326470877e-3f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(9.671511466e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.550733776e-2f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(2.402224210e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(6.931469776e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
    __m512i out = _mm512_add_epi32(_mm512_castps_si512(p), exponent);
    return _mm512_castsi512_ps(_mm512_maskz_mov_epi32(_mm512_cmp_ps_mask(x, lowest, _CMP_GE_OQ), out));
}

/* As tanh8. */
static inline __m512 tanh16(__m512 x)
{
    const __m512 most = _mm512_set1_ps(9.0f), one = _mm512_set1_ps(1.0f), minus_one = _mm512_set1_ps(-1.0f);
    __m512 in = _mm512_max_ps(_mm512_set1_ps(-9.0f), _mm512_min_ps(most, x)); /* NaN passes as second operand */
    __m512 square = _mm512_mul_ps(in, in), p = _mm512_set1_ps(1.335428003e-8f), q = _mm512_set1_ps(7.776399699e-7f);
    p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(2.060879973e-5f));
    q = _mm512_fmadd_ps(q, square, _mm512_set1_ps(3.285606592e-4f));
    p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(3.495570854e-3f));
    q = _mm512_fmadd_ps(q, square, _mm512_set1_ps(2.587691659e-2f));
    p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(1.338101114e-1f));
    q = _mm512_fmadd_ps(q, square, _mm512_set1_ps(4.671432675e-1f));
    p = _mm512_mul_ps(in, _mm512_fmadd_ps(p, square, one));
    q = _mm512_fmadd_ps(q, square, one);
    return _mm512_max_ps(minus_one, _mm512_min_ps(one, _mm512_div_ps(p, q)));
}

/* As gelu8. */
static inline __m512 gelu16(__m512 x)
{
    __m512 square = _mm512_mul_ps(x, x);
    __m512 inner = _mm512_fmadd_ps(_mm512_mul_ps(square, x), _mm512_set1_ps(0.044715f), x);
    __m512 power = exp16(_mm512_mul_ps(inner, _mm512_set1_ps(-2.0f * 0.7978845608028654f)));
    return _mm512_div_ps(x, _mm512_add_ps(power, _mm512_set1_ps(1.0f)));
}

/* As silu8. */
static inline __m512 silu16(__m512 x)
{
    __m512 power = exp16(_mm512_sub_ps(_mm512_setzero_ps(), x));
    return _mm512_div_ps(x, _mm512_add_ps(power, _mm512_set1_ps(1.0f)));
}

#endif
