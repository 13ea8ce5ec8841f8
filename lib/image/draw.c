/* SPDX-License-Identifier: BSD-2-Clause */
/* Drawing what an answer names: boxes, and masks in colour. */
#include "image/image_internal.h"

#include <math.h>
#include <string.h>

/* The pixel boundary nearest to `value`, within 0…limit. */
static int32_t boundary(double value, int32_t limit)
{
    if (!(value > 0.0))
        return 0;
    return value >= (double)limit ? limit : (int32_t)floor(value + 0.5);
}

static int64_t clamp(int64_t value, int64_t limit) { return value < 0 ? 0 : value > limit ? limit : value; }

void pali__image_fill(pali_image *image, int64_t left, int64_t top, int64_t right, int64_t bottom, const uint8_t rgb[3])
{
    left = clamp(left, image->width);
    right = clamp(right, image->width);
    bottom = clamp(bottom, image->height);
    for (int64_t y = clamp(top, image->height); y < bottom; y++)
        for (int64_t x = left; x < right; x++)
            memcpy(image->pixels + ((size_t)y * (size_t)image->width + (size_t)x) * 3, rgb, 3);
}

void pali_image_draw_box(pali_image *image, double x_min, double y_min, double x_max, double y_max, int32_t thickness,
                         const uint8_t rgb[3])
{
    if (!image || !rgb || thickness < 1 || isnan(x_min) || isnan(y_min) || isnan(x_max) || isnan(y_max) ||
        x_min > x_max || y_min > y_max || x_max < 0.0 || y_max < 0.0 || x_min > (double)image->width ||
        y_min > (double)image->height)
        return;
    int32_t left = boundary(x_min, image->width), right = boundary(x_max, image->width);
    int32_t top = boundary(y_min, image->height), bottom = boundary(y_max, image->height);

    /* A box thinner than a pixel is still seen. */
    if (right == left && right++ == image->width)
        left--, right--;
    if (bottom == top && bottom++ == image->height)
        top--, bottom--;

    const int32_t across = thickness < right - left ? thickness : right - left;
    const int32_t down = thickness < bottom - top ? thickness : bottom - top;
    pali__image_fill(image, left, top, right, top + down, rgb);
    pali__image_fill(image, left, bottom - down, right, bottom, rgb);
    pali__image_fill(image, left, top, left + across, bottom, rgb);
    pali__image_fill(image, right - across, top, right, bottom, rgb);
}

void pali_image_blend(pali_image *image, const uint8_t *mask, double opacity, const uint8_t rgb[3])
{
    if (!image || !mask || !rgb || !(opacity > 0.0))
        return;
    /* Whole numbers from here on, so that every machine draws the same bytes. */
    const unsigned full = opacity >= 1.0 ? 255 : (unsigned)(opacity * 255.0 + 0.5);
    const size_t n_pixels = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < n_pixels; i++) {
        const unsigned share = pali__muldiv255(full, mask[i]);
        for (size_t c = 0; share && c < 3; c++) {
            uint8_t *value = &image->pixels[i * 3 + c];
            *value = (uint8_t)((*value * (255 - share) + rgb[c] * share + 127) / 255);
        }
    }
}
