/* SPDX-License-Identifier: BSD-2-Clause */
/* The EXIF orientation of JPEG (APP1) and PNG (eXIf), and turning a picture by it as ImageOps.exif_transpose does. */
#include "image/image_internal.h"

#include <string.h>

#define TAG_ORIENTATION 0x0112u
#define TYPE_BYTE 1u
#define TYPE_SHORT 3u
#define TYPE_LONG 4u

/* ---- the TIFF structure inside ---- */

struct tiff {
    const uint8_t *data;
    size_t size;
    bool big_endian;
};

static uint32_t read_integer(const struct tiff *tiff, size_t at, int n_bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < n_bytes; i++)
        value = value << 8 | tiff->data[at + (size_t)(tiff->big_endian ? i : n_bytes - 1 - i)];
    return value;
}

static int tiff_orientation(const uint8_t *data, size_t size)
{
    struct tiff tiff = { data, size, false };
    if (size < 8)
        return 1;
    if (memcmp(data, "MM\0*", 4) == 0)
        tiff.big_endian = true;
    else if (memcmp(data, "II*\0", 4) != 0)
        return 1;
    size_t directory = read_integer(&tiff, 4, 4);
    if (directory > size - 2)
        return 1;
    uint32_t n_entries = read_integer(&tiff, directory, 2);
    for (uint32_t i = 0; i < n_entries; i++) {
        size_t entry = directory + 2 + (size_t)i * 12;
        if (entry > size || size - entry < 12)
            break;
        if (read_integer(&tiff, entry, 2) != TAG_ORIENTATION || read_integer(&tiff, entry + 4, 4) != 1)
            continue;
        uint32_t type = read_integer(&tiff, entry + 2, 2), value = 1;
        if (type == TYPE_BYTE)
            value = data[entry + 8];
        else if (type == TYPE_SHORT)
            value = read_integer(&tiff, entry + 8, 2);
        else if (type == TYPE_LONG)
            value = read_integer(&tiff, entry + 8, 4);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* ---- where it stands in the file ---- */

static int jpeg_orientation(const uint8_t *data, size_t size)
{
    size_t at = 2;
    while (size >= 4 && at <= size - 4) {
        if (data[at] != 0xff) { /* garbage between segments */
            at++;
            continue;
        }
        uint8_t marker = data[at + 1];
        if (marker == 0xff) { /* fill byte */
            at++;
            continue;
        }
        if (marker == 0xda || marker == 0xd9)
            break;
        if (marker == 0x00 || marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8)) { /* without a length */
            at += 2;
            continue;
        }
        size_t length = (size_t)data[at + 2] << 8 | data[at + 3];
        if (length < 2 || length > size - at - 2)
            break;
        if (marker == 0xe1 && length >= 8 && memcmp(data + at + 4, "Exif\0\0", 6) == 0)
            return tiff_orientation(data + at + 10, length - 8);
        at += 2 + length;
    }
    return 1;
}

int pali__exif_orientation(const uint8_t *data, size_t size)
{
    if (size >= 2 && data[0] == 0xff && data[1] == 0xd8)
        return jpeg_orientation(data, size);
    if (size >= 8 && memcmp(data, "\x89PNG", 4) == 0) {
        size_t chunk_size = 0;
        const uint8_t *chunk = pali__png_chunk(data, size, "eXIf", false, &chunk_size);
        if (chunk)
            return tiff_orientation(chunk, chunk_size);
    }
    return 1;
}

/* ---- turning ---- */

pali_status pali__image_orient(pali_image **image, int orientation, pali_error **error)
{
    const pali_image *from = *image;
    pali_image *to = NULL;
    if (orientation < 2 || orientation > 8)
        return PALI_OK;
    /* Orientations 5 to 8 exchange rows and columns; the tables tell which side of the source is read backwards. */
    const bool transpose = orientation >= 5;
    const bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    TRY(pali__image_new(&to, transpose ? from->height : from->width, transpose ? from->width : from->height, error));

    const size_t from_width = (size_t)from->width, from_height = (size_t)from->height;
    const size_t to_width = (size_t)to->width, to_height = (size_t)to->height;
    uint8_t *pixel = to->pixels;
    for (size_t y = 0; y < to_height; y++)
        for (size_t x = 0; x < to_width; x++, pixel += 3) {
            size_t source_x = transpose ? y : x, source_y = transpose ? x : y;
            if (flip_x)
                source_x = from_width - 1 - source_x;
            if (flip_y)
                source_y = from_height - 1 - source_y;
            memcpy(pixel, from->pixels + (source_y * from_width + source_x) * 3, 3);
        }
    pali_image_free(*image);
    *image = to;
    return PALI_OK;
}
