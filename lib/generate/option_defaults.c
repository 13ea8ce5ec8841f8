/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/option_defaults.h"

#include "core/error.h"
#include "generate/prompt_lookup.h"

/* The smallest temperature: logits divided by it stay far from float32's end. */
#define MIN_TEMPERATURE 1e-5

static pali_status check_int(const char *name, int64_t value, int64_t minimum, int64_t maximum, pali_error **error)
{
    if (value < minimum || value > maximum)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "%s should be %lld…%lld and is %lld", name, (long long)minimum,
                          (long long)maximum, (long long)value);
    return PALI_OK;
}

static pali_status check_float(const char *name, double value, double minimum, double maximum, pali_error **error)
{
    if (!(value >= minimum && value <= maximum))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "%s should be %g…%g and is %g", name, minimum, maximum, value);
    return PALI_OK;
}

/* `value` is "none" below 0, the file's at 0. */
static int64_t int_or(int64_t value, int64_t file)
{
    return value < 0 ? 0 : value == 0 ? file : value;
}

/* ---- what only sampling, only beams would use ---- */

static pali_status refuse_idle(const char *name, const char *needed, pali_error **error)
{
    return pali__fail(error, PALI_ERROR_ARGUMENT, "%s is without effect: %s", name, needed);
}

/* As the caller gave them: the file's are without effect in silence, as in Transformers. */
static pali_status check_idle(const pali_generate_options *given, bool samples, bool has_beams, pali_error **error)
{
    static const char greedy[] = "temperature is 0, so the likeliest token is taken";
    static const char no_beams[] = "num_beams is 1";

    if (!samples && given->top_k > 0)
        return refuse_idle("top_k", greedy, error);
    if (!samples && given->top_p != 0.0 && given->top_p != 1.0)
        return refuse_idle("top_p", greedy, error);
    if (!samples && given->min_p > 0.0)
        return refuse_idle("min_p", greedy, error);
    if (!samples && given->typical_p != 0.0 && given->typical_p != 1.0)
        return refuse_idle("typical_p", greedy, error);
    if (!samples && given->best_of > 1)
        return refuse_idle("best_of", greedy, error);
    if (!has_beams && given->length_penalty != 1.0)
        return refuse_idle("length_penalty", no_beams, error);
    if (!has_beams && given->early_stopping > 0)
        return refuse_idle("early_stopping", no_beams, error);
    return PALI_OK;
}

/* ---- group by group ---- */

static pali_status fill_in_sampling(pali_generate_options *options, const struct pali__generation_config *config,
                                    pali_error **error)
{
    if (options->temperature == 0.0 && config->do_sample) {
        if (config->temperature == 0.0)
            return pali__fail(error, PALI_ERROR_ARGUMENT,
                              "generation_config.json samples (do_sample) at temperature 0; give another, or -1");
        options->temperature = config->temperature;
    }
    if (options->temperature < 0.0)
        options->temperature = 0.0;
    if (options->temperature != 0.0)
        TRY(check_float("temperature", options->temperature, MIN_TEMPERATURE, 1e6, error));
    if (options->top_k == 0)
        options->top_k = config->top_k;
    if (options->top_p == 0.0)
        options->top_p = config->top_p;
    if (options->min_p == 0.0)
        options->min_p = config->min_p;
    else if (options->min_p < 0.0)
        options->min_p = 0.0;
    if (options->typical_p == 0.0)
        options->typical_p = config->typical_p;
    if (!(options->top_p > 0.0 && options->top_p <= 1.0))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "top_p should be above 0 and at most 1 and is %g",
                          options->top_p);
    if (!(options->typical_p > 0.0 && options->typical_p <= 1.0))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "typical_p should be above 0 and at most 1 and is %g",
                          options->typical_p);
    return check_float("min_p", options->min_p, 0.0, 1.0, error);
}

static pali_status fill_in_processors(pali_generate_options *options, const struct pali__generation_config *config,
                                      pali_error **error)
{
    if (options->repetition_penalty == 0.0)
        options->repetition_penalty = config->repetition_penalty;
    options->no_repeat_ngram_size = int_or(options->no_repeat_ngram_size, config->no_repeat_ngram_size);
    TRY(check_float("repetition_penalty", options->repetition_penalty, 1e-6, 1e6, error));
    TRY(check_float("presence_penalty", options->presence_penalty, -1e6, 1e6, error));
    return check_float("frequency_penalty", options->frequency_penalty, -1e6, 1e6, error);
}

static pali_status fill_in_lengths(pali_generate_options *options, const struct pali__generation_config *config,
                                   pali_error **error)
{
    if (options->max_new_tokens == 0 && config->has_max_length && !config->has_max_new_tokens)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "generation_config.json sets max_length, which is not served: give max_new_tokens");
    if (options->min_new_tokens == 0 && config->has_min_length && config->min_new_tokens == 0)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "generation_config.json sets min_length, which is not served: give min_new_tokens");
    if (options->max_new_tokens == 0)
        options->max_new_tokens = config->max_new_tokens;
    options->min_new_tokens = int_or(options->min_new_tokens, config->min_new_tokens);
    TRY(check_int("max_new_tokens", options->max_new_tokens, 1, PALI__MAX_NEW_TOKENS, error));
    if (!options->eos_token_ids) {
        options->eos_token_ids = config->eos_token_id;
        options->n_eos_token_ids = (size_t)config->n_eos;
    }
    if (options->n_eos_token_ids > PALI__MAX_EOS)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "eos_token_ids has %zu ids, %d at the most were expected",
                          options->n_eos_token_ids, PALI__MAX_EOS);
    return PALI_OK;
}

static pali_status fill_in_beams(pali_generate_options *options, const struct pali__generation_config *config,
                                 pali_error **error)
{
    if (options->length_penalty == 1.0)
        options->length_penalty = config->length_penalty;
    if (options->early_stopping == 0)
        options->early_stopping = (int32_t)config->early_stopping;
    else if (options->early_stopping == -1)
        options->early_stopping = PALI__STOP_BY_HEURISTIC;
    TRY(check_float("length_penalty", options->length_penalty, -1e3, 1e3, error));
    if (options->early_stopping < -1 || options->early_stopping > PALI__STOP_NEVER)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "early_stopping should be -1…%d and is %d", PALI__STOP_NEVER,
                          (int)options->early_stopping);
    TRY(check_int("num_beams", options->num_beams, 1, PALI__MAX_BEAMS, error));
    TRY(check_int("prompt_lookup_num_tokens", options->prompt_lookup_num_tokens, 0, PALI__MAX_LOOKUP_TOKENS, error));
    if (options->num_beams > 1 && options->prompt_lookup_num_tokens > 0)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "beam search does not guess; leave prompt_lookup_num_tokens 0");
    if (options->num_beams > 1 && options->temperature > 0.0)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "beam search does not sample; give temperature -1");
    return PALI_OK;
}

static pali_status fill_in_answers(pali_generate_options *options, const struct pali__generation_config *config,
                                   pali_error **error)
{
    int64_t most = options->num_beams > 1 ? options->num_beams : PALI__MAX_ANSWERS;

    if (options->num_return_sequences == 0)
        options->num_return_sequences = config->num_return_sequences;
    TRY(check_int("num_return_sequences", options->num_return_sequences, 1, most, error));
    if (options->num_return_sequences > 1 && options->num_beams == 1 && options->temperature == 0.0)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "num_return_sequences is %lld, but without sampling or beams there is one answer",
                          (long long)options->num_return_sequences);
    if (options->best_of != 0)
        TRY(check_int("best_of", options->best_of, options->num_return_sequences, PALI__MAX_ANSWERS, error));
    if (options->best_of == 1)
        options->best_of = 0; /* the one there is */
    TRY(check_int("logprobs", options->logprobs, 0, 1, error));
    return check_int("top_logprobs", options->top_logprobs, 0, PALI__MAX_ALTERNATIVES, error);
}

pali_status pali__fill_in_options(pali_generate_options *options, const struct pali__generation_config *config,
                                  pali_error **error)
{
    pali_generate_options given = *options;

    if (config->unserved)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "generation_config.json sets %s, which would change answers and is not served",
                          config->unserved);
    if (options->num_beams == 0)
        options->num_beams = config->num_beams;
    TRY(fill_in_sampling(options, config, error));
    TRY(fill_in_processors(options, config, error));
    TRY(fill_in_lengths(options, config, error));
    TRY(fill_in_beams(options, config, error));
    TRY(fill_in_answers(options, config, error));
    return check_idle(&given, options->temperature > 0.0, options->num_beams > 1, error);
}
