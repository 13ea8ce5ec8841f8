/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing a picture as an 8-bit RGB PNG, through the writer that never leaves half a file under the final name. */
#include "image/image_internal.h"

#include <setjmp.h>
#include <stdio.h>

#include <png.h>

#include "core/file.h"

struct png_writing {
    const pali_image *image;
    const char *path;
    pali_error **error;
    struct pali__writer *writer;
    png_structp png;
    png_infop info;
    pali_status status; /* of the writer, when that is what stopped */
    char message[128];
};

static void on_error(png_structp png, png_const_charp message)
{
    struct png_writing *writing = png_get_error_ptr(png);
    if (writing)
        snprintf(writing->message, sizeof writing->message, "%s", message ? message : "unknown error");
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void on_write(png_structp png, png_bytep data, size_t size)
{
    struct png_writing *writing = png_get_io_ptr(png);
    writing->status = pali__writer_write(writing->writer, data, size, writing->error);
    if (writing->status != PALI_OK)
        png_error(png, "stopped");
}

static void on_flush(png_structp png) { (void)png; }

/* False when libpng stopped with an error. Nothing of this frame outlives the jump. */
static bool encode(struct png_writing *writing)
{
    const pali_image *image = writing->image;
    if (setjmp(png_jmpbuf(writing->png)))
        return false;
    png_set_write_fn(writing->png, writing, on_write, on_flush);
    png_set_user_limits(writing->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(writing->png, writing->info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(writing->png, writing->info);
    for (size_t y = 0; y < (size_t)image->height; y++)
        png_write_row(writing->png, image->pixels + y * (size_t)image->width * 3);
    png_write_end(writing->png, NULL);
    return true;
}

pali_status pali_image_save_png(const pali_image *image, const char *path, pali_error **error)
{
    if (!image || !path)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_image_save_png: %s is NULL", image ? "path" : "image");
    struct png_writing writing = { .image = image, .path = path, .error = error, .status = PALI_OK };
    TRY(pali__writer_open(&writing.writer, path, error));

    pali_status status = PALI_OK;
    writing.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writing, on_error, on_warning);
    if (writing.png)
        writing.info = png_create_info_struct(writing.png);
    if (!writing.info)
        status = pali__no_memory(error, 0);
    else if (!encode(&writing))
        status = writing.status != PALI_OK
                     ? writing.status
                     : pali__fail(error, PALI_ERROR_INTERNAL, "%s: libpng cannot write it: %s", path, writing.message);
    png_destroy_write_struct(&writing.png, &writing.info);
    if (status != PALI_OK) {
        pali__writer_abort(writing.writer);
        return status;
    }
    return pali__writer_commit(writing.writer, error);
}
