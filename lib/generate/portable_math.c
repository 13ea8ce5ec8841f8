/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/portable_math.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ln 2 in two parts: the first has so few bits that its product with an exponent is exact. */
#define LN2_HIGH 0x1.62e42fee00000p-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define LOG2_E 0x1.71547652b82fep+0

/* exp(x) = 2^k · exp(r) with |r| ≤ ln 2 / 2, and Taylor's series for the rest. */
double pali__exp(double x)
{
    static const double coefficients[] = { 1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
                                           1.0 / 362880,     1.0 / 40320,     1.0 / 5040,     1.0 / 720,
                                           1.0 / 120,        1.0 / 24,        1.0 / 6,        1.0 / 2,
                                           1.0,              1.0 };
    double k, r, sum = 0.0, scale;

    if (!(x > -708.0))
        return 0.0;
    if (x >= 0.0)
        return 1.0;
    k = floor(x * LOG2_E + 0.5);
    r = (x - k * LN2_HIGH) - k * LN2_LOW;
    for (size_t i = 0; i < sizeof coefficients / sizeof coefficients[0]; i++)
        sum = sum * r + coefficients[i];
    uint64_t bits = (uint64_t)((int64_t)k + 1023) << 52; /* 2^k: k is -1022…0 here */
    memcpy(&scale, &bits, sizeof scale);
    return sum * scale;
}

/* log(2^e · m) = e · ln 2 + 2 artanh((m - 1) / (m + 1)) with m within a factor √2 of 1. */
double pali__log(double x)
{
    int exponent;
    double m, s, square, sum = 0.0;

    if (!(x > 0.0 && x < HUGE_VAL))
        return 0.0;
    m = frexp(x, &exponent);
    if (m < 0x1.6a09e667f3bcdp-1) {
        m *= 2.0;
        exponent--;
    }
    s = (m - 1.0) / (m + 1.0);
    square = s * s;
    for (int i = 23; i >= 1; i -= 2)
        sum = sum * square + 1.0 / i;
    return exponent * LN2_HIGH + (exponent * LN2_LOW + 2.0 * s * sum);
}
