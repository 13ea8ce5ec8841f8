/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log-probabilities of tokens: log-softmax of the model's logits as the head gives them, after the final soft cap and
 * before any bias, penalty, mask, temperature or filter. Sums are float64.
 */
#ifndef PALI_GENERATE_LOGPROBS_H
#define PALI_GENERATE_LOGPROBS_H

#include <paligemma/generate.h>

/* log(sum(exp(logits))). */
double pali__log_normalizer(const float *logits, int64_t n);

/* The `n_top` likeliest, likeliest first; among equals the lowest id. Where n is smaller: all, then id -1 and
 * -infinity. */
void pali__top_logprobs(pali_token_logprob *top, int64_t n_top, const float *logits, int64_t n, double normalizer);

#endif
