/* SPDX-License-Identifier: BSD-2-Clause */
/* What attention does to a tile of scores. */
#include "kernels/variants.h"

#include <math.h>

#include "kernels/x86/vector_avx512.h"

enum { BLOCK_ROWS = 12, BLOCK_COLUMNS = 2 * LANES };

#define INLINE static inline __attribute__((always_inline))

float pali__max_avx512(const float *x, int64_t n)
{
    __m512 largest = _mm512_set1_ps(-INFINITY);
    for (int64_t i = 0; i < n; i += LANES)
        largest = _mm512_max_ps(largest, _mm512_mask_loadu_ps(largest, lanes_of(n - i), x + i));
    return _mm512_reduce_max_ps(largest);
}

float pali__exp_sum_avx512(float *x, int64_t n, float shift)
{
    __m512 shifts = _mm512_set1_ps(shift), sum = _mm512_setzero_ps();
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_of(n - i);
        __m512 out = exp_falling16(_mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, x + i), shifts));
        _mm512_mask_storeu_ps(x + i, lanes, out);
        sum = _mm512_mask_add_ps(sum, lanes, sum, out);
    }
    return _mm512_reduce_add_ps(sum);
}

struct operands {
    float *c;
    const float *a, *b;
    int64_t c_stride, a_stride, b_stride, k;
    bool add;
};

/* n_rows ≤ BLOCK_ROWS rows and the columns of c in two masks; n_rows is a constant where this is used. 24 sums, two
 * vectors of b, and a is broadcast from memory by the instruction that multiplies. */
INLINE void block(const struct operands *o, const int n_rows, __mmask16 low, __mmask16 high)
{
    __m512 sums[BLOCK_ROWS][2];
#pragma GCC unroll 12
    for (int r = 0; r < n_rows; r++) {
        sums[r][0] = sums[r][1] = _mm512_setzero_ps();
        _mm_prefetch((const char *)(o->c + r * o->c_stride), _MM_HINT_T0);
    }
    for (int64_t l = 0; l < o->k; l++) {
        const float *b = o->b + l * o->b_stride;
        __m512 left = _mm512_maskz_loadu_ps(low, b), right = _mm512_maskz_loadu_ps(high, b + LANES);
#pragma GCC unroll 12
        for (int r = 0; r < n_rows; r++) {
            __m512 factor = _mm512_set1_ps(o->a[r * o->a_stride + l]);
            sums[r][0] = _mm512_fmadd_ps(factor, left, sums[r][0]);
            sums[r][1] = _mm512_fmadd_ps(factor, right, sums[r][1]);
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < n_rows; r++) {
        float *c = o->c + r * o->c_stride;
        if (o->add) {
            sums[r][0] = _mm512_add_ps(_mm512_maskz_loadu_ps(low, c), sums[r][0]);
            sums[r][1] = _mm512_add_ps(_mm512_maskz_loadu_ps(high, c + LANES), sums[r][1]);
        }
        _mm512_mask_storeu_ps(c, low, sums[r][0]);
        _mm512_mask_storeu_ps(c + LANES, high, sums[r][1]);
    }
}

/* As many of n_rows rows as a block takes; returns how many. */
static int64_t some_rows(const struct operands *o, int64_t n_rows, __mmask16 low, __mmask16 high)
{
    if (n_rows >= BLOCK_ROWS) {
        block(o, BLOCK_ROWS, low, high);
        return BLOCK_ROWS;
    }
    if (n_rows >= 8) {
        block(o, 8, low, high);
        return 8;
    }
    if (n_rows >= 4) {
        block(o, 4, low, high);
        return 4;
    }
    if (n_rows >= 2) {
        block(o, 2, low, high);
        return 2;
    }
    block(o, 1, low, high);
    return 1;
}

void pali__product_avx512(float *c, int64_t c_stride, const float *a, int64_t a_stride, const float *b,
                          int64_t b_stride, int64_t m, int64_t n, int64_t k, bool add)
{
    for (int64_t j = 0; j < n; j += BLOCK_COLUMNS) {
        __mmask16 low = lanes_of(n - j), high = lanes_of(n - j - LANES);
        for (int64_t i = 0; i < m;) {
            struct operands o = {c + i * c_stride + j, a + i * a_stride, b + j, c_stride, a_stride, b_stride, k, add};
            i += some_rows(&o, m - i, low, high);
        }
    }
}
