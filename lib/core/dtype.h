/* SPDX-License-Identifier: BSD-2-Clause */
/* Conversions between the 16-bit floating-point types and float, one value at a time. */
#ifndef PALI_CORE_DTYPE_H
#define PALI_CORE_DTYPE_H

#include <stdint.h>
#include <string.h>

static inline float pali__float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t pali__bits_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float pali__float_from_bf16(uint16_t bits) { return pali__float_from_bits((uint32_t)bits << 16); }

/* Round to nearest, ties to even; NaN stays NaN. */
static inline uint16_t pali__bf16_from_float(float value)
{
    uint32_t bits = pali__bits_from_float(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((bits >> 16) | 0x40u);
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

static inline float pali__float_from_f16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = (half >> 10) & 31u, mantissa = half & 1023u;
    if (exponent == 31u)
        return pali__float_from_bits(sign | 0x7f800000u | (mantissa << 13));
    if (exponent != 0u)
        return pali__float_from_bits(sign | ((exponent + 112u) << 23) | (mantissa << 13));
    float magnitude = (float)mantissa * (1.0f / 16777216.0f);
    return sign ? -magnitude : magnitude;
}

/* Round to nearest, ties to even; what is too large becomes infinite; NaN stays NaN. */
static inline uint16_t pali__f16_from_float(float value)
{
    uint32_t bits = pali__bits_from_float(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
    if (magnitude >= 0x477ff000u) /* 65520, half a step above the largest */
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude < 0x38800000u) { /* 2^-14: below, steps are of 2^-24; adding 2^23 rounds to whole ones */
        float steps = pali__float_from_bits(magnitude) * 16777216.0f + 8388608.0f;
        return (uint16_t)(sign | (pali__bits_from_float(steps) - 0x4b000000u));
    }
    magnitude += 0xfffu + (magnitude >> 13 & 1u);
    return (uint16_t)(sign | (magnitude - 0x38000000u) >> 13);
}

#endif
