/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/structured.h
 * Objects in an answer's text, and objects as text: four <loc> tokens (y_min, x_min, y_max, x_max), for a mask 16 <seg>
 * tokens, and a label; several are joined by " ; " (PARITY §15). Masks are in segmentation.h, JSON and drawing in
 * annotations.h.
 */
#ifndef PALIGEMMA_STRUCTURED_H
#define PALIGEMMA_STRUCTURED_H

#include <paligemma/base.h>
#include <paligemma/processor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The objects of one text or file. Immutable; any number of threads may read it. */
typedef struct pali_detections pali_detections;

/** One object. Coordinates are fractions of the picture, 0…1. */
typedef struct pali_detection {
    double y_min, x_min, y_max, x_max;
    const char *label;    /**< without surrounding spaces; "" if there is none. Borrowed */
    const int32_t *seg;   /**< the 16 <seg> indices, 0…127, or NULL. Borrowed */
    size_t text_begin;    /**< where in the answer it stands, in bytes; both 0 if it did not come from a text */
    size_t text_end;
} pali_detection;

typedef struct pali_detections_options {
    size_t struct_size;
    int32_t scale;    /**< what <loc> numbers are divided by. 1024 (default): as the Hugging Face demo, Google's
                           documentation and Roboflow's supervision; 1023: as big_vision's evaluation, the exact
                           reverse of how training data are made */
    int32_t reserved_0;
    uint64_t reserved[4];
} pali_detections_options;

#define PALI_DETECTIONS_OPTIONS_INIT { sizeof(pali_detections_options), 1024, 0, { 0, 0, 0, 0 } }
PALI_API void pali_detections_options_init(pali_detections_options *options);

/**
 * Finds all objects in `text`; other text between them is passed over. No object is no error. The grammar is that of
 * the Hugging Face demo (https://huggingface.co/spaces/big-vision/paligemma-hf): 4 × <loc0000>…<loc1023> without gaps,
 * spaces, maybe 16 × <seg000>…<seg127>, spaces, maybe a label, which ends before ";", "<" or ">". Fewer than 16 <seg>:
 * no mask. The demo gives up at a line end in front of an object; here it is passed over like other text.
 * @return PALI_ERROR_ARGUMENT, PALI_ERROR_MEMORY. Since 0.1.
 */
PALI_API pali_status pali_detections_parse(pali_detections **out, const char *text,
                                           const pali_detections_options *options, pali_error **error);

PALI_API void pali_detections_free(pali_detections *detections);
PALI_API size_t pali_detections_count(const pali_detections *detections);
/** Object `index`, borrowed; NULL past the end. Since 0.1. */
PALI_API const pali_detection *pali_detections_get(const pali_detections *detections, size_t index);

/**
 * Objects as text: "<loc…><loc…><loc…><loc…>", 16 <seg> if `seg` is not NULL, a space and the label if there is one,
 * joined by " ; ". A coordinate becomes round(coordinate · scale), at least 0 and at most 1023. items: [count]; their
 * text_begin and text_end are not looked at. `*text` is the caller's, freed with pali_free.
 * @return PALI_ERROR_ARGUMENT for a coordinate that is not finite, an index out of range, or a label that would not
 * come back from a parse (";", "<" or ">" in it, spaces around it). Since 0.1.
 */
PALI_API pali_status pali_detections_encode(char **text, const pali_detection *items, size_t count,
                                            const pali_detections_options *options, pali_error **error);

/** How sure the model was of one object: probabilities of its 4 <loc> tokens, or of all 20 if it has a mask. */
typedef struct pali_confidence {
    double mean; /**< 0…1 */
    double min;  /**< 0…1, that of the least likely token */
} pali_confidence;

/**
 * The confidence of each object, from the log-probabilities of the answer's tokens (the format itself has none).
 * confidences: [pali_detections_count(detections)]; ids, logprobs: [n_ids], the new tokens and their natural logarithms
 * of probability, as pali_generation_token_ids and pali_generation_logprobs give them. `detections` must have been
 * parsed from the text of exactly these tokens, special ones left out, as pali_generation_text gives it.
 * @return PALI_ERROR_ARGUMENT if the tokens do not give that text. Since 0.1.
 */
PALI_API pali_status pali_detections_confidence(pali_confidence *confidences, const pali_detections *detections,
                                                const pali_processor *processor, const int64_t *ids,
                                                const double *logprobs, size_t n_ids, pali_error **error);

#ifdef __cplusplus
}
#endif
#endif
