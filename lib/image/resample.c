/* SPDX-License-Identifier: BSD-2-Clause */
#include "image/resample.h"

#include <math.h>

#include "core/memory.h"

void pali__axis_clear(struct pali__axis *axis)
{
    pali__free(axis->first);
    pali__free(axis->count);
    pali__free(axis->weights);
    *axis = (struct pali__axis){ 0 };
}

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0)
        return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static const struct {
    double (*at)(double x);
    double support;
} filters[] = {
    [PALI__FILTER_BICUBIC] = { cubic, 2.0 },
    [PALI__FILTER_BILINEAR] = { triangle, 1.0 },
};

/* Weights of output position `i`. Where the picture shrinks the filter is stretched over what one position covers. */
static void set_weights(struct pali__axis *axis, enum pali__filter filter, int32_t i)
{
    double *weights = axis->weights + (size_t)i * (size_t)axis->stride;
    const double scale = (double)axis->n_in / axis->n_out;
    const double filter_scale = scale > 1.0 ? scale : 1.0;
    const double support = filters[filter].support * filter_scale, inverse = 1.0 / filter_scale;
    const double center = (i + 0.5) * scale;
    double sum = 0.0;
    int64_t from = (int64_t)(center - support + 0.5), to = (int64_t)(center + support + 0.5);
    const int32_t first = from < 0 ? 0 : (int32_t)from;
    int32_t end = to > axis->n_in ? axis->n_in : (int32_t)to;
    if (end - first > axis->stride)
        end = first + axis->stride;
    for (int32_t x = first; x < end; x++) {
        weights[x - first] = filters[filter].at((x - center + 0.5) * inverse);
        sum += weights[x - first];
    }
    for (int32_t x = 0; x < end - first; x++)
        if (sum != 0.0)
            weights[x] /= sum;
    axis->first[i] = first;
    axis->count[i] = end - first;
}

pali_status pali__axis_init(struct pali__axis *axis, int32_t n_in, int32_t n_out, enum pali__filter filter,
                            pali_error **error)
{
    const double scale = (double)n_in / n_out;
    const double n_taps = ceil(filters[filter].support * (scale > 1.0 ? scale : 1.0)) * 2.0 + 1.0;
    *axis = (struct pali__axis){ .n_out = n_out, .n_in = n_in };
    axis->stride = n_taps < (double)n_in ? (int32_t)n_taps : n_in;

    const size_t n_weights = (size_t)n_out * (size_t)axis->stride;
    axis->first = pali__calloc((size_t)n_out, sizeof *axis->first);
    axis->count = pali__calloc((size_t)n_out, sizeof *axis->count);
    axis->weights = pali__calloc(n_weights, sizeof *axis->weights);
    if (!axis->first || !axis->count || !axis->weights) {
        pali__axis_clear(axis);
        return pali__no_memory(error, n_weights * sizeof *axis->weights);
    }
    for (int32_t i = 0; i < n_out; i++)
        set_weights(axis, filter, i);
    return PALI_OK;
}
