/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers to a batch of prompts, chosen token by token or found by beam search (GenerationMixin.generate in
 * transformers/generation/utils.py).
 */
#include <paligemma/generate.h>

#include "core/options.h"
#include "generate/run.h"
#include "processor/inputs_internal.h"

void pali_generate_options_init(pali_generate_options *options)
{
    *options = (pali_generate_options)PALI_GENERATE_OPTIONS_INIT;
}

/* ---- beams ---- */

static pali_status answer_by_beams(struct pali__run *run, pali_error **error)
{
    const struct pali__prompts *prompts = &run->prompts;

    for (int64_t prompt = 0; prompt < prompts->rows; prompt++) {
        struct pali__answer *answers = run->generation->answers + prompt * run->n_samples;
        int64_t start = prompts->starts[prompt];
        pali__kv_truncate(run->steps.kv, 0);
        double begin = pali__run_seconds();
        TRY(pali__run_prompt(run, prompt, 0, error));
        TRY(pali__steps_head(&run->steps, run->steps.pass.n_rows - 1, 1, error));
        run->generation->timing.prefill_s += pali__run_seconds() - begin;
        begin = pali__run_seconds();
        TRY(pali__beam_search_run(run->beams, answers, prompts->ids + start, prompts->starts[prompt + 1] - start,
                                  &run->watch, error));
        run->generation->timing.decode_s += pali__run_seconds() - begin;
        for (int64_t i = 0; i < run->n_samples; i++)
            run->generation->timing.decode_tokens += (int64_t)answers[i].n_ids - 1;
    }
    return PALI_OK;
}

/* ---- all ---- */

/* The mean log-probability of its tokens is an answer's score, where they are known. */
static void score_answers(struct pali__run *run)
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

/* Whole answers; one that is stopped ends there, and the rest is cut. */
static pali_status hand_out_answers(struct pali__run *run, pali_error **error)
{
    for (int64_t row = 0; row < run->generation->rows; row++) {
        struct pali__answer *answer = &run->generation->answers[row];
        bool ends = false;
        size_t n = 0;
        for (; n < answer->n_ids && !run->stopped && !ends; n++)
            TRY(pali__hand_out(run, row, answer->ids[n], n + 1 == answer->n_ids, &ends, error));
        if (n < answer->n_ids)
            answer->reason = PALI_FINISH_CANCELLED;
        answer->n_ids = n;
    }
    return PALI_OK;
}

static pali_status answer_all(struct pali__run *run, pali_error **error)
{
    TRY(pali__run_prepare(run, error));
    TRY(run->beams ? answer_by_beams(run, error) : pali__answer_by_choice(run, error));
    run->generation->passes = run->steps.n_decodes;
    run->generation->decoded = run->steps.n_decoded;
    run->generation->head_rows = run->steps.n_head_rows;
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

pali_status pali_generate(pali_generation **out, pali_model *model, const pali_inputs *inputs,
                          const pali_generate_options *options, pali_error **error)
{
    struct pali__run run = { .model = model, .inputs = inputs, .options = PALI_GENERATE_OPTIONS_INIT };
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
    pali__run_clear(&run);
    if (status != PALI_OK) {
        pali_generation_free(run.generation);
        return status;
    }
    *out = run.generation;
    return PALI_OK;
}
