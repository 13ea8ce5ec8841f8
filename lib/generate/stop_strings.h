/* SPDX-License-Identifier: BSD-2-Clause */
/* Strings that end an answer (StopStringCriteria in transformers/generation/stopping_criteria.py). */
#ifndef PALI_GENERATE_STOP_STRINGS_H
#define PALI_GENERATE_STOP_STRINGS_H

#include <stdbool.h>

#include "generate/history.h"
#include "tokenizer/tokenizer.h"

struct pali__stop_strings {
    const struct pali__tokenizer *tokenizer;
    const char *const *strings; /* borrowed */
    size_t n_strings;           /* 0: none, and no tokenizer is needed */
};

pali_status pali__stop_strings_init(struct pali__stop_strings *stops, const char *const *strings, size_t n_strings,
                                    const struct pali__tokenizer *tokenizer, pali_error **error);

/*
 * Does the last token complete one of the strings? As in the reference the texts of special tokens count, byte pieces
 * count as their bytes, and a string may begin in the prompt, but must end in the last token.
 */
bool pali__stop_strings_hit(const struct pali__stop_strings *stops, const struct pali__history *history);

#endif
