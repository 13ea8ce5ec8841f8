/* SPDX-License-Identifier: BSD-2-Clause */
/* Rounding to nearest with the scale that fits the largest weight of a group. */
#include "kernels/round_weights.h"

#include <float.h>
#include <math.h>
#include <string.h>

struct range {
    int low, high; /* of q */
};

static float clamp(float value, float low, float high)
{
    return value < low ? low : value > high ? high : value;
}

/* The scale and the zero point of one group, the scale as its type has it. */
static float choose(const struct pali__rounding *rounding, struct range range, const float *w, int64_t n, void *scale,
                    int8_t *zero_point)
{
    float smallest = 0.0f, largest = 0.0f, chosen, stored;

    for (int64_t k = 0; k < n; k++) {
        smallest = w[k] < smallest ? w[k] : smallest;
        largest = w[k] > largest ? w[k] : largest;
    }
    if (rounding->symmetric) {
        largest = largest > -smallest ? largest : -smallest;
        smallest = -largest;
    }
    chosen = (largest - smallest) / (float)(range.high - range.low);
    pali__from_float(scale, rounding->scale_dtype, &chosen, 1);
    pali__to_float(&stored, scale, rounding->scale_dtype, 1);
    if (!(stored > 0.0f)) {
        chosen = FLT_EPSILON;
        pali__from_float(scale, rounding->scale_dtype, &chosen, 1);
        pali__to_float(&stored, scale, rounding->scale_dtype, 1);
    }
    if (!rounding->symmetric)
        *zero_point = (int8_t)clamp(rintf((float)range.low - smallest / stored), (float)range.low, (float)range.high);
    return stored;
}

static void put_code(enum pali__code code, unsigned char *row, int64_t k, int q)
{
    if (code == PALI__CODE_INT8)
        ((int8_t *)row)[k] = (int8_t)q;
    else if (code == PALI__CODE_PACKED8)
        row[k] = (unsigned char)(q + 128);
    else
        row[k / 2] |= (unsigned char)((q + 8) << (k % 2 * 4));
}

static void round_row(const struct pali__rounding *rounding, const float *w, int64_t n_in, unsigned char *codes,
                      char *scales, int8_t *zero_points)
{
    struct range range = rounding->code == PALI__CODE_PACKED4 ? (struct range){ -8, 7 } : (struct range){ -128, 127 };

    memset(codes, 0, (size_t)pali__code_row_size(rounding->code, n_in));
    for (int64_t first = 0, g = 0; first < n_in; first += rounding->group_size, g++) {
        int64_t end = first + rounding->group_size < n_in ? first + rounding->group_size : n_in;
        int8_t zero_point = 0;
        float scale = choose(rounding, range, w + first, end - first,
                             scales + (size_t)g * pali_dtype_size(rounding->scale_dtype), &zero_point);
        if (zero_points)
            zero_points[g] = zero_point;
        for (int64_t k = first; k < end; k++)
            put_code(rounding->code, codes, k,
                     (int)clamp(rintf(w[k] / scale) + (float)zero_point, (float)range.low, (float)range.high));
    }
}

void pali__round_weights(const struct pali__compute *compute, const struct pali__rounding *rounding, const float *w,
                         int64_t n_rows, int64_t n_in, void *codes, void *scales, int8_t *zero_points)
{
    int64_t n_groups = (n_in + rounding->group_size - 1) / rounding->group_size;
    int64_t row_size = pali__code_row_size(rounding->code, n_in);
    size_t scale_size = pali_dtype_size(rounding->scale_dtype);

#pragma omp parallel for schedule(static) num_threads(compute->n_threads)
    for (int64_t j = 0; j < n_rows; j++)
        round_row(rounding, w + j * n_in, n_in, (unsigned char *)codes + j * row_size,
                  (char *)scales + (size_t)(j * n_groups) * scale_size, zero_points ? zero_points + j * n_groups : NULL);
}
