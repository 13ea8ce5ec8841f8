/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The number of threads of a call: whatever it is, features, passes, answers, scores and embeddings have the same bits;
 * and several threads may answer at once, each with a number of its own.
 */
#include <pthread.h>

#include "cache_runs.h"

enum { LENGTH = 70, NEW_TOKENS = 8, CALLERS = 4 };

static const int32_t numbers[] = { 1, 2, 3, 5 };
static const size_t n_numbers = sizeof numbers / sizeof numbers[0];
static int64_t ids[2 * LENGTH];
static const char *fixture;

static bool same_tensors(const pali_tensor *a, const pali_tensor *b)
{
    return a && b && pali_tensor_count(a) == pali_tensor_count(b) &&
           memcmp(a->data, b->data, (size_t)pali_tensor_count(a) * sizeof(float)) == 0;
}

static bool same_outputs(const pali_outputs *a, const pali_outputs *b)
{
    bool same = a && b && pali_outputs_count(a) == pali_outputs_count(b);

    for (size_t i = 0; same && i < pali_outputs_count(a); i++)
        same = same_tensors(pali_outputs_get(a, pali_outputs_name(a, i)),
                            pali_outputs_get(b, pali_outputs_name(a, i)));
    return same;
}

static pali_image_features *features_with(pali_model *model, int32_t threads)
{
    pali_image_features_options options = PALI_IMAGE_FEATURES_OPTIONS_INIT;
    pali_image_features *features = NULL;
    pali_error *error = NULL;
    int64_t size = 0;

    CHECK_OK(pali_config_get_int(pali_model_config(model), "vision_config.image_size", &size, &error), error);
    int64_t count = 3 * size * size;
    float *pixels = malloc((size_t)count * sizeof *pixels);
    for (int64_t i = 0; i < count; i++)
        pixels[i] = (float)(i * 7919 % 255) / 127.5f - 1.0f;
    pali_tensor view = pali_tensor_view(pixels, PALI_FLOAT32, 4, (int64_t[]){ 1, 3, size, size });
    options.threads = threads;
    CHECK_OK(pali_model_image_features(&features, model, &view, &options, &error), error);
    free(pixels);
    return features;
}

static pali_outputs *forward_with(pali_model *model, int32_t threads)
{
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_inputs *inputs = run_inputs(2, LENGTH, ids, NULL, NULL, NULL);
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;

    options.threads = threads;
    options.output_hidden_states = 1;
    CHECK_OK(pali_model_forward(&outputs, model, inputs, &options, &error), error);
    pali_inputs_free(inputs);
    return outputs;
}

static pali_outputs *embed_with(pali_model *model, int32_t threads)
{
    pali_embed_options options = PALI_EMBED_OPTIONS_INIT;
    pali_inputs *inputs = run_inputs(2, LENGTH, ids, NULL, NULL, NULL);
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;

    options.threads = threads;
    CHECK_OK(pali_embed(&outputs, model, inputs, &options, &error), error);
    pali_inputs_free(inputs);
    return outputs;
}

static pali_generation *answer_with(pali_model *model, int32_t threads)
{
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_inputs *inputs = run_inputs(2, LENGTH, ids, NULL, NULL, NULL);
    pali_generation *answer = NULL;
    pali_error *error = NULL;

    options.threads = threads;
    options.max_new_tokens = NEW_TOKENS;
    options.logprobs = 1;
    CHECK_OK(pali_generate(&answer, model, inputs, &options, &error), error);
    pali_inputs_free(inputs);
    return answer;
}

static pali_scores *score_with(pali_model *model, int32_t threads)
{
    pali_score_options options = PALI_SCORE_OPTIONS_INIT;
    pali_inputs *inputs = run_inputs(1, LENGTH, ids, NULL, NULL, NULL);
    pali_token_list suffix = { .ids = ids + LENGTH, .n_ids = 20 };
    pali_scores *scores = NULL;
    pali_error *error = NULL;

    options.threads = threads;
    CHECK_OK(pali_score_tokens(&scores, model, inputs, &suffix, 1, &options, &error), error);
    pali_inputs_free(inputs);
    return scores;
}

static bool same_answers(const pali_generation *a, const pali_generation *b)
{
    bool same = a && b;

    for (int64_t row = 0; same && row < 2; row++) {
        size_t n_a, n_b, n_p, n_q;
        const int64_t *ids_a = pali_generation_token_ids(a, row, &n_a), *ids_b = pali_generation_token_ids(b, row, &n_b);
        const double *p = pali_generation_logprobs(a, row, &n_p), *q = pali_generation_logprobs(b, row, &n_q);
        same = n_a == n_b && n_p == n_q && memcmp(ids_a, ids_b, n_a * sizeof *ids_a) == 0 &&
               memcmp(p, q, n_p * sizeof *p) == 0;
    }
    return same;
}

static void every_number(pali_model *model)
{
    pali_image_features *features = features_with(model, 0);
    pali_outputs *outputs = forward_with(model, 0), *embeddings = embed_with(model, 0);
    pali_generation *answer = answer_with(model, 0);
    pali_scores *scores = score_with(model, 0);

    for (size_t i = 0; i < n_numbers; i++) {
        pali_image_features *features_i = features_with(model, numbers[i]);
        pali_outputs *outputs_i = forward_with(model, numbers[i]), *embeddings_i = embed_with(model, numbers[i]);
        pali_generation *answer_i = answer_with(model, numbers[i]);
        pali_scores *scores_i = score_with(model, numbers[i]);
        CHECK_MSG(same_tensors(pali_image_features_tensor(features), pali_image_features_tensor(features_i)),
                  "%s, %d threads: image features", fixture, numbers[i]);
        CHECK_MSG(same_outputs(outputs, outputs_i), "%s, %d threads: forward", fixture, numbers[i]);
        CHECK_MSG(same_outputs(embeddings, embeddings_i), "%s, %d threads: embed", fixture, numbers[i]);
        CHECK_MSG(same_answers(answer, answer_i), "%s, %d threads: generate", fixture, numbers[i]);
        CHECK_MSG(scores && scores_i && memcmp(&(double){ pali_scores_total(scores, 0) },
                                               &(double){ pali_scores_total(scores_i, 0) }, sizeof(double)) == 0,
                  "%s, %d threads: score", fixture, numbers[i]);
        pali_scores_free(scores_i);
        pali_generation_free(answer_i);
        pali_outputs_free(embeddings_i);
        pali_outputs_free(outputs_i);
        pali_image_features_free(features_i);
    }
    pali_scores_free(scores);
    pali_generation_free(answer);
    pali_outputs_free(embeddings);
    pali_outputs_free(outputs);
    pali_image_features_free(features);
}

static void impossible_numbers(pali_model *model)
{
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_inputs *inputs = run_inputs(2, LENGTH, ids, NULL, NULL, NULL);

    for (int i = 0; i < 2; i++) {
        pali_outputs *outputs = NULL;
        pali_error *error = NULL;
        options.threads = i == 0 ? -1 : 4097;
        CHECK(pali_model_forward(&outputs, model, inputs, &options, &error) == PALI_ERROR_ARGUMENT && !outputs);
        CHECK(error && strstr(pali_error_message(error), "0…4096"));
        pali_error_free(error);
    }
    pali_inputs_free(inputs);
}

/* ---- several callers ---- */

struct caller {
    pali_model *model;
    pali_inputs *inputs;
    int32_t threads;
    pali_status status;
    pali_generation *answer;
    pthread_t thread;
};

/* Counts no checks: the counters belong to the main thread. */
static void *call(void *user)
{
    struct caller *caller = user;
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;

    options.threads = caller->threads;
    options.max_new_tokens = NEW_TOKENS;
    options.logprobs = 1;
    caller->status = pali_generate(&caller->answer, caller->model, caller->inputs, &options, NULL);
    return NULL;
}

static void several_callers(pali_model *model)
{
    pali_generation *expected = answer_with(model, 1);
    struct caller callers[CALLERS];

    for (int i = 0; i < CALLERS; i++)
        callers[i] = (struct caller){ .model = model, .threads = i,
                                      .inputs = run_inputs(2, LENGTH, ids, NULL, NULL, NULL) };
    for (int i = 0; i < CALLERS; i++)
        CHECK(pthread_create(&callers[i].thread, NULL, call, &callers[i]) == 0);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        CHECK_MSG(callers[i].status == PALI_OK && same_answers(expected, callers[i].answer), "%s: caller %d", fixture, i);
        pali_generation_free(callers[i].answer);
        pali_inputs_free(callers[i].inputs);
    }
    pali_generation_free(expected);
}

int main(void)
{
    static const char *const names[] = { "pg1", "pg2", "pg1-bf16" };
    static const pali_dtype dtypes[] = { PALI_FLOAT32, PALI_BFLOAT16 };

    run_random_ids(ids, 2 * LENGTH);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (size_t j = 0; j < sizeof dtypes / sizeof dtypes[0]; j++) {
            fixture = names[i];
            pali_model *model = run_model(fixture, dtypes[j]);
            if (!model)
                continue;
            every_number(model);
            impossible_numbers(model);
            several_callers(model);
            pali_model_free(model);
        }
    return test_report("threads");
}
