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

/* ---- taking candidates by their keys ---- */

static bool comes_later(const struct pali__candidate *a, const struct pali__candidate *b)
{
    return a->key < b->key || (a->key == b->key && a->id > b->id);
}

/* Restores the heap, whose root comes first of all, below place `i`. */
static void sift_down(struct pali__candidate *heap, int64_t n, int64_t i)
{
    struct pali__candidate moved = heap[i];

    for (int64_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
        child += child + 1 < n && comes_later(&heap[child], &heap[child + 1]);
        if (!comes_later(&moved, &heap[child]))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = moved;
}

/*
 * Keeps the candidates of the largest keys: as long as those before weigh less than `share` of all, and with
 * `equals_too` whatever has the key of the last. They end up in order of their ids.
 */
static void keep_first(struct pali__sampler *sampler, double share, bool equals_too)
{
    struct pali__candidate *heap = sampler->candidates;
    double wanted = share * total_weight(sampler), taken = 0.0;
    int64_t n = sampler->n_candidates, left = n;

    for (int64_t i = n / 2; i-- > 0;)
        sift_down(heap, n, i);
    while (left > 0 && (left == n || taken < wanted || (equals_too && heap[0].key == heap[left].key))) {
        struct pali__candidate first = heap[0];
        heap[0] = heap[--left];
        heap[left] = first;
        sift_down(heap, left, 0);
        taken += first.weight;
    }
    n -= left;
    memmove(heap, heap + left, (size_t)n * sizeof *heap);
    sampler->n_candidates = n;

    for (int64_t i = 0; i < n; i++)
        heap[i].key = (double)heap[i].id;
    for (int64_t i = n / 2; i-- > 0;)
        sift_down(heap, n, i);
    for (left = n - 1; left > 0; left--) { /* heap sort: the largest id goes to the end */
        struct pali__candidate largest = heap[0];
        heap[0] = heap[left];
        heap[left] = largest;
        sift_down(heap, left, 0);
    }
}

static void keep_top_p(struct pali__sampler *sampler)
{
    for (int64_t i = 0; i < sampler->n_candidates; i++)
        sampler->candidates[i].key = sampler->candidates[i].weight;
    keep_first(sampler, sampler->how.top_p, false);
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
    double total = total_weight(sampler), entropy = 0.0;

    for (int64_t i = 0; i < sampler->n_candidates; i++) {
        struct pali__candidate *candidate = &sampler->candidates[i];
        candidate->key = candidate->weight > 0.0 ? -pali__log(candidate->weight / total) : INFINITY;
        if (candidate->weight > 0.0)
            entropy += candidate->key * candidate->weight / total;
    }
    for (int64_t i = 0; i < sampler->n_candidates; i++)
        sampler->candidates[i].key = -fabs(sampler->candidates[i].key - entropy);
    keep_first(sampler, sampler->how.typical_p, true);
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
