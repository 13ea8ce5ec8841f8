/* SPDX-License-Identifier: BSD-2-Clause */
/* Products of a few rows with a matrix (dot_rows_tmpl.h), and conversions, for AVX2. */
#include "kernels/variants.h"

#include <string.h>

#include "kernels/x86/vector_avx2.h"

enum { LANES = 8 };

#define TILE_OUTPUTS 3

typedef __m256 vector;
#define vector_zero _mm256_setzero_ps
#define vector_load _mm256_loadu_ps
#define vector_load_first(x, n) _mm256_maskload_ps(x, first_lanes(n))
#define vector_add _mm256_add_ps
#define vector_multiply_add _mm256_fmadd_ps
#define vector_sum sum_lanes

#include "kernels/dot_rows_tmpl.h"

/* Eight values of each type of weight. */
INLINE __m256 load_f32(const float *w)
{
    return _mm256_loadu_ps(w);
}

INLINE __m256 load_bf16(const uint16_t *w)
{
    __m128i bits = _mm_loadu_si128((const __m128i *)(const void *)w);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

INLINE __m256 load_f16(const uint16_t *w)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)w));
}

INLINE __m256 load_first_f32(const float *w, int64_t n)
{
    return _mm256_maskload_ps(w, first_lanes(n));
}

INLINE __m256 load_first_bf16(const uint16_t *w, int64_t n)
{
    uint16_t values[LANES] = {0};
    memcpy(values, w, (size_t)n * sizeof *w);
    return load_bf16(values);
}

INLINE __m256 load_first_f16(const uint16_t *w, int64_t n)
{
    uint16_t values[LANES] = {0};
    memcpy(values, w, (size_t)n * sizeof *w);
    return load_f16(values);
}

DEFINE_DOT_ROWS(pali__dot_rows_f32_avx2, float, load_f32, load_first_f32)
DEFINE_DOT_ROWS(pali__dot_rows_bf16_avx2, uint16_t, load_bf16, load_first_bf16)
DEFINE_DOT_ROWS(pali__dot_rows_f16_avx2, uint16_t, load_f16, load_first_f16)

void pali__widen_bf16_avx2(float *y, const uint16_t *x, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(y + i, load_bf16(x + i));
    if (i < n)
        pali__widen_bf16_c(y + i, x + i, n - i);
}

void pali__widen_f16_avx2(float *y, const uint16_t *x, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(y + i, load_f16(x + i));
    if (i < n)
        pali__widen_f16_c(y + i, x + i, n - i);
}

/* Eight floats, each rounded to bfloat16 in the low half of its lane. */
INLINE __m256i narrow8(const float *x)
{
    __m256 value = _mm256_loadu_ps(x);
    __m256i bits = _mm256_castps_si256(value), high = _mm256_srli_epi32(bits, 16);
    __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
    __m256i rounded = _mm256_srli_epi32(
        _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd), 16);
    __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
    __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(value, value, _CMP_UNORD_Q));
    return _mm256_blendv_epi8(rounded, quiet, is_nan);
}

void pali__narrow_bf16_avx2(uint16_t *y, const float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        __m256i packed = _mm256_packus_epi32(narrow8(x + i), narrow8(x + i + LANES));
        packed = _mm256_permute4x64_epi64(packed, 0xd8); /* packing works within halves: put them in order */
        _mm256_storeu_si256((__m256i *)(void *)(y + i), packed);
    }
    if (i < n)
        pali__narrow_bf16_c(y + i, x + i, n - i);
}
