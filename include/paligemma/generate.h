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
    int64_t row;      /**< which answer: the row of the batch, where each has one */
    int64_t id;
    const char *text; /**< what this token adds to the answer: whole UTF-8 characters, "" while one is incomplete;
                           NULL when the inputs did not come from a processor. Borrowed for the call */
} pali_token;

/** Returned by a pali_token_fn: this answer ends with this token, the others go on. Since 0.1. */
#define PALI_END_ROW 2

/**
 * Return 0 to go on, PALI_END_ROW to end this answer alone, anything else to stop all of them: what was generated so far
 * is kept, the reason is PALI_FINISH_CANCELLED (but for an answer that this token completed anyway).
 */
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
 * file has none, Transformers' default follows. An option that would be without effect (top_k when greedy,
 * length_penalty without beams) is PALI_ERROR_ARGUMENT. Everything that is pointed to is borrowed for the call.
 * docs/generation.md tells more.
 */
typedef struct pali_generate_options {
    size_t struct_size;
    int64_t max_new_tokens;              /**< 0 (default): generation_config's, or 20 as in Transformers. The cache for
                                              prompt and new tokens is allocated at once; max_position_embeddings
                                              is no limit, as in Transformers */
    double temperature;                  /**< 1e-5…1e6: sampling from logits / temperature; 0 (default):
                                              generation_config's if that has do_sample, else greedy; -1: greedy */
    int64_t top_k;                       /**< keep the k likeliest when sampling; 0: generation_config's, or 50; -1: all */
    double top_p;                        /**< keep the likeliest that make up p when sampling; 0: generation_config's, or 1 */
    uint64_t seed;                       /**< same seed, same draws, whatever the batch, the threads and the machine;
                                              the logits they are applied to differ in the last bits between
                                              instruction sets. The same prompt twice has the same answer twice */
    int64_t num_beams;                   /**< 0 (default): generation_config's, or 1; 1: no beam search; 2…64: as
                                              Transformers' beam search */
    pali_token_fn on_token;              /**< streaming; may be NULL. On the caller's thread, no lock held. With beams
                                              and best_of the tokens come when the answers are known */
    void *on_token_user;
    const pali_image_features *features; /**< instead of pixel_values, or NULL */
    pali_progress_fn progress;           /**< "image" and "prefill", between layers, and "beams" and, with best_of,
                                              "samples", between steps; may cancel; may be NULL. Other decoding is
                                              watched and stopped by on_token */
    void *progress_user;

    /* Sampling. */
    double min_p;                        /**< keep what is at least min_p times as likely as the likeliest; 0:
                                              generation_config's, or none; -1: none */
    double typical_p;                    /**< locally typical sampling; 0: generation_config's, or 1 (none) */

    /* What is done to the logits first: bias, penalties, n-grams, bad words, shortest length, forced words. */
    double repetition_penalty;           /**< over all ids of prompt and answer; 0: generation_config's, or 1 (none) */
    double presence_penalty;             /**< subtracted once from every id that the answer has; 0 (default): none */
    double frequency_penalty;            /**< subtracted for each time the answer has the id; 0 (default): none */
    int64_t no_repeat_ngram_size;        /**< no run of this many tokens twice, in prompt and answer; 0:
                                              generation_config's, or none; -1: none */
    const pali_logit_bias *logit_bias;
    size_t n_logit_bias;
    const pali_token_list *bad_words;    /**< token sequences that never appear; an eos alone is no bad word */
    size_t n_bad_words;
    const pali_token_list *force_words;  /**< token sequences that every answer contains: one that is begun is
                                              finished; one that is missing begins where the answer would end, or
                                              when the tokens left just suffice */
    size_t n_force_words;
    int64_t min_new_tokens;              /**< no eos before; 0: generation_config's, or none; -1: none */

    /* When to stop. */
    const int64_t *eos_token_ids;        /**< instead of generation_config's, or NULL. At most 8; n of 0: never ends */
    size_t n_eos_token_ids;
    const char *const *stop_strings;     /**< an answer ends with the token that completes one, which stays in its
                                              text; needs inputs from a processor. One may begin in the prompt, as
                                              in Transformers */
    size_t n_stop_strings;

    /* How many answers, and what is known of them. */
    int64_t num_return_sequences;        /**< answers to each prompt: the best beams, best first, or as many samples;
                                              0 (default): generation_config's, or 1 */
    int64_t best_of;                     /**< sample this many, return the likeliest num_return_sequences (by mean
                                              log-probability of their tokens), best first; 0: as many as are
                                              returned, unordered */
    double length_penalty;               /**< of beams: score / length^penalty; 1 (default): generation_config's, or 1 */
    int32_t early_stopping;              /**< of beams: stop 1: as soon as num_beams answers are complete; -1: when a
                                              better one is unlikely; 2 ("never"): when there can be none; 0:
                                              generation_config's, or as -1 */
    int32_t logprobs;                    /**< 1: log-probability of each token (pali_generation_logprobs) */
    int64_t top_logprobs;                /**< this many likeliest alternatives for each token too, 0…64 */

    /* How the tokens are found. */
    int64_t prompt_lookup_num_tokens;    /**< guess up to this many tokens, 0…64, from the prompt and the answer so far
                                              and check them in one pass; the tokens do not change, greedy or sampled,
                                              but for what docs/constraints.md says of the last bits; 0: none */
    const pali_constraint *constraint;   /**< what answers may be (constraint.h), or NULL */
    pali_token_mask_fn token_mask;       /**< which tokens may follow, or NULL */
    void *token_mask_user;
    pali_cache *cache;                   /**< row i of the batch continues row i of this cache, which holds prompt and
                                              answer afterwards, but for the answer's last token: what follows begins
                                              with that one. A row that continues tokens is causal (type 1) unless
                                              token_type_ids says 0; a prefix belongs in one pass. Positions go on from
                                              the row's last. After a failure the cache is as it was, unless it slides
                                              and has moved on too far to go back. NULL: one of the call's own */
    const pali_adapter *adapter;         /**< LoRA adapter to answer with, or NULL. Given features and cached tokens
                                              that another adapter made are taken as they are */
    double adapter_scale;                /**< times the adapter's own scale; default 1 */
    int32_t threads;                     /**< for this call; 0 (default): the model's number. Answers do not depend on it */
    int32_t reserved0;
    uint64_t reserved[7];
} pali_generate_options;

/* The order is that of the fields; what is not named is 0 or NULL. */
#define PALI_GENERATE_OPTIONS_INIT                                                                                     \
    { sizeof(pali_generate_options), 0, 0.0, 0, 0.0, 0, 0, NULL, NULL, NULL, NULL, NULL,                               \
      0.0, 0.0, 0.0, 0.0, 0.0, 0, NULL, 0, NULL, 0, NULL, 0, 0, NULL, 0, NULL, 0,                                      \
      0, 0, 1.0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 1.0, 0, 0, { 0, 0, 0, 0, 0, 0, 0 } }
PALI_API void pali_generate_options_init(pali_generate_options *options);

/** The answers to a batch. Immutable. */
typedef struct pali_generation pali_generation;

/**
 * Answers every row of `inputs` (what the processor returned: all its tokens are prefix). Padding is dropped: a row of
 * a batch gets the tokens it would get alone. Ends an answer at eos, a stop string, or after max_new_tokens. With
 * num_return_sequences n, the answers to row r are numbers r·n…r·n + n - 1. The decode step allocates nothing. Where
 * the options leave no token that may follow: PALI_ERROR_ARGUMENT. @return as pali_model_forward. Since 0.1.
 */
PALI_API pali_status pali_generate(pali_generation **out, pali_model *model, const pali_inputs *inputs,
                                   const pali_generate_options *options, pali_error **error);

PALI_API void pali_generation_free(pali_generation *generation);

/** How many answers: rows of the inputs times num_return_sequences. `row` below is the number of one. Since 0.1. */
PALI_API int64_t pali_generation_rows(const pali_generation *generation);

/** The answer of row `row`, special tokens left out; NULL without a processor or out of range. Borrowed. Since 0.1. */
PALI_API const char *pali_generation_text(const pali_generation *generation, int64_t row);

/** New tokens of row `row`, eos included, `*n_ids` of them; NULL out of range. Borrowed. Since 0.1. */
PALI_API const int64_t *pali_generation_token_ids(const pali_generation *generation, int64_t row, size_t *n_ids);

/**
 * Log-probabilities of the new tokens of row `row`, `*n` of them, as pali_generation_token_ids has them: log-softmax of
 * the model's logits, before any penalty, temperature or filter (with a constraint or token mask: of the logits that may
 * follow, as no others are computed). NULL, `*n` 0, unless options.logprobs,
 * top_logprobs or best_of asked for them, or out of range. Borrowed. Since 0.1.
 */
PALI_API const double *pali_generation_logprobs(const pali_generation *generation, int64_t row, size_t *n);

/** A token and its log-probability. */
typedef struct pali_token_logprob {
    int64_t id;
    double logprob;
} pali_token_logprob;

/**
 * The top_logprobs likeliest tokens at the place of new token number `token` of row `row`, likeliest first, `*n` of
 * them; of the same distribution as pali_generation_logprobs. NULL, `*n` 0, if none were asked for, or out of range.
 * Borrowed. Since 0.1.
 */
PALI_API const pali_token_logprob *pali_generation_top_logprobs(const pali_generation *generation, int64_t row,
                                                                size_t token, size_t *n);

/**
 * How good the answer is: with beams, what they are ranked by (Transformers' sequences_scores); else the mean
 * log-probability of its tokens, if logprobs, top_logprobs or best_of asked for it. NaN otherwise, and out of range.
 * Since 0.1.
 */
PALI_API double pali_generation_score(const pali_generation *generation, int64_t row);

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
