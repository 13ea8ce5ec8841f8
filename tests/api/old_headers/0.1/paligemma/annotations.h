/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/annotations.h
 * The objects of an answer for people and for programs: drawn on the picture, and as JSON in COCO's form.
 */
#ifndef PALIGEMMA_ANNOTATIONS_H
#define PALIGEMMA_ANNOTATIONS_H

#include <paligemma/base.h>
#include <paligemma/image.h>
#include <paligemma/segmentation.h>
#include <paligemma/structured.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Everything that is pointed to is borrowed for the call. */
typedef struct pali_draw_options {
    size_t struct_size;
    const pali_mask_decoder *mask_decoder; /**< lays the masks of <seg> tokens over the picture; NULL: boxes only */
    const pali_confidence *confidences;    /**< [count], written after the label; or NULL */
    double mask_opacity;                   /**< 0…1; default 0.5 */
    int32_t thickness;                     /**< of the boxes, in pixels; 0 (default): by the picture's size; -1: none */
    int32_t text_scale;                    /**< of the labels; 0 (default): by the picture's size; -1: none */
    uint64_t reserved[4];
} pali_draw_options;

#define PALI_DRAW_OPTIONS_INIT { sizeof(pali_draw_options), NULL, NULL, 0.5, 0, 0, { 0, 0, 0, 0 } }
PALI_API void pali_draw_options_init(pali_draw_options *options);

/**
 * Draws all objects into `image`: masks (PALI_SEGMENT_SOFT), then boxes, then labels. A label has one colour, in every
 * picture. What is outside the picture is cut off. @return PALI_ERROR_ARGUMENT, PALI_ERROR_MEMORY: the picture may then
 * have some of the objects. Since 0.1.
 */
PALI_API pali_status pali_detections_draw(const pali_detections *detections, pali_image *image,
                                          const pali_draw_options *options, pali_error **error);

/** Everything that is pointed to is borrowed for the call. */
typedef struct pali_coco_options {
    size_t struct_size;
    const pali_mask_decoder *mask_decoder; /**< writing: makes `segmentation` of <seg> tokens; reading: makes <seg>
                                                tokens of `segmentation`, for which it needs the encoder. NULL: none */
    const pali_confidence *confidences;    /**< writing: [count], as `score` and `score_min`; or NULL */
    int64_t image_id;                      /**< writing: 0 (default) is 1; reading: which picture of the file, 0: the
                                                only one */
    const char *file_name;                 /**< writing: the picture's; or NULL */
    const char *const *categories;         /**< writing: names that get the ids 1, 2, …; other labels get the next ones
                                                as they appear. Or NULL */
    size_t n_categories;
    int32_t uncompressed_rle;              /**< writing: 1: `counts` as a list of numbers instead of COCO's text */
    int32_t reserved_0;
    uint64_t reserved[4];
} pali_coco_options;

#define PALI_COCO_OPTIONS_INIT { sizeof(pali_coco_options), NULL, NULL, 0, NULL, NULL, 0, 0, 0, { 0, 0, 0, 0 } }
PALI_API void pali_coco_options_init(pali_coco_options *options);

/**
 * The objects as JSON in the form of COCO's instances (https://cocodataset.org/#format-data), one line, UTF-8:
 * `images` (one: id, width, height, file_name), `categories` (id, name), `annotations`: id, image_id, category_id,
 * category_name, bbox [x, y, width, height] in pixels of a picture of width × height, not rounded; area in pixels;
 * iscrowd 0; segmentation {size [height, width], counts} if there is a mask (PALI_SEGMENT_HARD); score (mean) and
 * score_min with confidences; text_begin and text_end, in bytes of the answer. An object without label has category 0,
 * "". `*json` is the caller's, freed with pali_free. Since 0.1.
 */
PALI_API pali_status pali_detections_to_coco(char **json, const pali_detections *detections, int32_t width,
                                             int32_t height, const pali_coco_options *options, pali_error **error);

/**
 * The reverse: the annotations of one picture in `json`, NUL-terminated. Needed is `annotations` with `bbox`; the label
 * is `category_name`, or the name of `category_id` in `categories`. The picture's size is width × height, or, if these
 * are 0, that in `images`. Boxes are cut to the picture. With pali_detections_encode this gives the text to train on.
 * @return PALI_ERROR_FORMAT (the message names the annotation and the field), PALI_ERROR_SHAPE (a mask of another
 * size), PALI_ERROR_UNSUPPORTED (polygons, with a mask decoder). Since 0.1.
 */
PALI_API pali_status pali_detections_from_coco(pali_detections **out, const char *json, int32_t width, int32_t height,
                                               const pali_coco_options *options, pali_error **error);

#ifdef __cplusplus
}
#endif
#endif
