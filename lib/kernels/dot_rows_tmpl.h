/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Products of a few rows with a matrix, for any instruction set. Before it is included, these are defined:
 *   vector, LANES            a register of floats, and how many it holds
 *   vector_zero(), vector_load(x), vector_load_first(x, n), vector_add(a, b), vector_multiply_add(a, b, sum),
 *   vector_sum(a)            of which load_first reads n < LANES floats and makes the other lanes 0
 *   TILE_OUTPUTS             4·TILE_OUTPUTS sums, TILE_OUTPUTS weights and one input fit into the registers
 * and for each type of weight, load and load_first as above.
 *
 * One row of x is bound by memory: one row of weights after the other, with four sums, streams faster than several rows
 * side by side, and fetching ahead of them by more or less than PREFETCH_BYTES is slower. Three and four rows of x are
 * bound by arithmetic: a tile of them and of TILE_OUTPUTS rows of weights uses each value that it loads several times. A
 * tile has no registers for four sums each, so it goes over DEPTH values, which stay in the first cache, once for each
 * sum. All add the same products in the same order: what a row of x gets does not depend on the other rows.
 */
#include "kernels/kernels.h"

enum { N_SUMS = 4, STEP = N_SUMS * LANES, DEPTH = 512, TILE_ROWS = 4, PREFETCH_BYTES = 1024 };

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8") /* sums live in registers only if their indices are constants */

/* The address may lie behind the end of the weights: nothing is read through it. */
INLINE void prefetch(const void *address)
{
    __builtin_prefetch(address);
}

INLINE int64_t whole_steps(int64_t n)
{
    return n / STEP * STEP;
}

/* Defines the kernel `name`. Its parts take n_x and n_w, which are constants, and sums: [N_SUMS][n_x][n_w].
 *   stream: n_w = 1; all values in whole steps
 *   tile:   the same, one sum after another
 *   finish: what is left after the whole steps, and y */
#define DEFINE_DOT_ROWS(name, type, load, load_first)                                                                  \
    INLINE void name##_stream(vector sums[N_SUMS][TILE_ROWS][TILE_OUTPUTS], const float *x, int64_t x_stride,          \
                              const int n_x, const type *w, int64_t n)                                                 \
    {                                                                                                                  \
        vector part[N_SUMS][TILE_ROWS];                                                                                \
        UNROLL                                                                                                         \
        for (int s = 0; s < N_SUMS; s++) {                                                                             \
            UNROLL                                                                                                     \
            for (int r = 0; r < n_x; r++)                                                                              \
                part[s][r] = vector_zero();                                                                            \
        }                                                                                                              \
        for (int64_t k = 0; k < whole_steps(n); k += STEP) {                                                           \
            prefetch((const char *)(w + k) + PREFETCH_BYTES);                                                          \
            UNROLL                                                                                                     \
            for (int s = 0; s < N_SUMS; s++) {                                                                         \
                vector weights = load(w + k + s * LANES);                                                              \
                UNROLL                                                                                                 \
                for (int r = 0; r < n_x; r++)                                                                          \
                    part[s][r] = vector_multiply_add(weights, vector_load(x + r * x_stride + k + s * LANES),           \
                                                     part[s][r]);                                                      \
            }                                                                                                          \
        }                                                                                                              \
        UNROLL                                                                                                         \
        for (int s = 0; s < N_SUMS; s++) {                                                                             \
            UNROLL                                                                                                     \
            for (int r = 0; r < n_x; r++)                                                                              \
                sums[s][r][0] = part[s][r];                                                                            \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    INLINE void name##_tile(vector sums[N_SUMS][TILE_ROWS][TILE_OUTPUTS], const float *x, int64_t x_stride,            \
                            const int n_x, const type *w, int64_t w_stride, const int n_w, int64_t n)                  \
    {                                                                                                                  \
        for (int64_t first = 0; first == 0 || first < whole_steps(n); first += DEPTH) {                                \
            int64_t end = first + DEPTH < whole_steps(n) ? first + DEPTH : whole_steps(n);                             \
            for (int s = 0; s < N_SUMS; s++) {                                                                         \
                vector part[TILE_ROWS][TILE_OUTPUTS];                                                                  \
                UNROLL                                                                                                 \
                for (int r = 0; r < n_x; r++) {                                                                        \
                    UNROLL                                                                                             \
                    for (int j = 0; j < n_w; j++)                                                                      \
                        part[r][j] = first == 0 ? vector_zero() : sums[s][r][j];                                       \
                }                                                                                                      \
                for (int64_t k = first + s * LANES; k < end; k += STEP) {                                              \
                    vector weights[TILE_OUTPUTS];                                                                      \
                    UNROLL                                                                                             \
                    for (int j = 0; j < n_w; j++)                                                                      \
                        weights[j] = load(w + j * w_stride + k);                                                       \
                    UNROLL                                                                                             \
                    for (int r = 0; r < n_x; r++) {                                                                    \
                        vector in = vector_load(x + r * x_stride + k);                                                 \
                        UNROLL                                                                                         \
                        for (int j = 0; j < n_w; j++)                                                                  \
                            part[r][j] = vector_multiply_add(weights[j], in, part[r][j]);                              \
                    }                                                                                                  \
                }                                                                                                      \
                UNROLL                                                                                                 \
                for (int r = 0; r < n_x; r++) {                                                                        \
                    UNROLL                                                                                             \
                    for (int j = 0; j < n_w; j++)                                                                      \
                        sums[s][r][j] = part[r][j];                                                                    \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    INLINE void name##_finish(float *y, int64_t y_stride, vector sums[N_SUMS][TILE_ROWS][TILE_OUTPUTS],                \
                              const float *x, int64_t x_stride, const int n_x, const type *w, int64_t w_stride,        \
                              const int n_w, int64_t n)                                                                \
    {                                                                                                                  \
        for (int j = 0; j < n_w; j++) {                                                                                \
            int64_t k = whole_steps(n);                                                                                \
            for (; k + LANES <= n; k += LANES) {                                                                       \
                vector weights = load(w + j * w_stride + k);                                                           \
                for (int r = 0; r < n_x; r++)                                                                          \
                    sums[0][r][j] = vector_multiply_add(weights, vector_load(x + r * x_stride + k), sums[0][r][j]);    \
            }                                                                                                          \
            if (k < n) {                                                                                               \
                vector weights = load_first(w + j * w_stride + k, n - k);                                              \
                for (int r = 0; r < n_x; r++)                                                                          \
                    sums[1][r][j] =                                                                                    \
                        vector_multiply_add(weights, vector_load_first(x + r * x_stride + k, n - k), sums[1][r][j]);   \
            }                                                                                                          \
            for (int r = 0; r < n_x; r++)                                                                              \
                y[r * y_stride + j] = vector_sum(vector_add(vector_add(sums[0][r][j], sums[1][r][j]),                  \
                                                            vector_add(sums[2][r][j], sums[3][r][j])));                \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    INLINE void name##_by_output(float *y, int64_t y_stride, const float *x, int64_t x_stride, const int n_x,          \
                                 const type *w, int64_t w_stride, int64_t n_w, int64_t n)                              \
    {                                                                                                                  \
        vector sums[N_SUMS][TILE_ROWS][TILE_OUTPUTS];                                                                  \
        for (int64_t j = 0; j < n_w; j++) {                                                                            \
            name##_stream(sums, x, x_stride, n_x, w + j * w_stride, n);                                                \
            name##_finish(y + j, y_stride, sums, x, x_stride, n_x, w + j * w_stride, 0, 1, n);                         \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    INLINE void name##_by_tile(float *y, int64_t y_stride, const float *x, int64_t x_stride, const int n_x,            \
                               const type *w, int64_t w_stride, int64_t n_w, int64_t n)                                \
    {                                                                                                                  \
        vector sums[N_SUMS][TILE_ROWS][TILE_OUTPUTS];                                                                  \
        int64_t j = 0;                                                                                                 \
        for (; j + TILE_OUTPUTS <= n_w; j += TILE_OUTPUTS) {                                                           \
            name##_tile(sums, x, x_stride, n_x, w + j * w_stride, w_stride, TILE_OUTPUTS, n);                          \
            name##_finish(y + j, y_stride, sums, x, x_stride, n_x, w + j * w_stride, w_stride, TILE_OUTPUTS, n);       \
        }                                                                                                              \
        for (; j < n_w; j++) {                                                                                         \
            name##_tile(sums, x, x_stride, n_x, w + j * w_stride, w_stride, 1, n);                                     \
            name##_finish(y + j, y_stride, sums, x, x_stride, n_x, w + j * w_stride, w_stride, 1, n);                  \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    void name(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t n_x, const void *w,                \
              int64_t w_stride, int64_t n_w, int64_t n)                                                                \
    {                                                                                                                  \
        if (n_x == 1)                                                                                                  \
            name##_by_output(y, y_stride, x, x_stride, 1, w, w_stride, n_w, n);                                        \
        else if (n_x == 2)                                                                                             \
            name##_by_output(y, y_stride, x, x_stride, 2, w, w_stride, n_w, n);                                        \
        else if (n_x == 3)                                                                                             \
            name##_by_tile(y, y_stride, x, x_stride, 3, w, w_stride, n_w, n);                                          \
        else if (n_x == 4)                                                                                             \
            name##_by_tile(y, y_stride, x, x_stride, 4, w, w_stride, n_w, n);                                          \
    }
