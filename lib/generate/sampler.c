/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Order of the steps as in Transformers: temperature, top-k, top-p, softmax, draw. A draw takes one number from
 * SplitMix64 (Steele, Lea, Flood 2014), keyed by seed, row and step.
 */
#include "generate/sampler.h"

#include <math.h>
#include <stdlib.h>

#include "core/memory.h"

pali_status pali__sampler_init(struct pali__sampler *sampler, double temperature, int64_t top_k, double top_p,
                               uint64_t seed, int64_t vocab_size, pali_error **error)
{
    size_t size;

    *sampler = (struct pali__sampler){ .temperature = temperature, .top_p = top_p, .vocab_size = vocab_size,
                                       .seed = seed };
    sampler->top_k = top_k < 1 || top_k > vocab_size ? vocab_size : top_k;
    if (temperature <= 0.0)
        return PALI_OK;
    size = (size_t)sampler->top_k * sizeof *sampler->candidates;
    sampler->candidates = pali__malloc(size);
    sampler->weights = pali__malloc((size_t)sampler->top_k * sizeof *sampler->weights);
    if (sampler->candidates && sampler->weights)
        return PALI_OK;
    pali__sampler_clear(sampler);
    return pali__no_memory(error, size);
}

void pali__sampler_clear(struct pali__sampler *sampler)
{
    pali__free(sampler->candidates);
    pali__free(sampler->weights);
    *sampler = (struct pali__sampler){ 0 };
}

static int64_t likeliest(const float *logits, int64_t n)
{
    int64_t best = 0;

    for (int64_t i = 1; i < n; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

/* True if `a` stands behind `b` in the order of likelihood. */
static int is_behind(struct pali__candidate a, struct pali__candidate b)
{
    return a.logit < b.logit || (a.logit == b.logit && a.id > b.id);
}

/* A heap whose root is the least likely of the candidates. */
static void sift_down(struct pali__candidate *heap, int64_t n, int64_t i)
{
    for (;;) {
        int64_t child = 2 * i + 1;
        if (child >= n)
            return;
        if (child + 1 < n && is_behind(heap[child + 1], heap[child]))
            child++;
        if (!is_behind(heap[child], heap[i]))
            return;
        struct pali__candidate moved = heap[i];
        heap[i] = heap[child];
        heap[child] = moved;
        i = child;
    }
}

/* The top_k likeliest, likeliest first. */
static void collect(struct pali__sampler *sampler, const float *logits)
{
    struct pali__candidate *heap = sampler->candidates;
    int64_t k = sampler->top_k;

    for (int64_t id = 0; id < k; id++)
        heap[id] = (struct pali__candidate){ logits[id], id };
    for (int64_t i = k / 2; i-- > 0;)
        sift_down(heap, k, i);
    for (int64_t id = k; id < sampler->vocab_size; id++) {
        struct pali__candidate candidate = { logits[id], id };
        if (is_behind(heap[0], candidate)) {
            heap[0] = candidate;
            sift_down(heap, k, 0);
        }
    }
    for (int64_t n = k - 1; n > 0; n--) { /* heap sort: the least likely goes to the end */
        struct pali__candidate last = heap[0];
        heap[0] = heap[n];
        heap[n] = last;
        sift_down(heap, n, 0);
    }
}

static uint64_t split_mix(uint64_t state)
{
    state += 0x9e3779b97f4a7c15u;
    state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9u;
    state = (state ^ (state >> 27)) * 0x94d049bb133111ebu;
    return state ^ (state >> 31);
}

/* In [0, 1). */
static double uniform(uint64_t seed, int64_t row, int64_t step)
{
    uint64_t bits = split_mix(split_mix(split_mix(seed) ^ (uint64_t)row) ^ (uint64_t)step);

    return (double)(bits >> 11) * 0x1p-53;
}

int64_t pali__sampler_choose(struct pali__sampler *sampler, const float *logits, int64_t row, int64_t step)
{
    double total = 0.0, kept = 0.0, drawn;
    int64_t n_kept = 0;

    if (sampler->temperature <= 0.0)
        return likeliest(logits, sampler->vocab_size);
    collect(sampler, logits);
    for (int64_t i = 0; i < sampler->top_k; i++) {
        double distance = (double)sampler->candidates[i].logit - (double)sampler->candidates[0].logit;
        sampler->weights[i] = exp(distance / sampler->temperature);
        total += sampler->weights[i];
    }
    while (n_kept < sampler->top_k && (n_kept == 0 || kept < sampler->top_p * total))
        kept += sampler->weights[n_kept++];
    drawn = uniform(sampler->seed, row, step) * kept;
    for (int64_t i = 0; i < n_kept; i++) {
        drawn -= sampler->weights[i];
        if (drawn < 0.0)
            return sampler->candidates[i].id;
    }
    return sampler->candidates[n_kept - 1].id;
}
