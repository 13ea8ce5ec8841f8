/* SPDX-License-Identifier: BSD-2-Clause */
/* Integers of 8 bits: rounding to them, and the products of pairs. */
#define PRODUCT_PAIRS pali__product_pairs_avx512
#define MULTIPLY_ADD(sum, a, b) _mm512_add_epi32(sum, _mm512_madd_epi16(a, b))

#include "kernels/x86/int8_pairs_avx512.h"

#include <float.h>

/* As largest_size of c/int8_c.c. */
static float largest_size(const float *x, int64_t n)
{
    const __m512i no_sign = _mm512_set1_epi32(INT32_MAX);
    __m512i largest = _mm512_setzero_si512();
    for (int64_t i = 0; i < n; i += LANES) {
        __m512i in = _mm512_maskz_loadu_epi32(lanes_of(n - i), x + i);
        largest = _mm512_max_epu32(largest, _mm512_and_si512(in, no_sign));
    }
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128((int)_mm512_reduce_max_epu32(largest))));
}

float pali__round_int8_avx512(int8_t *y, const float *x, int64_t n)
{
    float scale = largest_size(x, n) / 127.5f;
    if (!(scale <= FLT_MAX)) {
        memset(y, 0, (size_t)n);
        return scale;
    }
    if (scale == 0)
        scale = FLT_EPSILON;
    __m512 scales = _mm512_set1_ps(scale);
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_of(n - i);
        __m512i q = _mm512_cvtps_epi32(_mm512_div_ps(_mm512_maskz_loadu_ps(lanes, x + i), scales));
        _mm_mask_storeu_epi8(y + i, lanes, _mm512_cvtsepi32_epi8(q)); /* saturating, which is the clamp */
    }
    return scale;
}

void pali__widen_int8_avx512(int16_t *y, const uint8_t *x, uint8_t flip, int64_t n)
{
    __m256i flips = _mm256_set1_epi8((char)flip);
    for (int64_t i = 0; i < n; i += 2 * LANES) {
        __mmask32 lanes = n - i >= 2 * LANES ? 0xffffffffu : (1u << (n - i)) - 1u;
        __m256i in = _mm256_xor_si256(_mm256_maskz_loadu_epi8(lanes, x + i), flips);
        _mm512_mask_storeu_epi16(y + i, lanes, _mm512_cvtepi8_epi16(in));
    }
}
