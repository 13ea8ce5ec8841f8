/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vector in int8, as caches hold keys and values: n codes, then their scale as a float32, at any address.
 *
 *   x[i] ≈ scale · code[i],   scale = max|x| / 127,   code = x / scale rounded to nearest, ties to even
 *
 * A scale has 17 significant bits, so that every scale · code is exact in float32, and what a vector holds makes the
 * same vector again. One with an infinity or a NaN becomes NaN altogether.
 */
#ifndef PALI_CORE_INT8_VECTOR_H
#define PALI_CORE_INT8_VECTOR_H

#include <stdint.h>
#include <string.h>

/* Bytes of a vector of n values; the same in elements of one byte. */
static inline int64_t pali__int8_vector_size(int64_t n)
{
    return n + (int64_t)sizeof(float);
}

static inline float pali__int8_vector_scale(const int8_t *vector, int64_t n)
{
    float scale;
    memcpy(&scale, vector + n, sizeof scale);
    return scale;
}

/* vector = x. x: [n]. */
void pali__int8_vector_make(int8_t *vector, const float *x, int64_t n);

/* x becomes what its vector would hold. */
void pali__int8_vector_round(float *x, int64_t n);

#endif
