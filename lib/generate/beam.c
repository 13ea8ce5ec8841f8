/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every step extends each beam by every token, keeps the likeliest (1 + number of eos tokens) · beams of all these
 * candidates, lets the ended ones among the first `beams` compete for the answers by score / length^length_penalty, and
 * goes on with the likeliest that have not ended. When it stops, early_stopping says.
 */
#include "generate/beam.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "generate/choose.h"
#include "generate/logprobs.h"
#include "generate/option_defaults.h"

#define NEVER -1e9f /* the score of what must not be chosen, as in the reference */

struct candidate {
    float score; /* sum of processed log-probabilities */
    int64_t beam, id;
    bool ends;
};

struct ending {
    float score; /* divided by length^penalty; NEVER while the place is empty */
    bool is_taken;
    int64_t n_ids;
};

/* Token sequences side by side, [beams, max_new_tokens]. */
struct paths {
    int64_t *ids;
    double *logprobs; /* of the tokens; NULL: not wanted */
    uint8_t *beams;   /* which beam a token was added to; NULL with them */
};

struct pali__beam_search {
    struct pali__steps *steps;
    const pali_generate_options *options;
    struct pali__logits_processors *processors;
    const struct pali__stop_strings *stops;
    const int64_t *prompt;
    int64_t n_prompt;

    int64_t n_beams, n_candidates, width, vocab_size; /* width: max_new_tokens */
    float scores[PALI__MAX_BEAMS];
    double normalizers[PALI__MAX_BEAMS];
    struct ending endings[PALI__MAX_BEAMS];
    int64_t parents[PALI__MAX_BEAMS], rows[PALI__MAX_BEAMS], last_ids[PALI__MAX_BEAMS];
    struct pali__kv_row spare[PALI__MAX_BEAMS];
    struct candidate candidates[PALI__MAX_BEAMS * (PALI__MAX_EOS + 1)];
    struct paths running, next, ended;
    pali_token_logprob *top; /* [max_new_tokens, beams, top_logprobs], or NULL */
    float *logprobs;         /* [vocabulary]: of one beam, processed */
};

/* ---- room ---- */

static pali_status paths_init(struct paths *paths, size_t n, bool with_logprobs, pali_error **error)
{
    paths->ids = pali__malloc(n * sizeof *paths->ids);
    if (with_logprobs) {
        paths->logprobs = pali__malloc(n * sizeof *paths->logprobs);
        paths->beams = pali__malloc(n * sizeof *paths->beams);
    }
    if (!paths->ids || (with_logprobs && (!paths->logprobs || !paths->beams)))
        return pali__no_memory(error, n * sizeof *paths->ids);
    return PALI_OK;
}

static void paths_clear(struct paths *paths)
{
    pali__free(paths->ids);
    pali__free(paths->logprobs);
    pali__free(paths->beams);
}

static pali_status make_room(struct pali__beam_search *search, bool with_logprobs, pali_error **error)
{
    size_t n = (size_t)(search->n_beams * search->width), n_top = (size_t)search->options->top_logprobs;

    TRY(paths_init(&search->running, n, with_logprobs, error));
    TRY(paths_init(&search->next, n, with_logprobs, error));
    TRY(paths_init(&search->ended, n, with_logprobs, error));
    search->logprobs = pali__malloc((size_t)search->vocab_size * sizeof *search->logprobs);
    if (!search->logprobs)
        return pali__no_memory(error, (size_t)search->vocab_size * sizeof *search->logprobs);
    if (with_logprobs && n_top > 0 && !(search->top = pali__calloc(n, n_top * sizeof *search->top)))
        return pali__no_memory(error, n * n_top * sizeof *search->top);
    return PALI_OK;
}

pali_status pali__beam_search_create(struct pali__beam_search **out, struct pali__steps *steps,
                                     const pali_generate_options *options, struct pali__logits_processors *processors,
                                     const struct pali__stop_strings *stops, bool with_logprobs, pali_error **error)
{
    struct pali__beam_search *search = pali__calloc(1, sizeof *search);
    int64_t n_eos = (int64_t)options->n_eos_token_ids;
    pali_status status;

    *out = NULL;
    if (!search)
        return pali__no_memory(error, sizeof *search);
    search->steps = steps;
    search->options = options;
    search->processors = processors;
    search->stops = stops;
    search->n_beams = options->num_beams;
    search->n_candidates = options->num_beams * (n_eos > 0 ? 1 + n_eos : 2);
    search->width = options->max_new_tokens;
    search->vocab_size = steps->model->settings->text.vocab_size;
    status = make_room(search, with_logprobs, error);
    if (status != PALI_OK)
        pali__beam_search_free(search);
    else
        *out = search;
    return status;
}

void pali__beam_search_free(struct pali__beam_search *search)
{
    if (!search)
        return;
    paths_clear(&search->running);
    paths_clear(&search->next);
    paths_clear(&search->ended);
    pali__free(search->top);
    pali__free(search->logprobs);
    pali__free(search);
}

/* ---- one step ---- */

/* Row `to` of one becomes row `from` of the other, `length` tokens, and token `id` of beam `from` behind them. */
static void extend(struct pali__beam_search *search, struct paths *to, int64_t to_row, int64_t from_row, int64_t length,
                   int64_t id)
{
    const struct paths *from = &search->running;
    int64_t t = to_row * search->width, f = from_row * search->width;

    memcpy(to->ids + t, from->ids + f, (size_t)length * sizeof *to->ids);
    to->ids[t + length] = id;
    if (!to->logprobs)
        return;
    memcpy(to->logprobs + t, from->logprobs + f, (size_t)length * sizeof *to->logprobs);
    memcpy(to->beams + t, from->beams + f, (size_t)length);
    to->logprobs[t + length] = (double)search->steps->logits[from_row * search->vocab_size + id] -
                               search->normalizers[from_row];
    to->beams[t + length] = (uint8_t)from_row;
}

static void move_ending(struct pali__beam_search *search, int64_t to, int64_t from)
{
    int64_t t = to * search->width, f = from * search->width, n = search->endings[from].n_ids;
    struct paths *ended = &search->ended;

    search->endings[to] = search->endings[from];
    memcpy(ended->ids + t, ended->ids + f, (size_t)n * sizeof *ended->ids);
    if (!ended->logprobs)
        return;
    memcpy(ended->logprobs + t, ended->logprobs + f, (size_t)n * sizeof *ended->logprobs);
    memcpy(ended->beams + t, ended->beams + f, (size_t)n);
}

static struct pali__history history_of(const struct pali__beam_search *search, int64_t beam, int64_t length)
{
    return (struct pali__history){ search->prompt, search->running.ids + beam * search->width, search->n_prompt,
                                   length };
}

/* The scores that the beam's extensions add: log-probabilities, which the processors may have changed. */
static void score_beam(struct pali__beam_search *search, int64_t beam, int64_t length)
{
    const float *logits = search->steps->logits + beam * search->vocab_size;
    int64_t n_top = search->options->top_logprobs;
    struct pali__history history = history_of(search, beam, length);
    double normalizer = pali__log_normalizer(logits, search->vocab_size);

    search->normalizers[beam] = normalizer;
    for (int64_t id = 0; id < search->vocab_size; id++)
        search->logprobs[id] = (float)((double)logits[id] - normalizer);
    if (pali__logits_processors_act(search->processors))
        pali__logits_process(search->processors, search->logprobs, &history);
    if (search->top)
        pali__top_logprobs(search->top + (length * search->n_beams + beam) * n_top, n_top, logits, search->vocab_size,
                           normalizer);
}

static bool ends(struct pali__beam_search *search, const struct candidate *candidate, int64_t length)
{
    struct pali__history history = history_of(search, candidate->beam, length + 1);

    search->running.ids[candidate->beam * search->width + length] = candidate->id; /* behind what counts of the beam */
    return pali__is_eos(search->options, candidate->id) || length + 1 == search->width ||
           pali__stop_strings_hit(search->stops, &history);
}

/* The n_candidates best extensions of all beams, best first; among equals the earlier beam and the lower id. */
static int64_t collect(struct pali__beam_search *search, int64_t n_running, int64_t length)
{
    struct candidate *best = search->candidates;
    int64_t n = 0;

    for (int64_t beam = 0; beam < n_running; beam++) {
        score_beam(search, beam, length);
        for (int64_t id = 0; id < search->vocab_size; id++) {
            float score = search->logprobs[id] + search->scores[beam];
            if (!(score > -INFINITY) || (n == search->n_candidates && !(score > best[n - 1].score)))
                continue;
            int64_t place = n < search->n_candidates ? n++ : n - 1;
            for (; place > 0 && best[place - 1].score < score; place--)
                best[place] = best[place - 1];
            best[place] = (struct candidate){ .score = score, .beam = beam, .id = id };
        }
    }
    for (int64_t i = 0; i < n; i++)
        best[i].ends = ends(search, &best[i], length);
    return n;
}

static float penalized(const struct pali__beam_search *search, float score, int64_t length)
{
    return score / (float)pow((double)length, search->options->length_penalty);
}

/* Lets a candidate that has ended take the place of a worse answer; answers stay sorted, best first. */
static void offer(struct pali__beam_search *search, const struct candidate *candidate, int64_t length)
{
    float score = penalized(search, candidate->score, length + 1);
    int64_t place = search->n_beams - 1;

    if (!(score > search->endings[place].score))
        return;
    for (; place > 0 && search->endings[place - 1].score < score; place--)
        move_ending(search, place, place - 1);
    search->endings[place] = (struct ending){ .score = score, .is_taken = true, .n_ids = length + 1 };
    extend(search, &search->ended, place, candidate->beam, length, candidate->id);
}

/* The best candidates that go on become the beams. */
static int64_t advance(struct pali__beam_search *search, int64_t n_candidates, int64_t length)
{
    int64_t n = 0;

    for (int64_t i = 0; i < n_candidates && n < search->n_beams; i++) {
        const struct candidate *candidate = &search->candidates[i];
        if (candidate->ends)
            continue;
        extend(search, &search->next, n, candidate->beam, length, candidate->id);
        search->parents[n] = candidate->beam;
        search->last_ids[n] = candidate->id;
        search->rows[n] = n;
        search->scores[n++] = candidate->score;
    }
    struct paths running = search->running;
    search->running = search->next;
    search->next = running;
    return n;
}

/* Could the best running beam still beat an answer, or fill an empty place? `length` is that of the beams. */
static bool can_improve(const struct pali__beam_search *search, int64_t length)
{
    const struct ending *worst = &search->endings[search->n_beams - 1];

    if (!worst->is_taken)
        return true;
    if (search->options->early_stopping == PALI__STOP_WHEN_COMPLETE)
        return false;
    if (search->options->early_stopping == PALI__STOP_NEVER && search->options->length_penalty > 0.0)
        length = search->width;
    return penalized(search, search->scores[0], length) > worst->score;
}

/* ---- the search ---- */

static void take_answer(const struct pali__beam_search *search, int64_t place, struct pali__answer *answer)
{
    const struct ending *ending = &search->endings[place];
    const int64_t *ids = search->ended.ids + place * search->width;
    struct pali__history history = { search->prompt, ids, search->n_prompt, ending->n_ids };
    size_t n_top = (size_t)search->options->top_logprobs;

    answer->n_ids = (size_t)ending->n_ids;
    answer->score = (double)ending->score;
    memcpy(answer->ids, ids, answer->n_ids * sizeof *ids);
    answer->reason = pali__is_eos(search->options, ids[ending->n_ids - 1])   ? PALI_FINISH_EOS
                     : pali__stop_strings_hit(search->stops, &history) ? PALI_FINISH_STOP_STRING
                                                                       : PALI_FINISH_LENGTH;
    if (answer->logprobs)
        memcpy(answer->logprobs, search->ended.logprobs + place * search->width,
               answer->n_ids * sizeof *answer->logprobs);
    for (size_t i = 0; answer->top && i < answer->n_ids; i++) {
        size_t beam = search->ended.beams[(size_t)(place * search->width) + i];
        memcpy(answer->top + i * n_top, search->top + (i * (size_t)search->n_beams + beam) * n_top,
               n_top * sizeof *answer->top);
    }
}

static pali_status take_answers(const struct pali__beam_search *search, struct pali__answer *answers, int64_t length,
                                pali_error **error)
{
    int64_t n = 0;

    for (; n < search->options->num_return_sequences && search->endings[n].is_taken; n++)
        take_answer(search, n, &answers[n]);
    if (n == 0)
        return pali__no_token(length, error);
    if (n < search->options->num_return_sequences)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "num_return_sequences is %lld, but the options leave only %lld answers",
                          (long long)search->options->num_return_sequences, (long long)n);
    return PALI_OK;
}

pali_status pali__beam_search_run(struct pali__beam_search *search, struct pali__answer *answers,
                                  const int64_t *prompt, int64_t n_prompt, const struct pali__watch *watch,
                                  pali_error **error)
{
    int64_t n_running = 1, length = 0;

    search->prompt = prompt;
    search->n_prompt = n_prompt;
    search->scores[0] = 0.0f;
    for (int64_t i = 0; i < search->n_beams; i++)
        search->endings[i] = (struct ending){ .score = NEVER };
    for (; n_running > 0; length++) {
        TRY(pali__watch_step(watch, "beams", length, search->width, error));
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
        pali__kv_reorder(search->steps->kv, search->n_beams, search->parents, search->spare);
        TRY(pali__steps_decode(search->steps, n_running, search->rows, NULL, search->last_ids, error));
        TRY(pali__steps_head(search->steps, 0, n_running, error));
    }
    return take_answers(search, answers, length, error);
}
