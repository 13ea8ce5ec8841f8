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

#endif
