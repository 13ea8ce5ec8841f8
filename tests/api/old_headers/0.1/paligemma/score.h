/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/score.h
 * How likely given answers are: log-probabilities of suffixes behind one prompt.
 */
#ifndef PALIGEMMA_SCORE_H
#define PALIGEMMA_SCORE_H

#include <paligemma/base.h>
#include <paligemma/generate.h>
#include <paligemma/inputs.h>
#include <paligemma/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The scores of some suffixes. Immutable. */
typedef struct pali_scores pali_scores;

typedef struct pali_score_options {
    size_t struct_size;
    const pali_image_features *features; /**< instead of pixel_values, or NULL */
    int32_t without_eos;                 /**< 1: texts are scored as they are; 0 (default): with <eos> behind them, so
                                              that "a cat" is the answer and not only its beginning */
    int32_t reserved0;
    pali_progress_fn progress;           /**< "image", "prefill" and "score"; may cancel; may be NULL */
    void *progress_user;
    const pali_adapter *adapter;         /**< LoRA adapter to score with, or NULL */
    double adapter_scale;                /**< times the adapter's own scale; default 1 */
    uint64_t reserved[8];
} pali_score_options;

#define PALI_SCORE_OPTIONS_INIT                                                                                        \
    { sizeof(pali_score_options), NULL, 0, 0, NULL, NULL, NULL, 1.0, { 0, 0, 0, 0, 0, 0, 0, 0 } }
PALI_API void pali_score_options_init(pali_score_options *options);

/**
 * Scores `n_suffixes` UTF-8 texts as answers to `prefix`: inputs of one row from a processor, which tokenizes the texts
 * as it does suffixes. The prompt runs once; behind it the suffixes run together. The log-probabilities are those that
 * a forward pass over prompt and suffix gives, from the logits as the model has them (temperature 1, no penalties).
 * Any thread. @return PALI_ERROR_ARGUMENT without suffixes or for one without tokens (an empty text has one, <eos>, unless
 * without_eos), PALI_ERROR_SHAPE for several rows, else
 * as pali_generate. Since 0.1.
 */
PALI_API pali_status pali_score(pali_scores **out, pali_model *model, const pali_inputs *prefix,
                                const char *const *suffixes, size_t n_suffixes, const pali_score_options *options,
                                pali_error **error);

/** The same for token ids, which are scored as they are; the inputs need not come from a processor. Since 0.1. */
PALI_API pali_status pali_score_tokens(pali_scores **out, pali_model *model, const pali_inputs *prefix,
                                       const pali_token_list *suffixes, size_t n_suffixes,
                                       const pali_score_options *options, pali_error **error);

PALI_API void pali_scores_free(pali_scores *scores);

/** Number of suffixes. Since 0.1. */
PALI_API size_t pali_scores_count(const pali_scores *scores);

/** Natural logarithm of the probability of suffix `index` as a whole; NaN out of range. Since 0.1. */
PALI_API double pali_scores_total(const pali_scores *scores, size_t index);

/** The same divided by the suffix's number of tokens, which does not favour short answers. Since 0.1. */
PALI_API double pali_scores_mean(const pali_scores *scores, size_t index);

/** Log-probability of each token of suffix `index`, `*n_tokens` of them; NULL out of range. Borrowed. Since 0.1. */
PALI_API const float *pali_scores_token_logprobs(const pali_scores *scores, size_t index, size_t *n_tokens);

/** The token ids of suffix `index`, <eos> included where it was scored; NULL out of range. Borrowed. Since 0.1. */
PALI_API const int64_t *pali_scores_token_ids(const pali_scores *scores, size_t index, size_t *n_tokens);

typedef enum pali_score_order { PALI_SCORE_BY_TOTAL = 0, PALI_SCORE_BY_MEAN = 1 } pali_score_order;

/** The suffixes' indices, likeliest first, pali_scores_count of them; among equals the lower index first. Borrowed;
 * NULL for another order. Since 0.1. */
PALI_API const size_t *pali_scores_ranking(const pali_scores *scores, pali_score_order order);

#ifdef __cplusplus
}
#endif
#endif
