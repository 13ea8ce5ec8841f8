/* SPDX-License-Identifier: BSD-2-Clause */
/* Beam search as Transformers does it (GenerationMixin._beam_search). */
#ifndef PALI_GENERATE_BEAM_H
#define PALI_GENERATE_BEAM_H

#include "generate/generation.h"
#include "generate/logits_processors.h"
#include "generate/steps.h"
#include "generate/stop_strings.h"

struct pali__beam_search;

/* `options` has its defaults filled in; it, `processors` and `stops` outlive the search. `steps` has at least num_beams
 * rows of one capacity. With `with_logprobs` the answers' are noted. */
pali_status pali__beam_search_create(struct pali__beam_search **out, struct pali__steps *steps,
                                     const pali_generate_options *options, struct pali__logits_processors *processors,
                                     const struct pali__stop_strings *stops, bool with_logprobs, pali_error **error);
void pali__beam_search_free(struct pali__beam_search *search);

/* The num_return_sequences best continuations of the prompt that has just been run into row 0, best first. */
pali_status pali__beam_search_run(struct pali__beam_search *search, struct pali__answer *answers,
                                  const int64_t *prompt, int64_t n_prompt, const struct pali__watch *watch,
                                  pali_error **error);

#endif
