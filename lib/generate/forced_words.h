/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words that every answer contains. While words are missing,
 * - a missing word that the answer has begun is finished;
 * - when the tokens left only just suffice, the first missing word begins;
 * - else the score of ending the answer goes to the beginning of the first missing word.
 * So an answer holds all of them if they fit into its length together, and has them where it would have ended, or
 * where it began them by itself. All of it follows from the answer's tokens: it serves beams as well.
 */
#ifndef PALI_GENERATE_FORCED_WORDS_H
#define PALI_GENERATE_FORCED_WORDS_H

#include <paligemma/generate.h>

#include <stdbool.h>

#include "generate/history.h"

/* Changes `scores` accordingly; false, having changed nothing, once the answer has all words. */
bool pali__force_words(const pali_token_list *words, size_t n_words, const pali_token_list *eos,
                       int64_t max_new_tokens, const struct pali__history *history, float *scores, int64_t vocab_size);

#endif
