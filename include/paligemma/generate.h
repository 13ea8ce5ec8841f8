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

/** Token ids, borrowed: a word to force or to forbid, an answer to score. */
typedef struct pali_token_list {
    const int64_t *ids;
    size_t n_ids;
} pali_token_list;

/** Adds `bias` to the logit of token `id`; -infinity forbids it. */
typedef struct pali_logit_bias {
    int64_t id;
    float bias;
} pali_logit_bias;

/**
 * Says which tokens may follow in row `row`, after its `n_ids` new tokens `ids`: sets allowed[id] to 1 or leaves it 0,
 * for `vocab_size` ids. Returns 0 to go on, anything else to stop as pali_token_fn does. No token allowed, or none but
 * those that other options forbid, is PALI_ERROR_ARGUMENT.
 */
typedef int (*pali_token_mask_fn)(void *user, int64_t row, const int64_t *ids, size_t n_ids, uint8_t *allowed,
                                  int64_t vocab_size);

/** What an answer may be: see constraint.h. */
typedef struct pali_constraint pali_constraint;

/**
 * Names and meaning as in Transformers' GenerationConfig; where 0 stands for "generation_config.json's value", and the
 * file has none, Transformers' default follows. Everything that is pointed to is borrowed for the call.
 */
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

    /* Sampling. */
    double min_p;                        /**< keep what is at least min_p times as likely as the likeliest; 0: none */
    double typical_p;                    /**< locally typical sampling; 0: generation_config's, or 1 (none) */

    /* What is done to the logits first, in this order. */
    double repetition_penalty;           /**< over all ids of prompt and answer; 0: generation_config's, or 1 (none) */
    double presence_penalty;             /**< subtracted once from every id that the answer has; 0 (default): none */
    double frequency_penalty;            /**< subtracted for each time the answer has the id; 0 (default): none */
    int64_t no_repeat_ngram_size;        /**< no run of this many tokens twice; 0: generation_config's, or none */
    const pali_logit_bias *logit_bias;
    size_t n_logit_bias;
    const pali_token_list *bad_words;    /**< token sequences that never appear */
    size_t n_bad_words;
    const pali_token_list *force_words;  /**< token sequences that every answer contains */
    size_t n_force_words;
    int64_t min_new_tokens;              /**< no eos before; 0: generation_config's, or none */

    /* When to stop. */
    const int64_t *eos_token_ids;        /**< instead of generation_config's, or NULL */
    size_t n_eos_token_ids;
    const char *const *stop_strings;     /**< an answer ends as soon as its text contains one; needs a processor */
    size_t n_stop_strings;

    /* How many answers, and what is known of them. */
    int64_t num_return_sequences;        /**< answers to each prompt, best first; 0 or 1 (default): one */
    int64_t best_of;                     /**< sample this many, return the likeliest num_return_sequences (by mean
                                              log-probability of their tokens); 0: as many as are returned */
    double length_penalty;               /**< of beams: score / length^penalty; default 1 */
    int32_t early_stopping;              /**< of beams: 1: stop as soon as num_beams answers are complete */
    int32_t logprobs;                    /**< 1: log-probability of each token (pali_generation_logprobs) */
    int64_t top_logprobs;                /**< this many likeliest alternatives for each token too, 0…64 */

    /* How the tokens are found. */
    int64_t prompt_lookup_num_tokens;    /**< guess up to this many tokens, 0…64, from the prompt and the answer so far
                                              and check them in one pass; the tokens do not change, greedy or sampled,
                                              but for what docs/constraints.md says of the last bits; 0: none */
    const pali_constraint *constraint;   /**< what answers may be (constraint.h), or NULL */
    pali_token_mask_fn token_mask;       /**< which tokens may follow, or NULL */
    void *token_mask_user;
    pali_cache *cache;                   /**< the answer follows what it holds, row by row, and is in it afterwards but
                                              for its last token; NULL: one of the call's own */
    const pali_adapter *adapter;         /**< LoRA adapter to answer with, or NULL */
    double adapter_scale;                /**< times the adapter's own scale; default 1 */
    uint64_t reserved[8];
} pali_generate_options;

/* The order is that of the fields; what is not named is 0 or NULL. */
#define PALI_GENERATE_OPTIONS_INIT                                                                                     \
    { sizeof(pali_generate_options), 0, 0.0, 0, 0.0, 0, 1, NULL, NULL, NULL, NULL, NULL,                               \
      0.0, 0.0, 0.0, 0.0, 0.0, 0, NULL, 0, NULL, 0, NULL, 0, 0, NULL, 0, NULL, 0,                                      \
      1, 0, 1.0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 1.0, { 0, 0, 0, 0, 0, 0, 0, 0 } }
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
    PALI_FINISH_CANCELLED = 3,
    PALI_FINISH_STOP_STRING = 4,
    PALI_FINISH_CONSTRAINT = 5 /**< the answer is complete and nothing but its end may follow */
} pali_finish_reason;

PALI_API pali_finish_reason pali_generation_finish_reason(const pali_generation *generation, int64_t row);

/**
 * How often the decoder ran after the prompts: once for each new token but the first of a row or a batch, fewer times
 * where guesses (prompt_lookup_num_tokens) were right. Since 0.1.
 */
PALI_API int64_t pali_generation_passes(const pali_generation *generation);

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
