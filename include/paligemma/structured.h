/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/structured.h
 * Boxes that an answer names: four <loc> tokens (y_min, x_min, y_max, x_max in 1024ths) and a label (PARITY §15).
 */
#ifndef PALIGEMMA_STRUCTURED_H
#define PALIGEMMA_STRUCTURED_H

#include <paligemma/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Immutable. */
typedef struct pali_detections pali_detections;

/** One object. Coordinates are fractions of the picture, 0…1, on the scale of 1024 that the Hugging Face demo uses. */
typedef struct pali_detection {
    double y_min, x_min, y_max, x_max;
    const char *label;    /**< without surrounding spaces; "" if there is none. Borrowed */
    const int32_t *seg;   /**< the 16 <seg> indices, 0…127, or NULL. Borrowed */
    size_t text_begin;    /**< where in the answer it stands, in bytes */
    size_t text_end;
} pali_detection;

/** Finds all objects in `text`; other text between them is passed over. No object is no error. Since 0.1. */
PALI_API pali_status pali_detections_parse(pali_detections **out, const char *text, pali_error **error);

PALI_API void pali_detections_free(pali_detections *detections);
PALI_API size_t pali_detections_count(const pali_detections *detections);
/** Object `index`, borrowed; NULL past the end. Since 0.1. */
PALI_API const pali_detection *pali_detections_get(const pali_detections *detections, size_t index);

#ifdef __cplusplus
}
#endif
#endif
