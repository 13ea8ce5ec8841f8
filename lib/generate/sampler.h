/* SPDX-License-Identifier: BSD-2-Clause */
/* From scores to the next token: the likeliest, or one drawn (PARITY §13). */
#ifndef PALI_GENERATE_SAMPLER_H
#define PALI_GENERATE_SAMPLER_H

#include "core/error.h"

/* A token that may be drawn. */
struct pali__candidate {
    int64_t id;
    float score;   /* logit / temperature */
    uint32_t key;  /* what the candidates are being chosen by: larger ones first */
    double weight; /* its probability over that of the likeliest */
};

struct pali__sampling {
    double temperature; /* 0: greedy */
    int64_t top_k;      /* below 1: all */
    double top_p;       /* 1: all */
    double min_p;       /* 0: all */
    double typical_p;   /* 1: all */
    uint64_t seed;
};

struct pali__sampler {
    struct pali__sampling how;
    int64_t vocab_size;
    struct pali__candidate *candidates; /* [vocabulary]; NULL when greedy */
    int64_t n_candidates;               /* of the last warp */
    float *best;                        /* [top_k] */
};

/* `top_k` below 1 or above the vocabulary means all of it. */
pali_status pali__sampler_init(struct pali__sampler *sampler, const struct pali__sampling *how, int64_t vocab_size,
                               pali_error **error);
void pali__sampler_clear(struct pali__sampler *sampler); /* of a zeroed one: nothing */

/* Leaves in `candidates`, in order of their ids, what may be drawn; returns the sum of their weights. */
double pali__sampler_warp(struct pali__sampler *sampler, const float *scores);

/*
 * The token that follows as number `step` of answer `sample` to its prompt; -1 if all scores are -infinity (or NaN).
 * The draw is a function of the scores, the seed, sample and step alone: neither the batch nor the number of threads
 * changes it. Greedy: among equals the lowest id wins. Allocates nothing.
 */
int64_t pali__sampler_choose(struct pali__sampler *sampler, const float *scores, int64_t sample, int64_t step);

#endif
