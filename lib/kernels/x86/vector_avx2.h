/* SPDX-License-Identifier: BSD-2-Clause */
/* Vectors of eight floats: loading, tails, sums, exp and tanh. Only for files that are compiled for AVX2 and FMA. */
#ifndef PALI_KERNELS_X86_VECTOR_AVX2_H
#define PALI_KERNELS_X86_VECTOR_AVX2_H

#include <stdbool.h>
#include <stdint.h>

#include <immintrin.h>

/* Lanes 0…n-1, for n ≤ 8. */
static inline __m256i first_lanes(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* All lanes, or, masked, some. `masked` is a constant where these are used: masked stores are slow on some processors, so
 * only a last vector has one. */
static inline __m256 load_lanes(const float *x, const bool masked, __m256i lanes)
{
    return masked ? _mm256_maskload_ps(x, lanes) : _mm256_loadu_ps(x);
}

static inline void store_lanes(float *y, __m256 x, const bool masked, __m256i lanes)
{
    if (masked)
        _mm256_maskstore_ps(y, lanes, x);
    else
        _mm256_storeu_ps(y, x);
}

static inline float sum_lanes(__m256 x)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline float largest_lane(__m256 x)
{
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

/* Eight rows of eight lanes become columns: pairs, then fours, then halves change places. */
static inline __attribute__((always_inline)) void transpose8(__m256 rows[8])
{
    __m256 pairs[8], fours[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i += 2) {
        pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i += 4) {
#pragma GCC unroll 8
        for (int half = 0; half < 2; half++) {
            fours[i + 2 * half] = _mm256_shuffle_ps(pairs[i + half], pairs[i + half + 2], 0x44);
            fours[i + 2 * half + 1] = _mm256_shuffle_ps(pairs[i + half], pairs[i + half + 2], 0xee);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < 4; i++) {
        rows[i] = _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x20);
        rows[i + 4] = _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x31);
    }
}

/* exp(x) to 1.5 ulp for x in [-87.33, 88.3]; below that 0, above that infinity; NaN stays NaN. x = n·ln 2 + r with ln 2
 * in two parts, then a polynomial for exp(r), |r| ≤ ln 2 / 2 (the coefficients of Cephes' expf). */
static inline __m256 exp8(__m256 x)
{
    const __m256 lowest = _mm256_set1_ps(-87.33f);
    __m256 in = _mm256_max_ps(lowest, _mm256_min_ps(_mm256_set1_ps(89.0f), x)); /* NaN passes as second operand */
    __m256 n = _mm256_round_ps(_mm256_mul_ps(in, _mm256_set1_ps(1.44269504f)),
                               _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), in);
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
    __m256 p = _mm256_set1_ps(1.9875691500e-4f);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.3981999507e-3f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(8.3334519073e-3f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(4.1665795894e-2f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.6666665459e-1f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(5.0000001201e-1f));
    p = _mm256_add_ps(_mm256_fmadd_ps(p, _mm256_mul_ps(r, r), r), _mm256_set1_ps(1.0f));
    __m256i exponent = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    p = _mm256_mul_ps(p, _mm256_castsi256_ps(exponent));
    return _mm256_andnot_ps(_mm256_cmp_ps(x, lowest, _CMP_LT_OQ), p);
}

/* exp(x) to 1.5 ulp for x in [-87, 0]; below that 0. As exp8 without its care for other values: adding 1.5·2²³ rounds
 * to a whole number and leaves it in the low bits, from where it goes straight into the exponent. */
static inline __m256 exp_falling8(__m256 x)
{
    const __m256 lowest = _mm256_set1_ps(-87.0f), round = _mm256_set1_ps(12582912.0f);
    __m256 in = _mm256_max_ps(x, lowest);
    __m256 shifted = _mm256_fmadd_ps(in, _mm256_set1_ps(1.44269504f), round), n = _mm256_sub_ps(shifted, round);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), in);
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
    __m256 p = _mm256_set1_ps(1.9875691500e-4f);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.3981999507e-3f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(8.3334519073e-3f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(4.1665795894e-2f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.6666665459e-1f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(5.0000001201e-1f));
    p = _mm256_add_ps(_mm256_fmadd_ps(p, _mm256_mul_ps(r, r), r), _mm256_set1_ps(1.0f));
    __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    p = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent));
    return _mm256_and_ps(p, _mm256_cmp_ps(x, lowest, _CMP_GE_OQ));
}

/* tanh(x) to 2 ulp: a polynomial near 0 (Cephes' tanhf), 1 - 2/(exp(2|x|) + 1) elsewhere; NaN stays NaN. */
static inline __m256 tanh8(__m256 x)
{
    const __m256 sign = _mm256_set1_ps(-0.0f), one = _mm256_set1_ps(1.0f);
    __m256 size = _mm256_andnot_ps(sign, x), square = _mm256_mul_ps(x, x);
    __m256 p = _mm256_set1_ps(-5.70498872745e-3f);
    p = _mm256_fmadd_ps(p, square, _mm256_set1_ps(2.06390887954e-2f));
    p = _mm256_fmadd_ps(p, square, _mm256_set1_ps(-5.37397155531e-2f));
    p = _mm256_fmadd_ps(p, square, _mm256_set1_ps(1.33314422036e-1f));
    p = _mm256_fmadd_ps(p, square, _mm256_set1_ps(-3.33332819422e-1f));
    __m256 near = _mm256_fmadd_ps(_mm256_mul_ps(p, square), x, x);
    __m256 power = exp8(_mm256_add_ps(size, size));
    __m256 far = _mm256_sub_ps(one, _mm256_div_ps(_mm256_set1_ps(2.0f), _mm256_add_ps(power, one)));
    far = _mm256_or_ps(far, _mm256_and_ps(sign, x));
    return _mm256_blendv_ps(far, near, _mm256_cmp_ps(size, _mm256_set1_ps(0.625f), _CMP_LT_OQ));
}

/* gelu_tanh(x) = x/2·(1 + tanh u) = x / (1 + exp(-2u)), u = √(2/π)·(x + 0.044715·x³). */
static inline __m256 gelu8(__m256 x)
{
    __m256 square = _mm256_mul_ps(x, x);
    __m256 inner = _mm256_fmadd_ps(_mm256_mul_ps(square, x), _mm256_set1_ps(0.044715f), x);
    __m256 power = exp8(_mm256_mul_ps(inner, _mm256_set1_ps(-2.0f * 0.7978845608028654f)));
    return _mm256_div_ps(x, _mm256_add_ps(power, _mm256_set1_ps(1.0f)));
}

/* silu(x) = x / (1 + exp(-x)). */
static inline __m256 silu8(__m256 x)
{
    __m256 power = exp8(_mm256_xor_ps(x, _mm256_set1_ps(-0.0f)));
    return _mm256_div_ps(x, _mm256_add_ps(power, _mm256_set1_ps(1.0f)));
}

#endif
