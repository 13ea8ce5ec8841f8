/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exp and log from additions, multiplications and divisions alone, which IEEE 754 rounds the same everywhere: a draw
 * must not depend on whose libm it is made with. To about 1e-15 of the value.
 */
#ifndef PALI_GENERATE_PORTABLE_MATH_H
#define PALI_GENERATE_PORTABLE_MATH_H

#include <stdint.h>
#include <string.h>

/* ln 2 in two parts: the first has so few bits that its product with an exponent is exact. */
#define PALI__LN2_HIGH 0x1.62e42fee00000p-1
#define PALI__LN2_LOW 0x1.a39ef35793c76p-33

/*
 * exp(x) for x at most 0, else 1; below -708, and for NaN: 0. It is 2^k · exp(r) with |r| ≤ ln 2 / 2, and Taylor's series
 * for the rest. Without branches, so that loops over it are vectorized.
 */
static inline double pali__exp(double x)
{
    double safe = x > -708.0 ? (x < 0.0 ? x : 0.0) : -708.0;
    double shifted = safe * 0x1.71547652b82fep+0 + 0x1.8p52; /* k stands in the last bits, rounded to nearest */
    double k = shifted - 0x1.8p52, r = (safe - k * PALI__LN2_HIGH) - k * PALI__LN2_LOW, sum, scale;
    uint64_t bits;

    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52; /* 2^k */
    memcpy(&scale, &bits, sizeof scale);
    sum = 1.0 / 6227020800;
    sum = sum * r + 1.0 / 479001600;
    sum = sum * r + 1.0 / 39916800;
    sum = sum * r + 1.0 / 3628800;
    sum = sum * r + 1.0 / 362880;
    sum = sum * r + 1.0 / 40320;
    sum = sum * r + 1.0 / 5040;
    sum = sum * r + 1.0 / 720;
    sum = sum * r + 1.0 / 120;
    sum = sum * r + 1.0 / 24;
    sum = sum * r + 1.0 / 6;
    sum = sum * r + 0.5;
    sum = sum * r + 1.0;
    sum = sum * r + 1.0;
    return x > -708.0 ? sum * scale : 0.0;
}

/* log(x) for positive, finite x, else 0. */
double pali__log(double x);

#endif
