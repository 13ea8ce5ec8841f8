/* SPDX-License-Identifier: BSD-2-Clause */
/* Integers of 8 bits: rounding to them, and the products of pairs. */
#include "kernels/variants.h"

#include <float.h>
#include <string.h>

#include "kernels/x86/vector_avx2.h"

enum { LANES = 8, BYTES = 32, BLOCK_ROWS = 6 };

#define INLINE static inline __attribute__((always_inline))

/* As largest_size of c/int8_c.c. */
static float largest_size(const float *x, int64_t n)
{
    const __m256i no_sign = _mm256_set1_epi32(INT32_MAX);
    __m256i largest = _mm256_setzero_si256();
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        largest = _mm256_max_epu32(largest, _mm256_and_si256(_mm256_castps_si256(_mm256_loadu_ps(x + i)), no_sign));
    __m256i last = _mm256_castps_si256(_mm256_maskload_ps(x + i, first_lanes(n - i)));
    largest = _mm256_max_epu32(largest, _mm256_and_si256(last, no_sign));
    __m128i four = _mm_max_epu32(_mm256_castsi256_si128(largest), _mm256_extracti128_si256(largest, 1));
    __m128i two = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_max_epu32(two, _mm_shuffle_epi32(two, 0xb1))));
}

/* Thirty-two values; packing saturates, which is the clamp. */
static void round32(int8_t *y, const float *x, __m256 scales)
{
    __m256i parts[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        parts[i] = _mm256_cvtps_epi32(_mm256_div_ps(_mm256_loadu_ps(x + i * LANES), scales));
    __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(parts[0], parts[1]), _mm256_packs_epi32(parts[2], parts[3]));
    /* Packing works in halves of a vector: fours of bytes stand in the order 0 2 4 6 1 3 5 7. */
    packed = _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)(void *)y, packed);
}

float pali__round_int8_avx2(int8_t *y, const float *x, int64_t n)
{
    float scale = largest_size(x, n) / 127.5f;
    if (!(scale <= FLT_MAX)) {
        memset(y, 0, (size_t)n);
        return scale;
    }
    if (scale == 0)
        scale = FLT_EPSILON;
    __m256 scales = _mm256_set1_ps(scale);
    int64_t i = 0;
    for (; i + BYTES <= n; i += BYTES)
        round32(y + i, x + i, scales);
    if (i < n) {
        float last[BYTES] = {0};
        int8_t rounded[BYTES];
        memcpy(last, x + i, (size_t)(n - i) * sizeof *x);
        round32(rounded, last, scales);
        memcpy(y + i, rounded, (size_t)(n - i));
    }
    return scale;
}

void pali__widen_int8_avx2(int16_t *y, const uint8_t *x, uint8_t flip, int64_t n)
{
    __m128i flips = _mm_set1_epi8((char)flip);
    int64_t i = 0;
    for (; i + BYTES / 2 <= n; i += BYTES / 2) {
        __m128i in = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)(x + i)), flips);
        _mm256_storeu_si256((__m256i *)(void *)(y + i), _mm256_cvtepi8_epi16(in));
    }
    pali__widen_int8_c(y + i, x + i, flip, n - i);
}

void pali__turn_pairs_avx2(int16_t *y, int64_t y_stride, const int8_t *x, int64_t x_stride, int64_t n_rows, int64_t n)
{
    int64_t whole_rows = n_rows / LANES * LANES, whole = n / (2 * LANES) * (2 * LANES);
    for (int64_t i = 0; i < whole_rows; i += LANES) {
        for (int64_t k = 0; k < whole; k += 2 * LANES) {
            __m256 rows[LANES];
#pragma GCC unroll 8
            for (int r = 0; r < LANES; r++) {
                const void *in = x + (i + r) * x_stride + k;
                rows[r] = _mm256_castsi256_ps(_mm256_cvtepi8_epi16(_mm_loadu_si128(in)));
            }
            transpose8(rows);
#pragma GCC unroll 8
            for (int l = 0; l < LANES; l++) {
                void *out = y + 2 * ((k / 2 + l) * y_stride + i);
                _mm256_storeu_si256(out, _mm256_castps_si256(rows[l]));
            }
        }
    }
    pali__turn_pairs_c(y + whole * y_stride, y_stride, x + whole, x_stride, whole_rows, n - whole);
    pali__turn_pairs_c(y + 2 * whole_rows, y_stride, x + whole_rows * x_stride, x_stride, n_rows - whole_rows, n);
}

struct operands {
    int32_t *c;
    const int16_t *a, *b;
    int64_t c_stride, a_stride, b_stride, k; /* strides of a and b in pairs */
    bool add;
};

INLINE __m256i load_lanes_i32(const int32_t *x, const bool masked, __m256i lanes)
{
    return masked ? _mm256_maskload_epi32(x, lanes) : _mm256_loadu_si256((const __m256i *)(const void *)x);
}

INLINE void store_lanes_i32(int32_t *y, __m256i x, const bool masked, __m256i lanes)
{
    if (masked)
        _mm256_maskstore_epi32(y, lanes, x);
    else
        _mm256_storeu_si256((__m256i *)(void *)y, x);
}

/* Pair l of some row of a in all lanes. */
INLINE __m256i broadcast_pair(const int16_t *pair)
{
    int32_t both;
    memcpy(&both, pair, sizeof both);
    return _mm256_set1_epi32(both);
}

/* sum += x in the register where the sum is. Left to the compiler, all products come first and the sums leave the
 * registers: half as fast with GCC 12. */
INLINE void add_in_place(__m256i *sum, __m256i x)
{
    __asm__("vpaddd %1, %0, %0" : "+x"(*sum) : "x"(x));
}

/* As `block` of tile_avx2.c: twelve sums, two vectors of b, a broadcast pair of a and a product fill the registers. */
INLINE void block(const struct operands *o, const int n_rows, const int n_vectors, const bool masked, __m256i lanes)
{
    __m256i sums[BLOCK_ROWS][2];
#pragma GCC unroll 6
    for (int r = 0; r < n_rows; r++) {
        sums[r][0] = sums[r][1] = _mm256_setzero_si256();
        _mm_prefetch((const char *)(o->c + r * o->c_stride), _MM_HINT_T0);
    }
    for (int64_t l = 0; l < o->k; l++) {
        __m256i b[2];
#pragma GCC unroll 2
        for (int v = 0; v < n_vectors; v++)
            b[v] = load_lanes_i32((const int32_t *)(const void *)(o->b + 2 * (l * o->b_stride + v * LANES)),
                                  masked && v == n_vectors - 1, lanes);
#pragma GCC unroll 6
        for (int r = 0; r < n_rows; r++) {
            __m256i factor = broadcast_pair(o->a + 2 * (r * o->a_stride + l));
#pragma GCC unroll 2
            for (int v = 0; v < n_vectors; v++)
                add_in_place(&sums[r][v], _mm256_madd_epi16(factor, b[v]));
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < n_rows; r++) {
#pragma GCC unroll 2
        for (int v = 0; v < n_vectors; v++) {
            int32_t *c = o->c + r * o->c_stride + v * LANES;
            bool last = masked && v == n_vectors - 1;
            __m256i sum = o->add ? _mm256_add_epi32(load_lanes_i32(c, last, lanes), sums[r][v]) : sums[r][v];
            store_lanes_i32(c, sum, last, lanes);
        }
    }
}

INLINE void advance(struct operands *o, int64_t n_rows)
{
    o->c += n_rows * o->c_stride;
    o->a += 2 * n_rows * o->a_stride;
}

/* All rows of n_columns ≤ n_vectors·8 columns. */
INLINE void column(struct operands o, int64_t m, const int n_vectors, const bool masked, int64_t n_columns)
{
    __m256i lanes = first_lanes(n_columns - (n_vectors - 1) * LANES);
    for (; m >= BLOCK_ROWS; m -= BLOCK_ROWS) {
        block(&o, BLOCK_ROWS, n_vectors, masked, lanes);
        advance(&o, BLOCK_ROWS);
    }
    for (; m >= 2; m -= 2) {
        block(&o, 2, n_vectors, masked, lanes);
        advance(&o, 2);
    }
    if (m > 0)
        block(&o, 1, n_vectors, masked, lanes);
}

void pali__product_pairs_avx2(int32_t *c, int64_t c_stride, const int16_t *a, int64_t a_stride, const int16_t *b,
                              int64_t b_stride, int64_t m, int64_t n, int64_t k, bool add)
{
    for (int64_t j = 0; j < n; j += 2 * LANES) {
        struct operands o = {c + j, a, b + 2 * j, c_stride, a_stride, b_stride, k, add};
        if (n - j >= 2 * LANES)
            column(o, m, 2, false, 2 * LANES);
        else if (n - j > LANES)
            column(o, m, 2, true, n - j);
        else if (n - j == LANES)
            column(o, m, 1, false, LANES);
        else
            column(o, m, 1, true, n - j);
    }
}
