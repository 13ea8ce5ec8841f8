/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/run.h"

#include <time.h>

#include "core/memory.h"
#include "generate/option_defaults.h"
#include "processor/inputs_internal.h"

double pali__run_seconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Fills in the options and checks all of them, before any work. */
static pali_status take_options(struct pali__run *run, pali_error **error)
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

static bool wants_logprobs(const struct pali__run *run)
{
    return run->options.logprobs || run->options.top_logprobs > 0 || run->options.best_of > 0;
}

static pali_status take_features(struct pali__run *run, pali_error **error)
{
    struct pali__vision_run how = { .adapter = run->options.adapter, .adapter_scale = run->options.adapter_scale,
                                    .watch = &run->watch, .threads = run->options.threads };
    double start = pali__run_seconds();

    TRY(pali__image_features_take(&run->features, &run->own_features, run->model, run->options.features,
                                  pali_inputs_get(run->inputs, "pixel_values"), &how, error));
    run->generation->timing.image_s = pali__run_seconds() - start;
    return pali__merge_check(run->model, run->prompts.ids, run->prompts.total, &run->features, error);
}

static pali_status prepare_streams(struct pali__run *run, pali_error **error)
{
    run->n_streams = run->prompts.rows * run->options.num_return_sequences;
    run->streams = pali__calloc((size_t)run->n_streams, sizeof *run->streams);
    if (!run->streams)
        return pali__no_memory(error, (size_t)run->n_streams * sizeof *run->streams);
    for (int64_t i = 0; i < run->n_streams; i++)
        TRY(pali__stream_init(&run->streams[i], run->tokenizer, run->options.max_new_tokens, error));
    return PALI_OK;
}

static pali_status make_room(struct pali__run *run, pali_error **error)
{
    int64_t n_answers = run->generation->rows, beams = run->options.num_beams;

    run->width = 1 + run->options.prompt_lookup_num_tokens;
    /* Beams are searched prompt by prompt, in the same rows. */
    TRY(pali__caller_cache_take(&run->cache, run->model, &run->options, &run->prompts,
                                pali_inputs_get(run->inputs, "token_type_ids") != NULL, error));
    TRY(pali__steps_init(&run->steps, run->model, run->options.threads,
                         run->cache.cache ? &run->cache.cache->kv : NULL, beams > 1 ? beams : n_answers,
                         run->prompts.longest,
                         run->prompts.longest + run->options.max_new_tokens, run->width, error));
    TRY(pali__lora_begin(&run->steps.pass.lora, run->options.adapter, run->options.adapter_scale, run->model,
                         &run->steps.pass.compute, run->steps.pass.max_rows, error));
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

pali_status pali__run_prepare(struct pali__run *run, pali_error **error)
{
    TRY(take_options(run, error));
    TRY(pali__prompts_init(&run->prompts, run->inputs, error));
    TRY(pali__generation_create(&run->generation, run->prompts.rows * run->n_samples, run->options.max_new_tokens,
                                wants_logprobs(run), run->options.top_logprobs, error));
    run->generation->timing.prompt_tokens = run->prompts.total;
    TRY(take_features(run, error));
    return make_room(run, error);
}

void pali__run_clear(struct pali__run *run)
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

pali_status pali__run_prompt(struct pali__run *run, int64_t prompt, int64_t cache_row, pali_error **error)
{
    const struct pali__prompts *prompts = &run->prompts;
    int64_t start = prompts->starts[prompt];

    return pali__steps_prefill(&run->steps, cache_row, prompts->ids + start, prompts->types + start,
                               prompts->starts[prompt + 1] - start, &run->features, &run->watch, error);
}
