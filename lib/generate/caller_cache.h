/* SPDX-License-Identifier: BSD-2-Clause */
/* A cache that the caller gives to pali_generate: the prompts continue its rows. */
#ifndef PALI_GENERATE_CALLER_CACHE_H
#define PALI_GENERATE_CALLER_CACHE_H

#include <paligemma/generate.h>

#include "generate/prompts.h"
#include "model/model_cache.h"

struct pali__caller_cache {
    pali_cache *cache; /* NULL: there is none */
    int64_t *lengths;  /* [rows]: what each row held before */
};

/* Checks options->cache against what is to be answered, and makes room for the prompts and max_new_tokens. Prompts that
 * continue a row and came without token types (`typed` is false) become type 1. */
pali_status pali__caller_cache_take(struct pali__caller_cache *taken, pali_model *model,
                                    const pali_generate_options *options, struct pali__prompts *prompts, bool typed,
                                    pali_error **error);

/* After a failure: the rows hold what they held before, but for a sliding cache that has moved on too far. */
void pali__caller_cache_restore(struct pali__caller_cache *taken);
void pali__caller_cache_clear(struct pali__caller_cache *taken); /* of a zeroed one: nothing */

#endif
