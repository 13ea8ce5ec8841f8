/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JPEG through libjpeg-turbo with the settings Pillow uses: accurate integer IDCT, smooth chroma upsampling (both are
 * the defaults). Four components are taken as inverted CMYK, as Adobe writes them and Pillow assumes always.
 * As for Pillow, entropy data that the library can patch up is no error, data that ends too early is.
 */
#include "image/image_internal.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "core/memory.h"

/* Nobody writes this many scans; a file that does wants to keep the decoder busy. */
#define MAX_SCANS 500

struct jpeg_reading {
    struct jpeg_decompress_struct cinfo;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    const struct pali__encoded *encoded;
    pali_error **error;
    pali_image *image;
    uint8_t *cmyk; /* one row, for pictures of four components */
    bool too_many_scans;
    int code; /* libjpeg's message code, and its text */
    char message[JMSG_LENGTH_MAX];
};

static void on_error(j_common_ptr cinfo)
{
    struct jpeg_reading *reading = cinfo->client_data;
    reading->code = cinfo->err->msg_code;
    cinfo->err->format_message(cinfo, reading->message);
    longjmp(reading->jump, 1);
}

static void on_warning(j_common_ptr cinfo, int level)
{
    if (level < 0)
        cinfo->err->num_warnings++;
}

static void on_output(j_common_ptr cinfo) { (void)cinfo; }

static void on_progress(j_common_ptr cinfo)
{
    struct jpeg_reading *reading = cinfo->client_data;
    if (reading->cinfo.input_scan_number > MAX_SCANS) {
        reading->too_many_scans = true;
        longjmp(reading->jump, 1);
    }
}

/* ---- the source: all bytes at once, and then nothing, which libjpeg calls suspension ---- */

static void source_init(j_decompress_ptr cinfo) { (void)cinfo; }

static boolean source_fill(j_decompress_ptr cinfo)
{
    (void)cinfo;
    return FALSE;
}

static void source_skip(j_decompress_ptr cinfo, long n_bytes)
{
    struct jpeg_source_mgr *source = cinfo->src;
    if (n_bytes <= 0)
        return;
    size_t skip = (size_t)n_bytes < source->bytes_in_buffer ? (size_t)n_bytes : source->bytes_in_buffer;
    source->next_input_byte += skip;
    source->bytes_in_buffer -= skip;
}

/* ---- decoding ---- */

static pali_status truncated(struct jpeg_reading *reading)
{
    return pali__fail(reading->error, PALI_ERROR_FORMAT, "%s: truncated JPEG", reading->encoded->name);
}

/* Pillow's CMYK to RGB, from samples that the file has inverted. */
static void convert_cmyk(uint8_t *rgb, const uint8_t *cmyk, size_t width)
{
    for (size_t x = 0; x < width; x++, rgb += 3, cmyk += 4)
        for (int i = 0; i < 3; i++) {
            int value = cmyk[3] - pali__muldiv255(255u - cmyk[i], cmyk[3]);
            rgb[i] = (uint8_t)(value < 0 ? 0 : value);
        }
}

static pali_status read_header(struct jpeg_reading *reading)
{
    j_decompress_ptr cinfo = &reading->cinfo;
    if (jpeg_read_header(cinfo, TRUE) != JPEG_HEADER_OK)
        return truncated(reading);
    TRY(pali__image_check_size(reading->encoded, cinfo->image_width, cinfo->image_height, reading->error));
    switch (cinfo->num_components) {
    case 1:
        cinfo->out_color_space = JCS_GRAYSCALE;
        break;
    case 3:
        cinfo->out_color_space = JCS_RGB;
        break;
    case 4:
        cinfo->out_color_space = JCS_CMYK;
        reading->cmyk = pali__malloc((size_t)cinfo->image_width * 4);
        if (!reading->cmyk)
            return pali__no_memory(reading->error, (size_t)cinfo->image_width * 4);
        break;
    default:
        return pali__fail(reading->error, PALI_ERROR_UNSUPPORTED,
                          "%s: the JPEG has %d components, expected 1, 3 or 4", reading->encoded->name,
                          cinfo->num_components);
    }
    TRY(pali__image_new(&reading->image, (int32_t)cinfo->image_width, (int32_t)cinfo->image_height, reading->error));
    reading->image->source.format = "JPEG";
    reading->image->source.mode = cinfo->num_components == 1 ? "L" : cinfo->num_components == 3 ? "RGB" : "CMYK";
    return PALI_OK;
}

static pali_status read_rows(struct jpeg_reading *reading)
{
    j_decompress_ptr cinfo = &reading->cinfo;
    if (!jpeg_start_decompress(cinfo))
        return truncated(reading);
    const size_t width = (size_t)reading->image->width;
    while (cinfo->output_scanline < cinfo->output_height) {
        uint8_t *to = reading->image->pixels + cinfo->output_scanline * width * 3;
        JSAMPROW row = reading->cmyk ? reading->cmyk : to;
        if (jpeg_read_scanlines(cinfo, &row, 1) != 1)
            return truncated(reading);
        if (reading->cmyk)
            convert_cmyk(to, reading->cmyk, width);
        else if (cinfo->out_color_space == JCS_GRAYSCALE)
            for (size_t x = width; x-- > 0;) /* the gray row lies in the front third of its RGB row */
                memset(to + x * 3, to[x], 3);
    }
    return PALI_OK; /* whatever follows the last row is nobody's business */
}

static pali_status jump_status(struct jpeg_reading *reading)
{
    const char *name = reading->encoded->name;
    if (reading->too_many_scans)
        return pali__fail(reading->error, PALI_ERROR_LIMIT, "%s: the JPEG has more than %d scans", name, MAX_SCANS);
    switch (reading->code) {
    case JERR_OUT_OF_MEMORY:
        return pali__no_memory(reading->error, 0);
    case JERR_SOF_UNSUPPORTED:
    case JERR_BAD_PRECISION:
    case JERR_ARITH_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
        return pali__fail(reading->error, PALI_ERROR_UNSUPPORTED, "%s: JPEG of a kind that is not supported: %s", name,
                          reading->message);
    default:
        return pali__fail(reading->error, PALI_ERROR_FORMAT, "%s: damaged JPEG: %s", name, reading->message);
    }
}

/* Everything between the jumps lives in *reading, which belongs to the caller's frame. */
static pali_status run(struct jpeg_reading *reading)
{
    if (setjmp(reading->jump))
        return jump_status(reading);
    jpeg_create_decompress(&reading->cinfo);
    reading->source.init_source = source_init;
    reading->source.fill_input_buffer = source_fill;
    reading->source.skip_input_data = source_skip;
    reading->source.resync_to_restart = jpeg_resync_to_restart;
    reading->source.term_source = source_init;
    reading->source.next_input_byte = reading->encoded->data;
    reading->source.bytes_in_buffer = reading->encoded->size;
    reading->cinfo.src = &reading->source;
    reading->progress.progress_monitor = on_progress;
    reading->cinfo.progress = &reading->progress;
    TRY(read_header(reading));
    return read_rows(reading);
}

pali_status pali__jpeg_decode(pali_image **out, const struct pali__encoded *encoded, pali_error **error)
{
    struct jpeg_reading reading;
    memset(&reading, 0, sizeof reading);
    reading.encoded = encoded;
    reading.error = error;
    reading.cinfo.err = jpeg_std_error(&reading.errors);
    reading.errors.error_exit = on_error;
    reading.errors.emit_message = on_warning;
    reading.errors.output_message = on_output;
    reading.cinfo.client_data = &reading;

    pali_status status = run(&reading);
    jpeg_destroy_decompress(&reading.cinfo);
    pali__free(reading.cmyk);
    if (status != PALI_OK) {
        pali_image_free(reading.image);
        reading.image = NULL;
    }
    *out = reading.image;
    return status;
}
