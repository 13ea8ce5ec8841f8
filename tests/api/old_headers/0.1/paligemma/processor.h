/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/processor.h
 * Pictures and prompts to model inputs, and token ids back to text: PaliGemmaProcessor.
 */
#ifndef PALIGEMMA_PROCESSOR_H
#define PALIGEMMA_PROCESSOR_H

#include <paligemma/base.h>
#include <paligemma/image.h>
#include <paligemma/inputs.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Immutable once loaded; shared by any number of threads. */
typedef struct pali_processor pali_processor;

typedef struct pali_processor_options {
    size_t struct_size;
    pali_resample resample; /**< default PALI_RESAMPLE_PILLOW */
    int32_t reserved0;
    uint64_t reserved[4];
} pali_processor_options;

#define PALI_PROCESSOR_OPTIONS_INIT { sizeof(pali_processor_options), PALI_RESAMPLE_PILLOW, 0, { 0, 0, 0, 0 } }
PALI_API void pali_processor_options_init(pali_processor_options *options);

/**
 * Reads tokenizer.json, tokenizer_config.json, preprocessor_config.json and config.json of the directory `path`.
 * Without preprocessor_config.json the picture size and token count come from config.json. Since 0.1.
 */
PALI_API pali_status pali_processor_load(pali_processor **out, const char *path,
                                         const pali_processor_options *options, pali_error **error);

/** Ends a processor; inputs and generations that refer to it keep it alive until they end. Since 0.1. */
PALI_API void pali_processor_free(pali_processor *processor);

typedef enum pali_padding_side { PALI_PADDING_LEFT = 0, PALI_PADDING_RIGHT = 1 } pali_padding_side;

typedef struct pali_apply_options {
    size_t struct_size;
    const char *const *suffixes;     /**< one per text (the answers to learn from or to score), or NULL */
    const size_t *images_per_text;   /**< how many of the pictures each text has, or NULL: see pali_processor_apply */
    pali_padding_side padding_side;  /**< default left */
    int32_t reserved0;
    int64_t pad_to;                  /**< pad every row to this length; 0: to the longest row of the batch */
    int64_t max_length;              /**< PALI_ERROR_LIMIT for a row longer than this; 0: no limit */
    uint64_t reserved[4];
} pali_apply_options;

#define PALI_APPLY_OPTIONS_INIT { sizeof(pali_apply_options), NULL, NULL, PALI_PADDING_LEFT, 0, 0, 0, { 0, 0, 0, 0 } }
PALI_API void pali_apply_options_init(pali_apply_options *options);

/**
 * One text with its pictures to `input_ids`, `attention_mask`, `token_type_ids`, `labels` [1, length] and
 * `pixel_values` [n_images, 3, size, size]. Layout (Transformers 5.23, PARITY §4): every picture's image tokens,
 * <bos>, the text, "\n"; a text that says <image> itself has each expanded in place, with <bos> after the last.
 * @return PALI_ERROR_SHAPE when the count of <image> and of pictures differ. Since 0.1.
 */
PALI_API pali_status pali_processor_apply(pali_inputs **out, const pali_processor *processor,
                                          pali_image *const *images, size_t n_images, const char *text,
                                          const pali_apply_options *options, pali_error **error);

/**
 * The same for `n_texts` texts; rows are padded to one length. `images` holds the pictures of all rows one after
 * another. Without `images_per_text` and without <image> in any text there must be one picture per text. Since 0.1.
 */
PALI_API pali_status pali_processor_apply_batch(pali_inputs **out, const pali_processor *processor,
                                                pali_image *const *images, size_t n_images,
                                                const char *const *texts, size_t n_texts,
                                                const pali_apply_options *options, pali_error **error);

/**
 * `text` as it stands, to follow what a row of a cache holds (pali_generate_options.cache): `input_ids`, `attention_mask`
 * and `token_type_ids` (1: causal), [1, length]. No pictures, no <bos>, no newline but the text's own; <image> in it, or
 * no text at all, is PALI_ERROR_ARGUMENT. An answer to such inputs has text, as one to those of apply has. Since 0.1.
 */
PALI_API pali_status pali_processor_apply_continuation(pali_inputs **out, const pali_processor *processor,
                                                       const char *text, pali_error **error);

/**
 * Token ids of UTF-8 `text` of `size` bytes, no <bos> or <eos> added; added tokens (<loc0000>, <image>) in the text are
 * recognised. `*ids` is the caller's (pali_free). Invalid UTF-8 is PALI_ERROR_ARGUMENT. Since 0.1.
 */
PALI_API pali_status pali_processor_encode(const pali_processor *processor, const char *text, size_t size,
                                           int64_t **ids, size_t *n_ids, pali_error **error);

/**
 * Text of `n_ids` ids, NUL-terminated UTF-8, the caller's (pali_free). With `skip_special_tokens` pad, bos, eos and
 * <image> are left out; <loc> and <seg> stay. An id out of range is PALI_ERROR_ARGUMENT. Since 0.1.
 */
PALI_API pali_status pali_processor_decode(const pali_processor *processor, const int64_t *ids, size_t n_ids,
                                           int32_t skip_special_tokens, char **text, pali_error **error);

/** `n_rows` texts of ids [n_rows, n_ids]; `*texts` is one block with all of them (one pali_free). Since 0.1. */
PALI_API pali_status pali_processor_batch_decode(const pali_processor *processor, const int64_t *ids, size_t n_rows,
                                                 size_t n_ids, int32_t skip_special_tokens, char ***texts,
                                                 pali_error **error);

#ifdef __cplusplus
}
#endif
#endif
