/* SPDX-License-Identifier: BSD-2-Clause */
/* generation_config.json: what the caller leaves open comes from it, and what it sets in vain is refused. */
#include <sys/stat.h>
#include <unistd.h>

#include "parity/answers.h"

/* By a copy of the checkpoint, made of links, with another such file. */
static pali_generation *answers_by_file(const char *fixture, const char *text, const pali_inputs *inputs,
                                        const pali_generate_options *options, pali_error **error)
{
    static const char *const files[] = { "config.json", "model.safetensors", "model.safetensors.index.json",
                                         "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors" };
    pali_model_options model_options = PALI_MODEL_OPTIONS_INIT;
    pali_generation *generation = NULL;
    pali_model *copy = NULL;
    char folder[512];

    snprintf(folder, sizeof folder, "%.400s/%.100s", test_scratch(), fixture);
    mkdir(folder, 0777);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        unlink(test_path(folder, files[i]));
        if (access(fixture_path(fixture, files[i]), R_OK) == 0)
            CHECK(symlink(fixture_path(fixture, files[i]), test_path(folder, files[i])) == 0);
    }
    FILE *file = fopen(test_path(folder, "generation_config.json"), "w");
    CHECK(file && fputs(text, file) >= 0);
    if (file)
        fclose(file);
    model_options.dtype = PALI_FLOAT32;
    if (pali_model_load(&copy, folder, &model_options, error) == PALI_OK)
        pali_generate(&generation, copy, inputs, options, error);
    pali_model_free(copy);
    return generation;
}

static void by_file(const char *fixture, const char *text, pali_generate_options options, pali_generate_options same)
{
    pali_inputs *inputs = fixture_tensors(fixture, "generate_eos", "inputs");
    pali_error *error = NULL;
    pali_generation *got = answers_by_file(fixture, text, inputs, &options, &error), *want = answers_to(inputs, &same);

    CHECK_MSG(got != NULL, "%s: %s", text, pali_error_message(error));
    CHECK_MSG(pali_generation_rows(got) == pali_generation_rows(want), "%s", text);
    for (int64_t row = 0; got && row < pali_generation_rows(want); row++)
        CHECK_MSG(equal_answers(got, row, want, row), "%s: row %d", text, (int)row);
    pali_error_free(error);
    pali_generation_free(got);
    pali_generation_free(want);
    pali_inputs_free(inputs);
}

static void file_defaults(const char *fixture)
{
    static const int64_t bad[] = { 24, 137 };
    static const pali_token_list words[] = { { bad, 1 }, { bad + 1, 1 } };
    static const pali_logit_bias none[] = { { 24, -INFINITY }, { 137, -INFINITY } };
    const pali_generate_options plain = PALI_GENERATE_OPTIONS_INIT;
    pali_generate_options same = plain, given = plain;

    same.temperature = 0.9, same.top_k = 7, same.top_p = 0.8, same.min_p = 0.01, same.typical_p = 0.95;
    same.num_return_sequences = 2, same.max_new_tokens = 6;
    by_file(fixture, "{\"do_sample\": true, \"temperature\": 0.9, \"top_k\": 7, \"top_p\": 0.8, \"min_p\": 0.01, "
                     "\"typical_p\": 0.95, \"num_return_sequences\": 2, \"max_new_tokens\": 6, \"eos_token_id\": 1}",
            plain, same);
    /* Without do_sample the file's filters are idle; what the caller gives goes first; -1 means none at all. */
    by_file(fixture, "{\"temperature\": 0.9, \"top_k\": 7, \"top_p\": 0.8}", plain, plain);
    given.temperature = -1.0, given.num_return_sequences = 1;
    by_file(fixture, "{\"do_sample\": true, \"num_return_sequences\": 2}", given, plain);
    given = plain, given.no_repeat_ngram_size = given.min_new_tokens = -1, given.repetition_penalty = 1.0;
    by_file(fixture, "{\"no_repeat_ngram_size\": 1, \"repetition_penalty\": 3.0, \"min_new_tokens\": 9}", given, plain);
    same = plain, same.no_repeat_ngram_size = 1, same.repetition_penalty = 3.0, same.min_new_tokens = 9;
    by_file(fixture, "{\"no_repeat_ngram_size\": 1, \"repetition_penalty\": 3.0, \"min_new_tokens\": 9}", plain, same);
    same = plain, same.num_beams = 3, same.length_penalty = 2.0, same.early_stopping = 1;
    by_file(fixture, "{\"num_beams\": 3, \"length_penalty\": 2.0, \"early_stopping\": true}", plain, same);
    same.early_stopping = 2;
    by_file(fixture, "{\"num_beams\": 3, \"length_penalty\": 2.0, \"early_stopping\": \"never\"}", plain, same);
    same.early_stopping = given.early_stopping = -1;
    given = plain, given.early_stopping = -1;
    by_file(fixture, "{\"num_beams\": 3, \"length_penalty\": 2.0, \"early_stopping\": true}", given, same);
    same = plain, same.bad_words = words, same.n_bad_words = 2;
    by_file(fixture, "{\"bad_words_ids\": [[24], [137]]}", plain, same);
    same = plain, same.logit_bias = none, same.n_logit_bias = 2;
    by_file(fixture, "{\"suppress_tokens\": [24, 137], \"guidance_scale\": 1.0, \"force_words_ids\": []}", plain, same);
}

static void file_refusals(const char *fixture)
{
    static const struct {
        const char *text, *fragment;
        pali_status status;
    } wrong[] = {
        { "{\"guidance_scale\": 1.5}", "sets guidance_scale", PALI_ERROR_UNSUPPORTED },
        { "{\"exponential_decay_length_penalty\": [3, 1.1]}", "exponential_decay", PALI_ERROR_UNSUPPORTED },
        { "{\"renormalize_logits\": true}", "renormalize_logits", PALI_ERROR_UNSUPPORTED },
        { "{\"stop_strings\": \"x\"}", "stop_strings", PALI_ERROR_UNSUPPORTED },
        { "{\"max_length\": 40}", "give max_new_tokens", PALI_ERROR_UNSUPPORTED },
        { "{\"min_length\": 40}", "give min_new_tokens", PALI_ERROR_UNSUPPORTED },
        { "{\"do_sample\": true, \"num_beams\": 2}", "does not sample", PALI_ERROR_UNSUPPORTED },
        { "{\"do_sample\": true, \"temperature\": 0.0}", "at temperature 0", PALI_ERROR_ARGUMENT },
        { "{\"num_return_sequences\": 2}", "there is one answer", PALI_ERROR_ARGUMENT },
        { "{\"suppress_tokens\": [448]}", "generation_config.suppress_tokens: token ids are 0…447",
          PALI_ERROR_ARGUMENT },
        { "{\"bad_words_ids\": [5]}", "no list of lists", PALI_ERROR_FORMAT },
        { "{\"bad_words_ids\": [[]]}", "no list of lists", PALI_ERROR_FORMAT },
        { "{\"bad_words_ids\": [[-1]]}", "no list of lists", PALI_ERROR_FORMAT },
        { "{\"early_stopping\": \"often\"}", "early_stopping is a string", PALI_ERROR_FORMAT },
        { "{\"repetition_penalty\": 0}", "repetition_penalty", PALI_ERROR_FORMAT },
    };
    pali_inputs *inputs = fixture_tensors(fixture, "generate", "inputs");

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        pali_error *error = NULL;
        pali_generation *generation = answers_by_file(fixture, wrong[i].text, inputs, NULL, &error);
        CHECK(generation == NULL);
        CHECK_FAILS(pali_error_status(error), error, wrong[i].status, wrong[i].fragment);
    }
    pali_inputs_free(inputs);
}

int main(void)
{
    for (size_t i = 0; i < 2; i++) { /* the two main fixtures */
        pali_model_options options = PALI_MODEL_OPTIONS_INIT;
        pali_error *error = NULL;

        options.dtype = PALI_FLOAT32;
        CHECK_OK(pali_model_load(&model, fixture_path(fixture_models[i], NULL), &options, &error), error);
        if (!model)
            continue;
        file_defaults(fixture_models[i]);
        file_refusals(fixture_models[i]);
        pali_model_free(model);
        model = NULL;
    }
    return test_report("generation_config");
}
