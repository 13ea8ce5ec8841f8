/* SPDX-License-Identifier: BSD-2-Clause */
/* Products of a few rows with a matrix, for NEON (dot_rows_tmpl.h). */
#include "kernels/variants.h"

#include <arm_neon.h>
#include <string.h>

enum { LANES = 4 };

#define TILE_OUTPUTS 6

typedef float32x4_t vector;
#define vector_zero() vdupq_n_f32(0)
#define vector_load vld1q_f32
#define vector_load_first load_first_f32
#define vector_add vaddq_f32
#define vector_multiply_add(a, b, sum) vfmaq_f32(sum, a, b)
#define vector_sum vaddvq_f32

#include "kernels/dot_rows_tmpl.h"

/* Four values of each type of weight. */
INLINE float32x4_t load_f32(const float *w)
{
    return vld1q_f32(w);
}

INLINE float32x4_t load_bf16(const uint16_t *w)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(w), 16));
}

INLINE float32x4_t load_f16(const uint16_t *w)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(w)));
}

INLINE float32x4_t load_first_f32(const float *w, int64_t n)
{
    float values[LANES] = {0};
    memcpy(values, w, (size_t)n * sizeof *w);
    return load_f32(values);
}

INLINE float32x4_t load_first_bf16(const uint16_t *w, int64_t n)
{
    uint16_t values[LANES] = {0};
    memcpy(values, w, (size_t)n * sizeof *w);
    return load_bf16(values);
}

INLINE float32x4_t load_first_f16(const uint16_t *w, int64_t n)
{
    uint16_t values[LANES] = {0};
    memcpy(values, w, (size_t)n * sizeof *w);
    return load_f16(values);
}

DEFINE_DOT_ROWS(pali__dot_rows_f32_neon, float, load_f32, load_first_f32)
DEFINE_DOT_ROWS(pali__dot_rows_bf16_neon, uint16_t, load_bf16, load_first_bf16)
DEFINE_DOT_ROWS(pali__dot_rows_f16_neon, uint16_t, load_f16, load_first_f16)
