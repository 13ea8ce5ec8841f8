/* SPDX-License-Identifier: BSD-2-Clause */
/* Products of rounded inputs with quantized matrices (dot_codes_tmpl.h), and their weights as float32, for AVX2. */
#include "kernels/variants.h"

#include "kernels/x86/round_inputs_avx2.h"
#include "kernels/x86/vector_avx2.h"

enum { LANES = 8, WIDE_LANES = 16 };

typedef __m256 vector;
#define vector_zero _mm256_setzero_ps
#define vector_set _mm256_set1_ps
#define vector_load _mm256_loadu_ps
#define vector_store _mm256_storeu_ps
#define vector_add _mm256_add_ps
#define vector_multiply _mm256_mul_ps
#define vector_multiply_add _mm256_fmadd_ps
#define vector_subtract_product _mm256_fnmadd_ps
#define vector_sum sum_lanes

typedef __m256i integers;
#define integers_zero _mm256_setzero_si256
#define integers_load(x) _mm256_loadu_si256((const __m256i *)(const void *)(x))
#define integers_to_float _mm256_cvtepi32_ps
#define integers_dot(a, b, sum) _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))

#define vector_from_bf16(x) _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_128(x)), 16))
#define vector_from_f16(x) _mm256_cvtph_ps(load_128(x))
#define vector_from_int8(x) _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(load_64(x)))
#define load_128(x) _mm_loadu_si128((const __m128i *)(const void *)(x))
#define load_64(x) _mm_loadl_epi64((const __m128i *)(const void *)(x))

#define vector_spread spread

/* One factor for all lanes, or one for each half. */
static inline __attribute__((always_inline)) __m256 spread(const float *f, const int count)
{
    if (count == 1)
        return _mm256_broadcast_ss(f);
    __m128 two = _mm_castsi128_ps(load_64(f));
    return _mm256_permutevar8x32_ps(_mm256_castps128_ps256(two), _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));
}

#include "kernels/dot_codes_tmpl.h"

INLINE void unpack_int8(__m256i *planes, const unsigned char *codes)
{
    planes[0] = _mm256_cvtepi8_epi16(load_128(codes));
    planes[1] = _mm256_cvtepi8_epi16(load_128(codes + 16));
}

INLINE void unpack_packed8(__m256i *planes, const unsigned char *codes)
{
    planes[0] = _mm256_cvtepu8_epi16(load_128(codes));
    planes[1] = _mm256_cvtepu8_epi16(load_128(codes + 16));
}

INLINE void unpack_packed4(__m256i *planes, const unsigned char *codes)
{
    const __m256i low = _mm256_set1_epi16(15);
    __m256i all = integers_load(codes);
    planes[0] = _mm256_and_si256(all, low);
    planes[1] = _mm256_and_si256(_mm256_srli_epi16(all, 4), low);
    planes[2] = _mm256_and_si256(_mm256_srli_epi16(all, 8), low);
    planes[3] = _mm256_srli_epi16(all, 12);
}

DEFINE_DOT_CODES(pali__dot_int8_avx2, unpack_int8, 2, 8, 0)
DEFINE_DOT_CODES(pali__dot_packed8_avx2, unpack_packed8, 2, 8, 128)
DEFINE_DOT_CODES(pali__dot_packed4_avx2, unpack_packed4, 4, 4, 8)

void pali__round_inputs_avx2(int16_t *values, float *scales, float *sums, const float *x, int64_t n, float scale,
                             bool planes)
{
    round_inputs(values, scales, sums, x, n, scale, planes, WIDE_LANES);
}

/* y = scale · (q - zero) for eight q. */
INLINE void store_weights(float *y, __m256i q, __m256 scale, __m256i zero)
{
    _mm256_storeu_ps(y, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(q, zero)), scale));
}

void pali__dequantize_int8_avx2(float *y, const void *codes, int64_t first, int64_t n, float scale, int zero)
{
    const unsigned char *in = (const unsigned char *)codes + first;
    int64_t k = 0;
    for (; k + LANES <= n; k += LANES)
        store_weights(y + k, _mm256_cvtepi8_epi32(load_64(in + k)),
                      _mm256_set1_ps(scale), _mm256_set1_epi32(zero));
    pali__dequantize_int8_c(y + k, codes, first + k, n - k, scale, zero);
}

void pali__dequantize_packed8_avx2(float *y, const void *codes, int64_t first, int64_t n, float scale, int zero)
{
    const unsigned char *in = (const unsigned char *)codes + first;
    int64_t k = 0;
    for (; k + LANES <= n; k += LANES)
        store_weights(y + k, _mm256_cvtepu8_epi32(load_64(in + k)),
                      _mm256_set1_ps(scale), _mm256_set1_epi32(zero));
    pali__dequantize_packed8_c(y + k, codes, first + k, n - k, scale, zero);
}

void pali__dequantize_packed4_avx2(float *y, const void *codes, int64_t first, int64_t n, float scale, int zero)
{
    const __m256i shifts = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28), low = _mm256_set1_epi32(15);
    int64_t k = first % 2 != 0 && n > 0; /* eight of them are four whole bytes */
    pali__dequantize_packed4_c(y, codes, first, k, scale, zero);
    for (; k + LANES <= n; k += LANES) {
        int32_t word;
        memcpy(&word, (const unsigned char *)codes + (first + k) / 2, sizeof word);
        __m256i q = _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32(word), shifts), low);
        store_weights(y + k, q, _mm256_set1_ps(scale), _mm256_set1_epi32(zero));
    }
    pali__dequantize_packed4_c(y + k, codes, first + k, n - k, scale, zero);
}
