/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order is that of _get_logits_processor in transformers/generation/utils.py: sequence bias, repetition penalty,
 * n-grams, bad words, shortest length, suppressed tokens. Presence and frequency penalty, which Transformers has not,
 * follow the repetition penalty and are those of the OpenAI interface; forced words, then the forced end, come last.
 */
#include "generate/logits_processors.h"

#include <math.h>

#include "core/memory.h"
#include "generate/forced_words.h"

bool pali__is_eos(const pali_generate_options *options, int64_t id)
{
    for (size_t i = 0; i < options->n_eos_token_ids; i++)
        if (options->eos_token_ids[i] == id)
            return true;
    return false;
}

/* ---- checks ---- */

static pali_status check_ids(const char *name, const int64_t *ids, size_t n_ids, int64_t vocab_size, pali_error **error)
{
    if (n_ids > 0 && !ids)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "%s is NULL, %zu ids were expected", name, n_ids);
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] < 0 || ids[i] >= vocab_size)
            return pali__fail(error, PALI_ERROR_ARGUMENT, "%s: token ids are 0…%lld, found %lld", name,
                              (long long)vocab_size - 1, (long long)ids[i]);
    return PALI_OK;
}

static pali_status check_words(const char *name, const pali_token_list *words, size_t n_words, int64_t vocab_size,
                               pali_error **error)
{
    if (n_words > 0 && !words)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "%s is NULL, %zu words were expected", name, n_words);
    for (size_t i = 0; i < n_words; i++) {
        if (words[i].n_ids == 0)
            return pali__fail(error, PALI_ERROR_ARGUMENT, "%s: word %zu has no tokens", name, i);
        TRY(check_ids(name, words[i].ids, words[i].n_ids, vocab_size, error));
    }
    return PALI_OK;
}

static pali_status check_forced_words(const pali_generate_options *options, int64_t vocab_size, pali_error **error)
{
    size_t total = 0;

    TRY(check_words("force_words", options->force_words, options->n_force_words, vocab_size, error));
    for (size_t i = 0; i < options->n_force_words; i++) {
        total += options->force_words[i].n_ids;
        for (size_t j = 0; j < options->force_words[i].n_ids; j++)
            if (pali__is_eos(options, options->force_words[i].ids[j]))
                return pali__fail(error, PALI_ERROR_ARGUMENT,
                                  "force_words: word %zu contains eos token %lld, behind which no answer goes on", i,
                                  (long long)options->force_words[i].ids[j]);
        if (total > (size_t)options->max_new_tokens)
            return pali__fail(error, PALI_ERROR_ARGUMENT, "force_words need more tokens than max_new_tokens, %lld",
                              (long long)options->max_new_tokens);
    }
    return PALI_OK;
}

static pali_status check_bias(const pali_generate_options *options, int64_t vocab_size, pali_error **error)
{
    if (options->n_logit_bias > 0 && !options->logit_bias)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "logit_bias is NULL, %zu entries were expected",
                          options->n_logit_bias);
    for (size_t i = 0; i < options->n_logit_bias; i++) {
        TRY(check_ids("logit_bias", &options->logit_bias[i].id, 1, vocab_size, error));
        float bias = options->logit_bias[i].bias;
        if (!(bias <= 1e6f) || (bias < -1e6f && bias != -INFINITY))
            return pali__fail(error, PALI_ERROR_ARGUMENT, "logit_bias: -infinity or within ±1e6 was expected, found %g",
                              (double)bias);
    }
    return PALI_OK;
}

/* The file's own ids are those of its vocabulary, too. */
static pali_status check_config(const struct pali__generation_config *config, int64_t vocab_size, pali_error **error)
{
    TRY(check_ids("generation_config.bad_words_ids", config->bad_words.ids, (size_t)config->bad_words.n_ids,
                  vocab_size, error));
    TRY(check_ids("generation_config.suppress_tokens", config->suppress_tokens, (size_t)config->n_suppress,
                  vocab_size, error));
    TRY(check_ids("generation_config.begin_suppress_tokens", config->begin_suppress_tokens,
                  (size_t)config->n_begin_suppress, vocab_size, error));
    return check_ids("generation_config.forced_eos_token_id", config->forced_eos_token_id,
                     (size_t)config->n_forced_eos, vocab_size, error);
}

static bool has_penalty(const pali_generate_options *options)
{
    return options->repetition_penalty != 1.0 || options->presence_penalty != 0.0 || options->frequency_penalty != 0.0;
}

pali_status pali__logits_processors_init(struct pali__logits_processors *processors,
                                         const pali_generate_options *options,
                                         const struct pali__generation_config *config, int64_t vocab_size,
                                         pali_error **error)
{
    *processors = (struct pali__logits_processors){ .options = options, .config = config, .vocab_size = vocab_size };
    TRY(check_ids("eos_token_ids", options->eos_token_ids, options->n_eos_token_ids, vocab_size, error));
    TRY(check_words("bad_words", options->bad_words, options->n_bad_words, vocab_size, error));
    TRY(check_forced_words(options, vocab_size, error));
    TRY(check_bias(options, vocab_size, error));
    TRY(check_config(config, vocab_size, error));
    if (!has_penalty(options))
        return PALI_OK;
    processors->counts = pali__calloc((size_t)vocab_size, sizeof *processors->counts);
    return processors->counts ? PALI_OK : pali__no_memory(error, (size_t)vocab_size * sizeof *processors->counts);
}

void pali__logits_processors_clear(struct pali__logits_processors *processors)
{
    pali__free(processors->counts);
    *processors = (struct pali__logits_processors){ 0 };
}

/* ---- the processors ---- */

static void add_bias(float *scores, const pali_logit_bias *bias, size_t n)
{
    for (size_t i = 0; i < n; i++)
        scores[bias[i].id] += bias[i].bias;
}

/* Once for each id of prompt and answer: a positive score is divided, a negative one multiplied (Keskar et al. 2019,
 * arXiv 1909.05858, in the form that Transformers gave it). The prompt's <image> may lie past the last score. */
static void penalize_repetition(struct pali__logits_processors *processors, float *scores,
                                const struct pali__history *history)
{
    float penalty = (float)processors->options->repetition_penalty;
    int64_t n = pali__history_length(history);

    for (int64_t i = 0; i < n; i++) {
        int64_t id = pali__history_at(history, i);
        if (id < processors->vocab_size && processors->counts[id]++ == 0)
            scores[id] = scores[id] < 0.0f ? scores[id] * penalty : scores[id] / penalty;
    }
    for (int64_t i = 0; i < n; i++)
        if (pali__history_at(history, i) < processors->vocab_size)
            processors->counts[pali__history_at(history, i)] = 0;
}

/* score -= count · frequency_penalty + (count > 0) · presence_penalty, of the answer's ids. */
static void penalize_presence(struct pali__logits_processors *processors, float *scores,
                              const struct pali__history *history)
{
    float frequency = (float)processors->options->frequency_penalty;
    float presence = (float)processors->options->presence_penalty;

    for (int64_t i = 0; i < history->n_ids; i++)
        processors->counts[history->ids[i]]++;
    for (int64_t i = 0; i < history->n_ids; i++) {
        int64_t id = history->ids[i];
        if (processors->counts[id] > 0)
            scores[id] = scores[id] - (float)processors->counts[id] * frequency - presence;
        processors->counts[id] = 0;
    }
}

/* True if the history ends with the `n` ids. */
static bool ends_with(const struct pali__history *history, const int64_t *ids, int64_t n)
{
    int64_t length = pali__history_length(history);

    if (n > length)
        return false;
    for (int64_t i = 1; i <= n; i++)
        if (pali__history_at(history, length - i) != ids[n - i])
            return false;
    return true;
}

/* Forbids whatever followed the last size - 1 tokens before, in the prompt or the answer. */
static void forbid_ngrams(float *scores, int64_t vocab_size, const struct pali__history *history, int64_t size)
{
    int64_t length = pali__history_length(history), prefix = length - (size - 1);

    for (int64_t i = 0; i + size <= length; i++) {
        int64_t same = 0, last = pali__history_at(history, i + size - 1);
        while (same < size - 1 && pali__history_at(history, i + same) == pali__history_at(history, prefix + same))
            same++;
        if (same == size - 1 && last < vocab_size)
            scores[last] = -INFINITY;
    }
}

/* A word of several tokens is forbidden where its last would complete it. An end alone is no bad word. */
static void forbid_word(float *scores, const struct pali__history *history, const pali_generate_options *options,
                        const int64_t *ids, int64_t n)
{
    if (n == 1 && pali__is_eos(options, ids[0]))
        return;
    if (ends_with(history, ids, n - 1))
        scores[ids[n - 1]] = -INFINITY;
}

static void forbid_words(const struct pali__logits_processors *processors, float *scores,
                         const struct pali__history *history)
{
    const pali_generate_options *options = processors->options;
    const struct pali__id_lists *more = &processors->config->bad_words;

    for (size_t i = 0; i < options->n_bad_words; i++)
        forbid_word(scores, history, options, options->bad_words[i].ids, (int64_t)options->bad_words[i].n_ids);
    for (int i = 0; i < more->n_lists; i++)
        forbid_word(scores, history, options, more->ids + more->starts[i], more->starts[i + 1] - more->starts[i]);
}

static void forbid(float *scores, const int64_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        scores[ids[i]] = -INFINITY;
}

/* The last token that there is room for ends the answer. */
static void force_end(const struct pali__logits_processors *processors, float *scores)
{
    for (int64_t i = 0; i < processors->vocab_size; i++)
        scores[i] = -INFINITY;
    for (int i = 0; i < processors->config->n_forced_eos; i++)
        scores[processors->config->forced_eos_token_id[i]] = 0.0f;
}

/* ---- all of them ---- */

bool pali__logits_processors_act(const struct pali__logits_processors *processors)
{
    const pali_generate_options *options = processors->options;
    const struct pali__generation_config *config = processors->config;

    return has_penalty(options) || options->n_logit_bias > 0 || options->n_bad_words > 0 ||
           options->n_force_words > 0 || options->no_repeat_ngram_size > 0 || options->min_new_tokens > 0 ||
           config->bad_words.n_lists > 0 || config->n_suppress > 0 || config->n_begin_suppress > 0 ||
           config->n_forced_eos > 0;
}

void pali__logits_process(struct pali__logits_processors *processors, float *scores,
                          const struct pali__history *history)
{
    const pali_generate_options *options = processors->options;
    const struct pali__generation_config *config = processors->config;
    pali_token_list eos = { options->eos_token_ids, options->n_eos_token_ids };

    add_bias(scores, options->logit_bias, options->n_logit_bias);
    if (options->repetition_penalty != 1.0)
        penalize_repetition(processors, scores, history);
    if (options->presence_penalty != 0.0 || options->frequency_penalty != 0.0)
        penalize_presence(processors, scores, history);
    if (options->no_repeat_ngram_size > 0)
        forbid_ngrams(scores, processors->vocab_size, history, options->no_repeat_ngram_size);
    forbid_words(processors, scores, history);
    if (history->n_ids < options->min_new_tokens)
        forbid(scores, eos.ids, eos.n_ids);
    forbid(scores, config->suppress_tokens, (size_t)config->n_suppress);
    if (history->n_ids == 0)
        forbid(scores, config->begin_suppress_tokens, (size_t)config->n_begin_suppress);
    if (!pali__force_words(options->force_words, options->n_force_words, &eos, options->max_new_tokens, history, scores,
                           processors->vocab_size) &&
        config->n_forced_eos > 0 && history->n_ids == options->max_new_tokens - 1)
        force_end(processors, scores);
}
