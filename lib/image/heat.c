/* SPDX-License-Identifier: BSD-2-Clause */
/* A map of numbers laid over a picture. */
#include <paligemma/attention.h>

#include <math.h>

#include "image/image_internal.h"

static double clamp(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

static double value_at(const float *map, int64_t columns, int64_t y, int64_t x)
{
    double value = (double)map[y * columns + x];
    return value > 0.0 && isfinite(value) ? value : 0.0; /* false for NaN too */
}

/* The map at a point of it, between the centres of its cells by bilinear interpolation, constant outside them. */
static double sample(const float *map, int64_t rows, int64_t columns, double y, double x)
{
    double top = clamp(y - 0.5, 0.0, (double)(rows - 1)), left = clamp(x - 0.5, 0.0, (double)(columns - 1));
    int64_t y0 = (int64_t)top, x0 = (int64_t)left;
    int64_t y1 = y0 + 1 < rows ? y0 + 1 : y0, x1 = x0 + 1 < columns ? x0 + 1 : x0;
    double dy = top - (double)y0, dx = left - (double)x0;

    return (value_at(map, columns, y0, x0) * (1.0 - dx) + value_at(map, columns, y0, x1) * dx) * (1.0 - dy) +
           (value_at(map, columns, y1, x0) * (1.0 - dx) + value_at(map, columns, y1, x1) * dx) * dy;
}

/* Glowing metal: red, then yellow, then white, as `heat` goes from 0 to 1. */
static double glow(double heat, int channel)
{
    return 255.0 * clamp(3.0 * heat - (double)channel + 0.4, 0.0, 1.0);
}

pali_status pali_image_draw_map(pali_image *image, const float *map, int64_t rows, int64_t columns, double opacity,
                                pali_error **error)
{
    double largest = 0.0;

    if (!image || !map)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_image_draw_map: %s is NULL", image ? "map" : "image");
    if (rows < 1 || columns < 1 || rows > 65535 || columns > 65535 || !(opacity >= 0.0 && opacity <= 1.0))
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "pali_image_draw_map: a map of %lld x %lld with opacity %g; expected sides of 1…65535 and 0…1",
                          (long long)rows, (long long)columns, opacity);
    for (int64_t i = 0; i < rows * columns; i++)
        largest = fmax(largest, value_at(map, 0, 0, i));
    for (int32_t y = 0; largest > 0.0 && y < image->height; y++)
        for (int32_t x = 0; x < image->width; x++) {
            uint8_t *pixel = image->pixels + ((size_t)y * (size_t)image->width + (size_t)x) * 3;
            double heat = sample(map, rows, columns, ((double)y + 0.5) * (double)rows / (double)image->height,
                                 ((double)x + 0.5) * (double)columns / (double)image->width) / largest;
            for (int channel = 0; channel < 3; channel++) {
                double blended = pixel[channel] + (glow(heat, channel) - pixel[channel]) * opacity * heat;
                pixel[channel] = (uint8_t)floor(clamp(blended, 0.0, 255.0) + 0.5);
            }
        }
    return PALI_OK;
}
