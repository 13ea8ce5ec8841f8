/* SPDX-License-Identifier: BSD-2-Clause */
/* Vectors in int8 (core/int8_vector.h): products of a few rows with them, for NEON. */
#include "kernels/variants.h"

#include <arm_neon.h>
#include <string.h>

#include "core/int8_vector.h"

enum { LANES = 4 };

typedef float32x4_t vector;
#define vector_zero() vdupq_n_f32(0)
#define vector_set vdupq_n_f32
#define vector_load vld1q_f32
#define vector_load_first load_first_f32
#define vector_add vaddq_f32
#define vector_multiply vmulq_f32
#define vector_multiply_add(a, b, sum) vfmaq_f32(sum, a, b)
#define vector_sum vaddvq_f32

static inline __attribute__((always_inline)) float32x4_t load_first_f32(const float *x, int64_t n)
{
    float values[LANES] = {0};
    memcpy(values, x, (size_t)n * sizeof *x);
    return vld1q_f32(values);
}

/* The first n ≤ 4 values, and zeros. */
static inline __attribute__((always_inline)) float32x4_t load_first_int8(const int8_t *w, int64_t n)
{
    int8_t values[8] = {0};
    memcpy(values, w, (size_t)n);
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vld1_s8(values)))));
}

static inline __attribute__((always_inline)) float32x4_t load_int8(const int8_t *w)
{
    return load_first_int8(w, LANES);
}

#include "kernels/int8_rows_tmpl.h"

DEFINE_DOT_INT8_ROWS(pali__dot_int8_rows_neon)
