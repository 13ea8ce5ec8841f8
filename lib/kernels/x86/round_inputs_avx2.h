/* SPDX-License-Identifier: BSD-2-Clause */
/* round_inputs with AVX2 instructions, for that set and for AVX-512, which differ in the order for 4-bit codes. */
#ifndef PALI_KERNELS_X86_ROUND_INPUTS_AVX2_H
#define PALI_KERNELS_X86_ROUND_INPUTS_AVX2_H

#include <math.h>
#include <string.h>

#include <immintrin.h>

#include "kernels/kernels.h"

/* max|x| / 32767 of a block, as plain C has it. */
static inline float scale_of_block(const float *x)
{
    const __m256i size = _mm256_set1_epi32(0x7fffffff);
    __m256i most = _mm256_setzero_si256();
    for (int k = 0; k < PALI__CODE_BLOCK; k += 8)
        most = _mm256_max_epi32(most, _mm256_and_si256(_mm256_castps_si256(_mm256_loadu_ps(x + k)), size));
    __m128i four = _mm_max_epi32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
    __m128i two = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    __m128i one = _mm_max_epi32(two, _mm_shuffle_epi32(two, 0xb1));
    if (_mm_cvtsi128_si32(one) >= 0x7f800000)
        return NAN;
    float scale = _mm_cvtss_f32(_mm_castsi128_ps(one)) * (1.0f / 32767.0f);
    return scale > 1e-37f ? scale : 1e-37f;
}

/* Sixteen values in their order. */
static inline __m256i round16(const float *x, __m256 inverse)
{
    __m256i low = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), inverse));
    __m256i high = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), inverse));
    return _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8); /* packing works within halves */
}

/* The sums of eight vectors of a block, two by two. */
static inline __m128 unit_sums(const __m256i values[8])
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sums[4];
    for (int i = 0; i < 4; i++)
        sums[i] = _mm256_add_epi32(_mm256_madd_epi16(values[2 * i], ones), _mm256_madd_epi16(values[2 * i + 1], ones));
    __m256i all = _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
    return _mm_cvtepi32_ps(_mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
}

/* 64 values so that those for the lowest four bits of each 16 come first, those for the next four `stride` behind, and so
 * on: a transposition, of pairs of neighbours in a plane. */
static inline void store_planes(int16_t *out, int64_t stride, const __m256i values[4])
{
    const __m256i pairs = _mm256_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15,
                                           0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15);
    __m256i in[4], mixed[4], planes[4];
    for (int i = 0; i < 4; i++)
        in[i] = _mm256_shuffle_epi8(values[i], pairs); /* in each half a pair of every plane */
    mixed[0] = _mm256_permute2x128_si256(in[0], in[2], 0x20);
    mixed[1] = _mm256_permute2x128_si256(in[0], in[2], 0x31);
    mixed[2] = _mm256_permute2x128_si256(in[1], in[3], 0x20);
    mixed[3] = _mm256_permute2x128_si256(in[1], in[3], 0x31);
    __m256i low0 = _mm256_unpacklo_epi32(mixed[0], mixed[1]), high0 = _mm256_unpackhi_epi32(mixed[0], mixed[1]);
    __m256i low1 = _mm256_unpacklo_epi32(mixed[2], mixed[3]), high1 = _mm256_unpackhi_epi32(mixed[2], mixed[3]);
    planes[0] = _mm256_unpacklo_epi64(low0, low1);
    planes[1] = _mm256_unpackhi_epi64(low0, low1);
    planes[2] = _mm256_unpacklo_epi64(high0, high1);
    planes[3] = _mm256_unpackhi_epi64(high0, high1);
    for (int p = 0; p < 4; p++)
        _mm256_storeu_si256((__m256i *)(void *)(out + p * stride), planes[p]);
}

static inline void round_block(int16_t *values, float *sums, const float *x, float scale, bool planes,
                               const int plane_lanes)
{
    __m256 inverse = _mm256_set1_ps(1.0f / scale);
    __m256i rounded[8];
    for (int i = 0; i < 8; i++)
        rounded[i] = round16(x + 16 * i, inverse);
    _mm_storeu_ps(sums, unit_sums(rounded));
    if (planes) {
        store_planes(values, plane_lanes, rounded);
        store_planes(values + (plane_lanes == 16 ? 64 : 16), plane_lanes, rounded + 4);
    } else {
        for (int i = 0; i < 8; i++)
            _mm256_storeu_si256((__m256i *)(void *)(values + 16 * i), rounded[i]);
    }
}

/* plane_lanes: how many int16 a register of codes holds, 16 or 32. */
static inline void round_inputs(int16_t *values, float *scales, float *sums, const float *x, int64_t n, float scale,
                                bool planes, const int plane_lanes)
{
    float last[PALI__CODE_BLOCK] = {0};
    for (; n > 0; n -= PALI__CODE_BLOCK) {
        const float *in = x;
        if (n < PALI__CODE_BLOCK)
            in = memcpy(last, x, (size_t)n * sizeof *x);
        *scales = scale != 0 ? scale : scale_of_block(in);
        if (isnan(*scales)) {
            memset(values, 0, PALI__CODE_BLOCK * sizeof *values);
            memset(sums, 0, PALI__CODE_UNITS * sizeof *sums);
        } else {
            round_block(values, sums, in, *scales, planes, plane_lanes);
        }
        values += PALI__CODE_BLOCK;
        x += PALI__CODE_BLOCK;
        sums += PALI__CODE_UNITS;
        scales++;
    }
}

#endif
