/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every step extends each beam by every token, keeps the likeliest (1 + number of eos tokens) · beams of all these
 * candidates, lets the ended ones among the first `beams` compete for the answer by their mean log-probability, and
 * goes on with the likeliest that have not ended. It stops when no running beam can beat the worst answer kept.
 */
#include "generate/beam.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"

#define NEVER -1e9f /* the score of what must not be chosen, as in the reference */

struct candidate {
    float score; /* sum of log-probabilities */
    int64_t beam, id;
    bool ends;
};

struct answer {
    float score; /* divided by the length; NEVER while the place is empty */
    bool is_taken;
    int64_t n_ids;
};

struct pali__beam_search {
    struct pali__steps *steps;
    int64_t n_beams, n_candidates, max_new_tokens;
    float scores[PALI__MAX_BEAMS];
    struct answer answers[PALI__MAX_BEAMS];
    int64_t parents[PALI__MAX_BEAMS], rows[PALI__MAX_BEAMS], last_ids[PALI__MAX_BEAMS];
    struct pali__kv_row spare[PALI__MAX_BEAMS];
    struct candidate candidates[PALI__MAX_BEAMS * (PALI__MAX_EOS + 1)];
    int64_t *ids;         /* [beams, max_new_tokens]: the running beams */
    int64_t *next_ids;    /* the same, being built */
    int64_t *answer_ids;  /* [beams, max_new_tokens] */
};

static const struct pali__generation_config *generation_config(const struct pali__beam_search *search)
{
    return &search->steps->model->settings->generation;
}

pali_status pali__beam_search_create(struct pali__beam_search **out, struct pali__steps *steps, int64_t num_beams,
                                     int64_t max_new_tokens, pali_error **error)
{
    struct pali__beam_search *search = pali__calloc(1, sizeof *search);
    size_t size = (size_t)(num_beams * max_new_tokens) * sizeof(int64_t);

    *out = NULL;
    if (!search)
        return pali__no_memory(error, sizeof *search);
    search->steps = steps;
    search->n_beams = num_beams;
    search->max_new_tokens = max_new_tokens;
    search->n_candidates = num_beams * (generation_config(search)->n_eos > 0 ? 1 + generation_config(search)->n_eos : 2);
    search->ids = pali__malloc(size);
    search->next_ids = pali__malloc(size);
    search->answer_ids = pali__malloc(size);
    if (!search->ids || !search->next_ids || !search->answer_ids) {
        pali__beam_search_free(search);
        return pali__no_memory(error, size);
    }
    *out = search;
    return PALI_OK;
}

void pali__beam_search_free(struct pali__beam_search *search)
{
    if (!search)
        return;
    pali__free(search->ids);
    pali__free(search->next_ids);
    pali__free(search->answer_ids);
    pali__free(search);
}

static bool is_eos(const struct pali__beam_search *search, int64_t id)
{
    for (int i = 0; i < generation_config(search)->n_eos; i++)
        if (generation_config(search)->eos_token_id[i] == id)
            return true;
    return false;
}

/* log(sum(exp(logits))), to turn logits into log-probabilities. */
static float log_normalizer(const float *logits, int64_t n)
{
    float largest = logits[0];
    double sum = 0.0;

    for (int64_t i = 1; i < n; i++)
        largest = logits[i] > largest ? logits[i] : largest;
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)(logits[i] - largest));
    return largest + (float)log(sum);
}

/* The n_candidates best extensions of all beams, best first; among equals the earlier beam and the lower id. */
static int64_t collect(struct pali__beam_search *search, int64_t n_running, int64_t length)
{
    int64_t vocab_size = search->steps->model->settings->text.vocab_size, n = 0;
    struct candidate *best = search->candidates;

    for (int64_t beam = 0; beam < n_running; beam++) {
        const float *logits = search->steps->logits + beam * vocab_size;
        float normalizer = log_normalizer(logits, vocab_size);
        for (int64_t id = 0; id < vocab_size; id++) {
            float score = logits[id] - normalizer + search->scores[beam];
            if (n == search->n_candidates && !(score > best[n - 1].score))
                continue;
            int64_t place = n < search->n_candidates ? n++ : n - 1;
            for (; place > 0 && best[place - 1].score < score; place--)
                best[place] = best[place - 1];
            best[place] = (struct candidate){ .score = score, .beam = beam, .id = id };
        }
    }
    for (int64_t i = 0; i < n; i++)
        best[i].ends = is_eos(search, best[i].id) || length + 1 == search->max_new_tokens;
    return n;
}

/* Lets a candidate that has ended take the place of a worse answer; answers stay sorted, best first. */
static void offer(struct pali__beam_search *search, const struct candidate *candidate, int64_t length)
{
    float score = candidate->score / (float)(length + 1);
    int64_t width = search->max_new_tokens, place = search->n_beams - 1;

    if (!(score > search->answers[place].score))
        return;
    for (; place > 0 && search->answers[place - 1].score < score; place--) {
        search->answers[place] = search->answers[place - 1];
        memcpy(search->answer_ids + place * width, search->answer_ids + (place - 1) * width,
               (size_t)search->answers[place].n_ids * sizeof(int64_t));
    }
    search->answers[place] = (struct answer){ .score = score, .is_taken = true, .n_ids = length + 1 };
    memcpy(search->answer_ids + place * width, search->ids + candidate->beam * width, (size_t)length * sizeof(int64_t));
    search->answer_ids[place * width + length] = candidate->id;
}

/* The best candidates that go on become the beams. */
static int64_t advance(struct pali__beam_search *search, int64_t n_candidates, int64_t length)
{
    int64_t width = search->max_new_tokens, n = 0;

    for (int64_t i = 0; i < n_candidates && n < search->n_beams; i++) {
        const struct candidate *candidate = &search->candidates[i];
        if (candidate->ends)
            continue;
        memcpy(search->next_ids + n * width, search->ids + candidate->beam * width, (size_t)length * sizeof(int64_t));
        search->next_ids[n * width + length] = candidate->id;
        search->parents[n] = candidate->beam;
        search->last_ids[n] = candidate->id;
        search->rows[n] = n;
        search->scores[n++] = candidate->score;
    }
    int64_t *ids = search->ids;
    search->ids = search->next_ids;
    search->next_ids = ids;
    return n;
}

/* Could the best running beam, if it ended now, beat an answer or fill an empty place? */
static bool can_improve(const struct pali__beam_search *search, int64_t length)
{
    const struct answer *worst = &search->answers[search->n_beams - 1];

    return !worst->is_taken || search->scores[0] / (float)length > worst->score;
}

pali_status pali__beam_search_run(struct pali__beam_search *search, int64_t *ids, size_t *n_ids,
                                  const struct pali__watch *watch, pali_error **error)
{
    int64_t n_running = 1;

    search->scores[0] = 0.0f;
    for (int64_t i = 0; i < search->n_beams; i++)
        search->answers[i] = (struct answer){ .score = NEVER };
    for (int64_t length = 0; n_running > 0; length++) {
        TRY(pali__watch_step(watch, "beams", length, search->max_new_tokens, error));
        int64_t n_candidates = collect(search, n_running, length);
        for (int64_t i = 0; i < n_candidates && i < search->n_beams; i++)
            if (search->candidates[i].ends)
                offer(search, &search->candidates[i], length);
        n_running = advance(search, n_candidates, length);
        if (n_running == 0 || !can_improve(search, length + 1))
            break;
        /* After the prompt all beams come from row 0; the rows behind the running ones keep their memory. */
        for (int64_t i = n_running; i < search->n_beams; i++)
            search->parents[i] = search->parents[0];
        pali__kv_reorder(&search->steps->kv, search->n_beams, search->parents, search->spare);
        TRY(pali__steps_decode(search->steps, n_running, search->rows, NULL, search->last_ids, error));
        TRY(pali__steps_head(search->steps, 0, n_running, error));
    }
    *n_ids = (size_t)search->answers[0].n_ids;
    memcpy(ids, search->answer_ids, *n_ids * sizeof *ids);
    return PALI_OK;
}
