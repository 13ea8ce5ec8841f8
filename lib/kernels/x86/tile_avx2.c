/* SPDX-License-Identifier: BSD-2-Clause */
/* What attention does to a tile of scores. */
#include "kernels/variants.h"

#include <math.h>

#include "kernels/x86/vector_avx2.h"

enum { LANES = 8, N_SUMS = 12 };

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
        __m256 out = exp_falling8(_mm256_sub_ps(_mm256_loadu_ps(x + i), shifts));
        _mm256_storeu_ps(x + i, out);
        sum = _mm256_add_ps(sum, out);
    }
    if (i < n) {
        __m256i lanes = first_lanes(n - i);
        __m256 out = exp_falling8(_mm256_sub_ps(_mm256_maskload_ps(x + i, lanes), shifts));
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

INLINE void advance(struct operands *o, int64_t n_rows)
{
    o->c += n_rows * o->c_stride;
    o->a += n_rows * o->a_stride;
}

/* n_rows rows and up to n_vectors·8 columns of c, the last vector masked by `lanes`. n_rows, n_vectors and `masked` are
 * constants where this is used. Twelve sums, two vectors of b and a broadcast of a fill the sixteen registers. */
INLINE void block(const struct operands *o, const int n_rows, const int n_vectors, const bool masked, __m256i lanes)
{
    __m256 sums[N_SUMS][2];
#pragma GCC unroll 12
    for (int r = 0; r < n_rows; r++) {
        sums[r][0] = sums[r][1] = _mm256_setzero_ps();
        _mm_prefetch((const char *)(o->c + r * o->c_stride), _MM_HINT_T0);
    }
    for (int64_t l = 0; l < o->k; l++) {
        __m256 b[2];
#pragma GCC unroll 2
        for (int v = 0; v < n_vectors; v++)
            b[v] = load_lanes(o->b + l * o->b_stride + v * LANES, masked && v == n_vectors - 1, lanes);
#pragma GCC unroll 12
        for (int r = 0; r < n_rows; r++) {
            __m256 factor = _mm256_broadcast_ss(o->a + r * o->a_stride + l);
#pragma GCC unroll 2
            for (int v = 0; v < n_vectors; v++)
                sums[r][v] = _mm256_fmadd_ps(factor, b[v], sums[r][v]);
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < n_rows; r++) {
#pragma GCC unroll 2
        for (int v = 0; v < n_vectors; v++) {
            float *c = o->c + r * o->c_stride + v * LANES;
            bool last = masked && v == n_vectors - 1;
            __m256 sum = o->add ? _mm256_add_ps(load_lanes(c, last, lanes), sums[r][v]) : sums[r][v];
            store_lanes(c, sum, last, lanes);
        }
    }
}

/* All rows of n_columns ≤ n_vectors·8 columns: as many blocks of most_rows as there are, then smaller ones. */
INLINE void column(struct operands o, int64_t m, const int most_rows, const int n_vectors, const bool masked,
                   int64_t n_columns)
{
    __m256i lanes = first_lanes(n_columns - (n_vectors - 1) * LANES);
    for (; m >= most_rows; m -= most_rows) {
        block(&o, most_rows, n_vectors, masked, lanes);
        advance(&o, most_rows);
    }
    for (; m >= 4; m -= 4) {
        block(&o, 4, n_vectors, masked, lanes);
        advance(&o, 4);
    }
    for (; m >= 2; m -= 2) {
        block(&o, 2, n_vectors, masked, lanes);
        advance(&o, 2);
    }
    if (m > 0)
        block(&o, 1, n_vectors, masked, lanes);
}

void pali__product_avx2(float *c, int64_t c_stride, const float *a, int64_t a_stride, const float *b, int64_t b_stride,
                        int64_t m, int64_t n, int64_t k, bool add)
{
    for (int64_t j = 0; j < n; j += 2 * LANES) {
        struct operands o = {c + j, a, b + j, c_stride, a_stride, b_stride, k, add};
        if (n - j >= 2 * LANES)
            column(o, m, N_SUMS / 2, 2, false, 2 * LANES);
        else if (n - j > LANES)
            column(o, m, N_SUMS / 2, 2, true, n - j);
        else if (n - j == LANES)
            column(o, m, N_SUMS, 1, false, LANES);
        else
            column(o, m, N_SUMS, 1, true, n - j);
    }
}

void pali__transpose_avx2(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t n_rows,
                          int64_t n_columns)
{
    int64_t whole_rows = n_rows / LANES * LANES, whole_columns = n_columns / LANES * LANES;
    for (int64_t i = 0; i < whole_rows; i += LANES) {
        for (int64_t j = 0; j < whole_columns; j += LANES) {
            __m256 rows[LANES];
#pragma GCC unroll 8
            for (int r = 0; r < LANES; r++)
                rows[r] = _mm256_loadu_ps(x + (i + r) * x_stride + j);
            transpose8(rows);
#pragma GCC unroll 8
            for (int r = 0; r < LANES; r++)
                _mm256_storeu_ps(y + (j + r) * y_stride + i, rows[r]);
        }
    }
    pali__transpose_c(y + whole_columns * y_stride, y_stride, x + whole_columns, x_stride, whole_rows,
                      n_columns - whole_columns);
    pali__transpose_c(y + whole_rows, y_stride, x + whole_rows * x_stride, x_stride, n_rows - whole_rows, n_columns);
}
