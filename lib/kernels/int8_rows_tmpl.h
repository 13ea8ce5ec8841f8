/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Products of a few rows with vectors in int8 (core/int8_vector.h), for any instruction set. Before it is included, so is
 * core/int8_vector.h, and what dot_rows_tmpl.h wants is defined, and
 *   vector_set(x), vector_multiply(a, b), load_int8(w), load_first_int8(w, n)
 *
 * Each value is widened to what it stands for, which is exact, and the sums are those of dot_rows_tmpl.h: the result has
 * the bits of that of the same vectors in float32. Two rows of x share what is widened; their sums and the weights fit
 * into the registers of every instruction set.
 */
#include "kernels/kernels.h"

enum { N_SUMS = 4, STEP = N_SUMS * LANES, ROWS_AT_ONCE = 2, PREFETCH_BYTES = 1024 };

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

/* y[r] = x[r]·w for n_x rows of x, a constant. */
INLINE void dot_int8(float *y, int64_t y_stride, const float *x, int64_t x_stride, const int n_x, const int8_t *w,
                     int64_t n)
{
    vector sums[N_SUMS][ROWS_AT_ONCE], scale = vector_set(pali__int8_vector_scale(w, n));
    int64_t k = 0;
    UNROLL
    for (int s = 0; s < N_SUMS; s++) {
        UNROLL
        for (int r = 0; r < n_x; r++)
            sums[s][r] = vector_zero();
    }
    for (; k + STEP <= n; k += STEP) {
        __builtin_prefetch((const char *)(w + k) + PREFETCH_BYTES); /* nothing is read through it */
        UNROLL
        for (int s = 0; s < N_SUMS; s++) {
            vector weights = vector_multiply(load_int8(w + k + s * LANES), scale);
            UNROLL
            for (int r = 0; r < n_x; r++)
                sums[s][r] = vector_multiply_add(weights, vector_load(x + r * x_stride + k + s * LANES), sums[s][r]);
        }
    }
    for (; k + LANES <= n; k += LANES) {
        vector weights = vector_multiply(load_int8(w + k), scale);
        for (int r = 0; r < n_x; r++)
            sums[0][r] = vector_multiply_add(weights, vector_load(x + r * x_stride + k), sums[0][r]);
    }
    if (k < n) {
        vector weights = vector_multiply(load_first_int8(w + k, n - k), scale);
        for (int r = 0; r < n_x; r++)
            sums[1][r] = vector_multiply_add(weights, vector_load_first(x + r * x_stride + k, n - k), sums[1][r]);
    }
    for (int r = 0; r < n_x; r++)
        y[r * y_stride] = vector_sum(vector_add(vector_add(sums[0][r], sums[1][r]), vector_add(sums[2][r], sums[3][r])));
}

/* Defines the kernel `name`. */
#define DEFINE_DOT_INT8_ROWS(name)                                                                                     \
    void name(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t n_x, const void *w,                \
              int64_t w_stride, int64_t n_w, int64_t n)                                                                \
    {                                                                                                                  \
        for (int64_t j = 0; j < n_w; j++) {                                                                            \
            const int8_t *row = (const int8_t *)w + j * w_stride;                                                      \
            int64_t r = 0;                                                                                             \
            for (; r + ROWS_AT_ONCE <= n_x; r += ROWS_AT_ONCE)                                                         \
                dot_int8(y + r * y_stride + j, y_stride, x + r * x_stride, x_stride, ROWS_AT_ONCE, row, n);            \
            if (r < n_x)                                                                                               \
                dot_int8(y + r * y_stride + j, y_stride, x + r * x_stride, x_stride, 1, row, n);                       \
        }                                                                                                              \
    }
