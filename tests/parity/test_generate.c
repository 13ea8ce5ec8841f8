/* SPDX-License-Identifier: BSD-2-Clause */
/* Greedy generation token for token, and the cache's promises: prefix then suffix is one pass, growing is fixed. */
#include <json-c/json.h>
#include <string.h>

#include "parity/fixtures.h"

static pali_model *model;

struct tokens {
    int64_t ids[8][64];
    size_t counts[8];
};

static int collect(void *user, const pali_token *token)
{
    struct tokens *tokens = user;
    tokens->ids[token->row][tokens->counts[token->row]++] = token->id;
    return 0;
}

static int stop_at_third(void *user, const pali_token *token)
{
    (void)token;
    return ++*(int *)user == 3;
}

static struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    CHECK_MSG(json_object_object_get_ex(object, key, &value), "no %s", key);
    return value;
}

static void generate(const char *fixture, const char *name)
{
    char file[256];
    snprintf(file, sizeof file, "%.200s.generate.json", name);
    struct json_object *expected = json_object_from_file(fixture_path(fixture, file));
    pali_inputs *inputs = fixture_tensors(fixture, name, "inputs");
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_generation *generation = NULL;
    struct tokens streamed = { 0 };
    pali_error *error = NULL;

    CHECK(expected != NULL);
    if (!expected || !inputs)
        return;
    struct json_object *rows = member(expected, "token_ids");
    options.max_new_tokens = json_object_get_int64(member(expected, "max_new_tokens"));
    options.on_token = collect;
    options.on_token_user = &streamed;
    CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
    CHECK(pali_generation_rows(generation) == (int64_t)json_object_array_length(rows));
    for (int64_t row = 0; row < pali_generation_rows(generation); row++) {
        struct json_object *want = json_object_array_get_idx(rows, (size_t)row);
        size_t count = 0, length = json_object_array_length(want);
        const int64_t *ids = pali_generation_token_ids(generation, row, &count);
        CHECK_MSG(count == length, "%s %s row %d: %zu tokens, the oracle %zu", fixture, name, (int)row, count, length);
        for (size_t i = 0; i < count && i < length; i++) {
            int64_t id = json_object_get_int64(json_object_array_get_idx(want, i));
            CHECK_MSG(ids[i] == id, "%s %s row %d: token %zu is %d, the oracle's %d", fixture, name, (int)row, i,
                      (int)ids[i], (int)id);
        }
        CHECK(streamed.counts[row] == count && !memcmp(streamed.ids[row], ids, count * sizeof *ids));
        CHECK(pali_generation_finish_reason(generation, row) ==
              (count && (int64_t)count < options.max_new_tokens ? PALI_FINISH_EOS : PALI_FINISH_LENGTH) ||
              ids[count - 1] == 1);
        CHECK(pali_generation_text(generation, row) == NULL); /* no processor, no text */
    }
    pali_timing timing = PALI_TIMING_INIT;
    CHECK_OK(pali_generation_timing(generation, &timing, &error), error);
    CHECK(timing.prompt_tokens > 0 && timing.prefill_s > 0.0 && timing.decode_tokens > 0);
    pali_generation_free(generation);
    pali_inputs_free(inputs);
    json_object_put(expected);
}

/* Beam search, row for row and token for token (tests/oracle/make_beam_fixtures.py). */
static void beams(const char *fixture, const char *name)
{
    char file[256];
    snprintf(file, sizeof file, "%.200s.beams.json", name);
    struct json_object *runs = json_object_from_file(fixture_path(fixture, file));
    pali_inputs *inputs = fixture_tensors(fixture, name, "inputs");
    pali_error *error = NULL;

    CHECK(runs != NULL);
    for (size_t i = 0; runs && inputs && i < json_object_array_length(runs); i++) {
        struct json_object *run = json_object_array_get_idx(runs, i), *rows = member(run, "token_ids");
        pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
        pali_generation *generation = NULL;
        options.num_beams = json_object_get_int64(member(run, "num_beams"));
        options.max_new_tokens = json_object_get_int64(member(run, "max_new_tokens"));
        CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
        for (int64_t row = 0; row < pali_generation_rows(generation); row++) {
            struct json_object *want = json_object_array_get_idx(rows, (size_t)row);
            size_t count = 0;
            const int64_t *ids = pali_generation_token_ids(generation, row, &count);
            bool same = count == json_object_array_length(want);
            for (size_t j = 0; same && j < count; j++)
                same = ids[j] == json_object_get_int64(json_object_array_get_idx(want, j));
            CHECK_MSG(same, "%s %s row %d with %d beams: %zu tokens, not the oracle's %s", fixture, name, (int)row,
                      (int)options.num_beams, count, json_object_to_json_string(want));
        }
        pali_generation_free(generation);
    }
    pali_inputs_free(inputs);
    json_object_put(runs);
}

/* A callback that stops keeps what there is. */
static void cancel(const char *fixture)
{
    pali_inputs *inputs = fixture_tensors(fixture, "generate", "inputs");
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_generation *generation = NULL;
    pali_error *error = NULL;
    size_t count = 0;
    int calls = 0;

    options.on_token = stop_at_third;
    options.on_token_user = &calls;
    CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
    pali_generation_token_ids(generation, 0, &count);
    CHECK(count == 3 && pali_generation_finish_reason(generation, 0) == PALI_FINISH_CANCELLED);
    pali_generation_free(generation);
    pali_inputs_free(inputs);
}

/* Ends the second answer at its second token. */
static int end_second(void *user, const pali_token *token)
{
    int *n = user;

    return token->row == 1 && ++*n == 2 ? PALI_END_ROW : 0;
}

/* One answer of several is ended; the others do not change. With best_of the answers are complete when they come. */
static void end_row(const char *fixture, int64_t best_of)
{
    pali_inputs *inputs = fixture_tensors(fixture, "generate", "inputs");
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_generation *whole = NULL, *generation = NULL;
    pali_error *error = NULL;
    int calls = 0;

    options.temperature = 1.0;
    options.num_return_sequences = 3;
    options.best_of = best_of;
    options.max_new_tokens = 6;
    options.n_eos_token_ids = 0;
    options.eos_token_ids = (const int64_t[]){ 0 };
    CHECK_OK(pali_generate(&whole, model, inputs, &options, &error), error);
    options.on_token = end_second;
    options.on_token_user = &calls;
    CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
    for (int64_t row = 0; row < pali_generation_rows(whole); row++) {
        size_t n_right = 0, n = 0;
        const int64_t *right = pali_generation_token_ids(whole, row, &n_right);
        const int64_t *got = pali_generation_token_ids(generation, row, &n);
        CHECK(n_right == 6 && n == (row == 1 ? 2u : 6u) && memcmp(got, right, n * sizeof *got) == 0);
        CHECK(pali_generation_finish_reason(generation, row) ==
              (row == 1 ? PALI_FINISH_CANCELLED : PALI_FINISH_LENGTH));
    }
    CHECK(calls == 2);
    pali_generation_free(whole);
    pali_generation_free(generation);
    pali_inputs_free(inputs);
}

/* Sampling: the seed decides, whatever the batch; top_k 1 is greedy. */
static void sample(const char *fixture)
{
    pali_inputs *inputs = fixture_tensors(fixture, "generate", "inputs");
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_error *error = NULL;
    int64_t greedy[10], first[10];

    options.max_new_tokens = 10;
    for (int round = 0; round < 4; round++) {
        pali_generation *generation = NULL;
        size_t count = 0;
        options.temperature = round == 0 ? 0.0 : 2.0;
        options.top_k = round == 0 ? 0 : round == 3 ? 1 : 50;
        options.seed = 7;
        CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
        const int64_t *ids = pali_generation_token_ids(generation, 0, &count);
        CHECK(count > 0 && count <= 10);
        if (round == 0)
            memcpy(greedy, ids, count * sizeof *ids);
        else if (round == 1)
            memcpy(first, ids, count * sizeof *ids);
        else
            CHECK(!memcmp(round == 2 ? first : greedy, ids, count * sizeof *ids));
        pali_generation_free(generation);
    }
    pali_inputs_free(inputs);
}

/* ---- prefix, then suffix, against one pass ---- */

/* Columns [first, first + n) of every [batch, length] tensor, and the pictures with the first part only. */
static pali_inputs *columns(const pali_inputs *whole, int64_t first, int64_t n)
{
    pali_inputs *part = NULL;
    pali_error *error = NULL;

    CHECK_OK(pali_inputs_create(&part, &error), error);
    for (size_t i = 0; i < pali_inputs_count(whole); i++) {
        const char *name = pali_inputs_name(whole, i);
        const pali_tensor *tensor = pali_inputs_get(whole, name);
        if (!strcmp(name, "labels") || (tensor->rank != 2 && first > 0))
            continue;
        if (tensor->rank != 2) {
            CHECK_OK(pali_inputs_set(part, name, tensor, &error), error);
            continue;
        }
        int64_t batch = tensor->shape[0], *copy = malloc((size_t)(batch * n) * sizeof *copy);
        for (int64_t row = 0; copy && row < batch; row++)
            memcpy(copy + row * n, (const int64_t *)tensor->data + row * tensor->shape[1] + first,
                   (size_t)n * sizeof *copy);
        pali_tensor view = pali_tensor_view(copy, PALI_INT64, 2, (int64_t[]){ batch, n });
        CHECK_OK(pali_inputs_set(part, name, &view, &error), error);
        free(copy);
    }
    return part;
}

static void split(const char *fixture, bool fixed)
{
    pali_inputs *whole = fixture_tensors(fixture, "split", "inputs");
    pali_inputs *expected = fixture_tensors(fixture, "split", "expected");
    const pali_tensor *types = pali_inputs_get(whole, "token_type_ids"), *want = pali_inputs_get(expected, "logits");
    int64_t length = types->shape[1], batch = types->shape[0], prefix = 0, width = want->shape[2];
    pali_cache_options cache_options = PALI_CACHE_OPTIONS_INIT;
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_cache *cache = NULL;
    pali_error *error = NULL;

    while (prefix < length && ((const int64_t *)types->data)[prefix] == 0)
        prefix++;
    cache_options.rows = batch;
    cache_options.capacity = fixed ? length : 0;
    cache_options.fixed = fixed;
    CHECK_OK(pali_cache_create(&cache, model, &cache_options, &error), error);
    options.cache = cache;
    /* The first round; then rolled back to the prefix; then token by token. */
    for (int round = 0; round < 3; round++) {
        int64_t step = round == 2 ? 1 : length - prefix;
        if (round == 0) {
            pali_inputs *part = columns(whole, 0, prefix);
            pali_outputs *outputs = NULL;
            CHECK_OK(pali_model_forward(&outputs, model, part, &options, &error), error);
            pali_outputs_free(outputs);
            pali_inputs_free(part);
        } else {
            CHECK_OK(pali_cache_truncate(cache, prefix, &error), error);
        }
        for (int64_t first = prefix; first < length; first += step) {
            pali_inputs *part = columns(whole, first, step);
            pali_outputs *outputs = NULL;
            double worst = 0.0;
            CHECK_OK(pali_model_forward(&outputs, model, part, &options, &error), error);
            const pali_tensor *got = pali_outputs_get(outputs, "logits");
            for (int64_t row = 0; got && row < batch; row++)
                for (int64_t i = 0; i < step * width; i++) {
                    double difference = fabs((double)((const float *)got->data)[row * step * width + i] -
                                             (double)((const float *)want->data)[(row * length + first) * width + i]);
                    worst = difference > worst ? difference : worst;
                }
            CHECK_MSG(got && worst <= 1e-4, "%s: suffix with %s cache differs by %g in round %d", fixture,
                      fixed ? "fixed" : "growing", worst, round);
            pali_outputs_free(outputs);
            pali_inputs_free(part);
        }
        CHECK(pali_cache_length(cache, 0) == length);
    }
    if (fixed) {
        pali_inputs *part = columns(whole, length - 1, 1);
        pali_outputs *outputs = NULL;
        CHECK_FAILS(pali_model_forward(&outputs, model, part, &options, &error), error, PALI_ERROR_LIMIT, "cache");
        CHECK(pali_cache_length(cache, 0) == length);
        pali_inputs_free(part);
    }
    pali_cache_reset(cache);
    CHECK(pali_cache_length(cache, 0) == 0);
    pali_cache_free(cache);
    pali_inputs_free(whole);
    pali_inputs_free(expected);
}

/* A mask over cached and new tokens hides cached ones for that pass; the next pass sees them again. A mask of any other
 * width is refused (tests/oracle/make_mask_fixtures.py). */
static void hidden_past(const char *fixture)
{
    pali_inputs *whole = fixture_tensors(fixture, "split", "inputs"), *plain = fixture_tensors(fixture, "split", "expected");
    pali_inputs *hidden = fixture_tensors(fixture, "split", "hidden");
    const pali_tensor *mask = pali_inputs_get(hidden, "mask"), *want = pali_inputs_get(hidden, "logits");
    const pali_tensor *seen = pali_inputs_get(plain, "logits");
    int64_t batch = mask->shape[0], length = mask->shape[1], suffix = want->shape[1], width = want->shape[2];
    pali_cache_options cache_options = PALI_CACHE_OPTIONS_INIT;
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_outputs *outputs = NULL;
    pali_cache *cache = NULL;
    pali_error *error = NULL;

    cache_options.rows = batch;
    CHECK_OK(pali_cache_create(&cache, model, &cache_options, &error), error);
    options.cache = cache;
    pali_inputs *prefix = columns(whole, 0, length - suffix), *rest = columns(whole, length - suffix, suffix);
    CHECK_OK(pali_model_forward(&outputs, model, prefix, &options, &error), error);
    pali_outputs_free(outputs);

    pali_tensor narrow = pali_tensor_view(mask->data, PALI_INT64, 2, (int64_t[]){ batch, length - 1 });
    CHECK_OK(pali_inputs_set(rest, "attention_mask", &narrow, &error), error);
    CHECK_FAILS(pali_model_forward(&outputs, model, rest, &options, &error), error, PALI_ERROR_SHAPE, "columns");

    CHECK_OK(pali_inputs_set(rest, "attention_mask", mask, &error), error);
    for (int round = 0; round < 2; round++) {
        const pali_tensor *right = round == 0 ? want : seen;
        double worst = 0.0;
        CHECK_OK(pali_model_forward(&outputs, model, rest, &options, &error), error);
        const float *got = pali_outputs_get(outputs, "logits")->data;
        for (int64_t row = 0; row < batch; row++)
            for (int64_t i = 0; i < suffix * width; i++) {
                int64_t first = row * right->shape[1] + right->shape[1] - suffix;
                double difference = fabs((double)got[row * suffix * width + i] -
                                         (double)((const float *)right->data)[first * width + i]);
                worst = difference > worst ? difference : worst;
            }
        CHECK_MSG(worst <= 1e-4, "%s: cached tokens %s: %g", fixture, round ? "seen again" : "hidden", worst);
        pali_outputs_free(outputs);
        outputs = NULL;
        CHECK_OK(pali_cache_truncate(cache, length - suffix, &error), error);
        pali_inputs_free(rest);
        rest = columns(whole, length - suffix, suffix);
    }
    pali_cache_free(cache);
    pali_inputs_free(prefix);
    pali_inputs_free(rest);
    pali_inputs_free(whole);
    pali_inputs_free(plain);
    pali_inputs_free(hidden);
}

/* Beams are watched between steps, and can be cancelled there. */
static int cancel_beams(void *user, const char *stage, double fraction)
{
    (void)fraction;
    return !strcmp(stage, "beams") && ++*(int *)user == 2;
}

static void cancelled_beams(const char *fixture)
{
    pali_inputs *inputs = fixture_tensors(fixture, "generate", "inputs");
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_generation *generation = NULL;
    pali_error *error = NULL;
    int calls = 0;

    options.num_beams = 2;
    options.progress = cancel_beams;
    options.progress_user = &calls;
    CHECK_FAILS(pali_generate(&generation, model, inputs, &options, &error), error, PALI_ERROR_CANCELLED, "beams");
    CHECK(calls == 2 && generation == NULL);
    pali_inputs_free(inputs);
}

/* Features computed once give the same logits as the pictures. */
static void features_again(const char *fixture)
{
    pali_inputs *inputs = fixture_tensors(fixture, "basic", "inputs");
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_image_features *features = NULL;
    pali_outputs *direct = NULL, *again = NULL;
    pali_error *error = NULL;

    CHECK_OK(pali_model_image_features(&features, model, pali_inputs_get(inputs, "pixel_values"), NULL,
                                       &error), error);
    CHECK_OK(pali_model_forward(&direct, model, inputs, NULL, &error), error);
    options.features = features;
    CHECK_OK(pali_model_forward(&again, model, inputs, &options, &error), error);
    const pali_tensor *a = pali_outputs_get(direct, "logits"), *b = pali_outputs_get(again, "logits");
    CHECK(a && b && !memcmp(a->data, b->data, (size_t)pali_tensor_count(a) * sizeof(float)));
    CHECK(pali_image_features_tensor(features)->rank == 3);
    pali_image_features_free(features);
    pali_outputs_free(direct);
    pali_outputs_free(again);
    pali_inputs_free(inputs);
}

int main(void)
{
    for (size_t i = 0; i < N_FIXTURE_MODELS; i++) {
        pali_model_options options = PALI_MODEL_OPTIONS_INIT;
        pali_error *error = NULL;

        options.dtype = PALI_FLOAT32;
        CHECK_OK(pali_model_load(&model, fixture_path(fixture_models[i], NULL), &options, &error), error);
        if (!model)
            continue;
        int n_generate = fixture_cases(fixture_models[i], ".generate.json", generate);
        if (i < 2) { /* the two main fixtures have every case */
            CHECK(n_generate > 0);
            CHECK(fixture_cases(fixture_models[i], ".beams.json", beams) == 3);
            cancel(fixture_models[i]);
            end_row(fixture_models[i], 0);
            end_row(fixture_models[i], 4);
            sample(fixture_models[i]);
            split(fixture_models[i], false);
            split(fixture_models[i], true);
            hidden_past(fixture_models[i]);
            cancelled_beams(fixture_models[i]);
            features_again(fixture_models[i]);
        }
        pali_model_free(model);
        model = NULL;
    }
    return test_report("generate");
}
