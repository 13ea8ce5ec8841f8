/* SPDX-License-Identifier: BSD-2-Clause */
/* Weights rounded to integers. Products and sums are not fused: results equal those of plain C. */
#include "kernels/variants.h"

#include "kernels/x86/vector_avx2.h"

enum { LANES = 8 };

#define INLINE static inline __attribute__((always_inline))

INLINE __m256 rounded(__m256 x)
{
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* The second operand is what max and min return for a NaN. */
INLINE __m256 limited(__m256 x, __m256 lowest, __m256 highest)
{
    return _mm256_min_ps(_mm256_max_ps(x, lowest), highest);
}

void pali__extremes_avx2(float *smallest, float *largest, const float *x, int64_t n)
{
    __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
    int64_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        __m256 in = _mm256_loadu_ps(x + i);
        low = _mm256_min_ps(in, low);
        high = _mm256_max_ps(in, high);
    }
    if (i < n) {
        __m256 in = _mm256_maskload_ps(x + i, first_lanes(n - i)); /* zeros behind, which change nothing */
        low = _mm256_min_ps(in, low);
        high = _mm256_max_ps(in, high);
    }
    *smallest = 0.0f - largest_lane(_mm256_sub_ps(_mm256_setzero_ps(), low));
    *largest = largest_lane(high);
}

/* Of grids first…first + 8·n_vectors - 1. The lanes are grids, so that each one's sum has the order of k. */
INLINE void errors_of(float *error, const struct pali__grids *grids, int first, const float *w, const float *importance,
                      int64_t n, const int n_vectors, const bool weighted)
{
    __m256 scale[2], inverse[2], lowest[2], highest[2], sum[2];

#pragma GCC unroll 2
    for (int v = 0; v < n_vectors; v++) {
        scale[v] = _mm256_loadu_ps(grids->scale + first + v * LANES);
        inverse[v] = _mm256_loadu_ps(grids->inverse + first + v * LANES);
        lowest[v] = _mm256_loadu_ps(grids->lowest + first + v * LANES);
        highest[v] = _mm256_loadu_ps(grids->highest + first + v * LANES);
        sum[v] = _mm256_setzero_ps();
    }
    for (int64_t k = 0; k < n; k++) {
        __m256 in = _mm256_broadcast_ss(w + k);
#pragma GCC unroll 2
        for (int v = 0; v < n_vectors; v++) {
            __m256 q = rounded(limited(_mm256_mul_ps(in, inverse[v]), lowest[v], highest[v]));
            __m256 difference = _mm256_sub_ps(in, _mm256_mul_ps(scale[v], q));
            __m256 square = _mm256_mul_ps(difference, difference);
            if (weighted)
                square = _mm256_mul_ps(_mm256_broadcast_ss(importance + k), square);
            sum[v] = _mm256_add_ps(sum[v], square);
        }
    }
#pragma GCC unroll 2
    for (int v = 0; v < n_vectors; v++)
        _mm256_storeu_ps(error + first + v * LANES, sum[v]);
}

void pali__rounding_errors_avx2(float *error, const struct pali__grids *grids, int n_grids, const float *w,
                                const float *importance, int64_t n)
{
    for (int first = 0; first < n_grids; first += 2 * LANES) {
        bool two = first + LANES < n_grids;
        if (importance && two)
            errors_of(error, grids, first, w, importance, n, 2, true);
        else if (importance)
            errors_of(error, grids, first, w, importance, n, 1, true);
        else if (two)
            errors_of(error, grids, first, w, NULL, n, 2, false);
        else
            errors_of(error, grids, first, w, NULL, n, 1, false);
    }
}

INLINE __m256i codes_of(__m256 in, __m256 scale, __m256 zero_point, __m256 lowest, __m256 highest)
{
    __m256 q = _mm256_add_ps(_mm256_div_ps(in, scale), zero_point);
    return _mm256_cvttps_epi32(rounded(limited(q, lowest, highest)));
}

void pali__round_to_grid_avx2(int8_t *q, const float *w, int64_t n, float scale, float zero_point, float lowest,
                              float highest)
{
    const __m256 s = _mm256_set1_ps(scale), z = _mm256_set1_ps(zero_point);
    const __m256 low = _mm256_set1_ps(lowest), high = _mm256_set1_ps(highest);
    const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7); /* packing goes by halves */
    int64_t k = 0;

    for (; k + 4 * LANES <= n; k += 4 * LANES) {
        __m256i codes[4];
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++)
            codes[v] = codes_of(_mm256_loadu_ps(w + k + v * LANES), s, z, low, high);
        __m256i first = _mm256_packs_epi32(codes[0], codes[1]), second = _mm256_packs_epi32(codes[2], codes[3]);
        __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(first, second), in_order);
        _mm256_storeu_si256((__m256i *)(void *)(q + k), bytes);
    }
    for (; k < n; k += LANES) {
        int64_t left = n - k < LANES ? n - k : LANES;
        int32_t codes[LANES];
        __m256i in_range = codes_of(_mm256_maskload_ps(w + k, first_lanes(left)), s, z, low, high);
        _mm256_storeu_si256((__m256i *)(void *)codes, in_range);
        for (int64_t i = 0; i < left; i++)
            q[k + i] = (int8_t)codes[i];
    }
}
