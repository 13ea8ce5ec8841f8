/* SPDX-License-Identifier: BSD-2-Clause */
/* The names of the kernels of one instruction set, which end in that set. Contracts: kernels.h. */
#ifndef PALI_KERNELS_VARIANTS_H
#define PALI_KERNELS_VARIANTS_H

#include "kernels/kernels.h"

#define PALI__DECLARE_KERNELS(set)                                                                                     \
    pali__dot_rows_fn pali__dot_rows_f32_##set, pali__dot_rows_bf16_##set, pali__dot_rows_f16_##set;                   \
    void pali__widen_bf16_##set(float *y, const uint16_t *x, int64_t n);                                               \
    void pali__widen_f16_##set(float *y, const uint16_t *x, int64_t n);                                                \
    void pali__narrow_bf16_##set(uint16_t *y, const float *x, int64_t n);                                              \
    float pali__round_int8_##set(int8_t *y, const float *x, int64_t n);                                                \
    void pali__widen_int8_##set(int16_t *y, const uint8_t *x, uint8_t flip, int64_t n);                                \
    void pali__product_pairs_##set(int32_t *c, int64_t c_stride, const int16_t *a, int64_t a_stride, const int16_t *b, \
                                   int64_t b_stride, int64_t m, int64_t n, int64_t k, bool add);                       \
    void pali__rms_norm_##set(float *y, const float *x, const float *weight, int64_t n, float eps, float offset);      \
    void pali__layer_norm_##set(float *y, const float *x, const float *weight, const float *bias, int64_t n,           \
                                float eps);                                                                            \
    void pali__gelu_##set(float *x, int64_t n);                                                                        \
    void pali__gelu_mul_##set(float *gate, const float *up, int64_t n);                                                \
    void pali__silu_mul_##set(float *gate, const float *up, int64_t n);                                                \
    void pali__soft_cap_##set(float *x, int64_t n, float cap);                                                         \
    void pali__add_##set(float *y, const float *x, int64_t n);                                                         \
    void pali__scale_##set(float *y, const float *x, int64_t n, float factor);                                         \
    void pali__rotate_##set(float *a, float *b, const float *cosine, const float *sine, int64_t n);                    \
    float pali__max_##set(const float *x, int64_t n);                                                                  \
    float pali__exp_sum_##set(float *x, int64_t n, float shift);                                                       \
    void pali__product_##set(float *c, int64_t c_stride, const float *a, int64_t a_stride, const float *b,             \
                             int64_t b_stride, int64_t m, int64_t n, int64_t k, bool add)

/* Enters them all into a table. */
#define PALI__SET_KERNELS(kernels, set)                                                                                \
    do {                                                                                                               \
        (kernels)->dot_rows_f32 = pali__dot_rows_f32_##set;                                                            \
        (kernels)->dot_rows_bf16 = pali__dot_rows_bf16_##set;                                                          \
        (kernels)->dot_rows_f16 = pali__dot_rows_f16_##set;                                                            \
        (kernels)->widen_bf16 = pali__widen_bf16_##set;                                                                \
        (kernels)->widen_f16 = pali__widen_f16_##set;                                                                  \
        (kernels)->narrow_bf16 = pali__narrow_bf16_##set;                                                              \
        (kernels)->round_int8 = pali__round_int8_##set;                                                                \
        (kernels)->widen_int8 = pali__widen_int8_##set;                                                                \
        (kernels)->product_pairs = pali__product_pairs_##set;                                                          \
        (kernels)->rms_norm = pali__rms_norm_##set;                                                                    \
        (kernels)->layer_norm = pali__layer_norm_##set;                                                                \
        (kernels)->gelu = pali__gelu_##set;                                                                            \
        (kernels)->gelu_mul = pali__gelu_mul_##set;                                                                    \
        (kernels)->silu_mul = pali__silu_mul_##set;                                                                    \
        (kernels)->soft_cap = pali__soft_cap_##set;                                                                    \
        (kernels)->add = pali__add_##set;                                                                              \
        (kernels)->scale = pali__scale_##set;                                                                          \
        (kernels)->rotate = pali__rotate_##set;                                                                        \
        (kernels)->max = pali__max_##set;                                                                              \
        (kernels)->exp_sum = pali__exp_sum_##set;                                                                      \
        (kernels)->product = pali__product_##set;                                                                      \
    } while (0)

PALI__DECLARE_KERNELS(c);
PALI__DECLARE_KERNELS(avx2);
PALI__DECLARE_KERNELS(avx512);
PALI__DECLARE_KERNELS(neon); /* not all of them exist: see arm/kernels_neon.c */

/* Multiplies and adds in one instruction: the only kernel that wants AVX-512 VNNI. */
void pali__product_pairs_vnni(int32_t *c, int64_t c_stride, const int16_t *a, int64_t a_stride, const int16_t *b,
                              int64_t b_stride, int64_t m, int64_t n, int64_t k, bool add);

/* Products with quantized matrices. */
#define PALI__DECLARE_CODE_KERNELS(set)                                                                                \
    pali__dot_codes_fn pali__dot_int8_##set, pali__dot_packed8_##set, pali__dot_packed4_##set;                         \
    void pali__round_inputs_##set(int16_t *values, float *scales, float *sums, const float *x, int64_t n, float scale, \
                                  bool planes)

#define PALI__SET_CODE_KERNELS(kernels, set)                                                                           \
    do {                                                                                                               \
        (kernels)->dot_int8 = pali__dot_int8_##set;                                                                    \
        (kernels)->dot_packed8 = pali__dot_packed8_##set;                                                              \
        (kernels)->dot_packed4 = pali__dot_packed4_##set;                                                              \
        (kernels)->round_inputs = pali__round_inputs_##set;                                                            \
    } while (0)

PALI__DECLARE_CODE_KERNELS(c);
PALI__DECLARE_CODE_KERNELS(avx2);
PALI__DECLARE_CODE_KERNELS(avx512);
PALI__DECLARE_CODE_KERNELS(neon);

/* AVX-512 has no version of its own, nor has NEON. */
pali__dequantize_fn pali__dequantize_int8_c, pali__dequantize_packed8_c, pali__dequantize_packed4_c;
pali__dequantize_fn pali__dequantize_int8_avx2, pali__dequantize_packed8_avx2, pali__dequantize_packed4_avx2;

/* Transposing moves data only: AVX-512 has no version of its own. */
void pali__transpose_c(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t n_rows,
                       int64_t n_columns);
void pali__transpose_avx2(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t n_rows,
                          int64_t n_columns);
void pali__turn_pairs_c(int16_t *y, int64_t y_stride, const int8_t *x, int64_t x_stride, int64_t n_rows, int64_t n);
void pali__turn_pairs_avx2(int16_t *y, int64_t y_stride, const int8_t *x, int64_t x_stride, int64_t n_rows, int64_t n);

#endif
