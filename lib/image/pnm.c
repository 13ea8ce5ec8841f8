/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PNM family, P1 to P6, read as Pillow reads it: values are scaled to 8 bits, except that gray with a maximum
 * above 255 is scaled to 16 bits and then clipped to 8. http://netpbm.sourceforge.net/doc/
 */
#include "image/image_internal.h"

#include <string.h>

/* No number in a header or in plain data has more digits; Pillow draws the line here. */
#define MAX_DIGITS 10

struct pnm_reading {
    const struct pali__encoded *encoded;
    pali_error **error;
    size_t at;
    bool plain;       /* P1 to P3: decimal text */
    int n_channels;   /* in the file: 1 or 3 */
    uint32_t maximum; /* 1 for bitmaps */
    bool bitmap;
};

static bool is_space(uint8_t byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

static bool at_end(const struct pnm_reading *reading) { return reading->at >= reading->encoded->size; }

static uint8_t next(struct pnm_reading *reading) { return reading->encoded->data[reading->at++]; }

static pali_status truncated(const struct pnm_reading *reading)
{
    return pali__fail(reading->error, PALI_ERROR_FORMAT, "%s: truncated PNM", reading->encoded->name);
}

/* Passes over a comment whose # has been read. */
static void skip_comment(struct pnm_reading *reading)
{
    while (!at_end(reading)) {
        uint8_t byte = next(reading);
        if (byte == '\n' || byte == '\r')
            break;
    }
}

/* Reads a number and the one white space after it. `what` names it in errors. */
static pali_status read_number(struct pnm_reading *reading, uint64_t *number, const char *what)
{
    int n_digits = 0;
    *number = 0;
    while (!at_end(reading)) {
        uint8_t byte = next(reading);
        if (is_space(byte)) {
            if (n_digits)
                break;
        } else if (byte == '#') {
            skip_comment(reading);
        } else if (byte < '0' || byte > '9' || n_digits == MAX_DIGITS) {
            return pali__fail(reading->error, PALI_ERROR_FORMAT, "%s: damaged PNM: %s is not a number of at most %d digits",
                              reading->encoded->name, what, MAX_DIGITS);
        } else {
            *number = *number * 10 + (uint64_t)(byte - '0');
            n_digits++;
        }
    }
    return n_digits ? PALI_OK : truncated(reading);
}

static pali_status read_header(struct pnm_reading *reading, uint64_t *width, uint64_t *height)
{
    const uint8_t kind = reading->encoded->data[1];
    uint64_t maximum = 1;
    reading->at = 3;
    reading->plain = kind <= '3';
    reading->bitmap = kind == '1' || kind == '4';
    reading->n_channels = kind == '3' || kind == '6' ? 3 : 1;
    TRY(read_number(reading, width, "the width"));
    TRY(read_number(reading, height, "the height"));
    if (!reading->bitmap)
        TRY(read_number(reading, &maximum, "the maximum"));
    if (maximum < 1 || maximum > 65535)
        return pali__fail(reading->error, PALI_ERROR_FORMAT, "%s: damaged PNM: the maximum is %llu, expected 1 to 65535",
                          reading->encoded->name, (unsigned long long)maximum);
    reading->maximum = (uint32_t)maximum;
    return pali__image_check_size(reading->encoded, *width, *height, reading->error);
}

/* round(value / maximum · top), ties to even, in double: Python's round as Pillow calls it. */
static uint32_t scale(uint32_t value, uint32_t maximum, uint32_t top)
{
    double exact = (double)value / (double)maximum * (double)top;
    uint32_t whole = (uint32_t)exact;
    double rest = exact - (double)whole;
    return whole + (rest > 0.5 || (rest == 0.5 && (whole & 1u)) ? 1u : 0u);
}

static uint8_t to_byte(const struct pnm_reading *reading, uint32_t value)
{
    if (reading->bitmap)
        return value ? 0 : 255;
    if (reading->maximum > 255 && reading->n_channels == 1)
        value = scale(value, reading->maximum, 65535);
    else if (reading->maximum != 255)
        value = scale(value, reading->maximum, 255);
    return (uint8_t)(value < 255 ? value : 255);
}

/* ---- plain data ---- */

static pali_status read_bit(struct pnm_reading *reading, uint64_t *bit)
{
    while (!at_end(reading)) {
        uint8_t byte = next(reading);
        if (byte == '#') {
            skip_comment(reading);
        } else if (!is_space(byte)) {
            *bit = (uint64_t)(byte - '0');
            if (byte == '0' || byte == '1')
                return PALI_OK;
            return pali__fail(reading->error, PALI_ERROR_FORMAT, "%s: damaged PNM: a pixel is neither 0 nor 1",
                              reading->encoded->name);
        }
    }
    return truncated(reading);
}

static pali_status read_plain(struct pnm_reading *reading, uint8_t *to, size_t n_pixels)
{
    for (size_t i = 0; i < n_pixels; i++, to += 3)
        for (int channel = 0; channel < reading->n_channels; channel++) {
            uint64_t value = 0;
            if (reading->bitmap)
                TRY(read_bit(reading, &value));
            else
                TRY(read_number(reading, &value, "a pixel"));
            if (value > reading->maximum)
                return pali__fail(reading->error, PALI_ERROR_FORMAT,
                                  "%s: damaged PNM: a pixel is %llu, expected at most %lu", reading->encoded->name,
                                  (unsigned long long)value, (unsigned long)reading->maximum);
            to[channel] = to_byte(reading, (uint32_t)value);
            if (reading->n_channels == 1)
                to[1] = to[2] = to[0];
        }
    return PALI_OK;
}

/* ---- binary data ---- */

static size_t row_size(const struct pnm_reading *reading, size_t width)
{
    if (reading->bitmap)
        return (width + 7) / 8;
    return width * (size_t)reading->n_channels * (reading->maximum > 255 ? 2 : 1);
}

static void convert_row(const struct pnm_reading *reading, uint8_t *to, const uint8_t *from, size_t width)
{
    const bool wide = reading->maximum > 255;
    for (size_t x = 0; x < width; x++, to += 3) {
        for (int channel = 0; channel < reading->n_channels; channel++) {
            uint32_t value;
            if (reading->bitmap)
                value = (uint32_t)(from[x / 8] >> (7 - x % 8)) & 1u;
            else if (wide)
                value = (uint32_t)from[0] << 8 | from[1];
            else
                value = from[0];
            if (!reading->bitmap)
                from += wide ? 2 : 1;
            to[channel] = to_byte(reading, value);
        }
        if (reading->n_channels == 1)
            to[1] = to[2] = to[0];
    }
}

pali_status pali__pnm_decode(pali_image **out, const struct pali__encoded *encoded, pali_error **error)
{
    struct pnm_reading reading = { .encoded = encoded, .error = error };
    uint64_t width = 0, height = 0;
    *out = NULL;
    TRY(read_header(&reading, &width, &height));

    /* Both sides are below 2^31 now. A plain bitmap may have a single character for each pixel, nothing has less. */
    const size_t left = encoded->size - reading.at;
    const size_t row = row_size(&reading, (size_t)width);
    if (reading.plain ? left < width * height : left / row < height)
        return truncated(&reading);

    TRY(pali__image_new(out, (int32_t)width, (int32_t)height, error));
    const bool wide = reading.maximum > 255;
    (*out)->source.format = "PPM";
    (*out)->source.mode = reading.bitmap ? "1" : reading.n_channels == 3 ? "RGB" : wide ? "I" : "L";
    (*out)->source.bits = reading.bitmap ? 1 : wide ? 16 : 8;
    pali_status status = PALI_OK;
    if (reading.plain)
        status = read_plain(&reading, (*out)->pixels, (size_t)width * (size_t)height);
    else
        for (size_t y = 0; y < height; y++)
            convert_row(&reading, (*out)->pixels + y * (size_t)width * 3, encoded->data + reading.at + y * row,
                        (size_t)width);
    if (status != PALI_OK) {
        pali_image_free(*out);
        *out = NULL;
    }
    return status;
}
