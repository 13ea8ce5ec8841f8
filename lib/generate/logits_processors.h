/* SPDX-License-Identifier: BSD-2-Clause */
/* What is done to the logits before a token is chosen: bias, penalties, what is forbidden, what is forced. */
#ifndef PALI_GENERATE_LOGITS_PROCESSORS_H
#define PALI_GENERATE_LOGITS_PROCESSORS_H

#include <paligemma/generate.h>

#include "config/model_config.h"
#include "generate/history.h"

struct pali__logits_processors {
    const pali_generate_options *options; /* defaults filled in; borrowed */
    const struct pali__generation_config *config;
    int64_t vocab_size;
    uint32_t *counts; /* [vocabulary], all 0 between calls; NULL without penalties */
};

/* Checks all token ids and numbers in `options`. */
pali_status pali__logits_processors_init(struct pali__logits_processors *processors,
                                         const pali_generate_options *options,
                                         const struct pali__generation_config *config, int64_t vocab_size,
                                         pali_error **error);
void pali__logits_processors_clear(struct pali__logits_processors *processors); /* of a zeroed one: nothing */

/* False if pali__logits_process would change nothing, whatever the history. */
bool pali__logits_processors_act(const struct pali__logits_processors *processors);

/* Changes `scores`, [vocabulary]: logits, or log-probabilities in beam search. Allocates nothing. */
void pali__logits_process(struct pali__logits_processors *processors, float *scores,
                          const struct pali__history *history);

bool pali__is_eos(const pali_generate_options *options, int64_t id);

#endif
