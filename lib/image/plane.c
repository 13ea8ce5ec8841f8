/* SPDX-License-Identifier: BSD-2-Clause */
/* Resizing one plane of float32, as Pillow does it for pictures of mode F. */
#include "image/resample.h"

#include <stdbool.h>
#include <string.h>

#include "core/memory.h"

/* One plane; a pass reads one and writes the other. */
struct plane {
    float *values;
    int32_t width, height;
    size_t stride; /* from one row to the next */
};

static void filter_rows(const struct pali__axis *axis, const struct plane *to, const struct plane *from)
{
    for (int32_t y = 0; y < to->height; y++) {
        const float *row = from->values + (size_t)y * from->stride;
        for (int32_t i = 0; i < axis->n_out; i++) {
            const double *weights = axis->weights + (size_t)i * (size_t)axis->stride;
            double sum = 0.0;
            for (int32_t x = 0; x < axis->count[i]; x++)
                sum += (double)row[axis->first[i] + x] * weights[x];
            to->values[(size_t)y * to->stride + (size_t)i] = (float)sum;
        }
    }
}

static void filter_columns(const struct pali__axis *axis, const struct plane *to, const struct plane *from)
{
    for (int32_t i = 0; i < axis->n_out; i++) {
        const double *weights = axis->weights + (size_t)i * (size_t)axis->stride;
        for (int32_t x = 0; x < to->width; x++) {
            const float *column = from->values + (size_t)axis->first[i] * from->stride + (size_t)x;
            double sum = 0.0;
            for (int32_t y = 0; y < axis->count[i]; y++)
                sum += (double)column[(size_t)y * from->stride] * weights[y];
            to->values[(size_t)i * to->stride + (size_t)x] = (float)sum;
        }
    }
}

static void copy_plane(const struct plane *to, const struct plane *from)
{
    for (int32_t y = 0; y < to->height; y++)
        memcpy(to->values + (size_t)y * to->stride, from->values + (size_t)y * from->stride,
               (size_t)to->width * sizeof(float));
}

/* Both axes change: through a plane between the two. */
static pali_status filter_both(const struct pali__axis *across, const struct pali__axis *down, const struct plane *to,
                               const struct plane *from, pali_error **error)
{
    /* Pillow 13's rule: the columns go first where the height loses more than twice as many pixels as the width. */
    const int64_t lost_width = (int64_t)from->width - to->width, lost_height = (int64_t)from->height - to->height;
    const bool columns_first = lost_height > 0 && lost_height > 2 * lost_width;
    struct plane between = { .width = columns_first ? from->width : to->width,
                             .height = columns_first ? to->height : from->height };
    between.stride = (size_t)between.width;
    between.values = pali__calloc((size_t)between.height, between.stride * sizeof(float));
    if (!between.values)
        return pali__no_memory(error, (size_t)between.height * between.stride * sizeof(float));
    if (columns_first) {
        filter_columns(down, &between, from);
        filter_rows(across, to, &between);
    } else {
        filter_rows(across, &between, from);
        filter_columns(down, to, &between);
    }
    pali__free(between.values);
    return PALI_OK;
}

pali_status pali__plane_resize(float *to, int32_t to_width, int32_t to_height, const float *from, int32_t from_width,
                               int32_t from_height, size_t from_stride, enum pali__filter filter, pali_error **error)
{
    const struct plane target = { to, to_width, to_height, (size_t)to_width };
    const struct plane source = { (float *)(uintptr_t)from, from_width, from_height, from_stride };
    struct pali__axis across = { 0 }, down = { 0 };
    pali_status status = PALI_OK;
    if (to_width != from_width)
        status = pali__axis_init(&across, from_width, to_width, filter, error);
    if (status == PALI_OK && to_height != from_height)
        status = pali__axis_init(&down, from_height, to_height, filter, error);
    if (status == PALI_OK) {
        if (across.n_out && down.n_out)
            status = filter_both(&across, &down, &target, &source, error);
        else if (across.n_out)
            filter_rows(&across, &target, &source);
        else if (down.n_out)
            filter_columns(&down, &target, &source);
        else
            copy_plane(&target, &source);
    }
    pali__axis_clear(&across);
    pali__axis_clear(&down);
    return status;
}
