/* SPDX-License-Identifier: BSD-2-Clause */
/* The products of pairs. */
#include "kernels/variants.h"

#include <arm_neon.h>

enum { LANES = 4, N_VECTORS = 2, BLOCK_ROWS = 8, BLOCK_COLUMNS = LANES * N_VECTORS };

#define INLINE static inline __attribute__((always_inline))

struct operands {
    int32_t *c;
    const int16_t *a, *b;
    int64_t c_stride, a_stride, b_stride, k; /* strides of a and b in pairs */
    bool add;
};

/* n_rows ≤ BLOCK_ROWS rows, a constant where this is used, and 8 columns of c. Loading takes the pairs apart. */
INLINE void block(const struct operands *o, const int n_rows)
{
    int32x4_t sums[BLOCK_ROWS][N_VECTORS];
#pragma GCC unroll 8
    for (int r = 0; r < n_rows; r++)
        sums[r][0] = sums[r][1] = vdupq_n_s32(0);
    for (int64_t l = 0; l < o->k; l++) {
        int16x8x2_t b = vld2q_s16(o->b + 2 * l * o->b_stride);
#pragma GCC unroll 8
        for (int r = 0; r < n_rows; r++) {
            const int16_t *a = o->a + 2 * (r * o->a_stride + l);
            for (int i = 0; i < 2; i++) {
                sums[r][0] = vmlal_n_s16(sums[r][0], vget_low_s16(b.val[i]), a[i]);
                sums[r][1] = vmlal_n_s16(sums[r][1], vget_high_s16(b.val[i]), a[i]);
            }
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < n_rows; r++) {
        int32_t *c = o->c + r * o->c_stride;
        vst1q_s32(c, o->add ? vaddq_s32(vld1q_s32(c), sums[r][0]) : sums[r][0]);
        vst1q_s32(c + LANES, o->add ? vaddq_s32(vld1q_s32(c + LANES), sums[r][1]) : sums[r][1]);
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

void pali__product_pairs_neon(int32_t *c, int64_t c_stride, const int16_t *a, int64_t a_stride, const int16_t *b,
                              int64_t b_stride, int64_t m, int64_t n, int64_t k, bool add)
{
    int64_t whole = n / BLOCK_COLUMNS * BLOCK_COLUMNS;
    for (int64_t j = 0; j < whole; j += BLOCK_COLUMNS) {
        for (int64_t i = 0; i < m;) {
            struct operands o = {c + i * c_stride + j, a + 2 * i * a_stride, b + 2 * j, c_stride, a_stride, b_stride, k,
                                 add};
            i += some_rows(&o, m - i);
        }
    }
    if (whole < n)
        pali__product_pairs_c(c + whole, c_stride, a, a_stride, b + 2 * whole, b_stride, m, n - whole, k, add);
}
