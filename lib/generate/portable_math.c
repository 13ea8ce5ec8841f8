/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/portable_math.h"

#include <math.h>

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
    return exponent * PALI__LN2_HIGH + (exponent * PALI__LN2_LOW + 2.0 * s * sum);
}
