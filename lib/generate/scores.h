/* SPDX-License-Identifier: BSD-2-Clause */
/* What pali_score returns, as it is filled in. */
#ifndef PALI_GENERATE_SCORES_H
#define PALI_GENERATE_SCORES_H

#include <paligemma/score.h>

#include "core/error.h"

struct pali__suffix {
    int64_t *ids;    /* [n_ids] */
    float *logprobs; /* [n_ids] */
    size_t n_ids;
    double total;
};

struct pali_scores {
    size_t n_suffixes;
    struct pali__suffix *suffixes;
    size_t *by_total, *by_mean; /* [n_suffixes] */
};

pali_status pali__scores_create(pali_scores **out, size_t n_suffixes, pali_error **error);

/* Takes over `ids` [n_ids] (pali__malloc), also on failure. */
pali_status pali__scores_set_ids(pali_scores *scores, size_t index, int64_t *ids, size_t n_ids, pali_error **error);

/* Sums up and ranks, once all logprobs are there. */
void pali__scores_rank(pali_scores *scores);

#endif
