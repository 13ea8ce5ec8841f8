/* SPDX-License-Identifier: BSD-2-Clause */
/* Integers of 8 bits in plain C: rounding to them, and the products of pairs. */
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

void pali__widen_int8_c(int16_t *y, const uint8_t *x, uint8_t flip, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int16_t q = x[i] ^ flip;
        y[i] = (int16_t)(q < 128 ? q : q - 256);
    }
}

void pali__turn_pairs_c(int16_t *y, int64_t y_stride, const int8_t *x, int64_t x_stride, int64_t n_rows, int64_t n)
{
    for (int64_t r = 0; r < n_rows; r++) {
        for (int64_t k = 0; k < n; k += 2) {
            int16_t *pair = y + 2 * (k / 2 * y_stride + r);
            pair[0] = x[r * x_stride + k];
            pair[1] = k + 1 < n ? x[r * x_stride + k + 1] : 0;
        }
    }
}

void pali__product_pairs_c(int32_t *c, int64_t c_stride, const int16_t *a, int64_t a_stride, const int16_t *b,
                           int64_t b_stride, int64_t m, int64_t n, int64_t k, bool add)
{
    for (int64_t i = 0; i < m; i++) {
        int32_t *out = c + i * c_stride;
        if (!add)
            memset(out, 0, (size_t)n * sizeof *out);
        for (int64_t l = 0; l < k; l++) {
            const int16_t *factors = a + 2 * (i * a_stride + l), *row = b + 2 * l * b_stride;
            for (int64_t j = 0; j < n; j++)
                out[j] += factors[0] * row[2 * j] + factors[1] * row[2 * j + 1];
        }
    }
}
