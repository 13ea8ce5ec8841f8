/* SPDX-License-Identifier: BSD-2-Clause */
/* The mask of 64 × 64 in the picture, in the two published ways, and out of it (PARITY §15). */
#include <paligemma/segmentation.h>

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "image/image_internal.h"
#include "image/resample.h"

enum { SIDE = PALI_SEGMENT_SIDE, SIDE_LIMIT = 65535 };

static double to_pixels(double coordinate, int32_t side, pali_segment_form form)
{
    const double pixels = coordinate * side;
    return form == PALI_SEGMENT_HARD ? floor(pixels) : rint(pixels);
}

int pali_detection_pixels(const pali_detection *detection, int32_t width, int32_t height, pali_segment_form form,
                          int32_t *box)
{
    if (!box)
        return 0;
    memset(box, 0, 4 * sizeof *box);
    if (!detection || width < 1 || height < 1)
        return 0;
    const double coordinates[4] = { detection->x_min, detection->y_min, detection->x_max, detection->y_max };
    for (int i = 0; i < 4; i++)
        if (!(coordinates[i] >= 0.0 && coordinates[i] <= 1.0))
            return 0;
    for (int i = 0; i < 4; i++)
        box[i] = (int32_t)to_pixels(coordinates[i], i % 2 ? height : width, form);
    return box[2] > box[0] && box[3] > box[1];
}

/* A box in a picture's mask. */
struct area {
    uint8_t *pixels; /* its first one */
    size_t stride;
    int32_t width, height;
};

static pali_status paste_hard(const struct area *area, const float *mask, pali_error **error)
{
    const size_t n_pixels = (size_t)area->width * (size_t)area->height;
    float *resized = pali__calloc(n_pixels, sizeof *resized);
    if (!resized)
        return pali__no_memory(error, n_pixels * sizeof *resized);
    pali_status status = pali__plane_resize(resized, area->width, area->height, mask, SIDE, SIDE, SIDE,
                                            PALI__FILTER_BILINEAR, error);
    for (int32_t y = 0; y < area->height && status == PALI_OK; y++)
        for (int32_t x = 0; x < area->width; x++)
            area->pixels[(size_t)y * area->stride + (size_t)x] =
                resized[(size_t)y * (size_t)area->width + (size_t)x] > 0.0f ? 255 : 0;
    pali__free(resized);
    return status;
}

/* numpy's (clip(m · 0.5 + 0.5, 0, 1) · 255).astype(uint8) in float32. */
static uint8_t soft_level(float m)
{
    const float level = m * 0.5f + 0.5f;
    return !(level > 0.0f) ? 0 : (uint8_t)((level < 1.0f ? level : 1.0f) * 255.0f);
}

/* As gray RGB: the channels are resized independently of each other. */
static pali_status paste_soft(const struct area *area, const float *mask, pali_error **error)
{
    pali_image *levels = NULL, *resized = NULL;
    TRY(pali__image_new(&levels, SIDE, SIDE, error));
    for (int i = 0; i < SIDE * SIDE; i++)
        memset(levels->pixels + 3 * i, soft_level(mask[i]), 3);
    pali_status status = pali_image_resize(&resized, levels, area->width, area->height, PALI_RESAMPLE_PILLOW, error);
    for (int32_t y = 0; y < area->height && status == PALI_OK; y++)
        for (int32_t x = 0; x < area->width; x++)
            area->pixels[(size_t)y * area->stride + (size_t)x] =
                resized->pixels[((size_t)y * (size_t)area->width + (size_t)x) * 3];
    pali_image_free(resized);
    pali_image_free(levels);
    return status;
}

static pali_status check_sides(const char *function, int32_t width, int32_t height, pali_error **error)
{
    if (width < 1 || height < 1 || width > SIDE_LIMIT || height > SIDE_LIMIT)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "%s: the picture is %ld x %ld, expected sides of 1 to %d",
                          function, (long)width, (long)height, SIDE_LIMIT);
    return PALI_OK;
}

pali_status pali_segment_paste(uint8_t *out, const float *mask, const pali_detection *detection, int32_t width,
                            int32_t height, pali_segment_form form, pali_error **error)
{
    if (!out || !mask || !detection)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_segment_paste: %s is NULL",
                          !out ? "out" : !mask ? "mask" : "detection");
    TRY(check_sides("pali_segment_paste", width, height, error));
    if (form != PALI_SEGMENT_HARD && form != PALI_SEGMENT_SOFT)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_segment_paste: form is %d, expected a pali_segment_form",
                          (int)form);
    memset(out, 0, (size_t)width * (size_t)height);
    int32_t box[4];
    if (!pali_detection_pixels(detection, width, height, form, box))
        return PALI_OK;
    const struct area area = { out + (size_t)box[1] * (size_t)width + (size_t)box[0], (size_t)width, box[2] - box[0],
                               box[3] - box[1] };
    return form == PALI_SEGMENT_HARD ? paste_hard(&area, mask, error) : paste_soft(&area, mask, error);
}

pali_status pali_segment_crop(float *mask, const uint8_t *picture_mask, int32_t width, int32_t height,
                           const pali_detection *detection, pali_error **error)
{
    if (!mask || !picture_mask || !detection)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_segment_crop: %s is NULL",
                          !mask ? "mask" : !picture_mask ? "picture_mask" : "detection");
    TRY(check_sides("pali_segment_crop", width, height, error));
    int32_t box[4];
    if (!pali_detection_pixels(detection, width, height, PALI_SEGMENT_SOFT, box))
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "pali_segment_crop: the box x %g to %g, y %g to %g has no pixels in a picture of %ld x %ld",
                          detection->x_min, detection->x_max, detection->y_min, detection->y_max, (long)width,
                          (long)height);
    const int32_t box_width = box[2] - box[0], box_height = box[3] - box[1];
    const size_t n_pixels = (size_t)box_width * (size_t)box_height;
    float *part = pali__calloc(n_pixels, sizeof *part);
    if (!part)
        return pali__no_memory(error, n_pixels * sizeof *part);
    for (int32_t y = 0; y < box_height; y++)
        for (int32_t x = 0; x < box_width; x++)
            part[(size_t)y * (size_t)box_width + (size_t)x] =
                picture_mask[(size_t)(box[1] + y) * (size_t)width + (size_t)(box[0] + x)] ? 1.0f : 0.0f;
    pali_status status = pali__plane_resize(mask, SIDE, SIDE, part, box_width, box_height, (size_t)box_width,
                                            PALI__FILTER_BILINEAR, error);
    pali__free(part);
    return status;
}
