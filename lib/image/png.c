/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PNG through libpng, to the bytes that Pillow's convert("RGB") gives. libpng only inflates and unfilters; what the
 * samples mean is decided here, because Pillow has its own ideas: 16-bit gray is clipped to 255 instead of scaled,
 * the other 16-bit kinds lose their low byte, palette entries that are missing are black, gamma is ignored.
 *
 * The push interface hands over each row as soon as it is complete, so a file that ends after its last row is whole
 * as far as anybody can see (as it is for Pillow), while one that ends earlier, or is damaged, is an error.
 */
#include "image/image_internal.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

struct png_reading {
    const struct pali__encoded *encoded;
    pali_error **error;
    png_structp png;
    png_infop info;
    pali_image *image;
    int color_type, bit_depth;
    bool interlaced;
    uint64_t rows_left;
    uint8_t palette[256][3];
    uint8_t palette_alpha[256];
    bool has_transparent; /* a colour that is transparent, in 8-bit samples as Pillow compares them */
    uint8_t transparent[3];
    pali_status status; /* why reading was stopped from here */
    char message[128];  /* why libpng stopped */
};

static void on_error(png_structp png, png_const_charp message)
{
    struct png_reading *reading = png_get_error_ptr(png);
    if (reading)
        snprintf(reading->message, sizeof reading->message, "%s", message ? message : "unknown error");
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static uint32_t big_endian_32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

const uint8_t *pali__png_chunk(const uint8_t *data, size_t size, const char *name, bool before_image,
                               size_t *chunk_size)
{
    const uint8_t *found = NULL;
    size_t at = 8;
    while (size >= 12 && at <= size - 12) {
        size_t length = big_endian_32(data + at);
        if (length > size - 12 - at || (before_image && memcmp(data + at + 4, "IDAT", 4) == 0))
            break;
        if (memcmp(data + at + 4, name, 4) == 0) {
            found = data + at + 8;
            *chunk_size = length;
        }
        at += length + 12;
    }
    return found;
}

/* ---- transparency ---- */

static void read_palette(struct png_reading *reading)
{
    png_colorp entries = NULL;
    int n_entries = 0;
    memset(reading->palette, 0, sizeof reading->palette);
    if (png_get_PLTE(reading->png, reading->info, &entries, &n_entries))
        for (int i = 0; i < n_entries && i < 256; i++) {
            reading->palette[i][0] = entries[i].red;
            reading->palette[i][1] = entries[i].green;
            reading->palette[i][2] = entries[i].blue;
        }
}

/* The tRNS chunk, out of the file itself: libpng drops one that is longer than the palette, Pillow does not. */
static bool read_transparency(struct png_reading *reading)
{
    size_t size = 0;
    const uint8_t *trns = pali__png_chunk(reading->encoded->data, reading->encoded->size, "tRNS", true, &size);
    memset(reading->palette_alpha, 255, sizeof reading->palette_alpha);
    if (!trns || (reading->color_type & PNG_COLOR_MASK_ALPHA))
        return true;
    if (reading->color_type == PNG_COLOR_TYPE_PALETTE) {
        memcpy(reading->palette_alpha, trns, size < 256 ? size : 256);
        return true;
    }
    size_t n_samples = reading->color_type == PNG_COLOR_TYPE_RGB ? 3 : 1;
    if (size < 2 * n_samples)
        return false;
    /* Pillow compares the low byte with the pixel as it has become, in gray of less than 8 bits as well. */
    for (size_t i = 0; i < 3; i++)
        reading->transparent[i] = n_samples == 3 ? trns[2 * i + 1] : trns[1];
    if (reading->bit_depth == 1)
        memset(reading->transparent, trns[0] || trns[1] ? 255 : 0, 3);
    reading->has_transparent = true;
    return true;
}

/* Over white, as Pillow's alpha_composite does it with an opaque background. */
static void composite_white(uint8_t *pixel, unsigned alpha)
{
    for (int i = 0; i < 3; i++) {
        unsigned sum = (pixel[i] * alpha + 255u * (255u - alpha) + 128u) << 7;
        pixel[i] = (uint8_t)((((sum >> 8) + sum) >> 8) >> 7);
    }
}

/* ---- pixels ---- */

/* Makes one RGB pixel of the samples at `from` and returns its alpha. */
static unsigned convert_pixel(const struct png_reading *reading, uint8_t *to, const uint8_t *from)
{
    const bool wide = reading->bit_depth == 16;
    const size_t step = wide ? 2 : 1;
    unsigned gray;
    switch (reading->color_type) {
    case PNG_COLOR_TYPE_PALETTE:
        memcpy(to, reading->palette[from[0]], 3);
        return reading->palette_alpha[from[0]];
    case PNG_COLOR_TYPE_RGB:
    case PNG_COLOR_TYPE_RGB_ALPHA:
        to[0] = from[0];
        to[1] = from[step];
        to[2] = from[2 * step];
        if (reading->color_type == PNG_COLOR_TYPE_RGB_ALPHA)
            return from[3 * step];
        break;
    case PNG_COLOR_TYPE_GRAY_ALPHA:
        memset(to, from[0], 3);
        return from[step];
    default: /* gray of 1, 2, 4, 8 or 16 bits */
        if (wide)
            gray = from[0] ? 255u : from[1];
        else
            gray = from[0] * (255u / ((1u << reading->bit_depth) - 1u));
        memset(to, (int)gray, 3);
        break;
    }
    return reading->has_transparent && memcmp(to, reading->transparent, 3) == 0 ? 0u : 255u;
}

static uint32_t pass_count(uint32_t length, uint32_t start, uint32_t step)
{
    return length > start ? (length - start + step - 1) / step : 0;
}

static void on_row(png_structp png, png_bytep row, png_uint_32 row_number, int pass)
{
    struct png_reading *reading = png_get_progressive_ptr(png);
    pali_image *image = reading->image;
    uint32_t x = 0, x_step = 1, y = row_number;
    if (reading->interlaced) {
        x = PNG_PASS_START_COL(pass);
        x_step = PNG_PASS_COL_OFFSET(pass);
        y = (uint32_t)PNG_PASS_START_ROW(pass) + row_number * (uint32_t)PNG_PASS_ROW_OFFSET(pass);
    }
    if (!row || !image || y >= (uint32_t)image->height || reading->rows_left == 0)
        return;

    const size_t sample_size = reading->bit_depth == 16 ? 2 : 1;
    const size_t pixel_size = png_get_channels(png, reading->info) * sample_size;
    uint8_t *to = image->pixels + (size_t)y * (size_t)image->width * 3;
    for (; x < (uint32_t)image->width; x += x_step, row += pixel_size) {
        unsigned alpha = convert_pixel(reading, to + (size_t)x * 3, row);
        if (alpha != 255 && reading->encoded->alpha == PALI_ALPHA_WHITE)
            composite_white(to + (size_t)x * 3, alpha);
    }
    reading->rows_left--;
}

/* Once the chunks before the pixels are read: checks, allocates, and tells libpng how samples should come. */
static void on_info(png_structp png, png_infop info)
{
    struct png_reading *reading = png_get_progressive_ptr(png);
    const uint32_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
    reading->color_type = png_get_color_type(png, info);
    reading->bit_depth = png_get_bit_depth(png, info);
    reading->interlaced = png_get_interlace_type(png, info) != PNG_INTERLACE_NONE;

    reading->status = pali__image_check_size(reading->encoded, width, height, reading->error);
    if (reading->status == PALI_OK)
        reading->status = pali__image_new(&reading->image, (int32_t)width, (int32_t)height, reading->error);
    if (reading->status != PALI_OK)
        png_error(png, "stopped");
    read_palette(reading);
    if (!read_transparency(reading))
        png_error(png, "tRNS chunk too short");

    reading->rows_left = height;
    if (reading->interlaced) {
        reading->rows_left = 0;
        for (int pass = 0; pass < 7; pass++)
            if (pass_count(width, PNG_PASS_START_COL(pass), PNG_PASS_COL_OFFSET(pass)))
                reading->rows_left += pass_count(height, (uint32_t)PNG_PASS_START_ROW(pass), (uint32_t)PNG_PASS_ROW_OFFSET(pass));
    }
    png_set_packing(png); /* one byte a sample, not scaled */
    png_start_read_image(png);
}

static void on_end(png_structp png, png_infop info)
{
    (void)png;
    (void)info;
}

/* False when libpng, or a callback through it, stopped with an error. Nothing of this frame outlives the jump. */
static bool feed(struct png_reading *reading)
{
    if (setjmp(png_jmpbuf(reading->png)))
        return false;
    png_set_user_limits(reading->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_crc_action(reading->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_chunk_malloc_max(reading->png, 0); /* the chunk is in memory already; compressed ones are skipped below */
    png_set_keep_unknown_chunks(reading->png, PNG_HANDLE_CHUNK_NEVER,
                                (png_const_bytep) "iCCP\0zTXt\0iTXt\0tEXt\0sPLT\0hIST\0eXIf\0tRNS\0gAMA\0cHRM\0sRGB",
                                11);
    png_set_progressive_read_fn(reading->png, reading, on_info, on_row, on_end);
    /* libpng does not change the bytes although it does not promise so with const. */
    png_process_data(reading->png, reading->info, (png_bytep)(uintptr_t)reading->encoded->data,
                     reading->encoded->size);
    return true;
}

/* Pillow's names. */
static void note_source(const struct png_reading *reading)
{
    pali_image_source *source = &reading->image->source;
    size_t size = 0;
    source->format = "PNG";
    source->bits = reading->bit_depth;
    switch (reading->color_type) {
    case PNG_COLOR_TYPE_GRAY:
        source->mode = reading->bit_depth == 1 ? "1" : reading->bit_depth == 16 ? "I;16" : "L";
        break;
    case PNG_COLOR_TYPE_GRAY_ALPHA:
        source->mode = reading->bit_depth == 16 ? "RGBA" : "LA";
        break;
    case PNG_COLOR_TYPE_PALETTE:
        source->mode = "P";
        break;
    default:
        source->mode = reading->color_type == PNG_COLOR_TYPE_RGB ? "RGB" : "RGBA";
    }
    source->transparency = (reading->color_type & PNG_COLOR_MASK_ALPHA) != 0 ||
                           pali__png_chunk(reading->encoded->data, reading->encoded->size, "tRNS", true, &size) != NULL;
}

pali_status pali__png_decode(pali_image **out, const struct pali__encoded *encoded, pali_error **error)
{
    struct png_reading reading = { .encoded = encoded, .error = error, .status = PALI_OK };
    pali_status status = PALI_OK;
    reading.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reading, on_error, on_warning);
    if (reading.png)
        reading.info = png_create_info_struct(reading.png);
    if (!reading.info)
        status = pali__no_memory(error, 0);
    else if (!feed(&reading))
        status = reading.status != PALI_OK
                     ? reading.status
                     : pali__fail(error, PALI_ERROR_FORMAT, "%s: damaged PNG: %s", encoded->name, reading.message);
    else if (!reading.image || reading.rows_left)
        status = pali__fail(error, PALI_ERROR_FORMAT, "%s: truncated PNG: %llu of its rows are missing", encoded->name,
                            (unsigned long long)reading.rows_left);
    png_destroy_read_struct(&reading.png, &reading.info, NULL);
    if (status != PALI_OK) {
        pali_image_free(reading.image);
        reading.image = NULL;
    }
    if (status == PALI_OK)
        note_source(&reading);
    *out = reading.image;
    return status;
}
