/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The single-threaded kernels that the operations of ops.h are made of. The plain C version of each is its definition;
 * the others differ from it by rounding only. Arrays may start anywhere and have any length, 0 included; a kernel
 * reads and writes nothing outside of them. Strides are counted in elements.
 */
#ifndef PALI_KERNELS_KERNELS_H
#define PALI_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpu.h"

/* The most rows of x that dot_rows takes. */
#define PALI__DOT_ROWS_MAX 4

/* y[r, j] = Σ_k x[r, k]·w[j, k]      Each row of w is read once, from front to back.
 * x: [n_x ≤ PALI__DOT_ROWS_MAX, n], w: [n_w, n] of the type in the kernel's name, y: [n_x, n_w]; y is not x. */
typedef void pali__dot_rows_fn(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t n_x,
                               const void *w, int64_t w_stride, int64_t n_w, int64_t n);

struct pali__kernels {
    enum pali__cpu level;

    pali__dot_rows_fn *dot_rows_f32, *dot_rows_bf16, *dot_rows_f16;

    /* y = x, exactly. x, y: [n]. */
    void (*widen_bf16)(float *y, const uint16_t *x, int64_t n);
    void (*widen_f16)(float *y, const uint16_t *x, int64_t n);
    /* y = x rounded to bfloat16, ties to even; a NaN stays a NaN. x, y: [n]. */
    void (*narrow_bf16)(uint16_t *y, const float *x, int64_t n);

    /* Vectors in int8 (core/int8_vector.h), each n codes and a scale: dot_rows_f32 with what the rows of w hold, to the
     * bit, w_stride in bytes; and y = x, exactly. y: [n]. */
    pali__dot_rows_fn *dot_int8_rows;
    void (*widen_int8_row)(float *y, const int8_t *x, int64_t n);

    /* y = x rounded to int8: returns scale = max|x| / 127.5 (float32's epsilon if all are 0), y = x / scale, to nearest, ties to even, within -128…127. x, y: [n].
     * Source: compressed-tensors, calculate_qparams and quantize, symmetric and dynamic, strategy token. */
    float (*round_int8)(int8_t *y, const float *x, int64_t n);

    /* y = x / sqrt(mean(x²) + eps) · (offset + weight). x, y, weight: [n]; y may be x. */
    void (*rms_norm)(float *y, const float *x, const float *weight, int64_t n, float eps, float offset);
    /* y = (x - mean) / sqrt(var + eps) · weight + bias. x, y, weight, bias: [n]; y may be x. */
    void (*layer_norm)(float *y, const float *x, const float *weight, const float *bias, int64_t n, float eps);

    /* x = x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))). x: [n]. */
    void (*gelu)(float *x, int64_t n);
    /* gate = gelu(gate) ⊙ up. gate, up: [n]. */
    void (*gelu_mul)(float *gate, const float *up, int64_t n);
    /* gate = silu(gate) ⊙ up, silu(x) = x / (1 + exp(-x)). gate, up: [n]. */
    void (*silu_mul)(float *gate, const float *up, int64_t n);
    /* x = cap·tanh(x / cap). x: [n]. */
    void (*soft_cap)(float *x, int64_t n, float cap);
    /* y += x. x, y: [n]. */
    void (*add)(float *y, const float *x, int64_t n);
    /* y = factor·x. x, y: [n]; y may be x. */
    void (*scale)(float *y, const float *x, int64_t n, float factor);
    /* (a, b) = (a·cos - b·sin, b·cos + a·sin). All [n]. */
    void (*rotate)(float *a, float *b, const float *cosine, const float *sine, int64_t n);

    /* The largest of x: [n], -infinity for n = 0. There is no NaN among them. */
    float (*max)(const float *x, int64_t n);
    /* x = exp(x - shift), returning Σ x. x: [n], x ≤ shift, shift finite; exp(-infinity) is 0. */
    float (*exp_sum)(float *x, int64_t n, float shift);
    /* c = a·b, or c += a·b if `add`. a: [m, k], b: [k, n], c: [m, n], which overlaps neither. What an element of c
     * gets depends on its row of a and its column of b alone, if n is a multiple of 8. Columns are taken
     * product_columns at a time, fastest where rows of b stand that close. */
    int product_columns;
    void (*product)(float *c, int64_t c_stride, const float *a, int64_t a_stride, const float *b, int64_t b_stride,
                    int64_t m, int64_t n, int64_t k, bool add);
    /* y = xᵀ. x: [n_rows, n_columns], y: [n_columns, n_rows]. */
    void (*transpose)(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t n_rows, int64_t n_columns);
};

/* The table for a level that this processor has. Static: it lives as long as the program. Any thread. */
const struct pali__kernels *pali__kernels_get(enum pali__cpu level);

/* Each sets the entries that it has a version of. Weaker levels are set first. */
void pali__kernels_init_c(struct pali__kernels *kernels);
void pali__kernels_init_avx2(struct pali__kernels *kernels);
void pali__kernels_init_avx512(struct pali__kernels *kernels);
void pali__kernels_init_neon(struct pali__kernels *kernels);

#endif
