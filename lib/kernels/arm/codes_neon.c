/* SPDX-License-Identifier: BSD-2-Clause */
/* Products of rounded inputs with quantized matrices (dot_codes_tmpl.h), for NEON. */
#include "kernels/variants.h"

#include <arm_neon.h>

enum { LANES = 4, WIDE_LANES = 8 };

typedef float32x4_t vector;
#define vector_zero() vdupq_n_f32(0)
#define vector_set vdupq_n_f32
#define vector_load vld1q_f32
#define vector_store vst1q_f32
#define vector_add vaddq_f32
#define vector_multiply vmulq_f32
#define vector_multiply_add(a, b, sum) vfmaq_f32(sum, a, b)
#define vector_subtract_product(a, b, sum) vfmsq_f32(sum, a, b)
#define vector_sum vaddvq_f32
#define vector_spread(f, count) vld1q_dup_f32(f) /* a register of codes is within one segment */

typedef int16x8_t integers; /* or int32x4_t */
#define integers_zero() vdupq_n_s16(0)
#define integers_load vld1q_s16
#define integers_to_float(a) vcvtq_f32_s32(vreinterpretq_s32_s16(a))
#define integers_dot dot_halves

static inline __attribute__((always_inline)) int16x8_t dot_halves(int16x8_t a, int16x8_t b, int16x8_t sum)
{
    int32x4_t low = vmlal_s16(vreinterpretq_s32_s16(sum), vget_low_s16(a), vget_low_s16(b));
    return vreinterpretq_s16_s32(vmlal_high_s16(low, a, b));
}

#define vector_from_bf16(x) vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(x), 16))
#define vector_from_f16(x) vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(x)))
#define vector_from_int8 four_int8

static inline __attribute__((always_inline)) float32x4_t four_int8(const int8_t *x)
{
    int32_t four[4] = {x[0], x[1], x[2], x[3]};
    return vcvtq_f32_s32(vld1q_s32(four));
}

#include "kernels/dot_codes_tmpl.h"

/* 32 codes of 8 bits. */
INLINE void unpack_int8(int16x8_t *planes, const unsigned char *codes)
{
    for (int i = 0; i < 4; i++)
        planes[i] = vmovl_s8(vreinterpret_s8_u8(vld1_u8(codes + 8 * i)));
}

INLINE void unpack_packed8(int16x8_t *planes, const unsigned char *codes)
{
    for (int i = 0; i < 4; i++)
        planes[i] = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(codes + 8 * i)));
}

/* 32 codes of 4 bits. */
INLINE void unpack_packed4(int16x8_t *planes, const unsigned char *codes)
{
    const uint16x8_t low = vdupq_n_u16(15);
    uint16x8_t all = vreinterpretq_u16_u8(vld1q_u8(codes));
    planes[0] = vreinterpretq_s16_u16(vandq_u16(all, low));
    planes[1] = vreinterpretq_s16_u16(vandq_u16(vshrq_n_u16(all, 4), low));
    planes[2] = vreinterpretq_s16_u16(vandq_u16(vshrq_n_u16(all, 8), low));
    planes[3] = vreinterpretq_s16_u16(vshrq_n_u16(all, 12));
}

DEFINE_DOT_CODES(pali__dot_int8_neon, unpack_int8, 4, 8, 0)
DEFINE_DOT_CODES(pali__dot_packed8_neon, unpack_packed8, 4, 8, 128)
DEFINE_DOT_CODES(pali__dot_packed4_neon, unpack_packed4, 4, 4, 8)

/* As plain C has them, then each 32 in the order of the four codes in 16 bits. */
void pali__round_inputs_neon(int16_t *values, float *scales, float *sums, const float *x, int64_t n, float scale,
                             bool planes)
{
    pali__round_inputs_c(values, scales, sums, x, n, scale, planes);
    if (!planes)
        return;
    for (int64_t k = 0; k < n; k += 4 * WIDE_LANES) {
        int16x8x4_t all = vld4q_s16(values + k);
        for (int p = 0; p < 4; p++)
            vst1q_s16(values + k + p * WIDE_LANES, all.val[p]);
    }
}
