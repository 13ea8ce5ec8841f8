/* SPDX-License-Identifier: BSD-2-Clause */
/* Beam search as Transformers does it (GenerationMixin._beam_search, length_penalty 1, early_stopping false). */
#ifndef PALI_GENERATE_BEAM_H
#define PALI_GENERATE_BEAM_H

#include "config/model_config.h"
#include "generate/steps.h"

#define PALI__MAX_BEAMS 64

struct pali__beam_search;

/* `max_new_tokens` bounds every answer. `steps` has at least `num_beams` rows of one capacity. */
pali_status pali__beam_search_create(struct pali__beam_search **out, struct pali__steps *steps, int64_t num_beams,
                                     int64_t max_new_tokens, pali_error **error);
void pali__beam_search_free(struct pali__beam_search *search);

/* The best continuation of the prompt that has just been run into row 0. `ids` has room for max_new_tokens. */
pali_status pali__beam_search_run(struct pali__beam_search *search, int64_t *ids, size_t *n_ids,
                                  const struct pali__watch *watch, pali_error **error);

#endif
