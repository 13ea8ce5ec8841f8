/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/generate.h
 * Answers: the prefill/decode loop.
 */
#ifndef PALIGEMMA_GENERATE_H
#define PALIGEMMA_GENERATE_H

#include <paligemma/base.h>
#include <paligemma/inputs.h>
#include <paligemma/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One new token, as it comes. */
typedef struct pali_token {
    int64_t row;      /**< which row of the batch */
    int64_t id;
    const char *text; /**< what this token adds to the answer: whole UTF-8 characters, "" while one is incomplete;
                           NULL when the inputs did not come from a processor. Borrowed for the call */
} pali_token;

/** Return 0 to go on, anything else to stop: what was generated so far is kept, the reason is PALI_FINISH_CANCELLED. */
typedef int (*pali_token_fn)(void *user, const pali_token *token);

typedef struct pali_generate_options {
    size_t struct_size;
    int64_t max_new_tokens;              /**< 0 (default): generation_config's, or 20 as in Transformers. The cache for
                                              prompt and new tokens is allocated at once; max_position_embeddings
                                              is no limit, as in Transformers */
    double temperature;                  /**< 0 (default): greedy; else sampling from logits / temperature */
    int64_t top_k;                       /**< keep the k likeliest when sampling; 0: generation_config's, or 50; -1: all */
    double top_p;                        /**< keep the likeliest that make up p when sampling; 0: generation_config's, or 1 */
    uint64_t seed;                       /**< same seed, same draws, whatever the batch and the threads; the logits
                                              they are applied to differ in the last bits between instruction sets */
    int64_t num_beams;                   /**< 1 (default): no beam search; 2…64: as Transformers' beam search */
    pali_token_fn on_token;              /**< streaming; may be NULL. On the caller's thread, no lock held. With beams
                                              an answer's tokens come when it is complete */
    void *on_token_user;
    const pali_image_features *features; /**< instead of pixel_values, or NULL */
    pali_progress_fn progress;           /**< "image" and "prefill", between layers, and "beams", between steps; may
                                              cancel; may be NULL. Other decoding is watched and stopped by on_token */
    void *progress_user;
    uint64_t reserved[4];
} pali_generate_options;

#define PALI_GENERATE_OPTIONS_INIT \
    { sizeof(pali_generate_options), 0, 0.0, 0, 0.0, 0, 1, NULL, NULL, NULL, NULL, NULL, { 0, 0, 0, 0 } }
PALI_API void pali_generate_options_init(pali_generate_options *options);

/** The answers to a batch. Immutable. */
typedef struct pali_generation pali_generation;

/**
 * Answers every row of `inputs` (what the processor returned: all its tokens are prefix). Padding is dropped: a row of
 * a batch gets the tokens it would get alone. Ends a row at eos, or after max_new_tokens. The decode step allocates
 * nothing. @return as pali_model_forward. Since 0.1.
 */
PALI_API pali_status pali_generate(pali_generation **out, pali_model *model, const pali_inputs *inputs,
                                   const pali_generate_options *options, pali_error **error);

PALI_API void pali_generation_free(pali_generation *generation);

PALI_API int64_t pali_generation_rows(const pali_generation *generation);

/** The answer of row `row`, special tokens left out; NULL without a processor or out of range. Borrowed. Since 0.1. */
PALI_API const char *pali_generation_text(const pali_generation *generation, int64_t row);

/** New tokens of row `row`, eos included, `*n_ids` of them; NULL out of range. Borrowed. Since 0.1. */
PALI_API const int64_t *pali_generation_token_ids(const pali_generation *generation, int64_t row, size_t *n_ids);

typedef enum pali_finish_reason {
    PALI_FINISH_EOS = 1,
    PALI_FINISH_LENGTH = 2,
    PALI_FINISH_CANCELLED = 3
} pali_finish_reason;

PALI_API pali_finish_reason pali_generation_finish_reason(const pali_generation *generation, int64_t row);

/** Seconds by the monotonic clock, for the whole batch. */
typedef struct pali_timing {
    size_t struct_size;
    double image_s;         /**< tower and projector */
    double prefill_s;       /**< decoder over the prompts, and the first tokens */
    double decode_s;        /**< all tokens after the first */
    int64_t prompt_tokens;  /**< without padding */
    int64_t decode_tokens;  /**< tokens made in decode_s */
} pali_timing;

#define PALI_TIMING_INIT { sizeof(pali_timing), 0.0, 0.0, 0.0, 0, 0 }
PALI_API void pali_timing_init(pali_timing *timing);

/** Fills `timing`, whose struct_size the caller has set. Since 0.1. */
PALI_API pali_status pali_generation_timing(const pali_generation *generation, pali_timing *timing,
                                            pali_error **error);

#ifdef __cplusplus
}
#endif
#endif
