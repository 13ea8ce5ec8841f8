/* SPDX-License-Identifier: BSD-2-Clause */
#include "image/image_internal.h"

#include <string.h>

#include "core/file.h"
#include "core/memory.h"
#include "core/options.h"

/* No encoded picture is read that is larger than this many bytes. */
#define FILE_LIMIT ((size_t)1 << 30)

void pali_image_options_init(pali_image_options *options)
{
    static const pali_image_options defaults = PALI_IMAGE_OPTIONS_INIT;
    if (options)
        *options = defaults;
}

/* The caller's options over the defaults, checked. */
static pali_status read_options(pali_image_options *to, const pali_image_options *from, pali_error **error)
{
    pali_image_options_init(to);
    TRY(pali__options_take(to, sizeof *to, from, "pali_image_options", error));
    if (to->alpha != PALI_ALPHA_DROP && to->alpha != PALI_ALPHA_WHITE)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "pali_image_options: alpha is %d, expected PALI_ALPHA_DROP or PALI_ALPHA_WHITE",
                          (int)to->alpha);
    if (to->max_pixels < 1)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_image_options: max_pixels is %lld, expected at least 1",
                          (long long)to->max_pixels);
    return PALI_OK;
}

pali_status pali__image_new(pali_image **out, int32_t width, int32_t height, pali_error **error)
{
    const int64_t factors[3] = { width, height, 3 };
    size_t size;
    *out = NULL;
    if (!pali__size_product(&size, 3, factors))
        return pali__no_memory(error, SIZE_MAX);
    pali_image *image = pali__malloc(sizeof *image);
    if (!image)
        return pali__no_memory(error, sizeof *image);
    image->width = width;
    image->height = height;
    image->source = (pali_image_source)PALI_IMAGE_SOURCE_INIT;
    image->source.mode = "RGB";
    image->source.width = width;
    image->source.height = height;
    image->pixels = pali__malloc(size);
    if (!image->pixels) {
        pali__free(image);
        return pali__no_memory(error, size);
    }
    *out = image;
    return PALI_OK;
}

pali_status pali__image_check_size(const struct pali__encoded *encoded, uint64_t width, uint64_t height,
                                   pali_error **error)
{
    if (width < 1 || height < 1 || width > INT32_MAX || height > INT32_MAX)
        return pali__fail(error, PALI_ERROR_FORMAT,
                          "%s: the picture is %llu x %llu pixels, expected sides of 1 to 2147483647", encoded->name,
                          (unsigned long long)width, (unsigned long long)height);
    if (width * height > (uint64_t)encoded->max_pixels)
        return pali__fail(error, PALI_ERROR_LIMIT,
                          "%s: the picture is %llu x %llu pixels, more than the limit of %lld pixels", encoded->name,
                          (unsigned long long)width, (unsigned long long)height, (long long)encoded->max_pixels);
    return PALI_OK;
}

static bool is_png(const uint8_t *data, size_t size)
{
    return size >= 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0;
}

static bool is_jpeg(const uint8_t *data, size_t size)
{
    return size >= 3 && data[0] == 0xff && data[1] == 0xd8 && data[2] == 0xff;
}

static bool is_pnm(const uint8_t *data, size_t size)
{
    return size >= 3 && data[0] == 'P' && data[1] >= '1' && data[1] <= '6' &&
           (data[2] == ' ' || (data[2] >= '\t' && data[2] <= '\r'));
}

static pali_status decode(pali_image **out, const struct pali__encoded *encoded, bool orient, pali_error **error)
{
    const uint8_t *data = encoded->data;
    size_t size = encoded->size;
    if (size == 0)
        return pali__fail(error, PALI_ERROR_FORMAT, "%s: empty, expected a PNG, JPEG or PNM picture", encoded->name);
    if (is_png(data, size))
        TRY(pali__png_decode(out, encoded, error));
    else if (is_jpeg(data, size))
        TRY(pali__jpeg_decode(out, encoded, error));
    else if (is_pnm(data, size))
        TRY(pali__pnm_decode(out, encoded, error));
    else
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "%s: not a PNG, JPEG or PNM picture", encoded->name);
    pali_image_source source = (*out)->source;
    source.orientation = pali__exif_orientation(data, size);
    source.turned = orient && source.orientation > 1;
    pali_status status = orient ? pali__image_orient(out, source.orientation, error) : PALI_OK;
    if (status != PALI_OK) {
        pali_image_free(*out);
        *out = NULL;
        return status;
    }
    (*out)->source = source;
    return PALI_OK;
}

pali_status pali_image_decode(pali_image **out, const void *data, size_t size, const pali_image_options *options,
                              pali_error **error)
{
    pali_image_options chosen;
    if (!out)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_image_decode: out is NULL");
    *out = NULL;
    if (!data && size)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_image_decode: data is NULL but size is %zu", size);
    TRY(read_options(&chosen, options, error));
    const struct pali__encoded encoded = { data, size, "picture in memory", chosen.alpha, chosen.max_pixels };
    return decode(out, &encoded, chosen.exif_orientation != 0, error);
}

pali_status pali_image_open(pali_image **out, const char *path, const pali_image_options *options, pali_error **error)
{
    pali_image_options chosen;
    if (!out)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_image_open: out is NULL");
    *out = NULL;
    if (!path)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_image_open: path is NULL");
    TRY(read_options(&chosen, options, error));

    char *data = NULL;
    size_t size = 0;
    TRY(pali__file_read(&data, &size, path, FILE_LIMIT, error));
    const struct pali__encoded encoded = { (const uint8_t *)data, size, path, chosen.alpha, chosen.max_pixels };
    pali_status status = decode(out, &encoded, chosen.exif_orientation != 0, error);
    pali__free(data);
    return status;
}

pali_status pali_image_create(pali_image **out, const uint8_t *rgb, int32_t width, int32_t height, size_t stride,
                              pali_error **error)
{
    if (!out)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_image_create: out is NULL");
    *out = NULL;
    if (!rgb)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_image_create: rgb is NULL");
    if (width < 1 || height < 1)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_image_create: the size is %ld x %ld, expected positive sides",
                          (long)width, (long)height);
    size_t row_size = (size_t)width * 3;
    if (stride == 0)
        stride = row_size;
    if (stride < row_size)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_image_create: stride is %zu, expected at least %zu", stride,
                          row_size);
    TRY(pali__image_new(out, width, height, error));
    for (size_t y = 0; y < (size_t)height; y++)
        memcpy((*out)->pixels + y * row_size, rgb + y * stride, row_size);
    return PALI_OK;
}

void pali_image_free(pali_image *image)
{
    if (!image)
        return;
    pali__free(image->pixels);
    pali__free(image);
}

int32_t pali_image_width(const pali_image *image) { return image ? image->width : 0; }

int32_t pali_image_height(const pali_image *image) { return image ? image->height : 0; }

const uint8_t *pali_image_pixels(const pali_image *image) { return image ? image->pixels : NULL; }

void pali_image_source_init(pali_image_source *source)
{
    *source = (pali_image_source)PALI_IMAGE_SOURCE_INIT;
}

pali_status pali_image_get_source(const pali_image *image, pali_image_source *source, pali_error **error)
{
    if (!image || !source)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_image_get_source: %s is NULL", image ? "source" : "image");
    size_t size = source->struct_size;
    if (size < sizeof size || size > 65536)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "pali_image_source.struct_size is %zu; set it with the _INIT macro", size);
    memcpy(source, &image->source, size < sizeof image->source ? size : sizeof image->source);
    source->struct_size = size;
    return PALI_OK;
}
