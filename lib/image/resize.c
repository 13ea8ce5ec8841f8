/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Antialiased bicubic resize, a = -0.5, equal to the last bit to Pillow's Image.resize(BICUBIC) and to torchvision's
 * resize of uint8 tensors. Both (Pillow: src/libImaging/Resample.c; PyTorch: UpSampleKernel.cpp) round weights to
 * fixed point, filter the rows, round to 8 bits, and filter the columns; they differ in the precision of the weights.
 * A pass along an axis whose length stays is left out. Pillow from 13.0 on filters the columns first where the
 * height shrinks much more than the width.
 */
#include "image/image_internal.h"

#include <string.h>

#include "core/memory.h"
#include "image/resample.h"

#define PRECISION 22 /* bits of a weight's fraction, at most */
#define MAX_SIDE 65535

/* One axis with its weights in fixed point. */
struct axis {
    int32_t n_out, n_in;
    int32_t stride; /* weights from one output position to the next */
    const int32_t *first, *count;
    int32_t *weights; /* [n_out, stride] */
    int precision;
    struct pali__axis exact; /* has the arrays above */
};

static void axis_clear(struct axis *axis)
{
    pali__axis_clear(&axis->exact);
    pali__free(axis->weights);
    *axis = (struct axis){ 0 };
}

/* torchvision's weights have to fit 16 bits: the most fraction bits with which the largest one does. */
static int short_precision(double max_weight)
{
    int precision = 0;
    while (precision < PRECISION && (int)(0.5 + max_weight * (double)(1 << (precision + 1))) < (1 << 15))
        precision++;
    return precision;
}

static pali_status axis_init(struct axis *axis, int32_t n_in, int32_t n_out, pali_resample resample,
                             pali_error **error)
{
    *axis = (struct axis){ .n_out = n_out, .n_in = n_in, .precision = PRECISION };
    TRY(pali__axis_init(&axis->exact, n_in, n_out, PALI__FILTER_BICUBIC, error));
    axis->stride = axis->exact.stride;
    axis->first = axis->exact.first;
    axis->count = axis->exact.count;

    const double *exact = axis->exact.weights;
    const size_t n_weights = (size_t)n_out * (size_t)axis->stride;
    axis->weights = pali__calloc(n_weights, sizeof *axis->weights);
    if (!axis->weights) {
        axis_clear(axis);
        return pali__no_memory(error, n_weights * sizeof *axis->weights);
    }
    double max_weight = 0.0;
    for (size_t i = 0; i < n_weights; i++)
        if (exact[i] > max_weight)
            max_weight = exact[i];
    if (resample == PALI_RESAMPLE_TORCHVISION)
        axis->precision = short_precision(max_weight);
    for (size_t i = 0; i < n_weights; i++) {
        double fixed = exact[i] * (double)(1 << axis->precision);
        axis->weights[i] = (int32_t)(fixed < 0.0 ? fixed - 0.5 : fixed + 0.5);
    }
    return PALI_OK;
}

static inline uint8_t clip_byte(int32_t value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* One row of n_in pixels to one of n_out. */
static void filter_row(const struct axis *axis, uint8_t *to, const uint8_t *from)
{
    const int32_t half = (int32_t)((1u << axis->precision) >> 1);
    for (int32_t i = 0; i < axis->n_out; i++, to += 3) {
        const int32_t *weights = axis->weights + (size_t)i * (size_t)axis->stride;
        const uint8_t *pixel = from + (size_t)axis->first[i] * 3;
        int32_t red = half, green = half, blue = half;
        for (int32_t x = 0; x < axis->count[i]; x++, pixel += 3) {
            red += weights[x] * pixel[0];
            green += weights[x] * pixel[1];
            blue += weights[x] * pixel[2];
        }
        to[0] = clip_byte(red >> axis->precision);
        to[1] = clip_byte(green >> axis->precision);
        to[2] = clip_byte(blue >> axis->precision);
    }
}

/* Output row `i` out of rows that lie in a ring: input row y at ring + (y % n_ring) · row_size. */
static void filter_column(const struct axis *axis, uint8_t *to, int32_t i, const uint8_t *ring, int32_t n_ring,
                          size_t row_size, int32_t *sums)
{
    const int32_t *weights = axis->weights + (size_t)i * (size_t)axis->stride;
    const int32_t half = (int32_t)((1u << axis->precision) >> 1);
    for (size_t x = 0; x < row_size; x++)
        sums[x] = half;
    for (int32_t y = 0; y < axis->count[i]; y++) {
        const uint8_t *row = ring + (size_t)((axis->first[i] + y) % n_ring) * row_size;
        const int32_t weight = weights[y];
        for (size_t x = 0; x < row_size; x++)
            sums[x] += weight * row[x];
    }
    for (size_t x = 0; x < row_size; x++)
        to[x] = clip_byte(sums[x] >> axis->precision);
}

/* Rows, then columns. Only as many filtered rows are kept as one output row needs, whatever the picture's height. */
static pali_status filter_rows_first(pali_image *to, const pali_image *from, const struct axis *across,
                                     const struct axis *down, pali_error **error)
{
    const size_t from_row = (size_t)from->width * 3, row_size = (size_t)to->width * 3;
    const int32_t n_ring = down->stride;
    uint8_t *ring = pali__calloc((size_t)n_ring, row_size);
    int32_t *sums = pali__calloc(row_size, sizeof *sums);
    int32_t n_filtered = 0;
    if (!ring || !sums) {
        pali__free(ring);
        pali__free(sums);
        return pali__no_memory(error, (size_t)n_ring * row_size);
    }
    for (int32_t i = 0; i < to->height; i++) {
        if (n_filtered < down->first[i])
            n_filtered = down->first[i];
        for (; n_filtered < down->first[i] + down->count[i]; n_filtered++)
            filter_row(across, ring + (size_t)(n_filtered % n_ring) * row_size,
                       from->pixels + (size_t)n_filtered * from_row);
        filter_column(down, to->pixels + (size_t)i * row_size, i, ring, n_ring, row_size, sums);
    }
    pali__free(ring);
    pali__free(sums);
    return PALI_OK;
}

/* Columns, and then rows unless `across` is NULL. */
static pali_status filter_columns_first(pali_image *to, const pali_image *from, const struct axis *across,
                                        const struct axis *down, pali_error **error)
{
    const size_t from_row = (size_t)from->width * 3, row_size = (size_t)to->width * 3;
    uint8_t *row = pali__malloc(from_row);
    int32_t *sums = pali__calloc(from_row, sizeof *sums);
    if (!row || !sums) {
        pali__free(row);
        pali__free(sums);
        return pali__no_memory(error, from_row * sizeof *sums);
    }
    for (int32_t i = 0; i < to->height; i++) {
        uint8_t *out = to->pixels + (size_t)i * row_size;
        filter_column(down, across ? row : out, i, from->pixels, from->height, from_row, sums);
        if (across)
            filter_row(across, out, row);
    }
    pali__free(row);
    pali__free(sums);
    return PALI_OK;
}

static pali_status resize(pali_image *to, const pali_image *from, pali_resample resample, pali_error **error)
{
    const bool across_changes = to->width != from->width, down_changes = to->height != from->height;
    /* Pillow 13's rule: the height loses more than twice as many pixels as the width. */
    const int64_t lost_width = (int64_t)from->width - to->width, lost_height = (int64_t)from->height - to->height;
    const bool columns_first = resample == PALI_RESAMPLE_PILLOW && lost_height > 0 && lost_height > 2 * lost_width;
    struct axis across = { 0 }, down = { 0 };
    pali_status status = PALI_OK;
    if (across_changes)
        status = axis_init(&across, from->width, to->width, resample, error);
    if (status == PALI_OK && down_changes)
        status = axis_init(&down, from->height, to->height, resample, error);
    if (status == PALI_OK) {
        if (down_changes && (columns_first || !across_changes))
            status = filter_columns_first(to, from, across_changes ? &across : NULL, &down, error);
        else if (down_changes)
            status = filter_rows_first(to, from, &across, &down, error);
        else if (across_changes)
            for (size_t y = 0; y < (size_t)to->height; y++)
                filter_row(&across, to->pixels + y * (size_t)to->width * 3, from->pixels + y * (size_t)from->width * 3);
        else
            memcpy(to->pixels, from->pixels, (size_t)to->width * (size_t)to->height * 3);
    }
    axis_clear(&across);
    axis_clear(&down);
    return status;
}

pali_status pali_image_resize(pali_image **out, const pali_image *image, int32_t width, int32_t height,
                              pali_resample resample, pali_error **error)
{
    if (!out)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_image_resize: out is NULL");
    *out = NULL;
    if (!image)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_image_resize: image is NULL");
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_image_resize: the size is %ld x %ld, expected sides of 1 to %d",
                          (long)width, (long)height, MAX_SIDE);
    if (resample != PALI_RESAMPLE_PILLOW && resample != PALI_RESAMPLE_TORCHVISION && resample != PALI_RESAMPLE_PILLOW_12)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_image_resize: resample is %d, expected a pali_resample",
                          (int)resample);
    TRY(pali__image_new(out, width, height, error));
    pali_status status = resize(*out, image, resample, error);
    if (status != PALI_OK) {
        pali_image_free(*out);
        *out = NULL;
    }
    return status;
}
