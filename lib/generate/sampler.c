/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Order of the steps as in Transformers: temperature, top-k, top-p, min-p, typical, softmax, draw. A draw takes one
 * number from SplitMix64 (Steele, Lea, Flood 2014), keyed by seed, sample and step, and walks through the candidates in
 * order of their ids: what differs a little between two machines then rarely changes which one is met.
 */
#include "generate/sampler.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "generate/portable_math.h"

pali_status pali__sampler_init(struct pali__sampler *sampler, const struct pali__sampling *how, int64_t vocab_size,
                               pali_error **error)
{
    size_t size = (size_t)vocab_size * sizeof *sampler->candidates;

    *sampler = (struct pali__sampler){ .how = *how, .vocab_size = vocab_size };
    if (how->top_k < 1 || how->top_k > vocab_size)
        sampler->how.top_k = vocab_size;
    if (how->temperature <= 0.0)
        return PALI_OK;
    sampler->candidates = pali__malloc(size);
    sampler->best = pali__malloc((size_t)sampler->how.top_k * sizeof *sampler->best);
    if (sampler->candidates && sampler->best)
        return PALI_OK;
    pali__sampler_clear(sampler);
    return pali__no_memory(error, size);
}

void pali__sampler_clear(struct pali__sampler *sampler)
{
    pali__free(sampler->candidates);
    pali__free(sampler->best);
    *sampler = (struct pali__sampler){ 0 };
}

static int64_t likeliest(const float *scores, int64_t n)
{
    float best_score = -INFINITY;
    int64_t best = -1;

    for (int64_t i = 0; i < n; i++)
        if (scores[i] > best_score) {
            best_score = scores[i];
            best = i;
        }
    return best;
}

/* ---- top-k ---- */

/* The k-th largest score: `best` is a heap of the k largest so far whose root is the smallest of them. */
static float kth_score(struct pali__sampler *sampler, const float *scores, float temperature)
{
    float *best = sampler->best;
    int64_t k = sampler->how.top_k;

    for (int64_t i = 0; i < k; i++)
        best[i] = -INFINITY;
    for (int64_t id = 0; id < sampler->vocab_size; id++) {
        float score = scores[id] / temperature;
        if (!(score > best[0]))
            continue;
        int64_t place = 0;
        for (int64_t child = 1; child < k; child = 2 * place + 1) {
            child += child + 1 < k && best[child + 1] < best[child];
            if (!(best[child] < score))
                break;
            best[place] = best[child];
            place = child;
        }
        best[place] = score;
    }
    return best[0];
}

/* The candidates, in order of their ids. All that equal the k-th are kept, as in Transformers. */
static void collect(struct pali__sampler *sampler, const float *scores)
{
    float temperature = (float)sampler->how.temperature, smallest = -INFINITY, largest = -INFINITY;
    int64_t n = 0;

    if (sampler->how.top_k < sampler->vocab_size)
        smallest = kth_score(sampler, scores, temperature);
    for (int64_t id = 0; id < sampler->vocab_size; id++) {
        float score = scores[id] / temperature;
        if (!(score > -INFINITY && score >= smallest))
            continue;
        largest = score > largest ? score : largest;
        sampler->candidates[n++] = (struct pali__candidate){ .id = id, .score = score };
    }
    for (int64_t i = 0; i < n; i++)
        sampler->candidates[i].weight = pali__exp((double)sampler->candidates[i].score - (double)largest);
    sampler->n_candidates = n;
}

static double total_weight(const struct pali__sampler *sampler)
{
    double total = 0.0;

    for (int64_t i = 0; i < sampler->n_candidates; i++)
        total += sampler->candidates[i].weight;
    return total;
}

/* ---- keeping a share of the probability ---- */

/* Floats as numbers of the same order. */
static uint32_t ordered(float value)
{
    uint32_t bits;

    value += 0.0f; /* -0 is 0 */
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/*
 * The largest key such that candidates of this key or larger ones weigh at least `wanted`; `*above` is what the larger
 * ones weigh, less than `wanted`. Found 11, 11 and 10 bits at a time from the weights of all values of these bits.
 */
static uint32_t find_threshold(const struct pali__sampler *sampler, double wanted, double *above)
{
    uint32_t found = 0, mask = 0;

    *above = 0.0;
    for (int shift = 21; shift >= 0; shift = shift == 21 ? 10 : shift - 10) {
        uint32_t n = shift == 0 ? 1024 : 2048, place = n - 1;
        double weights[2048] = { 0.0 };
        for (int64_t i = 0; i < sampler->n_candidates; i++) {
            const struct pali__candidate *candidate = &sampler->candidates[i];
            if ((candidate->key & mask) == found)
                weights[(candidate->key >> shift) & (n - 1)] += candidate->weight;
        }
        for (; place > 0 && *above + weights[place] < wanted; place--)
            *above += weights[place];
        found |= place << shift;
        mask |= (n - 1) << shift;
    }
    return found;
}

/* Keeps the candidates of the largest keys, as long as those before weigh less than `share` of all; among equals the
 * lowest ids, or with `equals_too` all that have the last key. */
static void keep_share(struct pali__sampler *sampler, double share, bool equals_too)
{
    double wanted = share * total_weight(sampler), taken;
    uint32_t threshold = find_threshold(sampler, wanted, &taken);
    int64_t n = 0;

    if (!(wanted > 0.0))
        return;
    for (int64_t i = 0; i < sampler->n_candidates; i++) {
        struct pali__candidate candidate = sampler->candidates[i];
        bool is_last = candidate.key == threshold && (equals_too || taken < wanted);
        if (is_last)
            taken += candidate.weight;
        if (is_last || candidate.key > threshold)
            sampler->candidates[n++] = candidate;
    }
    sampler->n_candidates = n;
}

static void keep_top_p(struct pali__sampler *sampler)
{
    for (int64_t i = 0; i < sampler->n_candidates; i++)
        sampler->candidates[i].key = ordered(sampler->candidates[i].score);
    keep_share(sampler, sampler->how.top_p, false);
}

/* The likeliest weighs 1, so that a weight is the ratio that min_p bounds. */
static void keep_min_p(struct pali__sampler *sampler)
{
    double largest = 0.0;
    int64_t n = 0;

    for (int64_t i = 0; i < sampler->n_candidates; i++)
        largest = sampler->candidates[i].weight > largest ? sampler->candidates[i].weight : largest;
    for (int64_t i = 0; i < sampler->n_candidates; i++)
        if (!(sampler->candidates[i].weight < sampler->how.min_p * largest))
            sampler->candidates[n++] = sampler->candidates[i];
    sampler->n_candidates = n;
}

/* Those whose surprise is nearest to the distribution's entropy (Meister et al. 2023, arXiv 2202.00666). */
static void keep_typical(struct pali__sampler *sampler)
{
    double total = total_weight(sampler), log_total = pali__log(total), entropy = 0.0;
    float largest = -INFINITY;

    for (int64_t i = 0; i < sampler->n_candidates; i++)
        largest = sampler->candidates[i].score > largest ? sampler->candidates[i].score : largest;
    for (int64_t i = 0; i < sampler->n_candidates; i++) {
        const struct pali__candidate *candidate = &sampler->candidates[i];
        entropy += candidate->weight / total * (log_total + (double)largest - (double)candidate->score);
    }
    for (int64_t i = 0; i < sampler->n_candidates; i++) {
        struct pali__candidate *candidate = &sampler->candidates[i];
        double surprise = log_total + (double)largest - (double)candidate->score;
        candidate->key = ordered(-(float)fabs(surprise - entropy));
    }
    keep_share(sampler, sampler->how.typical_p, true);
}

double pali__sampler_warp(struct pali__sampler *sampler, const float *scores)
{
    collect(sampler, scores);
    if (sampler->how.top_p < 1.0)
        keep_top_p(sampler);
    if (sampler->how.min_p > 0.0)
        keep_min_p(sampler);
    if (sampler->how.typical_p < 1.0)
        keep_typical(sampler);
    return total_weight(sampler);
}

/* ---- the draw ---- */

static uint64_t split_mix(uint64_t state)
{
    state += 0x9e3779b97f4a7c15u;
    state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9u;
    state = (state ^ (state >> 27)) * 0x94d049bb133111ebu;
    return state ^ (state >> 31);
}

/* In [0, 1). */
static double uniform(uint64_t seed, int64_t sample, int64_t step)
{
    uint64_t bits = split_mix(split_mix(split_mix(seed) ^ (uint64_t)sample) ^ (uint64_t)step);

    return (double)(bits >> 11) * 0x1p-53;
}

int64_t pali__sampler_choose(struct pali__sampler *sampler, const float *scores, int64_t sample, int64_t step)
{
    int64_t last = -1;
    double drawn;

    if (sampler->how.temperature <= 0.0)
        return likeliest(scores, sampler->vocab_size);
    drawn = pali__sampler_warp(sampler, scores) * uniform(sampler->how.seed, sample, step);
    for (int64_t i = 0; i < sampler->n_candidates; i++) {
        const struct pali__candidate *candidate = &sampler->candidates[i];
        if (!(candidate->weight > 0.0))
            continue;
        last = candidate->id;
        drawn -= candidate->weight;
        if (drawn < 0.0)
            break;
    }
    return last;
}
