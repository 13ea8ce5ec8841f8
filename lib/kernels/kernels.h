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
#include "kernels/quantized.h"

/* The most rows of x that dot_rows takes. */
#define PALI__DOT_ROWS_MAX 4

/* y[r, j] = Σ_k x[r, k]·w[j, k]      Each row of w is read once, from front to back.
 * x: [n_x ≤ PALI__DOT_ROWS_MAX, n], w: [n_w, n] of the type in the kernel's name, y: [n_x, n_w]; y is not x. */
typedef void pali__dot_rows_fn(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t n_x,
                               const void *w, int64_t w_stride, int64_t n_w, int64_t n);

/* Rows of inputs rounded to 16 bits, for products with codes (rounded_inputs.h). They are x[k] = scale · value, with a
 * scale for each block; scales and sums are spread over segments: blocks, or the smaller groups of the weights. */
enum {
    PALI__CODE_BLOCK = 128, /* inputs with one scale; the last block is filled up with zeros */
    PALI__CODE_UNITS = 4    /* the most segments in a block */
};
struct pali__rounded {
    int16_t *values;        /* [rows, blocks · 128], of a block in the order that the kernels of the table want */
    float *scales, *sums;   /* [rows, segments]: of a segment its block's scale and the sum of its values */
    int64_t values_stride, scales_stride;
    int64_t segment;        /* inputs: 128, 64 or 32 */
};

/* y[r, j - first_row] = Σ_k x[r, k]·W[j, k] for j = first_row…first_row+n_w-1. The codes of each row of W are read once,
 * from front to back. x: [n_x ≤ PALI__DOT_ROWS_MAX, n], rounded by round_inputs of the same table; codes: those of row 0;
 * y: [n_x, n_w]. Groups of W are segments or whole numbers of them; plain C takes any. */
typedef void pali__dot_codes_fn(float *y, int64_t y_stride, const struct pali__rounded *x, int64_t n_x,
                                const struct pali__quantized *w, const void *codes, int64_t first_row, int64_t n_w,
                                int64_t n);

/* y[k] = scale · (q[first + k] - zero) for n codes q of a row, as they are stored: `zero` includes the codes' offset. */
typedef void pali__dequantize_fn(float *y, const void *codes, int64_t first, int64_t n, float scale, int zero);

struct pali__kernels {
    enum pali__cpu level;

    pali__dot_rows_fn *dot_rows_f32, *dot_rows_bf16, *dot_rows_f16;

    pali__dot_codes_fn *dot_int8, *dot_packed8, *dot_packed4; /* of the codes in quantized.h */
    pali__dequantize_fn *dequantize_int8, *dequantize_packed8, *dequantize_packed4;
    /* values = x / scale, rounded to nearest, ties to even, with scale = max|x| / 32767 of each block of 128, or with the
     * given scale if it is not 0; sums: of each 32 values; all filled up with zeros to whole blocks. Is an x infinite or
     * a NaN, then its block's scale is a NaN and its values are 0. `planes`: in the order for 4-bit codes.
     * x: [n], values: [blocks · 128], scales: [blocks], sums: [blocks · 4]. */
    void (*round_inputs)(int16_t *values, float *scales, float *sums, const float *x, int64_t n, float scale,
                         bool planes);

    /* y = x, exactly. x, y: [n]. */
    void (*widen_bf16)(float *y, const uint16_t *x, int64_t n);
    void (*widen_f16)(float *y, const uint16_t *x, int64_t n);
    /* y = x rounded to bfloat16, ties to even; a NaN stays a NaN. x, y: [n]. */
    void (*narrow_bf16)(uint16_t *y, const float *x, int64_t n);

    /* y = x rounded to int8: returns scale = max|x| / 127.5 (float32's epsilon where that is 0); y = x / scale, to
     * nearest, ties to even, within -128…127. Is an x infinite or a NaN, then so is the scale, and y is 0. x, y: [n].
     * Source: compressed-tensors, calculate_qparams and _quantize, symmetric and dynamic, strategy token. */
    float (*round_int8)(int8_t *y, const float *x, int64_t n);
    /* What products of integers are made of (int8_product.c). Pairs of inputs stand side by side, because processors
     * multiply and add two of 16 bits at a time.
     * y = x ^ flip as int8, widened. x, y: [n]. */
    void (*widen_int8)(int16_t *y, const uint8_t *x, uint8_t flip, int64_t n);
    /* y[k / 2, row, k mod 2] = x[row, k], and 0 beside the last of an odd n. x: [n_rows, n], y: [⌈n/2⌉, n_rows, 2];
     * y_stride counts pairs. */
    void (*turn_pairs)(int16_t *y, int64_t y_stride, const int8_t *x, int64_t x_stride, int64_t n_rows, int64_t n);
    /* c[i, j] = Σ_l a[i, l, 0]·b[l, j, 0] + a[i, l, 1]·b[l, j, 1], or c += … if `add`: exactly, for what fits into int32.
     * a: [m, k, 2], b: [k, n, 2], c: [m, n]; strides of a and b count pairs. Columns are taken as `product` does. */
    void (*product_pairs)(int32_t *c, int64_t c_stride, const int16_t *a, int64_t a_stride, const int16_t *b,
                          int64_t b_stride, int64_t m, int64_t n, int64_t k, bool add);

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
void pali__kernels_init_avx512_bf16(struct pali__kernels *kernels);
void pali__kernels_init_neon(struct pali__kernels *kernels);

#endif
