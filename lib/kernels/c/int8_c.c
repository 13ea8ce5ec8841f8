/* SPDX-License-Identifier: BSD-2-Clause */
/* Integers of 8 bits in plain C: rounding to them. */
#include "kernels/variants.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/dtype.h"

/* The largest |x|. Without their signs, floats compare as the integers that their bits are, a NaN above all. */
static float largest_size(const float *x, int64_t n)
{
    uint32_t largest = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t size = pali__bits_from_float(x[i]) & 0x7fffffffu;
        largest = size > largest ? size : largest;
    }
    return pali__float_from_bits(largest);
}

float pali__round_int8_c(int8_t *y, const float *x, int64_t n)
{
    float scale = largest_size(x, n) / 127.5f;
    if (!(scale <= FLT_MAX)) {
        memset(y, 0, (size_t)n);
        return scale;
    }
    if (scale == 0)
        scale = FLT_EPSILON;
    for (int64_t i = 0; i < n; i++) {
        float q = nearbyintf(x[i] / scale);
        y[i] = (int8_t)(q > 127 ? 127 : q < -128 ? -128 : q);
    }
    return scale;
}

