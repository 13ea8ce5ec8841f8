/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this folder share: the picture itself, and the decoders behind their one signature. */
#ifndef PALI_IMAGE_IMAGE_INTERNAL_H
#define PALI_IMAGE_IMAGE_INTERNAL_H

#include <stdbool.h>

#include <paligemma/image.h>

#include "core/error.h"

struct pali_image {
    int32_t width, height;
    uint8_t *pixels; /* [height, width, 3] */
    pali_image_source source;
};

/* An encoded picture and what is wanted of it. `name` stands at the head of error messages. */
struct pali__encoded {
    const uint8_t *data;
    size_t size;
    const char *name;
    pali_alpha alpha;
    int64_t max_pixels;
};

/* A picture with uninitialised pixels; sides must be positive. */
pali_status pali__image_new(pali_image **out, int32_t width, int32_t height, pali_error **error);

/* PALI_OK when both sides are 1…INT32_MAX and their product is within the limit of `encoded`. */
pali_status pali__image_check_size(const struct pali__encoded *encoded, uint64_t width, uint64_t height,
                                   pali_error **error);

/* Each decodes a picture whose first bytes say that it is of this kind. */
pali_status pali__png_decode(pali_image **out, const struct pali__encoded *encoded, pali_error **error);
pali_status pali__jpeg_decode(pali_image **out, const struct pali__encoded *encoded, pali_error **error);
pali_status pali__pnm_decode(pali_image **out, const struct pali__encoded *encoded, pali_error **error);

/* The data of the last complete chunk `name` of a PNG (before the first IDAT, if so wanted), or NULL. */
const uint8_t *pali__png_chunk(const uint8_t *data, size_t size, const char *name, bool before_image,
                               size_t *chunk_size);

/* The EXIF orientation, 1…8, of a JPEG or PNG; 1 where there is none or it makes no sense. */
int pali__exif_orientation(const uint8_t *data, size_t size);

/* Turns and mirrors *image as EXIF orientation `orientation` asks; on success *image is the new picture. */
pali_status pali__image_orient(pali_image **image, int orientation, pali_error **error);

/* Fills a rectangle, right and bottom excluded, as far as it is inside the picture. */
void pali__image_fill(pali_image *image, int64_t left, int64_t top, int64_t right, int64_t bottom,
                      const uint8_t rgb[3]);

/* Pillow's product of two fractions of 255, rounded. */
static inline uint8_t pali__muldiv255(unsigned a, unsigned b)
{
    unsigned product = a * b + 128u;
    return (uint8_t)(((product >> 8) + product) >> 8);
}

#endif
