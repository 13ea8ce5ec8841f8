/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The products of pairs with vectors of 512 bits. The file that includes this defines
 *   PRODUCT_PAIRS                      the name of the kernel
 *   MULTIPLY_ADD(sum, a, b)            sum + the products of the pairs in a and b, added in twos
 */
#include "kernels/variants.h"

#include <string.h>

#include "kernels/x86/vector_avx512.h"

enum { BLOCK_ROWS = 12, BLOCK_COLUMNS = 2 * LANES };

#define INLINE static inline __attribute__((always_inline))

struct operands {
    int32_t *c;
    const int16_t *a, *b;
    int64_t c_stride, a_stride, b_stride, k; /* strides of a and b in pairs */
    bool add;
};

/* Pair l of some row of a in all lanes. */
INLINE __m512i broadcast_pair(const int16_t *pair)
{
    int32_t both;
    memcpy(&both, pair, sizeof both);
    return _mm512_set1_epi32(both);
}

/* As `block` of tile_avx512.c: n_rows ≤ BLOCK_ROWS rows and the columns of c in two masks. */
INLINE void block(const struct operands *o, const int n_rows, __mmask16 low, __mmask16 high)
{
    __m512i sums[BLOCK_ROWS][2];
#pragma GCC unroll 12
    for (int r = 0; r < n_rows; r++) {
        sums[r][0] = sums[r][1] = _mm512_setzero_si512();
        _mm_prefetch((const char *)(o->c + r * o->c_stride), _MM_HINT_T0);
    }
    for (int64_t l = 0; l < o->k; l++) {
        const int16_t *b = o->b + 2 * l * o->b_stride;
        __m512i left = _mm512_maskz_loadu_epi32(low, b), right = _mm512_maskz_loadu_epi32(high, b + 2 * LANES);
#pragma GCC unroll 12
        for (int r = 0; r < n_rows; r++) {
            __m512i factor = broadcast_pair(o->a + 2 * (r * o->a_stride + l));
            sums[r][0] = MULTIPLY_ADD(sums[r][0], factor, left);
            sums[r][1] = MULTIPLY_ADD(sums[r][1], factor, right);
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < n_rows; r++) {
        int32_t *c = o->c + r * o->c_stride;
        if (o->add) {
            sums[r][0] = _mm512_add_epi32(_mm512_maskz_loadu_epi32(low, c), sums[r][0]);
            sums[r][1] = _mm512_add_epi32(_mm512_maskz_loadu_epi32(high, c + LANES), sums[r][1]);
        }
        _mm512_mask_storeu_epi32(c, low, sums[r][0]);
        _mm512_mask_storeu_epi32(c + LANES, high, sums[r][1]);
    }
}

/* As many of n_rows rows as a block takes; returns how many. */
static int64_t some_rows(const struct operands *o, int64_t n_rows, __mmask16 low, __mmask16 high)
{
    if (n_rows >= BLOCK_ROWS) {
        block(o, BLOCK_ROWS, low, high);
        return BLOCK_ROWS;
    }
    if (n_rows >= 4) {
        block(o, 4, low, high);
        return 4;
    }
    block(o, 1, low, high);
    return 1;
}

void PRODUCT_PAIRS(int32_t *c, int64_t c_stride, const int16_t *a, int64_t a_stride, const int16_t *b,
                   int64_t b_stride, int64_t m, int64_t n, int64_t k, bool add)
{
    for (int64_t j = 0; j < n; j += BLOCK_COLUMNS) {
        __mmask16 low = lanes_of(n - j), high = lanes_of(n - j - LANES);
        for (int64_t i = 0; i < m;) {
            struct operands o = {c + i * c_stride + j, a + 2 * i * a_stride, b + 2 * j, c_stride, a_stride, b_stride, k,
                                 add};
            i += some_rows(&o, m - i, low, high);
        }
    }
}
