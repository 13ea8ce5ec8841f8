/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exp and log from additions, multiplications and divisions alone, which IEEE 754 rounds the same everywhere: a draw
 * must not depend on whose libm it is made with. To about 1e-15 of the value.
 */
#ifndef PALI_GENERATE_PORTABLE_MATH_H
#define PALI_GENERATE_PORTABLE_MATH_H

double pali__exp(double x); /* x at most 0, else 1; below -708, and for NaN: 0 */
double pali__log(double x); /* x positive and finite, else 0 */

#endif
