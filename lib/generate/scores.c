/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/scores.h"

#include <math.h>

#include "core/memory.h"

pali_status pali__scores_create(pali_scores **out, size_t n_suffixes, pali_error **error)
{
    pali_scores *scores = pali__calloc(1, sizeof *scores);
    size_t size = n_suffixes * sizeof *scores->suffixes;

    *out = NULL;
    if (!scores)
        return pali__no_memory(error, sizeof *scores);
    scores->suffixes = pali__calloc(n_suffixes, sizeof *scores->suffixes);
    scores->by_total = pali__calloc(n_suffixes, sizeof *scores->by_total);
    scores->by_mean = pali__calloc(n_suffixes, sizeof *scores->by_mean);
    if (!scores->suffixes || !scores->by_total || !scores->by_mean) {
        pali_scores_free(scores);
        return pali__no_memory(error, size);
    }
    scores->n_suffixes = n_suffixes;
    *out = scores;
    return PALI_OK;
}

pali_status pali__scores_set_ids(pali_scores *scores, size_t index, int64_t *ids, size_t n_ids, pali_error **error)
{
    struct pali__suffix *suffix = &scores->suffixes[index];

    suffix->ids = ids;
    suffix->n_ids = n_ids;
    suffix->logprobs = pali__calloc(n_ids, sizeof *suffix->logprobs);
    return suffix->logprobs ? PALI_OK : pali__no_memory(error, n_ids * sizeof *suffix->logprobs);
}

void pali_scores_free(pali_scores *scores)
{
    if (!scores)
        return;
    for (size_t i = 0; i < scores->n_suffixes; i++) {
        pali__free(scores->suffixes[i].ids);
        pali__free(scores->suffixes[i].logprobs);
    }
    pali__free(scores->suffixes);
    pali__free(scores->by_total);
    pali__free(scores->by_mean);
    pali__free(scores);
}

/* ---- ranking ---- */

static double value_of(const struct pali__suffix *suffix, pali_score_order order)
{
    return order == PALI_SCORE_BY_MEAN ? suffix->total / (double)suffix->n_ids : suffix->total;
}

/* Lists are short; equal suffixes keep their order, and one without a number (NaN) goes behind all others. */
static void rank(const pali_scores *scores, pali_score_order order, size_t *ranking)
{
    for (size_t i = 0; i < scores->n_suffixes; i++) {
        double value = value_of(&scores->suffixes[i], order);
        size_t place = i;
        for (; place > 0; place--) {
            double before = value_of(&scores->suffixes[ranking[place - 1]], order);
            if (!(value > before || (isnan(before) && !isnan(value))))
                break;
            ranking[place] = ranking[place - 1];
        }
        ranking[place] = i;
    }
}

void pali__scores_rank(pali_scores *scores)
{
    for (size_t i = 0; i < scores->n_suffixes; i++) {
        struct pali__suffix *suffix = &scores->suffixes[i];
        suffix->total = 0.0;
        for (size_t j = 0; j < suffix->n_ids; j++)
            suffix->total += (double)suffix->logprobs[j];
    }
    rank(scores, PALI_SCORE_BY_TOTAL, scores->by_total);
    rank(scores, PALI_SCORE_BY_MEAN, scores->by_mean);
}

/* ---- what the caller reads ---- */

static const struct pali__suffix *suffix_of(const pali_scores *scores, size_t index)
{
    return scores && index < scores->n_suffixes ? &scores->suffixes[index] : NULL;
}

size_t pali_scores_count(const pali_scores *scores)
{
    return scores ? scores->n_suffixes : 0;
}

double pali_scores_total(const pali_scores *scores, size_t index)
{
    const struct pali__suffix *suffix = suffix_of(scores, index);

    return suffix ? value_of(suffix, PALI_SCORE_BY_TOTAL) : (double)NAN;
}

double pali_scores_mean(const pali_scores *scores, size_t index)
{
    const struct pali__suffix *suffix = suffix_of(scores, index);

    return suffix ? value_of(suffix, PALI_SCORE_BY_MEAN) : (double)NAN;
}

const float *pali_scores_token_logprobs(const pali_scores *scores, size_t index, size_t *n_tokens)
{
    const struct pali__suffix *suffix = suffix_of(scores, index);

    if (n_tokens)
        *n_tokens = suffix ? suffix->n_ids : 0;
    return suffix ? suffix->logprobs : NULL;
}

const int64_t *pali_scores_token_ids(const pali_scores *scores, size_t index, size_t *n_tokens)
{
    const struct pali__suffix *suffix = suffix_of(scores, index);

    if (n_tokens)
        *n_tokens = suffix ? suffix->n_ids : 0;
    return suffix ? suffix->ids : NULL;
}

const size_t *pali_scores_ranking(const pali_scores *scores, pali_score_order order)
{
    if (!scores || (order != PALI_SCORE_BY_TOTAL && order != PALI_SCORE_BY_MEAN))
        return NULL;
    return order == PALI_SCORE_BY_MEAN ? scores->by_mean : scores->by_total;
}
