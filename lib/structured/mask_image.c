/* SPDX-License-Identifier: BSD-2-Clause */
/* The mask as a picture: a cell for each query and key, with a line between cells that are large enough. */
#include "structured/mask.h"

#include <string.h>

#include "image/image_internal.h"

enum { HANDY_SIDE = 1024, LARGEST_CELL = 24, SMALLEST_WITH_LINES = 6, MOST_PIXELS = 1 << 28 };

static const uint8_t paper[3] = { 255, 255, 255 }, unseen[3] = { 232, 232, 232 }, seen[3] = { 40, 40, 40 };
static const uint8_t diagonal[3] = { 60, 180, 75 }, picture[3] = { 235, 190, 30 };

static const uint8_t *color_of(const struct pali_mask *mask, bool sliding, int64_t row, int64_t query, int64_t key)
{
    bool sees = pali__mask_sees(mask, sliding, row, query, key);

    if (sees && query == key)
        return diagonal;
    if (sees && pali__mask_is_image(mask, row, query) && pali__mask_is_image(mask, row, key))
        return picture;
    return sees ? seen : unseen;
}

/* One line of cells into its first line of pixels. */
static void paint_cells(uint8_t *pixels, const struct pali_mask *mask, bool sliding, int64_t row, int64_t query,
                        int32_t scale)
{
    int32_t inked = scale >= SMALLEST_WITH_LINES ? scale - 1 : scale;

    for (int64_t key = 0; key < mask->length; key++) {
        const uint8_t *color = color_of(mask, sliding, row, query, key);
        for (int32_t x = 0; x < scale; x++, pixels += 3)
            memcpy(pixels, x < inked ? color : paper, 3);
    }
}

static void paint(uint8_t *pixels, const struct pali_mask *mask, bool sliding, int64_t row, int32_t scale)
{
    size_t line = (size_t)mask->length * (size_t)scale * 3;

    for (int64_t query = mask->past; query < mask->length; query++, pixels += line * (size_t)scale) {
        paint_cells(pixels, mask, sliding, row, query, scale);
        for (int32_t y = 1; y < scale; y++)
            memcpy(pixels + (size_t)y * line, pixels, line);
        if (scale >= SMALLEST_WITH_LINES)
            memset(pixels + (size_t)(scale - 1) * line, 255, line);
    }
}

pali_status pali_mask_image(pali_image **out, const pali_mask *mask, int64_t row, int64_t layer, int32_t scale,
                            pali_error **error)
{
    if (out)
        *out = NULL;
    if (!out || !mask)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_mask_image: %s is NULL", out ? "mask" : "out");
    if (row < 0 || row >= mask->batch || layer < 0 || layer >= mask->n_layers || scale < 0 || scale > 256)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "pali_mask_image: row %lld, layer %lld, scale %d; expected below %lld, below %lld, 0…256",
                          (long long)row, (long long)layer, (int)scale, (long long)mask->batch,
                          (long long)mask->n_layers);
    if (scale == 0) {
        scale = (int32_t)(HANDY_SIDE / mask->length);
        scale = scale < 1 ? 1 : scale > LARGEST_CELL ? LARGEST_CELL : scale;
    }
    int64_t width = mask->length * scale, height = (mask->length - mask->past) * scale;
    if (width > INT32_MAX / 4 || height > MOST_PIXELS / width)
        return pali__fail(error, PALI_ERROR_LIMIT, "a picture of %lld x %lld pixels is too large", (long long)width,
                          (long long)height);
    TRY(pali__image_new(out, (int32_t)width, (int32_t)height, error));
    paint((*out)->pixels, mask, mask->slides[layer], row, scale);
    return PALI_OK;
}
