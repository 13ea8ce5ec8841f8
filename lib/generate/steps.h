/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every way of generating is made of: run a prompt into a row of the cache, then advance rows by one token each.
 * Everything is allocated by init; the steps allocate nothing.
 */
#ifndef PALI_GENERATE_STEPS_H
#define PALI_GENERATE_STEPS_H

#include "model/merge.h"
#include "model/pass.h"

struct pali__steps {
    const pali_model *model;
    struct pali__kv kv;
    struct pali__pass pass;
    struct pali__sequence *sequences; /* [rows]: those of the current pass */
    int64_t *last;                    /* [rows]: the pass's row that predicts, of each sequence */
    float *logits;                    /* [rows, vocabulary]: of the last prefill (one row) or decode */
    float *gathered;                  /* [rows, hidden] */
};

/* For `rows` rows of the cache with `capacity` tokens each, and prompts of up to `longest` tokens. */
pali_status pali__steps_init(struct pali__steps *steps, const pali_model *model, int64_t rows, int64_t longest,
                             int64_t capacity, pali_error **error);
void pali__steps_clear(struct pali__steps *steps); /* of a zeroed one: nothing */

/* Runs the `n` checked tokens of a prompt into the empty row `row`; types as in token_type_ids. */
pali_status pali__steps_prefill(struct pali__steps *steps, int64_t row, const int64_t *ids, const uint8_t *types,
                                int64_t n, struct pali__feature_rows *features, const struct pali__watch *watch,
                                pali_error **error);

/* Appends ids[i] to row rows[i], i < n; the logits that follow are at logits[i · vocabulary]. */
pali_status pali__steps_decode(struct pali__steps *steps, int64_t n, const int64_t *rows, const int64_t *ids,
                               pali_error **error);

#endif
