/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many pictures, from pictures and words to tokens: 16 frames in one row, and a batch whose rows have one or two
 * pictures among the words (tests/oracle/make_batch_fixtures.py). And what a cache in bfloat16 costs, beside the
 * oracle's own.
 */
#include "cache_runs.h"

#define MOST_PICTURES 16

static pali_model *model;
static const char *fixture;

/* The strings of a uint8 tensor, each ended by a NUL. */
static size_t split_texts(const pali_tensor *tensor, const char **texts, size_t most)
{
    const char *at = tensor->data, *end = at + tensor->shape[0];
    size_t n = 0;

    for (; at < end && n < most; at += strlen(at) + 1)
        texts[n++] = at;
    return n;
}

static void same_tensor(const pali_inputs *got, const pali_inputs *want, const char *case_name, const char *name)
{
    const pali_tensor *a = pali_inputs_get(got, name), *b = pali_inputs_get(want, name);
    bool same = a && b && a->dtype == b->dtype && a->rank == b->rank && pali_tensor_count(a) == pali_tensor_count(b) &&
                !memcmp(a->shape, b->shape, sizeof a->shape) &&
                !memcmp(a->data, b->data, (size_t)pali_tensor_count(a) * pali_dtype_size(a->dtype));
    CHECK_MSG(same, "%s %s: %s differs from the oracle's", fixture, case_name, name);
}

static pali_inputs *process(const char *name)
{
    pali_inputs *given = fixture_tensors(fixture, name, "pictures"), *inputs = NULL;
    pali_image *pictures[MOST_PICTURES] = { NULL };
    const char *texts[8] = { NULL };
    pali_processor *processor = NULL;
    pali_error *error = NULL;
    size_t n = 0, n_texts = split_texts(pali_inputs_get(given, "texts"), texts, 8);

    for (; n < MOST_PICTURES; n++) {
        char key[32];
        snprintf(key, sizeof key, "picture.%d", (int)n);
        const pali_tensor *pixels = pali_inputs_get(given, key);
        if (!pixels)
            break;
        CHECK_OK(pali_image_create(&pictures[n], pixels->data, (int32_t)pixels->shape[1], (int32_t)pixels->shape[0], 0,
                                   &error), error);
    }
    CHECK_OK(pali_processor_load(&processor, fixture_path(fixture, NULL), NULL, &error), error);
    CHECK_OK(pali_processor_apply_batch(&inputs, processor, pictures, n, texts, n_texts, NULL, &error), error);
    for (size_t i = 0; i < n; i++)
        pali_image_free(pictures[i]);
    pali_processor_free(processor);
    pali_inputs_free(given);
    return inputs;
}

/* Largest difference of logits at real positions. */
static double worst_difference(const pali_inputs *inputs, const pali_tensor *got, const pali_tensor *want, double *rms)
{
    const pali_tensor *mask = pali_inputs_get(inputs, "attention_mask");
    double worst = 0.0, squares = 0.0;
    int64_t width = want->shape[2], count = 0;

    for (int64_t i = 0; i < pali_tensor_count(mask); i++)
        for (int64_t j = 0; ((const int64_t *)mask->data)[i] && j < width; j++, count++) {
            double difference = fabs((double)((const float *)got->data)[i * width + j] -
                                     (double)((const float *)want->data)[i * width + j]);
            worst = !(difference <= worst) ? difference : worst;
            squares += difference * difference;
        }
    *rms = sqrt(squares / (double)count);
    return worst;
}

static void pictures(const char *name)
{
    pali_inputs *want = fixture_tensors(fixture, name, "inputs"), *expected = fixture_tensors(fixture, name, "expected");
    pali_inputs *inputs = process(name);
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_generation *from_pictures = NULL, *from_tensors = NULL;
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;
    double rms;

    same_tensor(inputs, want, name, "input_ids");
    same_tensor(inputs, want, name, "attention_mask");
    same_tensor(inputs, want, name, "token_type_ids");
    same_tensor(inputs, want, name, "pixel_values");
    CHECK_OK(pali_model_forward(&outputs, model, inputs, NULL, &error), error);
    double worst = worst_difference(inputs, pali_outputs_get(outputs, "logits"), pali_inputs_get(expected, "logits"), &rms);
    CHECK_MSG(worst <= 1e-4, "%s %s: logits differ by %g", fixture, name, worst);

    /* test_generate.c compares the answers from tensors with the oracle's. */
    options.max_new_tokens = 12;
    CHECK_OK(pali_generate(&from_pictures, model, inputs, &options, &error), error);
    CHECK_OK(pali_generate(&from_tensors, model, want, &options, &error), error);
    for (int64_t row = 0; row < pali_generation_rows(from_tensors); row++) {
        size_t n = 0, n_want = 0;
        const int64_t *got = pali_generation_token_ids(from_pictures, row, &n);
        const int64_t *right = pali_generation_token_ids(from_tensors, row, &n_want);
        CHECK(n == n_want && !memcmp(got, right, n * sizeof *got) && pali_generation_text(from_pictures, row));
    }
    pali_generation_free(from_pictures);
    pali_generation_free(from_tensors);
    pali_outputs_free(outputs);
    pali_inputs_free(inputs);
    pali_inputs_free(want);
    pali_inputs_free(expected);
}

/* Keys and values in bfloat16 move the logits as far as the oracle's own do when its cache rounds them, and hit its
 * numbers but where a value lies between two of bfloat16's and float32's last bit decides. */
static void rounded_keys(void)
{
    pali_inputs *inputs = fixture_tensors(fixture, "mixed", "inputs"), *plain = fixture_tensors(fixture, "mixed", "expected");
    pali_inputs *rounded = fixture_tensors(fixture, "mixed", "kv16");
    pali_cache_options cache_options = PALI_CACHE_OPTIONS_INIT;
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_cache *cache = NULL;
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;
    double to_plain, to_rounded, oracle;

    cache_options.rows = 3;
    cache_options.dtype = PALI_BFLOAT16;
    CHECK_OK(pali_cache_create(&cache, model, &cache_options, &error), error);
    options.cache = cache;
    CHECK_OK(pali_model_forward(&outputs, model, inputs, &options, &error), error);
    const pali_tensor *got = pali_outputs_get(outputs, "logits"), *want = pali_inputs_get(rounded, "logits");
    double worst = worst_difference(inputs, got, want, &to_rounded);
    worst_difference(inputs, got, pali_inputs_get(plain, "logits"), &to_plain);
    worst_difference(inputs, want, pali_inputs_get(plain, "logits"), &oracle);
    CHECK_MSG(to_rounded <= 0.25 * oracle && to_plain <= 1.1 * oracle,
              "%s: rms %g from the oracle's rounded cache, %g from float32, the oracle's own %g", fixture, to_rounded,
              to_plain, oracle);
    printf("%s: bfloat16 keys and values: rms %.2e from float32, the oracle's %.2e; between the two %.2e, at most %.2e\n",
           fixture, to_plain, oracle, to_rounded, worst);
    pali_outputs_free(outputs);
    pali_cache_free(cache);
    pali_inputs_free(inputs);
    pali_inputs_free(plain);
    pali_inputs_free(rounded);
}

int main(void)
{
    static const char *const names[] = { "pg1-lone-head", "pg2-f32" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fixture = names[i];
        model = run_model(fixture, PALI_FLOAT32);
        if (!model)
            continue;
        pictures("frames");
        pictures("mixed");
        rounded_keys();
        pali_model_free(model);
    }
    return test_report("pictures");
}
