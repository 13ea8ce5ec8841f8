/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cache as a handle: callers' mistakes, prefixes that are shared and frozen, several threads on one prefix, files
 * that are damaged or belong elsewhere. Numbers are tests/parity's business.
 */
#include <pthread.h>

#include "parity/cache_runs.h"

enum { PREFIX = 40, N_THREADS = 4, STEPS = 12 };

static pali_model *model;
static int64_t ids[PREFIX + 40];

static pali_cache *make(pali_cache_options options)
{
    pali_cache *cache = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_cache_create(&cache, model, &options, &error), error);
    return cache;
}

static void arguments(void)
{
    pali_cache_options options = PALI_CACHE_OPTIONS_INIT;
    pali_cache *cache = NULL, *other = NULL;
    pali_error *error = NULL;
    int64_t parents[2] = { 0, 1 };

    CHECK_FAILS(pali_cache_create(NULL, model, NULL, &error), error, PALI_ERROR_ARGUMENT, "out");
    CHECK_FAILS(pali_cache_create(&cache, NULL, NULL, &error), error, PALI_ERROR_ARGUMENT, "model");
    options.rows = 0;
    CHECK_FAILS(pali_cache_create(&cache, model, &options, &error), error, PALI_ERROR_ARGUMENT, "rows");
    options.rows = 1;
    options.dtype = PALI_FLOAT16;
    CHECK_FAILS(pali_cache_create(&cache, model, &options, &error), error, PALI_ERROR_ARGUMENT, "float16");
    options.dtype = (pali_dtype)0;
    options.fixed = 1;
    CHECK_FAILS(pali_cache_create(&cache, model, &options, &error), error, PALI_ERROR_ARGUMENT, "capacity");
    options.capacity = (int64_t)1 << 40;
    CHECK_FAILS(pali_cache_create(&cache, model, &options, &error), error, PALI_ERROR_ARGUMENT, "capacity");
    CHECK(cache == NULL);

    cache = make((pali_cache_options)PALI_CACHE_OPTIONS_INIT);
    CHECK(pali_cache_rows(cache) == 1 && pali_cache_length(cache, 0) == 0 && pali_cache_size_bytes(cache) == 0);
    CHECK(pali_cache_rows(NULL) == 0 && pali_cache_length(NULL, 0) == 0 && pali_cache_size_bytes(NULL) == 0);
    CHECK(pali_cache_length(cache, 1) == 0 && pali_cache_length(cache, -1) == 0);
    CHECK_FAILS(pali_cache_truncate(NULL, 0, &error), error, PALI_ERROR_ARGUMENT, "NULL");
    CHECK_FAILS(pali_cache_truncate(cache, -1, &error), error, PALI_ERROR_ARGUMENT, "negative");
    CHECK_OK(pali_cache_truncate(cache, 1000, &error), error);
    CHECK_FAILS(pali_cache_reorder(cache, parents, 2, &error), error, PALI_ERROR_ARGUMENT, "parents[1]");
    CHECK_FAILS(pali_cache_reorder(cache, parents, 0, &error), error, PALI_ERROR_ARGUMENT, "n should be");
    CHECK_FAILS(pali_cache_reorder(cache, NULL, 1, &error), error, PALI_ERROR_ARGUMENT, "parents");
    CHECK_FAILS(pali_cache_reorder(NULL, parents, 1, &error), error, PALI_ERROR_ARGUMENT, "cache");
    CHECK_FAILS(pali_cache_fork(NULL, cache, &error), error, PALI_ERROR_ARGUMENT, "out");
    CHECK_FAILS(pali_cache_fork(&other, NULL, &error), error, PALI_ERROR_ARGUMENT, "cache");
    CHECK_FAILS(pali_cache_save(NULL, "x", &error), error, PALI_ERROR_ARGUMENT, "cache");
    CHECK_FAILS(pali_cache_save(cache, NULL, &error), error, PALI_ERROR_ARGUMENT, "path");
    CHECK_FAILS(pali_cache_load(&other, model, NULL, &error), error, PALI_ERROR_ARGUMENT, "path");
    CHECK_FAILS(pali_cache_load(&other, model, "/nowhere/at/all", &error), error, PALI_ERROR_IO, "/nowhere");
    pali_cache_reset(NULL);
    pali_cache_free(NULL);
    pali_cache_free(cache);
}

static void frozen(void)
{
    pali_cache_options options = PALI_CACHE_OPTIONS_INIT;
    pali_cache *prefix = make(options), *child, *refused = NULL;
    pali_outputs *outputs = NULL;
    pali_generation *generation = NULL;
    pali_error *error = NULL;
    int64_t parents[1] = { 0 };

    pali_outputs_free(run_pass(model, prefix, ids, PREFIX, 0));
    options.prefix = prefix;
    options.rows = 3;
    child = make(options);
    CHECK(pali_cache_length(child, 2) == PREFIX);
    CHECK(pali_cache_size_bytes(child) < pali_cache_size_bytes(prefix)); /* nothing is copied */

    pali_forward_options forward = PALI_FORWARD_OPTIONS_INIT;
    pali_generate_options generate = PALI_GENERATE_OPTIONS_INIT;
    pali_inputs *inputs = run_inputs(1, 2, ids, NULL, NULL, NULL);
    forward.cache = generate.cache = prefix;
    CHECK_FAILS(pali_model_forward(&outputs, model, inputs, &forward, &error), error, PALI_ERROR_ARGUMENT, "prefix");
    CHECK_FAILS(pali_generate(&generation, model, inputs, &generate, &error), error, PALI_ERROR_ARGUMENT, "prefix");
    CHECK_FAILS(pali_cache_truncate(prefix, 1, &error), error, PALI_ERROR_ARGUMENT, "prefix");
    CHECK_FAILS(pali_cache_reorder(prefix, parents, 1, &error), error, PALI_ERROR_ARGUMENT, "prefix");
    pali_cache_reset(prefix);
    CHECK(pali_cache_length(prefix, 0) == PREFIX);

    /* What a prefix may not be. */
    options.dtype = PALI_BFLOAT16;
    CHECK_FAILS(pali_cache_create(&refused, model, &options, &error), error, PALI_ERROR_ARGUMENT, "dtype");
    options.dtype = (pali_dtype)0;
    options.fixed = 1;
    options.capacity = PREFIX - 1;
    CHECK_FAILS(pali_cache_create(&refused, model, &options, &error), error, PALI_ERROR_ARGUMENT, "capacity");
    options.fixed = 0;
    options.prefix = child;
    CHECK_FAILS(pali_cache_create(&refused, model, &options, &error), error, PALI_ERROR_ARGUMENT, "one row");
    pali_model *another = run_model("pg1", PALI_FLOAT32);
    options.prefix = prefix;
    CHECK_FAILS(pali_cache_create(&refused, another, &options, &error), error, PALI_ERROR_ARGUMENT, "model");
    pali_model_free(another);

    pali_cache_free(child); /* now it may change again */
    CHECK_OK(pali_model_forward(&outputs, model, inputs, &forward, &error), error);
    CHECK(pali_cache_length(prefix, 0) == PREFIX + 2);
    pali_outputs_free(outputs);

    options.prefix = prefix;
    options.rows = 1;
    child = make(options);
    pali_cache *nested = NULL;
    options.prefix = child;
    CHECK_FAILS(pali_cache_create(&nested, model, &options, &error), error, PALI_ERROR_UNSUPPORTED, "prefix");
    pali_cache_free(prefix);
    pali_cache_free(child);
    pali_inputs_free(inputs);
}

/* A caller's cache in generation. */
static void generation(void)
{
    pali_cache_options options = PALI_CACHE_OPTIONS_INIT;
    pali_generate_options generate = PALI_GENERATE_OPTIONS_INIT;
    pali_generation *answer = NULL;
    pali_error *error = NULL;
    pali_inputs *inputs = run_inputs(1, 10, ids, NULL, NULL, NULL);

    options.fixed = 1;
    options.capacity = 20;
    pali_cache *cache = make(options);
    generate.cache = cache;
    generate.max_new_tokens = 12;
    CHECK_FAILS(pali_generate(&answer, model, inputs, &generate, &error), error, PALI_ERROR_LIMIT, "21");
    CHECK(pali_cache_length(cache, 0) == 0);
    generate.max_new_tokens = 11;
    generate.num_beams = 2;
    CHECK_FAILS(pali_generate(&answer, model, inputs, &generate, &error), error, PALI_ERROR_UNSUPPORTED, "num_beams");
    generate.num_beams = 1;
    CHECK_OK(pali_generate(&answer, model, inputs, &generate, &error), error);
    size_t n = 0;
    pali_generation_token_ids(answer, 0, &n);
    CHECK(pali_cache_length(cache, 0) == 10 + (int64_t)n - 1);
    pali_generation_free(answer);
    pali_cache_free(cache);

    /* Guesses are rolled back: a sliding cache (window 4) takes no more than it can. */
    options = (pali_cache_options)PALI_CACHE_OPTIONS_INIT;
    int64_t plain[11], n_plain = 0;
    for (int guesses = 0; guesses < 2; guesses++) {
        options.sliding = guesses;
        generate.prompt_lookup_num_tokens = guesses ? 4 : 0;
        cache = make(options);
        generate.cache = cache;
        CHECK_OK(pali_generate(&answer, model, inputs, &generate, &error), error);
        const int64_t *got = pali_generation_token_ids(answer, 0, &n);
        if (guesses)
            CHECK((int64_t)n == n_plain && !memcmp(got, plain, n * sizeof *got));
        else
            memcpy(plain, got, n * sizeof *got), n_plain = (int64_t)n;
        CHECK(pali_cache_length(cache, 0) == 10 + (int64_t)n - 1);
        pali_generation_free(answer);
        answer = NULL;
        if (guesses) {
            generate.prompt_lookup_num_tokens = 5;
            CHECK_FAILS(pali_generate(&answer, model, inputs, &generate, &error), error, PALI_ERROR_UNSUPPORTED,
                        "prompt_lookup_num_tokens");
        }
        pali_cache_free(cache);
    }
    generate.prompt_lookup_num_tokens = 0;

    options = (pali_cache_options)PALI_CACHE_OPTIONS_INIT;
    options.rows = 2;
    cache = make(options);
    generate.cache = cache;
    CHECK_FAILS(pali_generate(&answer, model, inputs, &generate, &error), error, PALI_ERROR_SHAPE, "rows");
    pali_cache_free(cache);
    pali_model *another = run_model("pg1", PALI_FLOAT32);
    CHECK_OK(pali_cache_create(&cache, another, NULL, &error), error);
    generate.cache = cache;
    CHECK_FAILS(pali_generate(&answer, model, inputs, &generate, &error), error, PALI_ERROR_ARGUMENT, "model");
    pali_cache_free(cache);
    pali_model_free(another);
    pali_inputs_free(inputs);
}

/* ---- threads ---- */

struct worker {
    const pali_cache *prefix;
    int index, sliding;
    pali_outputs *outputs[STEPS];
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    pali_cache_options options = PALI_CACHE_OPTIONS_INIT;
    options.prefix = worker->prefix;
    options.sliding = worker->sliding;
    pali_cache *cache = NULL;
    if (pali_cache_create(&cache, model, &options, NULL) != PALI_OK)
        return NULL;
    for (int i = 0; i < STEPS; i++) {
        int64_t id = ids[(worker->index * 5 + i) % PREFIX];
        pali_inputs *inputs = NULL;
        pali_tensor view = pali_tensor_view(&id, PALI_INT64, 2, (int64_t[]){ 1, 1 });
        pali_forward_options forward = PALI_FORWARD_OPTIONS_INIT;
        forward.cache = cache;
        if (pali_inputs_create(&inputs, NULL) == PALI_OK && pali_inputs_set(inputs, "input_ids", &view, NULL) == PALI_OK)
            pali_model_forward(&worker->outputs[i], model, inputs, &forward, NULL);
        pali_inputs_free(inputs);
    }
    pali_cache_free(cache);
    return NULL;
}

/* Several threads continue one prefix at once; the last of them to end, or this one, frees it. */
static void threads(int sliding)
{
    pali_cache_options options = PALI_CACHE_OPTIONS_INIT;
    struct worker workers[N_THREADS];
    pthread_t started[N_THREADS];

    options.sliding = sliding;
    pali_cache *prefix = make(options);
    pali_outputs_free(run_pass(model, prefix, ids, PREFIX, 0));
    for (int i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){ .prefix = prefix, .index = i, .sliding = sliding };
        CHECK(pthread_create(&started[i], NULL, work, &workers[i]) == 0);
    }
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(started[i], NULL);
    pali_cache_free(prefix);

    for (int i = 0; i < N_THREADS; i++) {
        pali_cache *cache = make((pali_cache_options)PALI_CACHE_OPTIONS_INIT);
        pali_outputs_free(run_pass(model, cache, ids, PREFIX, 0));
        for (int j = 0; j < STEPS; j++) {
            pali_outputs *right = run_pass(model, cache, &ids[(i * 5 + j) % PREFIX], 1, 1);
            const pali_tensor *a = pali_outputs_get(right, "logits"), *b = pali_outputs_get(workers[i].outputs[j], "logits");
            CHECK_MSG(a && b && !memcmp(a->data, b->data, (size_t)pali_tensor_count(a) * sizeof(float)),
                      "thread %d, step %d", i, j);
            pali_outputs_free(right);
            pali_outputs_free(workers[i].outputs[j]);
        }
        pali_cache_free(cache);
    }
}

/* ---- files ---- */

static const char *scratch(const char *name)
{
    return test_path(test_scratch(), name);
}

/* A saved cache with `tensor` replaced, or left out (NULL), is refused by a message with `fragment`. */
static void damaged(const char *saved, const char *name, const pali_tensor *tensor, pali_status status,
                    const char *fragment)
{
    pali_inputs *all = NULL, *some = NULL;
    pali_cache *cache = NULL;
    pali_error *error = NULL;

    CHECK_OK(pali_inputs_load(&all, saved, &error), error);
    CHECK_OK(pali_inputs_create(&some, &error), error);
    for (size_t i = 0; i < pali_inputs_count(all); i++) {
        const char *each = pali_inputs_name(all, i);
        const pali_tensor *value = strcmp(each, name) ? pali_inputs_get(all, each) : tensor;
        if (value)
            CHECK_OK(pali_inputs_set(some, each, value, &error), error);
    }
    CHECK_OK(pali_inputs_save(some, scratch("damaged.safetensors"), &error), error);
    CHECK_FAILS(pali_cache_load(&cache, model, scratch("damaged.safetensors"), &error), error, status, fragment);
    CHECK(cache == NULL);
    pali_inputs_free(all);
    pali_inputs_free(some);
}

static void damaged_numbers(const char *saved, const char *name, int64_t at, int64_t value, pali_status status,
                            const char *fragment)
{
    pali_inputs *all = NULL;
    pali_error *error = NULL;

    CHECK_OK(pali_inputs_load(&all, saved, &error), error);
    const pali_tensor *tensor = pali_inputs_get(all, name);
    CHECK(tensor && tensor->dtype == PALI_INT64 && tensor->shape[0] > at);
    ((int64_t *)tensor->data)[at] = value;
    damaged(saved, name, tensor, status, fragment);
    pali_inputs_free(all);
}

static void truncated(const char *saved)
{
    pali_error *error = NULL;
    FILE *in = fopen(saved, "rb");
    static char bytes[1 << 20];
    size_t size = in ? fread(bytes, 1, sizeof bytes, in) : 0;

    if (in)
        fclose(in);
    CHECK(size > 2000 && size < sizeof bytes);
    for (size_t length = 0; length < size; length += size / 37 + 1) {
        pali_cache *cache = NULL;
        FILE *out = fopen(scratch("short.safetensors"), "wb");
        CHECK(out && fwrite(bytes, 1, length, out) == length);
        if (out)
            fclose(out);
        CHECK_FAILS(pali_cache_load(&cache, model, scratch("short.safetensors"), &error), error, PALI_ERROR_FORMAT,
                    "short.safetensors");
        CHECK(cache == NULL);
    }
}

static void files(void)
{
    pali_cache_options options = PALI_CACHE_OPTIONS_INIT;
    char saved[1024];
    pali_error *error = NULL;

    options.sliding = 1;
    snprintf(saved, sizeof saved, "%s", scratch("saved.safetensors"));
    pali_cache *cache = make(options), *loaded = NULL;
    CHECK_OK(pali_cache_save(cache, saved, &error), error); /* an empty one */
    CHECK_OK(pali_cache_load(&loaded, model, saved, &error), error);
    CHECK(pali_cache_length(loaded, 0) == 0);
    pali_cache_free(loaded);
    pali_outputs_free(run_pass(model, cache, ids, PREFIX, 0));
    CHECK_OK(pali_cache_save(cache, saved, &error), error);
    pali_cache_free(cache);

    damaged(saved, "cache", NULL, PALI_ERROR_FORMAT, "not a saved cache");
    damaged(saved, "row.0.window_keys", NULL, PALI_ERROR_FORMAT, "row.0.window_keys");
    float few[2] = { 0 };
    pali_tensor view = pali_tensor_view(few, PALI_FLOAT32, 1, (int64_t[]){ 2 });
    damaged(saved, "row.0.keys", &view, PALI_ERROR_FORMAT, "row.0.keys");
    damaged(saved, "row.0.positions", &view, PALI_ERROR_FORMAT, "row.0.positions");
    damaged_numbers(saved, "cache", 0, 2, PALI_ERROR_UNSUPPORTED, "version");
    damaged_numbers(saved, "cache", 1, 999, PALI_ERROR_FORMAT, "number of layers");
    damaged_numbers(saved, "cache", 4, 77, PALI_ERROR_FORMAT, "window");
    damaged_numbers(saved, "cache", 5, 2, PALI_ERROR_FORMAT, "sliding");
    damaged_numbers(saved, "cache", 7, -1, PALI_ERROR_FORMAT, "capacity");
    damaged_numbers(saved, "cache", 8, (int64_t)1 << 60, PALI_ERROR_FORMAT, "rows");
    damaged_numbers(saved, "cache", 9, 3, PALI_ERROR_FORMAT, "dtype");
    damaged_numbers(saved, "cache", 9, PALI_BFLOAT16, PALI_ERROR_FORMAT, "row.0.keys");
    damaged_numbers(saved, "cache", 10, 1, PALI_ERROR_FORMAT, "other weights");
    const int64_t lengths[] = { -1, 1, (int64_t)1 << 24, INT64_MAX };
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        damaged_numbers(saved, "lengths", 0, lengths[i], PALI_ERROR_FORMAT, "damaged.safetensors");
        damaged_numbers(saved, "held_from", 0, lengths[i], PALI_ERROR_FORMAT, "damaged.safetensors");
    }
    truncated(saved);

    /* A position may be any number; what follows it must still be one. */
    pali_inputs *all = NULL;
    CHECK_OK(pali_inputs_load(&all, saved, &error), error);
    ((int64_t *)pali_inputs_get(all, "row.0.positions")->data)[PREFIX - 1] = INT64_MAX;
    CHECK_OK(pali_inputs_save(all, scratch("far.safetensors"), &error), error);
    CHECK_OK(pali_cache_load(&loaded, model, scratch("far.safetensors"), &error), error);
    pali_generate_options generate = PALI_GENERATE_OPTIONS_INIT;
    pali_generation *answer = NULL;
    pali_inputs *inputs = run_inputs(1, 2, ids, NULL, NULL, NULL);
    generate.cache = loaded;
    CHECK_OK(pali_generate(&answer, model, inputs, &generate, &error), error);
    pali_generation_free(answer);
    pali_inputs_free(inputs);
    pali_inputs_free(all);
    pali_cache_free(loaded);

    /* Another model, and the same one in another type. */
    pali_model *others[] = { run_model("pg1", PALI_FLOAT32), run_model("pg2-f32", PALI_BFLOAT16) };
    CHECK_FAILS(pali_cache_load(&loaded, others[0], saved, &error), error, PALI_ERROR_FORMAT, "does not fit");
    CHECK_FAILS(pali_cache_load(&loaded, others[1], saved, &error), error, PALI_ERROR_FORMAT, "other weights");
    pali_model_free(others[0]);
    pali_model_free(others[1]);
    CHECK_FAILS(pali_cache_load(&loaded, model, fixture_path("pg2-f32", "model.safetensors"), &error), error,
                PALI_ERROR_FORMAT, "not a saved cache");
}

int main(void)
{
    model = run_model("pg2-f32", PALI_FLOAT32);
    run_random_ids(ids, PREFIX + 40);
    arguments();
    frozen();
    generation();
    threads(0);
    threads(1);
    files();
    pali_model_free(model);
    return test_report("kv_cache");
}
