/* SPDX-License-Identifier: BSD-2-Clause */
/* Products of rounded inputs with quantized matrices (dot_codes_tmpl.h), for AVX-512. */
#include "kernels/variants.h"

#include "kernels/x86/round_inputs_avx2.h"

enum { LANES = 16, WIDE_LANES = 32 };

typedef __m512 vector;
#define vector_zero _mm512_setzero_ps
#define vector_set _mm512_set1_ps
#define vector_load _mm512_loadu_ps
#define vector_store _mm512_storeu_ps
#define vector_add _mm512_add_ps
#define vector_multiply _mm512_mul_ps
#define vector_multiply_add _mm512_fmadd_ps
#define vector_subtract_product _mm512_fnmadd_ps
#define vector_sum _mm512_reduce_add_ps

typedef __m512i integers;
#define integers_zero _mm512_setzero_si512
#define integers_load(x) _mm512_loadu_si512(x)
#define integers_to_float _mm512_cvtepi32_ps
#define integers_dot(a, b, sum) _mm512_add_epi32(sum, _mm512_madd_epi16(a, b))

#define vector_from_bf16(x) _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_256(x)), 16))
#define vector_from_f16(x) _mm512_cvtph_ps(load_256(x))
#define vector_from_int8(x) _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(x))))
#define load_256(x) _mm256_loadu_si256((const __m256i *)(const void *)(x))

#define vector_spread spread

/* One factor for all lanes, for each half or for each quarter. */
static inline __attribute__((always_inline)) __m512 spread(const float *f, const int count)
{
    if (count == 1)
        return _mm512_set1_ps(f[0]);
    __m512 factors = _mm512_castps128_ps512(_mm_loadu_ps(f));
    if (count == 2)
        return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1), factors);
    return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3), factors);
}

#include "kernels/dot_codes_tmpl.h"

INLINE void unpack_int8(__m512i *planes, const unsigned char *codes)
{
    planes[0] = _mm512_cvtepi8_epi16(load_256(codes));
}

INLINE void unpack_packed8(__m512i *planes, const unsigned char *codes)
{
    planes[0] = _mm512_cvtepu8_epi16(load_256(codes));
}

INLINE void unpack_packed4(__m512i *planes, const unsigned char *codes)
{
    const __m512i low = _mm512_set1_epi16(15);
    __m512i all = integers_load(codes);
    planes[0] = _mm512_and_si512(all, low);
    planes[1] = _mm512_and_si512(_mm512_srli_epi16(all, 4), low);
    planes[2] = _mm512_and_si512(_mm512_srli_epi16(all, 8), low);
    planes[3] = _mm512_srli_epi16(all, 12);
}

DEFINE_DOT_CODES(pali__dot_int8_avx512, unpack_int8, 1, 8, 0)
DEFINE_DOT_CODES(pali__dot_packed8_avx512, unpack_packed8, 1, 8, 128)
DEFINE_DOT_CODES(pali__dot_packed4_avx512, unpack_packed4, 4, 4, 8)

void pali__round_inputs_avx512(int16_t *values, float *scales, float *sums, const float *x, int64_t n, float scale,
                               bool planes)
{
    round_inputs(values, scales, sums, x, n, scale, planes, WIDE_LANES);
}
