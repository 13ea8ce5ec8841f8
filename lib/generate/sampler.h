/* SPDX-License-Identifier: BSD-2-Clause */
/* From logits to the next token: the likeliest, or one drawn (PARITY §13). */
#ifndef PALI_GENERATE_SAMPLER_H
#define PALI_GENERATE_SAMPLER_H

#include "core/error.h"

struct pali__candidate {
    float logit;
    int64_t id;
};

struct pali__sampler {
    double temperature; /* 0: greedy */
    double top_p;       /* 1: all */
    int64_t top_k;      /* candidates at the most, 1…vocabulary */
    int64_t vocab_size;
    uint64_t seed;
    struct pali__candidate *candidates; /* [top_k]; NULL when greedy */
    double *weights;                    /* [top_k] */
};

/* `top_k` below 1 or above the vocabulary means all of it. */
pali_status pali__sampler_init(struct pali__sampler *sampler, double temperature, int64_t top_k, double top_p,
                               uint64_t seed, int64_t vocab_size, pali_error **error);
void pali__sampler_clear(struct pali__sampler *sampler); /* of a zeroed one: nothing */

/* The token that follows in `row` as its new token number `step`. The draw depends on seed, row and step alone, so
 * neither the batch nor the number of threads changes it. Allocates nothing. Among equals the lowest id wins. */
int64_t pali__sampler_choose(struct pali__sampler *sampler, const float *logits, int64_t row, int64_t step);

#endif
