/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suffixes behind one prompt. The prompt runs once, into the only row of a cache. Then passes of as many suffixes as
 * fit run on top of it: each suffix is a sequence of its own that continues that row, sees it and itself, and is
 * forgotten after the pass. A suffix's first token is predicted by the prompt's last one, so of its tokens all but
 * the last run.
 */
#include <paligemma/score.h>

#include <string.h>

#include "core/memory.h"
#include "core/options.h"
#include "generate/prompts.h"
#include "generate/scores.h"
#include "generate/steps.h"
#include "model/image_features.h"
#include "model/loss.h"
#include "processor/inputs_internal.h"

enum {
    PASS_TOKENS = 256,      /* of a pass over suffixes, unless one is longer */
    LOGITS_AT_A_TIME = 16,
    MOST_TOKENS = 1 << 20   /* of one suffix */
};

struct scoring {
    pali_model *model;
    const pali_inputs *inputs;
    pali_score_options options;
    struct pali__watch watch;
    struct pali__prompts prompts;
    struct pali__feature_rows features;
    pali_image_features *own_features;
    struct pali__steps steps;
    struct pali__sequence *sequences; /* [suffixes]: those of a pass */
    struct target *targets;           /* [rows of a pass] */
    int64_t *ids;                     /* [rows of a pass] */
    int64_t longest, pass_tokens;     /* the most rows that a suffix, that a pass has */
    pali_scores *scores;
};

/* What a row of a pass predicts, and where its log-probability goes. */
struct target {
    int64_t id;
    float *logprob;
};

void pali_score_options_init(pali_score_options *options)
{
    *options = (pali_score_options)PALI_SCORE_OPTIONS_INIT;
}

static int64_t rows_of(const struct pali__suffix *suffix)
{
    return (int64_t)suffix->n_ids - 1;
}

/* ---- before the first pass ---- */

static pali_status check_suffix(struct scoring *scoring, size_t index, pali_error **error)
{
    const struct pali__suffix *suffix = &scoring->scores->suffixes[index];
    int64_t vocab_size = scoring->model->settings->text.vocab_size;

    if (suffix->n_ids == 0)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "suffix %zu has no tokens to score", index);
    if (suffix->n_ids > MOST_TOKENS)
        return pali__fail(error, PALI_ERROR_LIMIT, "suffix %zu has %zu tokens, expected at most %d", index,
                          suffix->n_ids, MOST_TOKENS);
    for (size_t i = 0; i < suffix->n_ids; i++)
        if (suffix->ids[i] < 0 || suffix->ids[i] >= vocab_size)
            return pali__fail(error, PALI_ERROR_ARGUMENT,
                              "suffix %zu: token %zu is %lld, outside the vocabulary of %lld", index, i,
                              (long long)suffix->ids[i], (long long)vocab_size);
    scoring->longest = rows_of(suffix) > scoring->longest ? rows_of(suffix) : scoring->longest;
    scoring->pass_tokens += rows_of(suffix);
    return PALI_OK;
}

static pali_status take_features(struct scoring *scoring, pali_error **error)
{
    struct pali__vision_run how = { .adapter = scoring->options.adapter,
                                    .adapter_scale = scoring->options.adapter_scale, .watch = &scoring->watch,
                                    .threads = scoring->options.threads };

    TRY(pali__image_features_take(&scoring->features, &scoring->own_features, scoring->model, scoring->options.features,
                                  pali_inputs_get(scoring->inputs, "pixel_values"), &how, error));
    return pali__merge_check(scoring->model, scoring->prompts.ids, scoring->prompts.total, &scoring->features, error);
}

static pali_status prepare(struct scoring *scoring, pali_error **error)
{
    size_t n = scoring->scores->n_suffixes;
    int64_t prompt, rows;

    TRY(pali__prompts_init(&scoring->prompts, scoring->inputs, error));
    if (scoring->prompts.rows != 1)
        return pali__fail(error, PALI_ERROR_SHAPE, "scoring takes a prefix of one row, found %lld",
                          (long long)scoring->prompts.rows);
    for (size_t i = 0; i < n; i++)
        TRY(check_suffix(scoring, i, error));
    if (scoring->pass_tokens > PASS_TOKENS)
        scoring->pass_tokens = scoring->longest > PASS_TOKENS ? scoring->longest : PASS_TOKENS;
    rows = scoring->pass_tokens;
    prompt = scoring->prompts.longest;
    TRY(take_features(scoring, error));
    TRY(pali__steps_init(&scoring->steps, scoring->model, scoring->options.threads, NULL, 1,
                         prompt > rows ? prompt : rows, prompt + rows, LOGITS_AT_A_TIME, error));
    TRY(pali__lora_begin(&scoring->steps.pass.lora, scoring->options.adapter, scoring->options.adapter_scale,
                         scoring->model, &scoring->steps.pass.compute, scoring->steps.pass.max_rows, error));
    scoring->sequences = pali__calloc(n, sizeof *scoring->sequences);
    scoring->targets = pali__calloc((size_t)rows, sizeof *scoring->targets);
    scoring->ids = pali__calloc((size_t)rows, sizeof *scoring->ids);
    if (!scoring->sequences || !scoring->targets || !scoring->ids)
        return pali__no_memory(error, (size_t)rows * sizeof *scoring->targets);
    return PALI_OK;
}

/* ---- passes ---- */

static float logprob(const struct scoring *scoring, const float *logits, int64_t id)
{
    return (float)-pali__cross_entropy(logits, scoring->model->settings->text.vocab_size, id);
}

/* The prompt, and with it the first token of every suffix. */
static pali_status run_prompt(struct scoring *scoring, pali_error **error)
{
    const struct pali__prompts *prompts = &scoring->prompts;

    TRY(pali__steps_prefill(&scoring->steps, 0, prompts->ids, prompts->types, prompts->total, &scoring->features,
                            &scoring->watch, error));
    TRY(pali__steps_head(&scoring->steps, prompts->total - 1, 1, error));
    for (size_t i = 0; i < scoring->scores->n_suffixes; i++) {
        struct pali__suffix *suffix = &scoring->scores->suffixes[i];
        suffix->logprobs[0] = logprob(scoring, scoring->steps.logits, suffix->ids[0]);
    }
    return PALI_OK;
}

/* Lays suffix after suffix from `*next` on into a pass until it is full. Returns its rows. */
static int64_t fill_pass(struct scoring *scoring, size_t *next)
{
    struct pali__pass *pass = &scoring->steps.pass;
    int64_t n = 0;

    pass->n_sequences = 0;
    for (; *next < scoring->scores->n_suffixes; ++*next) {
        struct pali__suffix *suffix = &scoring->scores->suffixes[*next];
        int64_t length = rows_of(suffix);
        if (n + length > scoring->pass_tokens)
            break;
        if (length == 0)
            continue;
        scoring->sequences[pass->n_sequences++] = (struct pali__sequence){ .first = n, .length = length };
        for (int64_t i = 0; i < length; i++, n++) {
            scoring->ids[n] = suffix->ids[i];
            scoring->targets[n] = (struct target){ suffix->ids[i + 1], &suffix->logprobs[i + 1] };
            pass->positions[n] = scoring->prompts.total + i + 1;
            pass->real[n] = 1;
            pass->type[n] = 1;
        }
    }
    pass->n_rows = n;
    return n;
}

static pali_status run_suffixes(struct scoring *scoring, int64_t n, pali_error **error)
{
    struct pali__feature_rows no_features = { 0 };
    struct pali__steps *steps = &scoring->steps;
    int64_t vocab_size = scoring->model->settings->text.vocab_size;

    steps->pass.sequences = scoring->sequences;
    steps->pass.watch = NULL;
    pali__merge_ids(scoring->model, steps->pass.h, scoring->ids, n, &no_features);
    TRY(pali__decoder_run(&steps->pass, error));
    pali__steps_roll_back(steps, 0, scoring->prompts.total);
    for (int64_t first = 0; first < n; first += LOGITS_AT_A_TIME) {
        int64_t count = n - first < LOGITS_AT_A_TIME ? n - first : LOGITS_AT_A_TIME;
        TRY(pali__steps_head(steps, first, count, error));
        for (int64_t i = 0; i < count; i++)
            *scoring->targets[first + i].logprob =
                logprob(scoring, steps->logits + i * vocab_size, scoring->targets[first + i].id);
    }
    return PALI_OK;
}

static pali_status score_all(struct scoring *scoring, pali_error **error)
{
    size_t n = scoring->scores->n_suffixes;

    TRY(prepare(scoring, error));
    TRY(run_prompt(scoring, error));
    for (size_t next = 0; next < n;) {
        TRY(pali__watch_step(&scoring->watch, "score", (int64_t)next, (int64_t)n, error));
        int64_t rows = fill_pass(scoring, &next);
        if (rows > 0)
            TRY(run_suffixes(scoring, rows, error));
    }
    pali__scores_rank(scoring->scores);
    return PALI_OK;
}

/* ---- the two ways in ---- */

static pali_status begin(struct scoring *scoring, pali_scores **out, const void *suffixes, size_t n_suffixes,
                         const pali_score_options *options, const char *function, pali_error **error)
{
    if (!out)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "%s: out is NULL", function);
    *out = NULL;
    if (!scoring->model || !scoring->inputs || !suffixes)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "%s: %s is NULL", function,
                          !scoring->model ? "model" : !scoring->inputs ? "prefix" : "suffixes");
    if (n_suffixes == 0)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "%s: there are no suffixes", function);
    scoring->options = (pali_score_options)PALI_SCORE_OPTIONS_INIT;
    TRY(pali__options_take(&scoring->options, sizeof scoring->options, options, "pali_score_options", error));
    scoring->watch = (struct pali__watch){ scoring->options.progress, scoring->options.progress_user };
    return pali__scores_create(&scoring->scores, n_suffixes, error);
}

/* Ends what was begun; the scores are the caller's if all went well. */
static pali_status end(struct scoring *scoring, pali_scores **out, pali_status status)
{
    pali__free(scoring->sequences);
    pali__free(scoring->targets);
    pali__free(scoring->ids);
    pali__steps_clear(&scoring->steps);
    pali_image_features_free(scoring->own_features);
    pali__prompts_clear(&scoring->prompts);
    if (status == PALI_OK)
        *out = scoring->scores;
    else
        pali_scores_free(scoring->scores);
    return status;
}

static pali_status read_text(struct scoring *scoring, size_t index, const char *text, pali_error **error)
{
    const pali_processor *processor = scoring->inputs->processor;
    const struct pali__tokenizer *tokenizer = pali__processor_tokenizer(processor);
    const char *eos = scoring->options.without_eos ? "" : pali__processor_eos(processor);
    struct pali__text whole = { 0 };
    int64_t *ids = NULL, image_token = scoring->model->settings->image_token_id;
    size_t n_ids = 0;
    pali_status status;

    if (!text)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "suffix %zu is NULL", index);
    if (!pali__text_append(&whole, text, strlen(text)) || !pali__text_append(&whole, eos, strlen(eos))) {
        pali__text_clear(&whole);
        return pali__no_memory(error, strlen(text));
    }
    status = pali__tokenizer_encode(tokenizer, whole.data ? whole.data : "", whole.size, &ids, &n_ids, error);
    pali__text_clear(&whole);
    TRY(status);
    TRY(pali__scores_set_ids(scoring->scores, index, ids, n_ids, error));
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] == image_token)
            return pali__fail(error, PALI_ERROR_ARGUMENT,
                              "suffix %zu: it contains <image>, expected it in the prompt only", index);
    return PALI_OK;
}

pali_status pali_score(pali_scores **out, pali_model *model, const pali_inputs *prefix, const char *const *suffixes,
                       size_t n_suffixes, const pali_score_options *options, pali_error **error)
{
    struct scoring scoring = { .model = model, .inputs = prefix };
    pali_status status;

    TRY(begin(&scoring, out, suffixes, n_suffixes, options, "pali_score", error));
    status = prefix->processor ? PALI_OK
                               : pali__fail(error, PALI_ERROR_ARGUMENT,
                                            "the prefix comes from no processor, so texts cannot be tokenized; "
                                            "score token ids with pali_score_tokens");
    for (size_t i = 0; status == PALI_OK && i < n_suffixes; i++)
        status = read_text(&scoring, i, suffixes[i], error);
    if (status == PALI_OK)
        status = score_all(&scoring, error);
    return end(&scoring, out, status);
}

static pali_status copy_ids(struct scoring *scoring, size_t index, const pali_token_list *list, pali_error **error)
{
    size_t size = list->n_ids * sizeof *list->ids;
    int64_t *ids;

    if ((!list->ids && list->n_ids > 0) || list->n_ids > MOST_TOKENS)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "suffix %zu: %s", index,
                          list->ids ? "it has too many tokens" : "its ids are NULL");
    ids = pali__malloc(size);
    if (!ids)
        return pali__no_memory(error, size);
    if (size > 0)
        memcpy(ids, list->ids, size);
    return pali__scores_set_ids(scoring->scores, index, ids, list->n_ids, error);
}

pali_status pali_score_tokens(pali_scores **out, pali_model *model, const pali_inputs *prefix,
                              const pali_token_list *suffixes, size_t n_suffixes, const pali_score_options *options,
                              pali_error **error)
{
    struct scoring scoring = { .model = model, .inputs = prefix };
    pali_status status = PALI_OK;

    TRY(begin(&scoring, out, suffixes, n_suffixes, options, "pali_score_tokens", error));
    for (size_t i = 0; status == PALI_OK && i < n_suffixes; i++)
        status = copy_ids(&scoring, i, &suffixes[i], error);
    if (status == PALI_OK)
        status = score_all(&scoring, error);
    return end(&scoring, out, status);
}
