/* SPDX-License-Identifier: BSD-2-Clause */
/* What attention does to a tile of scores. */
#include "kernels/variants.h"

#include <math.h>

#include "kernels/x86/vector_avx2.h"

enum { LANES = 8, BLOCK_ROWS = 6, BLOCK_COLUMNS = 16 };

#define INLINE static inline __attribute__((always_inline))

float pali__max_avx2(const float *x, int64_t n)
{
    __m256 largest = _mm256_set1_ps(-INFINITY);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        largest = _mm256_max_ps(largest, _mm256_loadu_ps(x + i));
    if (i < n) {
        __m256i lanes = first_lanes(n - i);
        __m256 in = _mm256_maskload_ps(x + i, lanes);
        largest = _mm256_max_ps(largest, _mm256_blendv_ps(largest, in, _mm256_castsi256_ps(lanes)));
    }
    return largest_lane(largest);
}

float pali__exp_sum_avx2(float *x, int64_t n, float shift)
{
    __m256 shifts = _mm256_set1_ps(shift), sum = _mm256_setzero_ps();
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256 out = exp8(_mm256_sub_ps(_mm256_loadu_ps(x + i), shifts));
        _mm256_storeu_ps(x + i, out);
        sum = _mm256_add_ps(sum, out);
    }
    if (i < n) {
        __m256i lanes = first_lanes(n - i);
        __m256 out = exp8(_mm256_sub_ps(_mm256_maskload_ps(x + i, lanes), shifts));
        _mm256_maskstore_ps(x + i, lanes, out);
        sum = _mm256_add_ps(sum, _mm256_and_ps(out, _mm256_castsi256_ps(lanes)));
    }
    return sum_lanes(sum);
}

struct operands {
    float *c;
    const float *a, *b;
    int64_t c_stride, a_stride, b_stride, k;
    bool add;
};

/* n_rows ≤ BLOCK_ROWS rows and 16 columns of c, or, masked, the first 1 to 16 of them. n_rows and `masked` are
 * constants where this is used. Twelve sums, two vectors of b and a broadcast of a fill the sixteen registers. */
INLINE void block(const struct operands *o, const int n_rows, const bool masked, int64_t n_columns)
{
    __m256i low = first_lanes(n_columns < LANES ? n_columns : LANES);
    __m256i high = first_lanes(n_columns < LANES ? 0 : n_columns - LANES);
    __m256 sums[BLOCK_ROWS][2];
#pragma GCC unroll 12
    for (int r = 0; r < n_rows; r++) {
        const float *c = o->c + r * o->c_stride;
        sums[r][0] = sums[r][1] = _mm256_setzero_ps();
        if (o->add) {
            sums[r][0] = masked ? _mm256_maskload_ps(c, low) : _mm256_loadu_ps(c);
            sums[r][1] = masked ? _mm256_maskload_ps(c + LANES, high) : _mm256_loadu_ps(c + LANES);
        }
    }
    for (int64_t l = 0; l < o->k; l++) {
        const float *b = o->b + l * o->b_stride;
        __m256 left = masked ? _mm256_maskload_ps(b, low) : _mm256_loadu_ps(b);
        __m256 right = masked ? _mm256_maskload_ps(b + LANES, high) : _mm256_loadu_ps(b + LANES);
#pragma GCC unroll 12
        for (int r = 0; r < n_rows; r++) {
            __m256 factor = _mm256_broadcast_ss(o->a + r * o->a_stride + l);
            sums[r][0] = _mm256_fmadd_ps(factor, left, sums[r][0]);
            sums[r][1] = _mm256_fmadd_ps(factor, right, sums[r][1]);
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < n_rows; r++) {
        float *c = o->c + r * o->c_stride;
        if (masked) {
            _mm256_maskstore_ps(c, low, sums[r][0]);
            _mm256_maskstore_ps(c + LANES, high, sums[r][1]);
        } else {
            _mm256_storeu_ps(c, sums[r][0]);
            _mm256_storeu_ps(c + LANES, sums[r][1]);
        }
    }
}

INLINE void block_of_rows(const struct operands *o, int64_t n_rows, const bool masked, int64_t n_columns)
{
    switch (n_rows) {
    case 1:
        block(o, 1, masked, n_columns);
        break;
    case 2:
        block(o, 2, masked, n_columns);
        break;
    case 3:
        block(o, 3, masked, n_columns);
        break;
    case 4:
        block(o, 4, masked, n_columns);
        break;
    case 5:
        block(o, 5, masked, n_columns);
        break;
    default:
        block(o, BLOCK_ROWS, masked, n_columns);
        break;
    }
}

void pali__product_avx2(float *c, int64_t c_stride, const float *a, int64_t a_stride, const float *b, int64_t b_stride,
                        int64_t m, int64_t n, int64_t k, bool add)
{
    for (int64_t j = 0; j < n; j += BLOCK_COLUMNS) {
        int64_t n_columns = n - j < BLOCK_COLUMNS ? n - j : BLOCK_COLUMNS;
        for (int64_t i = 0; i < m; i += BLOCK_ROWS) {
            struct operands o = {c + i * c_stride + j, a + i * a_stride, b + j, c_stride, a_stride, b_stride, k, add};
            if (n_columns == BLOCK_COLUMNS)
                block_of_rows(&o, m - i, false, n_columns);
            else
                block_of_rows(&o, m - i, true, n_columns);
        }
    }
}

/* Eight rows of eight: pairs, then fours, then halves change places. */
static void transpose8(float *y, int64_t y_stride, const float *x, int64_t x_stride)
{
    __m256 rows[LANES], pairs[LANES], fours[LANES];
#pragma GCC unroll 8
    for (int i = 0; i < LANES; i++)
        rows[i] = _mm256_loadu_ps(x + i * x_stride);
#pragma GCC unroll 8
    for (int i = 0; i < LANES; i += 2) {
        pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < LANES; i += 4) {
#pragma GCC unroll 8
        for (int half = 0; half < 2; half++) {
            fours[i + 2 * half] = _mm256_shuffle_ps(pairs[i + half], pairs[i + half + 2], 0x44);
            fours[i + 2 * half + 1] = _mm256_shuffle_ps(pairs[i + half], pairs[i + half + 2], 0xee);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(y + i * y_stride, _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x20));
        _mm256_storeu_ps(y + (i + 4) * y_stride, _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x31));
    }
}

void pali__transpose_avx2(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t n_rows,
                          int64_t n_columns)
{
    int64_t whole_rows = n_rows / LANES * LANES, whole_columns = n_columns / LANES * LANES;
    for (int64_t i = 0; i < whole_rows; i += LANES) {
        for (int64_t j = 0; j < whole_columns; j += LANES)
            transpose8(y + j * y_stride + i, y_stride, x + i * x_stride + j, x_stride);
    }
    pali__transpose_c(y + whole_columns * y_stride, y_stride, x + whole_columns, x_stride, whole_rows,
                      n_columns - whole_columns);
    pali__transpose_c(y + whole_rows, y_stride, x + whole_rows * x_stride, x_stride, n_rows - whole_rows, n_columns);
}
