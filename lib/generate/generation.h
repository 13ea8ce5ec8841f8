/* SPDX-License-Identifier: BSD-2-Clause */
/* The answers to a batch, as they grow and as the caller gets them. */
#ifndef PALI_GENERATE_GENERATION_H
#define PALI_GENERATE_GENERATION_H

#include <paligemma/generate.h>

#include "tokenizer/tokenizer.h"

struct pali__answer {
    int64_t *ids; /* [capacity], new tokens only */
    size_t n_ids;
    char *text;   /* NULL without a processor */
    pali_finish_reason reason;
};

struct pali_generation {
    int64_t rows;
    size_t capacity; /* tokens an answer can have */
    struct pali__answer *answers;
    pali_timing timing;
    int64_t passes; /* of the decoder, after the prompts' */
};

pali_status pali__generation_create(pali_generation **out, int64_t rows, int64_t max_new_tokens, pali_error **error);

/* Decodes every row's tokens, special ones left out. */
pali_status pali__generation_decode(pali_generation *generation, const struct pali__tokenizer *tokenizer,
                                    pali_error **error);

#endif
