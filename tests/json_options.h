/* SPDX-License-Identifier: BSD-2-Clause */
/* pali_generate_options out of the fixtures of tests/oracle/make_generation_fixtures.py, by Transformers' names. */
#ifndef PALI_TESTS_JSON_OPTIONS_H
#define PALI_TESTS_JSON_OPTIONS_H

#include <json-c/json.h>
#include <stdbool.h>

#include <paligemma/generate.h>

#include "test.h"

struct json_options {
    pali_generate_options options;
    pali_token_list words[8];
    pali_logit_bias bias[8];
    int64_t ids[64], eos[8];
    size_t n_ids;
};

static inline struct json_object *json_member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    CHECK_MSG(json_object_object_get_ex(object, key, &value), "no %s", key);
    return value;
}

/* null stands for -infinity. */
static inline double json_number(struct json_object *value)
{
    return value ? json_object_get_double(value) : -INFINITY;
}

static inline size_t json_ids(struct json_object *value, int64_t *ids, size_t capacity)
{
    size_t n = json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 1;
    CHECK(n <= capacity);
    for (size_t i = 0; i < n && i < capacity; i++)
        ids[i] = json_object_get_int64(n == 1 && !json_object_is_type(value, json_type_array)
                                           ? value
                                           : json_object_array_get_idx(value, i));
    return n;
}

static inline void json_words(struct json_options *out, struct json_object *value)
{
    out->options.bad_words = out->words;
    out->options.n_bad_words = json_object_array_length(value);
    for (size_t i = 0; i < out->options.n_bad_words; i++) {
        int64_t *ids = out->ids + out->n_ids;
        size_t n = json_ids(json_object_array_get_idx(value, i), ids, 64 - out->n_ids);
        out->words[i] = (pali_token_list){ ids, n };
        out->n_ids += n;
    }
}

static inline void json_bias(struct json_options *out, struct json_object *value)
{
    out->options.logit_bias = out->bias;
    out->options.n_logit_bias = json_object_array_length(value);
    for (size_t i = 0; i < out->options.n_logit_bias; i++) {
        struct json_object *pair = json_object_array_get_idx(value, i);
        out->bias[i] = (pali_logit_bias){ json_object_get_int64(json_object_array_get_idx(pair, 0)),
                                          (float)json_number(json_object_array_get_idx(pair, 1)) };
    }
}

/* Ids of the file's own lists (suppress_tokens, …), which are no options, are left to the caller. */
static inline void json_options_read(struct json_options *out, struct json_object *object)
{
    pali_generate_options *options = &out->options;
    const struct {
        const char *name;
        int64_t *integer;
        double *number;
    } plain[] = {
        { "max_new_tokens", &options->max_new_tokens, NULL },
        { "min_new_tokens", &options->min_new_tokens, NULL },
        { "no_repeat_ngram_size", &options->no_repeat_ngram_size, NULL },
        { "num_beams", &options->num_beams, NULL },
        { "num_return_sequences", &options->num_return_sequences, NULL },
        { "top_k", &options->top_k, NULL },
        { "temperature", NULL, &options->temperature },
        { "top_p", NULL, &options->top_p },
        { "min_p", NULL, &options->min_p },
        { "typical_p", NULL, &options->typical_p },
        { "repetition_penalty", NULL, &options->repetition_penalty },
        { "length_penalty", NULL, &options->length_penalty },
    };
    struct json_object *value;

    *out = (struct json_options){ .options = PALI_GENERATE_OPTIONS_INIT };
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (json_object_object_get_ex(object, plain[i].name, &value)) {
            if (plain[i].integer)
                *plain[i].integer = json_object_get_int64(value);
            else
                *plain[i].number = json_object_get_double(value);
        }
    if (json_object_object_get_ex(object, "early_stopping", &value))
        options->early_stopping = json_object_is_type(value, json_type_string) ? 2 : json_object_get_boolean(value);
    if (json_object_object_get_ex(object, "bad_words_ids", &value))
        json_words(out, value);
    if (json_object_object_get_ex(object, "logit_bias", &value))
        json_bias(out, value);
    if (json_object_object_get_ex(object, "eos_token_id", &value)) {
        options->eos_token_ids = out->eos;
        options->n_eos_token_ids = json_ids(value, out->eos, 8);
    }
}

#endif
