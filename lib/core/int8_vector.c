/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/int8_vector.h"

#include <float.h>
#include <math.h>

#include "core/dtype.h"

enum { LARGEST_CODE = 127, SCALE_BITS_CLEARED = 7 /* of a float's 24: 127 takes as many */ };

/* Beyond 2²² a float's steps are whole: adding 1.5·2²³ and taking it away rounds to nearest, ties to even. */
static float nearest(float x)
{
    const float whole = 12582912.0f;
    return (x + whole) - whole;
}

/* The scale of x; NaN if x is not finite. */
static float scale_of(const float *x, int64_t n)
{
    float largest = 0, poison = 0;
    for (int64_t i = 0; i < n; i++) {
        float size = fabsf(x[i]);
        largest = size > largest ? size : largest;
        poison += x[i] * 0.0f; /* 0, or NaN for an infinity or a NaN */
    }
    if (isnan(poison))
        return poison;
    uint32_t bits = pali__bits_from_float(largest / LARGEST_CODE) >> SCALE_BITS_CLEARED << SCALE_BITS_CLEARED;
    float scale = pali__float_from_bits(bits);
    return scale >= FLT_MIN ? scale : FLT_MIN; /* so that its inverse is finite */
}

void pali__int8_vector_make(int8_t *vector, const float *x, int64_t n)
{
    float scale = scale_of(x, n), inverse = 1.0f / scale;
    memcpy(vector + n, &scale, sizeof scale);
    if (isnan(scale)) {
        memset(vector, 0, (size_t)n);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        vector[i] = (int8_t)nearest(x[i] * inverse);
}

void pali__int8_vector_round(float *x, int64_t n)
{
    float scale = scale_of(x, n), inverse = 1.0f / scale;
    for (int64_t i = 0; i < n; i++)
        x[i] = isnan(scale) ? scale : scale * nearest(x[i] * inverse);
}
