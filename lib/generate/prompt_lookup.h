/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guesses at the next tokens out of what has been said: what followed the last few tokens when they stood earlier in
 * prompt or answer (PromptLookupCandidateGenerator in transformers/generation/candidate_generator.py).
 */
#ifndef PALI_GENERATE_PROMPT_LOOKUP_H
#define PALI_GENERATE_PROMPT_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#define PALI__MAX_LOOKUP_TOKENS 64
#define PALI__LOOKUP_NGRAM 2 /* the longest run of last tokens that is looked for, as in the reference */

/*
 * Up to `most` guesses at what follows the `n_prompt` + `n_answer` tokens; returns their number. The longest run of
 * last tokens that stands elsewhere decides, and of its places the first.
 */
int64_t pali__prompt_lookup(const int64_t *prompt, int64_t n_prompt, const int64_t *answer, int64_t n_answer,
                            int64_t most, int64_t *guesses);

#endif
