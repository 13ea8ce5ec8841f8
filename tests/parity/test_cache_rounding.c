/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a cache in bfloat16 or int8 changes: the logits of tokens that are given one by one, against those with a cache
 * in float32, on the fixtures (random weights and tokens) and on the demonstration model (pictures it has not seen, its
 * own answers). The figures are those of docs/caches.md.
 */
#include <json-c/json.h>

#include "cache_runs.h"

enum { PREFIX = 43, SINGLE = 90, TOTAL = PREFIX + SINGLE, MOST_TOKENS = 40, N_PICTURES = 8 };

/* Sums over the tokens. */
struct change {
    double squares, largest, kl;
    int64_t n_values, n_tokens, n_same;
};

static double log_sum(const float *logits, int64_t n, int64_t *best)
{
    double sum = 0.0;

    *best = 0;
    for (int64_t i = 1; i < n; i++)
        *best = logits[i] > logits[*best] ? i : *best;
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)logits[i] - (double)logits[*best]);
    return (double)logits[*best] + log(sum);
}

/* The last position of both. */
static void add_token(struct change *change, const pali_outputs *right, const pali_outputs *got)
{
    const pali_tensor *x = right ? pali_outputs_get(right, "logits") : NULL;
    const pali_tensor *y = got ? pali_outputs_get(got, "logits") : NULL;
    int64_t best_x, best_y;

    CHECK(x && y && x->shape[2] == y->shape[2] && x->shape[1] == y->shape[1]);
    if (!x || !y)
        return;
    int64_t n = x->shape[2], at = (x->shape[1] - 1) * n;
    const float *a = (const float *)x->data + at, *b = (const float *)y->data + at;
    double log_a = log_sum(a, n, &best_x), log_b = log_sum(b, n, &best_y);
    for (int64_t i = 0; i < n; i++) {
        double difference = (double)b[i] - (double)a[i], log_p = (double)a[i] - log_a;
        change->squares += difference * difference;
        change->largest = fmax(change->largest, fabs(difference));
        change->kl += exp(log_p) * (log_p - ((double)b[i] - log_b));
    }
    change->n_values += n;
    change->n_tokens++;
    change->n_same += best_x == best_y;
}

static pali_cache *make(pali_model *model, pali_dtype dtype)
{
    pali_cache_options options = PALI_CACHE_OPTIONS_INIT;
    pali_cache *cache = NULL;
    pali_error *error = NULL;

    options.dtype = dtype;
    CHECK_OK(pali_cache_create(&cache, model, &options, &error), error);
    return cache;
}

static void report_change(const char *name, pali_dtype dtype, const struct change *change, double most_rms,
                          double most_kl, double least_same)
{
    double rms = sqrt(change->squares / (double)change->n_values), kl = change->kl / (double)change->n_tokens;
    double same = (double)change->n_same / (double)change->n_tokens;

    printf("%s, %s: %d tokens, logits %.2g rms, %.2g at most, KL %.2g, top-1 %.4f\n", name, pali_dtype_name(dtype),
           (int)change->n_tokens, rms, change->largest, kl, same);
    CHECK_MSG(rms <= most_rms && kl <= most_kl && same >= least_same, "%s, %s: rms %g, KL %g, top-1 %g", name,
              pali_dtype_name(dtype), rms, kl, same);
    CHECK(rms > 0.0); /* something was rounded */
}

static void fixture(const char *name, pali_dtype dtype, double most_rms)
{
    pali_model *model = run_model(name, PALI_FLOAT32);
    pali_cache *caches[] = { make(model, PALI_FLOAT32), make(model, dtype) };
    struct change change = { 0 };
    int64_t ids[TOTAL];

    run_random_ids(ids, TOTAL);
    for (int64_t at = 0; at < TOTAL; at += at ? 1 : PREFIX) {
        pali_outputs *right = run_pass(model, caches[0], ids + at, at ? 1 : PREFIX, at > 0);
        pali_outputs *got = run_pass(model, caches[1], ids + at, at ? 1 : PREFIX, at > 0);
        add_token(&change, right, got);
        pali_outputs_free(right);
        pali_outputs_free(got);
    }
    report_change(name, dtype, &change, most_rms, most_rms, 0.9);
    pali_cache_free(caches[0]);
    pali_cache_free(caches[1]);
    pali_model_free(model);
}

/* ---- the demonstration model ---- */

static pali_outputs *forward(pali_model *model, pali_cache *cache, const pali_inputs *inputs)
{
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;

    options.cache = cache;
    options.logits_to_keep = 1;
    CHECK_OK(pali_model_forward(&outputs, model, inputs, &options, &error), error);
    return outputs;
}

/* The prompt, then the answer that the cache in float32 gives. */
static void answer(pali_model *model, const pali_inputs *inputs, struct change *change, pali_dtype dtype)
{
    pali_cache *caches[] = { make(model, PALI_FLOAT32), make(model, dtype) };
    pali_outputs *right = forward(model, caches[0], inputs), *got = forward(model, caches[1], inputs);

    for (int i = 0; i < MOST_TOKENS; i++) {
        int64_t best = 1;
        add_token(change, right, got);
        const pali_tensor *logits = right ? pali_outputs_get(right, "logits") : NULL;
        if (logits)
            log_sum(logits->data, logits->shape[2], &best);
        pali_outputs_free(right);
        pali_outputs_free(got);
        right = got = NULL;
        if (best == 1) /* the end */
            break;
        right = run_pass(model, caches[0], &best, 1, 1);
        got = run_pass(model, caches[1], &best, 1, 1);
    }
    pali_outputs_free(right);
    pali_outputs_free(got);
    pali_cache_free(caches[0]);
    pali_cache_free(caches[1]);
}

static const char *text_of(struct json_object *entry, const char *key)
{
    return json_object_get_string(json_object_object_get(entry, key));
}

static void demonstration(pali_dtype dtype, double most_rms, double most_kl)
{
    const char *examples = getenv("PALI_TEST_EXAMPLES");
    const char *directory = test_path(examples ? examples : "examples", "tiny/model");
    struct json_object *entries = json_object_from_file(test_path(test_data(), "tiny/expected.json"));
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_processor *processor = NULL;
    struct change change = { 0 };
    pali_error *error = NULL;

    options.dtype = PALI_FLOAT32;
    CHECK_OK(pali_model_load(&model, directory, &options, &error), error);
    CHECK_OK(pali_processor_load(&processor, directory, NULL, &error), error);
    CHECK(entries != NULL);
    size_t count = entries ? json_object_array_length(entries) : 0, step = count > N_PICTURES ? count / N_PICTURES : 1;
    for (size_t i = 0; i < count && model && processor; i += step) {
        struct json_object *entry = json_object_array_get_idx(entries, i);
        pali_image *image = NULL;
        pali_inputs *inputs = NULL;
        char file[256];
        snprintf(file, sizeof file, "tiny/%.200s", text_of(entry, "image"));
        CHECK_OK(pali_image_open(&image, test_path(test_data(), file), NULL, &error), error);
        CHECK_OK(pali_processor_apply(&inputs, processor, &image, 1, text_of(entry, "prompt"), NULL, &error), error);
        answer(model, inputs, &change, dtype);
        pali_inputs_free(inputs);
        pali_image_free(image);
    }
    CHECK(change.n_tokens > N_PICTURES);
    report_change("demonstration", dtype, &change, most_rms, most_kl, 0.99);
    pali_processor_free(processor);
    pali_model_free(model);
    json_object_put(entries);
}

int main(void)
{
    static const char *const fixtures[] = { "pg1", "pg2", "pg2-f32", "pg2-f16" };

    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++) {
        fixture(fixtures[i], PALI_BFLOAT16, 0.02);
        fixture(fixtures[i], PALI_INT8, 0.05);
    }
    demonstration(PALI_BFLOAT16, 0.1, 1e-3);
    demonstration(PALI_INT8, 0.2, 1e-2);
    return test_report("cache rounding");
}
