/* SPDX-License-Identifier: BSD-2-Clause */
/* The small products of attention. */
#include "kernels/variants.h"

#include <arm_neon.h>

enum { LANES = 4, N_VECTORS = 2, BLOCK_ROWS = 8, BLOCK_COLUMNS = LANES * N_VECTORS };

#define INLINE static inline __attribute__((always_inline))

struct operands {
    float *c;
    const float *a, *b;
    int64_t c_stride, a_stride, b_stride, k;
    bool add;
};

/* n_rows ≤ BLOCK_ROWS rows, a constant where this is used, and 8 columns of c. */
INLINE void block(const struct operands *o, const int n_rows)
{
    float32x4_t sums[BLOCK_ROWS][N_VECTORS];
#pragma GCC unroll 8
    for (int r = 0; r < n_rows; r++)
        sums[r][0] = sums[r][1] = vdupq_n_f32(0);
    for (int64_t l = 0; l < o->k; l++) {
        float32x4_t left = vld1q_f32(o->b + l * o->b_stride), right = vld1q_f32(o->b + l * o->b_stride + LANES);
#pragma GCC unroll 8
        for (int r = 0; r < n_rows; r++) {
            float factor = o->a[r * o->a_stride + l];
            sums[r][0] = vfmaq_n_f32(sums[r][0], left, factor);
            sums[r][1] = vfmaq_n_f32(sums[r][1], right, factor);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < n_rows; r++) {
        float *c = o->c + r * o->c_stride;
        vst1q_f32(c, o->add ? vaddq_f32(vld1q_f32(c), sums[r][0]) : sums[r][0]);
        vst1q_f32(c + LANES, o->add ? vaddq_f32(vld1q_f32(c + LANES), sums[r][1]) : sums[r][1]);
    }
}

/* As many of n_rows rows as a block takes; returns how many. */
static int64_t some_rows(const struct operands *o, int64_t n_rows)
{
    if (n_rows >= BLOCK_ROWS) {
        block(o, BLOCK_ROWS);
        return BLOCK_ROWS;
    }
    if (n_rows >= 4) {
        block(o, 4);
        return 4;
    }
    block(o, 1);
    return 1;
}

void pali__product_neon(float *c, int64_t c_stride, const float *a, int64_t a_stride, const float *b, int64_t b_stride,
                        int64_t m, int64_t n, int64_t k, bool add)
{
    int64_t whole = n / BLOCK_COLUMNS * BLOCK_COLUMNS;
    for (int64_t j = 0; j < whole; j += BLOCK_COLUMNS) {
        for (int64_t i = 0; i < m;) {
            struct operands o = {c + i * c_stride + j, a + i * a_stride, b + j, c_stride, a_stride, b_stride, k, add};
            i += some_rows(&o, m - i);
        }
    }
    if (whole < n)
        pali__product_c(c + whole, c_stride, a, a_stride, b + whole, b_stride, m, n - whole, k, add);
}
