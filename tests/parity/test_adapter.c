/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * LoRA adapters against PEFT (tests/oracle/make_adapter_fixtures.py): beside the weights, at another scale, merged
 * while loading and while saving; two on one model from several threads at once.
 */
#include <json-c/json.h>
#include <pthread.h>

#include "parity/fixtures.h"

#define TOLERANCE 1e-4

static const struct {
    const char *name, *base;
    int mergeable;
    size_t count;
    int64_t rank;
} adapters[] = {
    { "pg1-all", "pg1", 1, 27, 5 },
    { "pg1-second", "pg1", 1, 8, 4 },
    { "pg1-head", "pg1", 0, 3, 2 },
    { "pg2-rs", "pg2", 1, 47, 4 },
};

static const char *adapter_path(const char *name, const char *file)
{
    static char buffers[4][1024];
    static int turn;
    char *buffer = buffers[turn++ % 4];
    snprintf(buffer, sizeof buffers[0], "%s/adapters/%s%s%s", test_data(), name, file ? "/" : "", file ? file : "");
    return buffer;
}

static pali_model *load_model(const char *path, const char *const *directories, const double *scales, size_t n)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_error *error = NULL;
    options.dtype = PALI_FLOAT32;
    options.adapters = directories;
    options.adapter_scales = scales;
    options.n_adapters = n;
    CHECK_OK(pali_model_load(&model, path, &options, &error), error);
    return model;
}

static pali_adapter *load_adapter(pali_model *model, const char *name)
{
    pali_adapter *adapter = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_adapter_load(&adapter, model, adapter_path(name, NULL), &error), error);
    return adapter;
}

static pali_outputs *forward(pali_model *model, const pali_inputs *inputs, const pali_adapter *adapter, double scale)
{
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;
    options.adapter = adapter;
    options.adapter_scale = scale;
    CHECK_OK(pali_model_forward(&outputs, model, inputs, &options, &error), error);
    return outputs;
}

/* Largest difference at positions that are not padding. */
static double worst_difference(const char *name, const pali_outputs *outputs, const pali_inputs *expected,
                               const pali_inputs *inputs)
{
    const pali_tensor *got = pali_outputs_get(outputs, name), *want = pali_inputs_get(expected, name);
    const pali_tensor *mask = pali_inputs_get(inputs, "attention_mask");
    double worst = 0.0;

    if (!got || !want || pali_tensor_count(got) != pali_tensor_count(want))
        return INFINITY;
    int64_t width = want->shape[2], rows = pali_tensor_count(want) / width;
    for (int64_t i = 0; i < rows; i++) {
        if (!strcmp(name, "logits") && ((const int64_t *)mask->data)[i] == 0)
            continue;
        for (int64_t j = 0; j < width; j++) {
            double difference = fabs((double)((const float *)got->data)[i * width + j] -
                                     (double)((const float *)want->data)[i * width + j]);
            worst = difference <= worst ? worst : difference;
        }
    }
    return worst;
}

/* Logits, and the features where the file has them. */
static void check(const char *what, pali_model *model, const pali_adapter *adapter, double scale, const char *base,
                  const char *name, const char *input, const char *output)
{
    char file[128];
    pali_inputs *expected = NULL, *inputs = fixture_tensors(base, input, "inputs");
    pali_error *error = NULL;

    snprintf(file, sizeof file, "%s.expected.safetensors", output);
    CHECK_OK(pali_inputs_load(&expected, adapter_path(name, file), &error), error);
    pali_outputs *outputs = forward(model, inputs, adapter, scale);
    double logits = worst_difference("logits", outputs, expected, inputs), features = 0.0;
    if (pali_inputs_get(expected, "image_hidden_states"))
        features = worst_difference("image_hidden_states", outputs, expected, inputs);
    CHECK_MSG(logits <= TOLERANCE && features <= TOLERANCE, "%s %s %s: logits differ by %g, features by %g", name, what,
              output, logits, features);
    printf("%-10s %-20s %-16s logits %.1e features %.1e\n", name, what, output, logits, features);
    pali_outputs_free(outputs);
    pali_inputs_free(expected);
    pali_inputs_free(inputs);
}

static void check_greedy(const char *what, pali_model *model, const pali_adapter *adapter, const char *base,
                         const char *name)
{
    struct json_object *expected = json_object_from_file(adapter_path(name, "generate.json")), *value = NULL;
    pali_inputs *inputs = fixture_tensors(base, "generate", "inputs");
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_generation *answer = NULL;
    pali_error *error = NULL;

    CHECK(expected && json_object_object_get_ex(expected, "max_new_tokens", &value));
    options.max_new_tokens = json_object_get_int64(value);
    options.adapter = adapter;
    CHECK_OK(pali_generate(&answer, model, inputs, &options, &error), error);
    CHECK(json_object_object_get_ex(expected, "token_ids", &value));
    struct json_object *row = json_object_array_get_idx(value, 0);
    size_t count = 0;
    const int64_t *ids = pali_generation_token_ids(answer, 0, &count);
    CHECK(count == json_object_array_length(row));
    for (size_t i = 0; i < count && i < json_object_array_length(row); i++)
        CHECK_MSG(ids[i] == json_object_get_int64(json_object_array_get_idx(row, i)), "%s %s: token %zu is %d", name,
                  what, i, (int)ids[i]);
    pali_generation_free(answer);
    pali_inputs_free(inputs);
    json_object_put(expected);
}

/* Features that were computed with the adapter, then a pass with it: the same as one call. */
static void check_features(pali_model *model, const pali_adapter *adapter, const char *base)
{
    pali_inputs *inputs = fixture_tensors(base, "basic", "inputs");
    pali_image_features_options options = PALI_IMAGE_FEATURES_OPTIONS_INIT;
    pali_forward_options pass = PALI_FORWARD_OPTIONS_INIT;
    pali_image_features *features = NULL;
    pali_outputs *at_once = forward(model, inputs, adapter, 1.0), *outputs = NULL;
    pali_error *error = NULL;

    options.adapter = adapter;
    CHECK_OK(pali_model_image_features(&features, model, pali_inputs_get(inputs, "pixel_values"), &options, &error),
             error);
    pass.features = features;
    pass.adapter = adapter;
    CHECK_OK(pali_model_forward(&outputs, model, inputs, &pass, &error), error);
    const pali_tensor *a = pali_outputs_get(at_once, "logits"), *b = pali_outputs_get(outputs, "logits");
    CHECK(a && b && !memcmp(a->data, b->data, (size_t)pali_tensor_count(a) * sizeof(float)));
    pali_outputs_free(outputs);
    pali_outputs_free(at_once);
    pali_image_features_free(features);
    pali_inputs_free(inputs);
}

static void check_adapter(size_t index)
{
    const char *name = adapters[index].name, *base = adapters[index].base;
    char path[1024]; /* adapter_path's own buffers take turns */
    snprintf(path, sizeof path, "%s", adapter_path(name, NULL));
    const char *const directory[] = { path };
    const double half[] = { 0.5 };
    pali_model *model = load_model(fixture_path(base, NULL), NULL, NULL, 0);
    pali_adapter *adapter = load_adapter(model, name);
    pali_error *error = NULL;

    CHECK(pali_adapter_count(adapter) == adapters[index].count && pali_adapter_rank(adapter) == adapters[index].rank);
    check("at run time", model, adapter, 1.0, base, name, "basic", "basic");
    check("at run time", model, adapter, 1.0, base, name, "left_pad_suffix", "left_pad_suffix");
    check("at run time", model, adapter, 0.5, base, name, "basic", "half");
    check_greedy("at run time", model, adapter, base, name);
    check_features(model, adapter, base);

    pali_model *merged = NULL;
    if (adapters[index].mergeable) {
        merged = load_model(fixture_path(base, NULL), directory, NULL, 1);
        check("merged", merged, NULL, 1.0, base, name, "basic", "basic");
        check("merged", merged, NULL, 1.0, base, name, "left_pad_suffix", "left_pad_suffix");
        check_greedy("merged", merged, NULL, base, name);
        pali_model_free(merged);
        merged = load_model(fixture_path(base, NULL), directory, half, 1);
        check("merged", merged, NULL, 1.0, base, name, "basic", "half");
        pali_model_free(merged);
    } else {
        pali_model_options options = PALI_MODEL_OPTIONS_INIT;
        options.adapters = directory;
        options.n_adapters = 1;
        CHECK_FAILS(pali_model_load(&merged, fixture_path(base, NULL), &options, &error), error,
                    PALI_ERROR_UNSUPPORTED, "can be used at run time");
    }
    pali_model_free(model); /* the adapter keeps it */
    pali_adapter_free(adapter);
}

static void check_saved(const char *name, const char *base)
{
    const char *const directory[] = { adapter_path(name, NULL) };
    pali_save_options options = PALI_SAVE_OPTIONS_INIT;
    pali_error *error = NULL;
    char out[1024], command[1100];

    snprintf(out, sizeof out, "%s/merged-%s", test_scratch(), name);
    snprintf(command, sizeof command, "rm -rf '%s'", out);
    CHECK(system(command) == 0);
    options.dtype = PALI_FLOAT32;
    options.adapters = directory;
    options.n_adapters = 1;
    CHECK_OK(pali_checkpoint_save(fixture_path(base, NULL), out, &options, &error), error);
    pali_model *model = load_model(out, NULL, NULL, 0);
    check("saved", model, NULL, 1.0, base, name, "basic", "basic");
    check_greedy("saved", model, NULL, base, name);
    pali_model_free(model);
}

/* In bfloat16, loading and saving round the same sums once: bit-equal weights, bit-equal logits. */
static void check_bfloat16(void)
{
    char out[1024], command[1100], path[1024];
    const char *const directory[] = { path };
    pali_save_options save = PALI_SAVE_OPTIONS_INIT;
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_inputs *inputs = fixture_tensors("pg2", "basic", "inputs");
    pali_model *saved = NULL, *loaded = NULL;
    pali_error *error = NULL;

    snprintf(path, sizeof path, "%s", adapter_path("pg2-rs", NULL));
    snprintf(out, sizeof out, "%s/merged-bfloat16", test_scratch());
    snprintf(command, sizeof command, "rm -rf '%s'", out);
    CHECK(system(command) == 0);
    save.adapters = options.adapters = directory;
    save.n_adapters = options.n_adapters = 1;
    CHECK_OK(pali_checkpoint_save(fixture_path("pg2", NULL), out, &save, &error), error);
    CHECK_OK(pali_model_load(&saved, out, NULL, &error), error);
    CHECK_OK(pali_model_load(&loaded, fixture_path("pg2", NULL), &options, &error), error);
    CHECK(pali_model_dtype(saved) == PALI_BFLOAT16 && pali_model_dtype(loaded) == PALI_BFLOAT16);
    pali_outputs *a = forward(saved, inputs, NULL, 1.0), *b = forward(loaded, inputs, NULL, 1.0);
    const pali_tensor *x = pali_outputs_get(a, "logits"), *y = pali_outputs_get(b, "logits");
    CHECK(x && y && !memcmp(x->data, y->data, (size_t)pali_tensor_count(x) * sizeof(float)));
    pali_outputs_free(a);
    pali_outputs_free(b);
    pali_inputs_free(inputs);
    pali_model_free(saved);
    pali_model_free(loaded);
}

/* Two updates add up, whatever the order. */
static void check_both(void)
{
    const char *const directories[] = { adapter_path("pg1-all", NULL), adapter_path("pg1-second", NULL) };
    const double scales[] = { 0.5, 1.0 };
    pali_model *model = load_model(fixture_path("pg1", NULL), directories, scales, 2);
    check("two merged", model, NULL, 1.0, "pg1", "pg1-second", "basic", "both");
    pali_model_free(model);
}

/* A constrained step reads some rows of the head only, and of an adapter's B the same. */
static int allow_some(void *user, int64_t row, const int64_t *ids, size_t n_ids, uint8_t *allowed, int64_t vocab_size)
{
    (void)user, (void)row, (void)ids, (void)n_ids;
    for (int64_t id = 0; id < vocab_size; id++)
        allowed[id] = id % 7 == 3 || (id > 300 && id < 310);
    return 0;
}

static void check_constrained(void)
{
    pali_model *model = load_model(fixture_path("pg1", NULL), NULL, NULL, 0);
    pali_adapter *adapter = load_adapter(model, "pg1-head");
    pali_inputs *inputs = fixture_tensors("pg1", "generate", "inputs");
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_generation *answer = NULL;
    pali_error *error = NULL;

    for (int with = 0; with < 2; with++) {
        pali_outputs *outputs = forward(model, inputs, with ? adapter : NULL, 1.0);
        const pali_tensor *logits = pali_outputs_get(outputs, "logits");
        int64_t vocab_size = logits->shape[2], best = 3;
        const float *last = (const float *)logits->data + (logits->shape[1] - 1) * vocab_size;
        uint8_t *allowed = calloc(1, (size_t)vocab_size);
        allow_some(NULL, 0, NULL, 0, allowed, vocab_size);
        for (int64_t id = 0; id < vocab_size; id++)
            best = allowed[id] && last[id] > last[best] ? id : best;
        free(allowed);
        pali_outputs_free(outputs);

        size_t count = 0;
        options.max_new_tokens = 1;
        options.token_mask = allow_some;
        options.adapter = with ? adapter : NULL;
        CHECK_OK(pali_generate(&answer, model, inputs, &options, &error), error);
        const int64_t *ids = pali_generation_token_ids(answer, 0, &count);
        CHECK_MSG(count == 1 && ids[0] == best, "with %d: token %d, the likeliest is %d", with, (int)ids[0], (int)best);
        pali_generation_free(answer);
    }
    pali_inputs_free(inputs);
    pali_adapter_free(adapter);
    pali_model_free(model);
}

/* ---- threads ---- */

struct worker {
    pthread_t thread;
    pali_model *model;
    const pali_adapter *adapter;
    const pali_inputs *inputs;
    const pali_outputs *expected;
    int same;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    const pali_tensor *want = pali_outputs_get(worker->expected, "logits");
    worker->same = 1;
    for (int i = 0; i < 5; i++) {
        pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
        pali_outputs *outputs = NULL;
        options.adapter = worker->adapter;
        if (pali_model_forward(&outputs, worker->model, worker->inputs, &options, NULL) != PALI_OK ||
            memcmp(pali_outputs_get(outputs, "logits")->data, want->data,
                   (size_t)pali_tensor_count(want) * sizeof(float)))
            worker->same = 0;
        pali_outputs_free(outputs);
    }
    return NULL;
}

static void check_threads(void)
{
    pali_model *model = load_model(fixture_path("pg1", NULL), NULL, NULL, 0);
    pali_inputs *inputs = fixture_tensors("pg1", "basic", "inputs");
    pali_adapter *all = load_adapter(model, "pg1-all"), *second = load_adapter(model, "pg1-second");
    const pali_adapter *used[] = { all, second, NULL };
    struct worker workers[3];
    pali_outputs *expected[3];

    for (int i = 0; i < 3; i++) {
        expected[i] = forward(model, inputs, used[i], 1.0);
        workers[i] = (struct worker){ .model = model, .adapter = used[i], .inputs = inputs, .expected = expected[i] };
    }
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(workers[i].thread, NULL);
        CHECK_MSG(workers[i].same, "thread %d got other logits than alone", i);
        pali_outputs_free(expected[i]);
    }
    pali_adapter_free(all);
    pali_adapter_free(second);
    pali_inputs_free(inputs);
    pali_model_free(model);
}

static void check_mistakes(void)
{
    pali_model *model = load_model(fixture_path("pg1", NULL), NULL, NULL, 0);
    pali_model *other = load_model(fixture_path("pg1", NULL), NULL, NULL, 0);
    pali_model *larger = load_model(fixture_path("pg2", NULL), NULL, NULL, 0);
    pali_inputs *inputs = fixture_tensors("pg1", "basic", "inputs");
    pali_adapter *adapter = load_adapter(model, "pg1-all"), *none = NULL;
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;

    options.adapter = adapter;
    CHECK_FAILS(pali_model_forward(&outputs, other, inputs, &options, &error), error, PALI_ERROR_ARGUMENT,
                "the adapter belongs to another model");
    options.adapter_scale = NAN;
    CHECK_FAILS(pali_model_forward(&outputs, model, inputs, &options, &error), error, PALI_ERROR_ARGUMENT,
                "adapter_scale");
    CHECK(outputs == NULL);
    CHECK_FAILS(pali_adapter_load(&none, larger, adapter_path("pg1-all", NULL), &error), error, PALI_ERROR_SHAPE,
                "do not fit");
    CHECK_FAILS(pali_adapter_load(&none, model, adapter_path("pg2-rs", NULL), &error), error, PALI_ERROR_SHAPE,
                "do not fit");
    CHECK_FAILS(pali_adapter_load(&none, model, fixture_path("pg1", NULL), &error), error, PALI_ERROR_IO,
                "adapter_config.json");
    CHECK_FAILS(pali_adapter_load(NULL, model, "x", &error), error, PALI_ERROR_ARGUMENT, "out is NULL");
    CHECK_FAILS(pali_adapter_load(&none, NULL, "x", &error), error, PALI_ERROR_ARGUMENT, "model is NULL");
    CHECK_FAILS(pali_adapter_load(&none, model, NULL, &error), error, PALI_ERROR_ARGUMENT, "path is NULL");
    CHECK(none == NULL && pali_adapter_count(NULL) == 0 && pali_adapter_rank(NULL) == 0);
    pali_adapter_free(adapter);
    pali_adapter_free(NULL);
    pali_inputs_free(inputs);
    pali_model_free(larger);
    pali_model_free(other);
    pali_model_free(model);
}

static void set_row(pali_inputs *inputs, const char *name, int64_t *values, int64_t length)
{
    pali_tensor row = pali_tensor_view(values, PALI_INT64, 2, (int64_t[]){ 1, length });
    pali_error *error = NULL;
    CHECK_OK(pali_inputs_set(inputs, name, &row, &error), error);
}

/* The log-probabilities of a suffix are minus the losses that a pass over prompt and suffix has. */
static void check_scores(const char *name, const char *base)
{
    static const int64_t suffix[] = { 40, 41, 1 };
    enum { N = sizeof suffix / sizeof *suffix, MOST = 64 };
    const pali_token_list list = { suffix, N };
    pali_model *model = load_model(fixture_path(base, NULL), NULL, NULL, 0);
    pali_adapter *adapter = load_adapter(model, name);
    pali_inputs *prefix = fixture_tensors(base, "generate", "inputs"), *whole = fixture_tensors(base, "generate", "inputs");
    const pali_tensor *ids = pali_inputs_get(prefix, "input_ids");
    int64_t n = ids->shape[1], tokens[MOST], types[MOST], labels[MOST], mask[MOST];
    pali_score_options options = PALI_SCORE_OPTIONS_INIT;
    pali_scores *scores = NULL, *plain = NULL;
    pali_error *error = NULL;

    CHECK(ids->shape[0] == 1 && n + N <= MOST);
    for (int64_t i = 0; i < n + N; i++) {
        tokens[i] = i < n ? ((const int64_t *)ids->data)[i] : suffix[i - n];
        types[i] = i >= n;
        labels[i] = i < n ? -100 : tokens[i];
        mask[i] = 1;
    }
    set_row(whole, "input_ids", tokens, n + N);
    set_row(whole, "token_type_ids", types, n + N);
    set_row(whole, "labels", labels, n + N);
    set_row(whole, "attention_mask", mask, n + N);
    pali_outputs *outputs = forward(model, whole, adapter, 0.5);
    const float *losses = pali_outputs_get(outputs, "token_loss")->data;

    options.adapter = adapter;
    options.adapter_scale = 0.5;
    CHECK_OK(pali_score_tokens(&scores, model, prefix, &list, 1, &options, &error), error);
    CHECK_OK(pali_score_tokens(&plain, model, prefix, &list, 1, NULL, &error), error);
    size_t count = 0;
    const float *logprobs = pali_scores_token_logprobs(scores, 0, &count);
    CHECK(count == N);
    for (int64_t i = 0; i < N; i++)
        CHECK_MSG(fabs((double)(logprobs[i] + losses[n - 1 + i])) < TOLERANCE, "%s: token %d scores %g, loss %g", name,
                  (int)i, (double)logprobs[i], (double)losses[n - 1 + i]);
    CHECK(fabs(pali_scores_total(scores, 0) - pali_scores_total(plain, 0)) > 1e-3);

    pali_scores_free(plain);
    pali_scores_free(scores);
    pali_outputs_free(outputs);
    pali_inputs_free(whole);
    pali_inputs_free(prefix);
    pali_adapter_free(adapter);
    pali_model_free(model);
}

int main(void)
{
    for (size_t i = 0; i < sizeof adapters / sizeof *adapters; i++)
        check_adapter(i);
    check_saved("pg1-all", "pg1");
    check_saved("pg2-rs", "pg2");
    check_bfloat16();
    check_both();
    check_constrained();
    check_scores("pg1-all", "pg1");
    check_scores("pg2-rs", "pg2");
    check_threads();
    check_mistakes();
    return test_report("test_adapter");
}
