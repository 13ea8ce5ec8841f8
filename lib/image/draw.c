/* SPDX-License-Identifier: BSD-2-Clause */
/* Drawing boxes that an answer names. */
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

static void fill(pali_image *image, int32_t left, int32_t top, int32_t right, int32_t bottom, const uint8_t rgb[3])
{
    for (int32_t y = top; y < bottom; y++)
        for (int32_t x = left; x < right; x++)
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
    fill(image, left, top, right, top + down, rgb);
    fill(image, left, bottom - down, right, bottom, rgb);
    fill(image, left, top, left + across, bottom, rgb);
    fill(image, right - across, top, right, bottom, rgb);
}
