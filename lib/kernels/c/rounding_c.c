/* SPDX-License-Identifier: BSD-2-Clause */
/* Weights rounded to integers: the definition, which every other version equals bit for bit. */
#include "kernels/variants.h"

/* Adding 1.5·2²³ and taking it away rounds to a whole number, ties to even, whatever |x| ≤ 2²². */
static inline float rounded(float x)
{
    const float shift = 12582912.0f;
    return (x + shift) - shift;
}

/* A NaN becomes `lowest`. */
static inline float limited(float x, float lowest, float highest)
{
    x = x > lowest ? x : lowest;
    return x < highest ? x : highest;
}

void pali__extremes_c(float *smallest, float *largest, const float *x, int64_t n)
{
    float low = 0.0f, high = 0.0f;

    for (int64_t i = 0; i < n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    *smallest = low;
    *largest = high;
}

/* Of grids first…first+7, whose loop a compiler makes vectors of. */
static void errors_of_8(float *error, const struct pali__grids *grids, int first, const float *w,
                        const float *importance, int64_t n)
{
    float sums[8] = { 0 };

    for (int64_t k = 0; k < n; k++)
        for (int c = 0; c < 8; c++) {
            float in_range = limited(w[k] * grids->inverse[first + c], grids->lowest[first + c],
                                     grids->highest[first + c]);
            float difference = w[k] - grids->scale[first + c] * rounded(in_range), square = difference * difference;
            sums[c] += importance ? importance[k] * square : square;
        }
    for (int c = 0; c < 8; c++)
        error[first + c] = sums[c];
}

void pali__rounding_errors_c(float *error, const struct pali__grids *grids, int n_grids, const float *w,
                             const float *importance, int64_t n)
{
    for (int first = 0; first < n_grids; first += 8)
        errors_of_8(error, grids, first, w, importance, n);
}

void pali__round_to_grid_c(int8_t *q, const float *w, int64_t n, float scale, float zero_point, float lowest,
                           float highest)
{
    for (int64_t k = 0; k < n; k++)
        q[k] = (int8_t)rounded(limited(w[k] / scale + zero_point, lowest, highest));
}
