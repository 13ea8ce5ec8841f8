/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/image.h
 * Pictures: PNG, JPEG and PPM/PGM from a file or from memory, raw RGB from the caller; always 8-bit RGB inside.
 */
#ifndef PALIGEMMA_IMAGE_H
#define PALIGEMMA_IMAGE_H

#include <paligemma/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** 8-bit RGB, rows top to bottom. Belongs to one thread while it is drawn on, else shared freely. */
typedef struct pali_image pali_image;

/** What becomes of an alpha channel. */
typedef enum pali_alpha {
    PALI_ALPHA_DROP = 0, /**< ignore it, as Pillow's convert("RGB") and Transformers 4.x do */
    PALI_ALPHA_WHITE = 1 /**< composite over white, as Transformers 5.x does */
} pali_alpha;

/** Interpolation of pali_image_resize; all are bicubic with a = -0.5 and antialiasing. */
typedef enum pali_resample {
    PALI_RESAMPLE_PILLOW = 0,      /**< bit-exact to Pillow 13's BICUBIC */
    PALI_RESAMPLE_TORCHVISION = 1, /**< bit-exact to torchvision's antialiased bicubic on uint8 */
    PALI_RESAMPLE_PILLOW_12 = 2    /**< bit-exact to Pillow up to 12, which always filters the rows first; 13 filters the
                                        columns first where the height loses more than twice as many pixels as the width */
} pali_resample;

typedef struct pali_image_options {
    size_t struct_size;
    pali_alpha alpha;        /**< default PALI_ALPHA_DROP */
    int32_t exif_orientation; /**< 1: turn the picture as its EXIF orientation says; default 0, as Pillow's open */
    int64_t max_pixels;      /**< refuse more than this (PALI_ERROR_LIMIT); default 178956970, Pillow's error limit */
    uint64_t reserved[4];
} pali_image_options;

#define PALI_IMAGE_OPTIONS_INIT { sizeof(pali_image_options), PALI_ALPHA_DROP, 0, 178956970, { 0, 0, 0, 0 } }
PALI_API void pali_image_options_init(pali_image_options *options);

/**
 * Decodes the picture in the file `path`; the kind is told by its first bytes, not by its name.
 * @return PALI_ERROR_IO, PALI_ERROR_FORMAT (damaged or truncated), PALI_ERROR_UNSUPPORTED (not PNG, JPEG or PNM),
 * PALI_ERROR_LIMIT. Since 0.1.
 */
PALI_API pali_status pali_image_open(pali_image **out, const char *path, const pali_image_options *options,
                                     pali_error **error);

/** The same from `size` bytes in memory, which are not kept. Since 0.1. */
PALI_API pali_status pali_image_decode(pali_image **out, const void *data, size_t size,
                                       const pali_image_options *options, pali_error **error);

/** Copies `height` rows of `width` RGB triples; rows lie `stride` bytes apart (0: 3·width). Since 0.1. */
PALI_API pali_status pali_image_create(pali_image **out, const uint8_t *rgb, int32_t width, int32_t height,
                                       size_t stride, pali_error **error);

/** Ends a picture. NULL is fine. Since 0.1. */
PALI_API void pali_image_free(pali_image *image);

PALI_API int32_t pali_image_width(const pali_image *image);
PALI_API int32_t pali_image_height(const pali_image *image);
/** [height, width, 3] uint8, contiguous, borrowed. Since 0.1. */
PALI_API const uint8_t *pali_image_pixels(const pali_image *image);

/** What the file was before it became 8-bit RGB. */
typedef struct pali_image_source {
    size_t struct_size;
    const char *format;      /**< "PNG", "JPEG", "PPM" (all PNM), or NULL: the picture came from pixels. Static */
    const char *mode;        /**< Pillow's name of its mode: "1", "L", "I;16", "I", "LA", "P", "RGB", "RGBA", "CMYK".
                                  Static */
    int32_t width, height;   /**< in the file, before EXIF orientation */
    int32_t bits;            /**< of a sample in the file: 1, 2, 4, 8 or 16 */
    int32_t transparency;    /**< 1: it has an alpha channel or transparent colours */
    int32_t orientation;     /**< EXIF, 1…8; 1 if there is none */
    int32_t turned;          /**< 1: that orientation has been applied */
    uint64_t reserved[2];
} pali_image_source;

#define PALI_IMAGE_SOURCE_INIT { sizeof(pali_image_source), NULL, NULL, 0, 0, 8, 0, 1, 0, { 0, 0 } }
PALI_API void pali_image_source_init(pali_image_source *source);

/** Fills `source`, whose struct_size the caller has set, with what `image` was decoded from. A copy that was resized
 * counts as made from pixels. Since 0.1. */
PALI_API pali_status pali_image_get_source(const pali_image *image, pali_image_source *source, pali_error **error);

/** A resized copy, both sides 1…65535. Each pass, along the rows and along the columns, rounds to 8 bits. Since 0.1. */
PALI_API pali_status pali_image_resize(pali_image **out, const pali_image *image, int32_t width, int32_t height,
                                       pali_resample resample, pali_error **error);

/** Draws the outline of the box (pixels, clipped to the picture) inward, `thickness` pixels wide. Since 0.1. */
PALI_API void pali_image_draw_box(pali_image *image, double x_min, double y_min, double x_max, double y_max,
                                  int32_t thickness, const uint8_t rgb[3]);

/**
 * Lays a colour over the picture: pixel = pixel · (1 - a) + rgb · a with a = opacity · mask / 255, opacity 0…1.
 * mask: [height, width] uint8, as pali_segment_paste gives it. Since 0.1.
 */
PALI_API void pali_image_blend(pali_image *image, const uint8_t *mask, double opacity, const uint8_t rgb[3]);

/**
 * Writes `text`, UTF-8, with its upper left corner at (x, y), clipped to the picture. The font is of 5 × 7 pixels in
 * cells of 6 × 9, times `scale` (1…1000); it has printable ASCII, any other character is an empty box. Since 0.1.
 */
PALI_API void pali_image_draw_text(pali_image *image, int32_t x, int32_t y, const char *text, int32_t scale,
                                   const uint8_t rgb[3]);

/** The pixels that pali_image_draw_text covers; either pointer may be NULL. Since 0.1. */
PALI_API void pali_image_text_size(const char *text, int32_t scale, int32_t *width, int32_t *height);

/** Writes an 8-bit RGB PNG. Since 0.1. */
PALI_API pali_status pali_image_save_png(const pali_image *image, const char *path, pali_error **error);

#ifdef __cplusplus
}
#endif
#endif
