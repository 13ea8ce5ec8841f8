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
#include "generate/generation.h"
#include "generate/guide.h"
#include "generate/prompt_lookup.h"
#include "generate/prompts.h"
#include "generate/sampler.h"
#include "generate/steps.h"
#include "generate/stream.h"
#include "model/image_features.h"
#include "processor/inputs_internal.h"

#define MOST_NEW_TOKENS (1 << 20)

struct row {
    struct pali__stream stream;
    bool finished;
};

struct run {
    pali_model *model;
    const pali_inputs *inputs;
    pali_generate_options options; /* defaults filled in */
    struct pali__watch watch;

    struct pali__prompts prompts;
    struct pali__feature_rows features;
    pali_image_features *own_features;
    struct pali__steps steps;
    struct pali__sampler sampler;
    struct pali__beam_search *beams; /* NULL when num_beams is 1 */
    struct row *rows;
    struct pali__guide guide;
    int64_t width;                    /* tokens a row advances by at most in a step: 1, or more with guesses */
    struct pali__guided *active;      /* [rows]: what a decode step advances, */
    int64_t *active_rows, *counts;    /* [rows]: by how many tokens */
    int64_t *active_ids;              /* [rows · width]: and by which */
    bool stopped;                     /* the host's callback said so */
    pali_generation *generation;
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

static pali_status fill_in_options(struct run *run, pali_error **error)
{
    const struct pali__generation_config *defaults = &run->model->settings->generation;
    pali_generate_options *options = &run->options;

    if (options->max_new_tokens == 0)
        options->max_new_tokens = defaults->max_new_tokens;
    if (options->top_k == 0)
        options->top_k = defaults->top_k;
    if (options->top_p == 0.0)
        options->top_p = defaults->top_p;
    if (options->max_new_tokens < 1 || options->max_new_tokens > MOST_NEW_TOKENS)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "max_new_tokens should be 1…%d and is %lld", MOST_NEW_TOKENS,
                          (long long)options->max_new_tokens);
    if (!(options->temperature >= 0.0 && options->temperature <= 1e6))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "temperature should be 0 or more and is %g",
                          options->temperature);
    if (!(options->top_p > 0.0 && options->top_p <= 1.0))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "top_p should be above 0 and at most 1 and is %g",
                          options->top_p);
    if (options->num_beams < 1 || options->num_beams > PALI__MAX_BEAMS)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "num_beams should be 1…%d and is %lld", PALI__MAX_BEAMS,
                          (long long)options->num_beams);
    if (options->prompt_lookup_num_tokens < 0 || options->prompt_lookup_num_tokens > PALI__MAX_LOOKUP_TOKENS)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "prompt_lookup_num_tokens should be 0…%d and is %lld",
                          PALI__MAX_LOOKUP_TOKENS, (long long)options->prompt_lookup_num_tokens);
    if (options->num_beams > 1 && options->prompt_lookup_num_tokens > 0)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "beam search does not guess; leave prompt_lookup_num_tokens 0");
    if (options->num_beams > 1 && options->temperature > 0.0)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "beam search does not sample; leave temperature 0");
    return PALI_OK;
}

static pali_status take_features(struct run *run, pali_error **error)
{
    const pali_image_features *features = run->options.features;
    const pali_tensor *pixels = pali_inputs_get(run->inputs, "pixel_values");
    double start = now();

    if (features && features->model != run->model)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "the image features belong to another model");
    if (!features && pixels) {
        TRY(pali__image_features_compute(&run->own_features, run->model, pixels, &run->watch, error));
        features = run->own_features;
    }
    if (features)
        run->features = (struct pali__feature_rows){ .rows = features->data, .count = features->tensor.shape[0] *
                                                                                      features->tensor.shape[1] };
    run->generation->timing.image_s = now() - start;
    return pali__merge_check(run->model, run->prompts.ids, run->prompts.total, &run->features, error);
}

/* Everything that the loop will need, so that it allocates nothing. */
static pali_status prepare(struct run *run, pali_error **error)
{
    const struct pali__tokenizer *tokenizer =
        run->inputs->processor ? pali__processor_tokenizer(run->inputs->processor) : NULL;
    int64_t rows = run->prompts.rows, max_new = run->options.max_new_tokens, beams = run->options.num_beams;

    run->width = 1 + run->options.prompt_lookup_num_tokens;
    /* Beams are searched prompt by prompt, in the same rows. */
    TRY(pali__steps_init(&run->steps, run->model, beams > 1 ? beams : rows, run->prompts.longest,
                         run->prompts.longest + max_new, run->width, error));
    TRY(pali__guide_init(&run->guide, &run->options, rows, run->model->settings->text.vocab_size, error));
    if (beams > 1)
        TRY(pali__beam_search_create(&run->beams, &run->steps, beams, max_new, error));
    TRY(pali__sampler_init(&run->sampler, run->options.temperature, run->options.top_k, run->options.top_p,
                           run->options.seed, run->model->settings->text.vocab_size, error));
    run->active = pali__calloc((size_t)rows, sizeof *run->active);
    run->active_rows = pali__calloc((size_t)rows, sizeof *run->active_rows);
    run->counts = pali__calloc((size_t)rows, sizeof *run->counts);
    run->active_ids = pali__calloc((size_t)(rows * run->width), sizeof *run->active_ids);
    run->rows = pali__calloc((size_t)rows, sizeof *run->rows);
    if (!run->active || !run->active_rows || !run->counts || !run->active_ids || !run->rows)
        return pali__no_memory(error, (size_t)rows * sizeof *run->rows);
    for (int64_t i = 0; i < rows; i++)
        TRY(pali__stream_init(&run->rows[i].stream, tokenizer, max_new, error));
    return PALI_OK;
}

/* ---- tokens ---- */

static bool is_eos(const struct run *run, int64_t id)
{
    const struct pali__generation_config *config = &run->model->settings->generation;

    for (int i = 0; i < config->n_eos; i++)
        if (config->eos_token_id[i] == id)
            return true;
    return false;
}

/* Adds a token to the row's answer, hands it out, and sees whether it is the last. */
static pali_status add_token(struct run *run, int64_t row_index, int64_t id, pali_error **error)
{
    struct row *row = &run->rows[row_index];
    struct pali__answer *answer = &run->generation->answers[row_index];
    pali_token token = { .row = row_index, .id = id };

    answer->ids[answer->n_ids++] = id;
    if (is_eos(run, id))
        answer->reason = PALI_FINISH_EOS;
    if (run->guide.rows && pali__guide_take(&run->guide, row_index, id, answer->n_ids) &&
        answer->reason != PALI_FINISH_EOS)
        answer->reason = PALI_FINISH_CONSTRAINT;
    row->finished = answer->reason != PALI_FINISH_LENGTH || answer->n_ids == run->generation->capacity;
    TRY(pali__stream_add(&row->stream, id, row->finished, &token.text, error));
    if (run->options.on_token && run->options.on_token(run->options.on_token_user, &token))
        run->stopped = true;
    return PALI_OK;
}

static pali_status add_chosen(struct run *run, int64_t row, const float *logits, pali_error **error)
{
    int64_t step = (int64_t)run->generation->answers[row].n_ids;
    int64_t id = pali__sampler_choose(&run->sampler, logits, row, step);

    if (run->guide.rows)
        TRY(pali__guide_settle(&run->guide, row, logits, &id, error));
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

static pali_status prefill_row(struct run *run, int64_t row, int64_t cache_row, pali_error **error)
{
    const struct pali__prompts *prompts = &run->prompts;
    int64_t start = prompts->starts[row];
    double begin = now();

    TRY(pali__steps_prefill(&run->steps, cache_row, prompts->ids + start, prompts->types + start,
                            prompts->starts[row + 1] - start, &run->features, &run->watch, error));
    if (run->beams)
        TRY(pali__steps_head(&run->steps, run->steps.pass.n_rows - 1, 1, error));
    else
        TRY(compute_logits(run, run->steps.pass.n_rows - 1, (struct pali__guided[]){ guided_row(run, row) }, 1, error));
    run->generation->timing.prefill_s += now() - begin;
    return PALI_OK;
}

/* ---- greedy and sampled ---- */

/* The tokens that a row gets in this step: its last one, and guesses at those behind it. Returns their number. */
static int64_t next_inputs(const struct run *run, const struct pali__guided *row, int64_t *ids)
{
    const int64_t *starts = &run->prompts.starts[row->row];
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
    int64_t past = run->steps.kv.rows[row].length - count;
    const struct pali__answer *answer = &run->generation->answers[row];
    bool right = true;

    while (right && n < count && !run->rows[row].finished && !run->stopped) {
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

/* One step for every unfinished row; `*active` tells how many there were. */
static pali_status decode_step(struct run *run, int64_t *active, pali_error **error)
{
    int64_t n = 0, total = 0;

    for (int64_t row = 0; row < run->prompts.rows; row++) {
        if (run->rows[row].finished)
            continue;
        run->active_rows[n] = row;
        run->active[n] = guided_row(run, row);
        run->counts[n] = next_inputs(run, &run->active[n], run->active_ids + total);
        total += run->counts[n++];
    }
    *active = n;
    return n > 0 ? advance(run, n, total, error) : PALI_OK;
}

static pali_status answer_by_choice(struct run *run, pali_error **error)
{
    double begin;

    for (int64_t row = 0; row < run->prompts.rows && !run->stopped; row++) {
        TRY(prefill_row(run, row, row, error));
        if (!run->stopped)
            TRY(add_chosen(run, row, run->steps.logits, error));
    }
    begin = now();
    for (int64_t active = 1; active > 0 && !run->stopped;)
        TRY(decode_step(run, &active, error));
    run->generation->timing.decode_s = now() - begin;
    return PALI_OK;
}

/* ---- beams ---- */

/* The answer is known only at its end, so its tokens are handed out then. */
static pali_status answer_by_beams(struct run *run, pali_error **error)
{
    int64_t *ids = pali__malloc((size_t)run->options.max_new_tokens * sizeof *ids);
    pali_status status = ids ? PALI_OK : pali__no_memory(error, (size_t)run->options.max_new_tokens * sizeof *ids);

    for (int64_t row = 0; status == PALI_OK && row < run->prompts.rows && !run->stopped; row++) {
        size_t n_ids = 0;
        pali__kv_truncate(&run->steps.kv, 0);
        status = prefill_row(run, row, 0, error);
        double begin = now();
        if (status == PALI_OK)
            status = pali__beam_search_run(run->beams, ids, &n_ids, &run->watch, error);
        run->generation->timing.decode_s += now() - begin;
        run->generation->timing.decode_tokens += (int64_t)n_ids - (n_ids > 0);
        for (size_t i = 0; status == PALI_OK && i < n_ids && !run->stopped; i++)
            status = add_token(run, row, ids[i], error);
    }
    pali__free(ids);
    return status;
}

static pali_status answer_all(struct run *run, pali_error **error)
{
    pali_processor *processor = run->inputs->processor;

    TRY(fill_in_options(run, error));
    TRY(pali__prompts_init(&run->prompts, run->inputs, error));
    TRY(pali__generation_create(&run->generation, run->prompts.rows, run->options.max_new_tokens, error));
    run->generation->timing.prompt_tokens = run->prompts.total;
    TRY(take_features(run, error));
    TRY(prepare(run, error));
    TRY(run->beams ? answer_by_beams(run, error) : answer_by_choice(run, error));
    run->generation->passes = run->steps.n_decodes;
    for (int64_t row = 0; run->stopped && row < run->prompts.rows; row++)
        if (!run->rows[row].finished)
            run->generation->answers[row].reason = PALI_FINISH_CANCELLED;
    return pali__generation_decode(run->generation, processor ? pali__processor_tokenizer(processor) : NULL, error);
}

static void clear(struct run *run)
{
    for (int64_t i = 0; run->rows && i < run->prompts.rows; i++)
        pali__stream_clear(&run->rows[i].stream);
    pali__free(run->rows);
    pali__guide_clear(&run->guide);
    pali__free(run->active);
    pali__free(run->active_rows);
    pali__free(run->counts);
    pali__free(run->active_ids);
    pali__beam_search_free(run->beams);
    pali__sampler_clear(&run->sampler);
    pali__steps_clear(&run->steps);
    pali_image_features_free(run->own_features);
    pali__prompts_clear(&run->prompts);
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

    status = answer_all(&run, error);
    clear(&run);
    if (status != PALI_OK) {
        pali_generation_free(run.generation);
        return status;
    }
    *out = run.generation;
    return PALI_OK;
}
