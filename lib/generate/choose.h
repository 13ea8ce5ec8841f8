/* SPDX-License-Identifier: BSD-2-Clause */
/* One step of answering without beams: from a row of logits to the answer's next token. */
#ifndef PALI_GENERATE_CHOOSE_H
#define PALI_GENERATE_CHOOSE_H

#include "generate/generation.h"
#include "generate/logits_processors.h"
#include "generate/sampler.h"

struct pali__chooser {
    struct pali__logits_processors processors;
    struct pali__sampler sampler;
    float *scores; /* [vocabulary]: the processed copy of the logits; NULL if nothing is done to them */
    int64_t vocab_size;
};

/* `options` has its defaults filled in and outlives the chooser. */
pali_status pali__chooser_init(struct pali__chooser *chooser, const pali_generate_options *options,
                               const struct pali__generation_config *config, int64_t vocab_size, pali_error **error);
void pali__chooser_clear(struct pali__chooser *chooser); /* of a zeroed one: nothing */

/*
 * The token that follows `history` in `answer`, which is number `sample` of those to its prompt; its log-probability is
 * noted in the answer. PALI_ERROR_ARGUMENT if the options forbid all tokens. Allocates nothing.
 */
pali_status pali__choose(struct pali__chooser *chooser, int64_t *id, const float *logits,
                         const struct pali__history *history, int64_t sample, struct pali__answer *answer,
                         int64_t n_top, pali_error **error);

/* The error of a step at which nothing may follow. */
pali_status pali__no_token(int64_t n_ids, pali_error **error);

#endif
