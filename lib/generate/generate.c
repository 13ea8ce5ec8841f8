/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The prefill/decode loop: every prompt runs once as a whole, then the unfinished rows advance together by one token
 * a step, each at the end of its own row of the cache (GenerationMixin.generate in transformers/generation/utils.py).
 */
#include <paligemma/generate.h>

#include <time.h>

#include "core/memory.h"
#include "core/options.h"
#include "generate/beam.h"
#include "generate/caller_cache.h"
#include "generate/choose.h"
#include "generate/generation.h"
#include "generate/guide.h"
#include "generate/option_defaults.h"
#include "generate/prompt_lookup.h"
#include "generate/prompts.h"
#include "generate/steps.h"
#include "generate/stop_strings.h"
#include "generate/stream.h"
#include "model/image_features.h"
#include "processor/inputs_internal.h"

struct run {
    pali_model *model;
    const pali_inputs *inputs;
    pali_generate_options options; /* defaults filled in */
    const struct pali__tokenizer *tokenizer; /* NULL: no text */
    struct pali__watch watch;

    struct pali__prompts prompts;
    struct pali__caller_cache cache;
    struct pali__feature_rows features;
    pali_image_features *own_features;
    struct pali__steps steps;
    struct pali__chooser chooser;
    struct pali__stop_strings stops;
    struct pali__beam_search *beams; /* NULL when num_beams is 1 */

    /* While they grow, the answers to prompt r are numbers r · n_samples …; all of them come from one run of the prompt. */
    int64_t n_samples;
    pali_generation *generation;
    bool *finished;               /* [answers] */
    struct pali__stream *streams; /* [answers that the caller gets] */
    int64_t n_streams;
    bool hands_out_late;               /* with beams and best_of: when the answers are known */
    struct pali__guide guide;
    int64_t width;                    /* tokens an answer advances by at most in a step: 1, or more with guesses */
    struct pali__guided *active;      /* [answers]: what a decode step advances, */
    int64_t *active_rows, *counts;    /* [answers]: by how many tokens */
    int64_t *active_ids;              /* [answers · width]: and by which */
    bool stopped;                      /* the host's callback said so */
};

void pali_generate_options_init(pali_generate_options *options)
{
    *options = (pali_generate_options)PALI_GENERATE_OPTIONS_INIT;
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* ---- before the first token ---- */

/* Fills in the options and checks all of them, before any work. */
static pali_status take_options(struct run *run, pali_error **error)
{
    const struct pali__generation_config *config = &run->model->settings->generation;
    pali_generate_options *options = &run->options;

    TRY(pali__fill_in_options(options, config, error));
    TRY(pali__stop_strings_init(&run->stops, options->stop_strings, options->n_stop_strings, run->tokenizer, error));
    TRY(pali__chooser_init(&run->chooser, options, config, run->model->settings->text.vocab_size, error));
    run->n_samples = options->best_of ? options->best_of : options->num_return_sequences;
    run->hands_out_late = options->num_beams > 1 || options->best_of > 0;
    return PALI_OK;
}

static bool wants_logprobs(const struct run *run)
{
    return run->options.logprobs || run->options.top_logprobs > 0 || run->options.best_of > 0;
}

static pali_status take_features(struct run *run, pali_error **error)
{
    struct pali__vision_run how = { .adapter = run->options.adapter, .adapter_scale = run->options.adapter_scale,
                                    .watch = &run->watch };
    double start = now();

    TRY(pali__image_features_take(&run->features, &run->own_features, run->model, run->options.features,
                                  pali_inputs_get(run->inputs, "pixel_values"), &how, error));
    run->generation->timing.image_s = now() - start;
    return pali__merge_check(run->model, run->prompts.ids, run->prompts.total, &run->features, error);
}

static pali_status prepare_streams(struct run *run, pali_error **error)
{
    run->n_streams = run->prompts.rows * run->options.num_return_sequences;
    run->streams = pali__calloc((size_t)run->n_streams, sizeof *run->streams);
    if (!run->streams)
        return pali__no_memory(error, (size_t)run->n_streams * sizeof *run->streams);
    for (int64_t i = 0; i < run->n_streams; i++)
        TRY(pali__stream_init(&run->streams[i], run->tokenizer, run->options.max_new_tokens, error));
    return PALI_OK;
}

/* Everything that the loop will need, so that it allocates nothing. */
static pali_status prepare(struct run *run, pali_error **error)
{
    int64_t n_answers = run->generation->rows, beams = run->options.num_beams;

    run->width = 1 + run->options.prompt_lookup_num_tokens;
    /* Beams are searched prompt by prompt, in the same rows. */
    TRY(pali__caller_cache_take(&run->cache, run->model, &run->options, &run->prompts,
                                pali_inputs_get(run->inputs, "token_type_ids") != NULL, error));
    TRY(pali__steps_init(&run->steps, run->model, run->cache.cache ? &run->cache.cache->kv : NULL,
                         beams > 1 ? beams : n_answers, run->prompts.longest,
                         run->prompts.longest + run->options.max_new_tokens, run->width, error));
    TRY(pali__lora_begin(&run->steps.pass.lora, run->options.adapter, run->options.adapter_scale, run->model,
                         run->steps.pass.max_rows, error));
    TRY(pali__guide_init(&run->guide, &run->options, n_answers, run->model->settings->text.vocab_size, error));
    if (beams > 1)
        TRY(pali__beam_search_create(&run->beams, &run->steps, &run->options, &run->chooser.processors, &run->stops,
                                     wants_logprobs(run), error));
    run->active = pali__calloc((size_t)n_answers, sizeof *run->active);
    run->active_rows = pali__calloc((size_t)n_answers, sizeof *run->active_rows);
    run->counts = pali__calloc((size_t)n_answers, sizeof *run->counts);
    run->active_ids = pali__calloc((size_t)(n_answers * run->width), sizeof *run->active_ids);
    run->finished = pali__calloc((size_t)n_answers, sizeof *run->finished);
    if (!run->active || !run->active_rows || !run->counts || !run->active_ids || !run->finished)
        return pali__no_memory(error, (size_t)(n_answers * run->width) * sizeof *run->active_ids);
    return prepare_streams(run, error);
}

/* ---- tokens ---- */

static struct pali__history history_of(const struct run *run, int64_t row)
{
    const struct pali__answer *answer = &run->generation->answers[row];
    const int64_t *starts = run->prompts.starts + row / run->n_samples;

    return (struct pali__history){ run->prompts.ids + starts[0], answer->ids, starts[1] - starts[0],
                                   (int64_t)answer->n_ids };
}

static pali_status hand_out(struct run *run, int64_t row, int64_t id, bool is_last, pali_error **error)
{
    pali_token token = { .row = row, .id = id };

    TRY(pali__stream_add(&run->streams[row], id, is_last, &token.text, error));
    if (run->options.on_token && run->options.on_token(run->options.on_token_user, &token))
        run->stopped = true;
    return PALI_OK;
}

/* Adds a token to the answer, sees whether it is the last, and hands it out. */
static pali_status add_token(struct run *run, int64_t row, int64_t id, pali_error **error)
{
    struct pali__answer *answer = &run->generation->answers[row];
    struct pali__history history;

    answer->ids[answer->n_ids++] = id;
    history = history_of(run, row);
    if (pali__is_eos(&run->options, id))
        answer->reason = PALI_FINISH_EOS;
    else if (pali__stop_strings_hit(&run->stops, &history))
        answer->reason = PALI_FINISH_STOP_STRING;
    if (run->guide.rows && pali__guide_take(&run->guide, row, id, answer->n_ids) &&
        answer->reason == PALI_FINISH_LENGTH)
        answer->reason = PALI_FINISH_CONSTRAINT;
    run->finished[row] = answer->reason != PALI_FINISH_LENGTH || answer->n_ids == run->generation->capacity;
    return run->hands_out_late ? PALI_OK : hand_out(run, row, id, run->finished[row], error);
}

static pali_status add_chosen(struct run *run, int64_t row, const float *logits, pali_error **error)
{
    struct pali__history history = history_of(run, row);
    int64_t id;

    TRY(pali__choose(&run->chooser, &id, logits, &history, row % run->n_samples, &run->generation->answers[row],
                     run->generation->n_top, error));
    if (run->guide.rows)
        TRY(pali__guide_settle(&run->guide, row, run->chooser.scores ? run->chooser.scores : logits, &id, error));
    return add_token(run, row, id, error);
}

static struct pali__guided guided_row(const struct run *run, int64_t row)
{
    const struct pali__answer *answer = &run->generation->answers[row];

    return (struct pali__guided){ .row = row, .ids = answer->ids, .n_ids = answer->n_ids };
}

/* The host of a token mask may stop here, as that of on_token may behind a token. */
static pali_status compute_logits(struct run *run, int64_t first, const struct pali__guided *rows, int64_t n,
                                  pali_error **error)
{
    TRY(pali__guide_logits(&run->guide, &run->steps, first, rows, n, error));
    run->stopped = run->stopped || run->guide.stopped;
    return PALI_OK;
}

/* The logits behind the prompt are left to the caller. */
static pali_status prefill_row(struct run *run, int64_t prompt, int64_t cache_row, pali_error **error)
{
    const struct pali__prompts *prompts = &run->prompts;
    int64_t start = prompts->starts[prompt];

    return pali__steps_prefill(&run->steps, cache_row, prompts->ids + start, prompts->types + start,
                               prompts->starts[prompt + 1] - start, &run->features, &run->watch, error);
}

/* ---- greedy and sampled ---- */

/* The tokens that a row gets in this step: its last one, and guesses at those behind it. Returns their number. */
static int64_t next_inputs(const struct run *run, const struct pali__guided *row, int64_t *ids)
{
    const int64_t *starts = &run->prompts.starts[row->row / run->n_samples];
    int64_t room = (int64_t)run->generation->capacity - (int64_t)row->n_ids, most = run->width - 1;

    ids[0] = row->ids[row->n_ids - 1];
    return 1 + pali__prompt_lookup(run->prompts.ids + starts[0], starts[1] - starts[0], row->ids, (int64_t)row->n_ids,
                                   most < room - 1 ? most : room - 1, ids + 1);
}

/* Takes the tokens that follow the run's rows first…first+count-1, of one row, for as long as the guesses were right.
 * `ids` are that row's inputs. */
static pali_status take_guessed(struct run *run, const struct pali__guided *active, int64_t first, int64_t count,
                                const int64_t *ids, pali_error **error)
{
    int64_t vocab_size = run->model->settings->text.vocab_size, row = active->row, n = 0;
    int64_t past = run->steps.kv->rows[row].length - count;
    const struct pali__answer *answer = &run->generation->answers[row];
    bool right = true;

    while (right && n < count && !run->finished[row] && !run->stopped) {
        const float *logits = run->steps.logits + (first + n) * vocab_size;
        if (run->guide.rows) { /* what may follow depends on what has been taken */
            TRY(compute_logits(run, first + n, (struct pali__guided[]){ guided_row(run, row) }, 1, error));
            logits = run->steps.logits;
        }
        if (run->stopped)
            break;
        TRY(add_chosen(run, row, logits, error));
        run->generation->timing.decode_tokens++;
        n++;
        right = n < count && answer->ids[answer->n_ids - 1] == ids[n];
    }
    pali__steps_roll_back(&run->steps, row, past + n);
    return PALI_OK;
}

/* A token more, or some if guesses were right, for each of the n active rows. */
static pali_status advance(struct run *run, int64_t n, int64_t total, pali_error **error)
{
    int64_t vocab_size = run->model->settings->text.vocab_size, first = 0;

    TRY(pali__steps_decode(&run->steps, n, run->active_rows, run->counts, run->active_ids, error));
    if (total == n)
        TRY(compute_logits(run, 0, run->active, n, error));
    else if (!run->guide.rows)
        TRY(pali__steps_head(&run->steps, 0, total, error));
    for (int64_t i = 0; i < n && !run->stopped; first += run->counts[i++]) {
        if (total > n) {
            TRY(take_guessed(run, &run->active[i], first, run->counts[i], run->active_ids + first, error));
            continue;
        }
        TRY(add_chosen(run, run->active_rows[i], run->steps.logits + i * vocab_size, error));
        run->generation->timing.decode_tokens++;
    }
    return PALI_OK;
}

/* One step for every unfinished answer; `*active` tells how many there were. */
static pali_status decode_step(struct run *run, int64_t *active, pali_error **error)
{
    int64_t n = 0, total = 0;

    for (int64_t row = 0; row < run->generation->rows; row++) {
        if (run->finished[row])
            continue;
        run->active_rows[n] = row;
        run->active[n] = guided_row(run, row);
        run->counts[n] = next_inputs(run, &run->active[n], run->active_ids + total);
        total += run->counts[n++];
    }
    *active = n;
    return n > 0 ? advance(run, n, total, error) : PALI_OK;
}

/* What each prompt left in its first row of the cache becomes the beginning of all its answers. */
static pali_status share_prompts(struct run *run, pali_error **error)
{
    size_t n = (size_t)run->generation->rows;
    struct pali__kv_row *spare = run->n_samples > 1 ? pali__calloc(n, sizeof *spare) : NULL;

    if (run->n_samples == 1)
        return PALI_OK;
    if (!spare)
        return pali__no_memory(error, n * sizeof *spare);
    for (int64_t row = 0; row < run->generation->rows; row++)
        run->active_rows[row] = row - row % run->n_samples;
    pali__kv_reorder(run->steps.kv, run->generation->rows, run->active_rows, spare);
    pali__free(spare);
    return PALI_OK;
}

/* Runs a prompt, and chooses the first token of each of its answers. What may follow is asked for each. */
static pali_status begin_answers(struct run *run, int64_t prompt, pali_error **error)
{
    int64_t first = prompt * run->n_samples;
    double begin = now();

    TRY(prefill_row(run, prompt, first, error));
    for (int64_t i = 0; i < run->n_samples && !run->stopped; i++) {
        struct pali__guided guided = guided_row(run, first + i);
        if (i == 0 || run->guide.rows)
            TRY(compute_logits(run, run->steps.pass.n_rows - 1, &guided, 1, error));
        if (!run->stopped)
            TRY(add_chosen(run, first + i, run->steps.logits, error));
    }
    run->generation->timing.prefill_s += now() - begin;
    return PALI_OK;
}

static pali_status answer_by_choice(struct run *run, pali_error **error)
{
    double begin;

    for (int64_t prompt = 0; prompt < run->prompts.rows && !run->stopped; prompt++)
        TRY(begin_answers(run, prompt, error));
    TRY(share_prompts(run, error));
    begin = now();
    for (int64_t active = 1, step = 1; active > 0 && !run->stopped; step++) {
        if (run->hands_out_late)
            TRY(pali__watch_step(&run->watch, "samples", step, run->options.max_new_tokens, error));
        TRY(decode_step(run, &active, error));
    }
    run->generation->timing.decode_s = now() - begin;
    return PALI_OK;
}

/* The mean log-probability of its tokens is an answer's score, where they are known. */
static void score_answers(struct run *run)
{
    for (int64_t row = 0; row < run->generation->rows; row++) {
        struct pali__answer *answer = &run->generation->answers[row];
        double sum = 0.0;
        for (size_t i = 0; answer->logprobs && i < answer->n_ids; i++)
            sum += answer->logprobs[i];
        if (answer->logprobs && answer->n_ids > 0)
            answer->score = sum / (double)answer->n_ids;
    }
}

/* ---- beams ---- */

static pali_status answer_by_beams(struct run *run, pali_error **error)
{
    const struct pali__prompts *prompts = &run->prompts;

    for (int64_t prompt = 0; prompt < prompts->rows; prompt++) {
        struct pali__answer *answers = run->generation->answers + prompt * run->n_samples;
        int64_t start = prompts->starts[prompt];
        pali__kv_truncate(run->steps.kv, 0);
        double begin = now();
        TRY(prefill_row(run, prompt, 0, error));
        TRY(pali__steps_head(&run->steps, run->steps.pass.n_rows - 1, 1, error));
        run->generation->timing.prefill_s += now() - begin;
        begin = now();
        TRY(pali__beam_search_run(run->beams, answers, prompts->ids + start, prompts->starts[prompt + 1] - start,
                                  &run->watch, error));
        run->generation->timing.decode_s += now() - begin;
        for (int64_t i = 0; i < run->n_samples; i++)
            run->generation->timing.decode_tokens += (int64_t)answers[i].n_ids - 1;
    }
    return PALI_OK;
}

/* ---- all ---- */

/* Whole answers; one that is stopped ends there, and the rest is cut. */
static pali_status hand_out_answers(struct run *run, pali_error **error)
{
    for (int64_t row = 0; row < run->generation->rows; row++) {
        struct pali__answer *answer = &run->generation->answers[row];
        size_t n = 0;
        for (; n < answer->n_ids && !run->stopped; n++)
            TRY(hand_out(run, row, answer->ids[n], n + 1 == answer->n_ids, error));
        if (n < answer->n_ids)
            answer->reason = PALI_FINISH_CANCELLED;
        answer->n_ids = n;
    }
    return PALI_OK;
}

static pali_status answer_all(struct run *run, pali_error **error)
{
    TRY(take_options(run, error));
    TRY(pali__prompts_init(&run->prompts, run->inputs, error));
    TRY(pali__generation_create(&run->generation, run->prompts.rows * run->n_samples, run->options.max_new_tokens,
                                wants_logprobs(run), run->options.top_logprobs, error));
    run->generation->timing.prompt_tokens = run->prompts.total;
    TRY(take_features(run, error));
    TRY(prepare(run, error));
    TRY(run->beams ? answer_by_beams(run, error) : answer_by_choice(run, error));
    run->generation->passes = run->steps.n_decodes;
    for (int64_t row = 0; run->stopped && row < run->generation->rows; row++)
        if (!run->finished[row])
            run->generation->answers[row].reason = PALI_FINISH_CANCELLED;
    if (!run->beams)
        score_answers(run);
    if (run->options.best_of)
        pali__generation_keep_best(run->generation, run->n_samples, run->options.num_return_sequences);
    if (run->hands_out_late)
        TRY(hand_out_answers(run, error));
    return pali__generation_decode(run->generation, run->tokenizer, error);
}

static void clear(struct run *run)
{
    for (int64_t i = 0; run->streams && i < run->n_streams; i++)
        pali__stream_clear(&run->streams[i]);
    pali__free(run->streams);
    pali__free(run->finished);
    pali__guide_clear(&run->guide);
    pali__free(run->active);
    pali__free(run->active_rows);
    pali__free(run->counts);
    pali__free(run->active_ids);
    pali__beam_search_free(run->beams);
    pali__chooser_clear(&run->chooser);
    pali__steps_clear(&run->steps);
    pali_image_features_free(run->own_features);
    pali__prompts_clear(&run->prompts);
    pali__caller_cache_clear(&run->cache);
}

pali_status pali_generate(pali_generation **out, pali_model *model, const pali_inputs *inputs,
                          const pali_generate_options *options, pali_error **error)
{
    struct run run = { .model = model, .inputs = inputs, .options = PALI_GENERATE_OPTIONS_INIT };
    pali_status status;

    if (!out || !model || !inputs)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_generate: %s is NULL",
                          !out ? "out" : !model ? "model" : "inputs");
    *out = NULL;
    TRY(pali__options_take(&run.options, sizeof run.options, options, "pali_generate_options", error));
    run.watch = (struct pali__watch){ run.options.progress, run.options.progress_user };
    run.tokenizer = inputs->processor ? pali__processor_tokenizer(inputs->processor) : NULL;

    status = answer_all(&run, error);
    if (status != PALI_OK)
        pali__caller_cache_restore(&run.cache);
    clear(&run);
    if (status != PALI_OK) {
        pali_generation_free(run.generation);
        return status;
    }
    *out = run.generation;
    return PALI_OK;
}
