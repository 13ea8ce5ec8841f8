/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Caches of every kind against each other, to the last bit, and against one pass over everything. The oracle cannot say
 * this: its static and sliding caches fail for these models (PARITY §10). Windows of the fixtures are 4, 6 and 8 tokens,
 * so that every prompt here is longer than the window.
 */
#include "cache_runs.h"

enum { PREFIX = 43, MIDDLE = 31, SINGLE = 90, TOTAL = PREFIX + MIDDLE + SINGLE };

struct kind {
    const char *name;
    bool fixed, sliding, shared;
};

static const struct kind kinds[] = {
    { "growing", false, false, false },       { "fixed", true, false, false },
    { "sliding", false, true, false },        { "fixed sliding", true, true, false },
    { "shared prefix", false, false, true },  { "sliding over a shared prefix", true, true, true },
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

static pali_model *model;
static const char *fixture;
static int64_t ids[TOTAL];

static pali_cache *make(const struct kind *kind, pali_dtype dtype)
{
    pali_cache_options options = PALI_CACHE_OPTIONS_INIT;
    pali_cache *cache = NULL, *prefix = NULL;
    pali_error *error = NULL;

    options.dtype = dtype;
    options.sliding = kind->sliding;
    if (kind->shared) {
        CHECK_OK(pali_cache_create(&prefix, model, &options, &error), error);
        pali_outputs_free(run_pass(model, prefix, ids, PREFIX, 0));
        options.prefix = prefix;
    }
    options.fixed = kind->fixed;
    options.capacity = kind->fixed ? TOTAL : 0;
    CHECK_OK(pali_cache_create(&cache, model, &options, &error), error);
    pali_cache_free(prefix); /* the other cache holds it */
    if (!kind->shared)
        pali_outputs_free(run_pass(model, cache, ids, PREFIX, 0));
    CHECK(pali_cache_length(cache, 0) == PREFIX);
    return cache;
}

/* The middle in one pass, then token by token: outputs[0] and what follows. */
static void continue_all(pali_cache *cache, pali_outputs **outputs)
{
    outputs[0] = run_pass(model, cache, ids + PREFIX, MIDDLE, 1);
    for (int i = 0; i < SINGLE; i++)
        outputs[1 + i] = run_pass(model, cache, ids + PREFIX + MIDDLE + i, 1, 1);
}

static void free_all(pali_outputs **outputs)
{
    for (int i = 0; i <= SINGLE; i++)
        pali_outputs_free(outputs[i]);
}

/* Back a little and forward again. */
static void roll_back(pali_cache *cache, pali_outputs **right, int64_t slack, const char *what)
{
    pali_error *error = NULL;

    CHECK_OK(pali_cache_truncate(cache, TOTAL - slack, &error), error);
    for (int64_t i = SINGLE - slack; i < SINGLE; i++) {
        pali_outputs *again = run_pass(model, cache, ids + PREFIX + MIDDLE + i, 1, 1);
        CHECK_MSG(run_same(again, right[1 + i]), "%s, %s: rolled back by %d, token %d differs", fixture, what,
                  (int)slack, (int)i);
        pali_outputs_free(again);
    }
}

/* The same in every kind of cache. */
static void kinds_agree(pali_dtype dtype, int64_t window)
{
    pali_outputs *right[1 + SINGLE], *got[1 + SINGLE];
    size_t sizes[N_KINDS];
    pali_error *error = NULL;

    for (size_t k = 0; k < N_KINDS; k++) {
        pali_cache *cache = make(&kinds[k], dtype);
        continue_all(cache, k == 0 ? right : got);
        for (int i = 0; k > 0 && i <= SINGLE; i++)
            CHECK_MSG(run_same(got[i], right[i]), "%s, %s, %s: pass %d differs", fixture, kinds[k].name,
                      pali_dtype_name(dtype), i);
        roll_back(cache, right, window && window < 64 ? window : 64, kinds[k].name);
        sizes[k] = pali_cache_size_bytes(cache);
        if (kinds[k].sliding && window) { /* as it was after a refusal */
            CHECK_FAILS(pali_cache_truncate(cache, PREFIX + 1, &error), error, PALI_ERROR_LIMIT, "sliding");
            CHECK(pali_cache_length(cache, 0) == TOTAL);
        }
        if (kinds[k].shared)
            CHECK_FAILS(pali_cache_truncate(cache, PREFIX - 1, &error), error, PALI_ERROR_LIMIT, "prefix");
        if (kinds[k].fixed) {
            pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
            pali_outputs *outputs = NULL;
            pali_inputs *one = run_inputs(1, 1, ids, NULL, NULL, NULL);
            options.cache = cache;
            CHECK_FAILS(pali_model_forward(&outputs, model, one, &options, &error), error, PALI_ERROR_LIMIT, "164");
            pali_inputs_free(one);
        }
        pali_cache_reset(cache);
        CHECK(pali_cache_length(cache, 0) == (kinds[k].shared ? PREFIX : 0));
        pali_cache_free(cache);
        if (k > 0)
            free_all(got);
    }
    if (window) {
        CHECK_MSG(10 * sizes[3] < 7 * sizes[1], "%s: sliding %zu bytes, fixed %zu", fixture, sizes[3], sizes[1]);
        CHECK(sizes[2] < sizes[0]);
        printf("%s, %s: %d tokens, fixed %zu bytes, sliding %zu\n", fixture, pali_dtype_name(dtype), (int)TOTAL,
               sizes[1], sizes[3]);
    } else {
        CHECK(sizes[2] == sizes[0] && sizes[3] == sizes[1]);
    }
    free_all(right);
}

/* And as one pass over all of it, without a cache. */
static void one_pass_agrees(void)
{
    int64_t types[TOTAL];
    pali_outputs *parts[1 + SINGLE];

    for (int i = 0; i < TOTAL; i++)
        types[i] = i >= PREFIX;
    pali_outputs *whole = run_forward(model, NULL, run_inputs(1, TOTAL, ids, types, NULL, NULL));
    for (size_t k = 0; k < N_KINDS; k++) {
        pali_cache *cache = make(&kinds[k], PALI_FLOAT32);
        double worst = 0.0;
        continue_all(cache, parts);
        for (int i = 0; i <= SINGLE; i++) {
            double difference = run_difference(parts[i], whole, PREFIX + (i ? MIDDLE + i - 1 : 0));
            worst = !(difference <= worst) ? difference : worst;
        }
        CHECK_MSG(worst <= 1e-4, "%s, %s: %g from one pass", fixture, kinds[k].name, worst);
        free_all(parts);
        pali_cache_free(cache);
    }
    pali_outputs_free(whole);
}

/* ---- what a failure leaves ---- */

static int cancel_third(void *user, const char *stage, double fraction)
{
    (void)stage, (void)fraction;
    return ++*(int *)user == 3;
}

static void cancelled_pass(const struct kind *kind, int64_t n)
{
    pali_cache *cache = make(kind, PALI_FLOAT32), *other = make(kind, PALI_FLOAT32);
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;
    int calls = 0;

    pali_outputs_free(run_pass(model, cache, ids + PREFIX, MIDDLE, 1));
    pali_outputs_free(run_pass(model, other, ids + PREFIX, MIDDLE, 1));
    pali_inputs *inputs = run_inputs(1, n, ids, NULL, NULL, NULL);
    options.cache = cache;
    options.progress = cancel_third;
    options.progress_user = &calls;
    pali_status status = pali_model_forward(&outputs, model, inputs, &options, &error);
    CHECK_MSG(status == PALI_ERROR_CANCELLED || status == PALI_OK, "%s", pali_error_message(error));
    pali_error_free(error);
    pali_inputs_free(inputs);
    if (status == PALI_OK) { /* a model of two layers asks but twice */
        pali_outputs_free(outputs);
    } else {
        CHECK(pali_cache_length(cache, 0) == PREFIX + MIDDLE);
        pali_outputs *a = run_pass(model, cache, ids + PREFIX + MIDDLE, 20, 1);
        pali_outputs *b = run_pass(model, other, ids + PREFIX + MIDDLE, 20, 1);
        CHECK_MSG(run_same(a, b), "%s, %s: a cancelled pass of %d tokens left a trace", fixture, kind->name, (int)n);
        pali_outputs_free(a);
        pali_outputs_free(b);
    }
    pali_cache_free(cache);
    pali_cache_free(other);
}

/* Tokens of type 0 see the whole prefix: a cache that has lost part of it says so. */
static void late_prefix(int64_t window)
{
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_error *error = NULL;

    for (size_t k = 0; k < N_KINDS; k++) {
        pali_cache *cache = make(&kinds[k], PALI_FLOAT32);
        pali_outputs *outputs = NULL;
        int64_t types[5] = { 0, 0, 0, 0, 0 };
        pali_outputs_free(run_pass(model, cache, ids + PREFIX, MIDDLE, 1));
        pali_inputs *inputs = run_inputs(1, 5, ids, types, NULL, NULL);
        options.cache = cache;
        if (kinds[k].sliding && window)
            CHECK_FAILS(pali_model_forward(&outputs, model, inputs, &options, &error), error, PALI_ERROR_LIMIT,
                        "type 0");
        else
            CHECK_OK(pali_model_forward(&outputs, model, inputs, &options, &error), error);
        pali_outputs_free(outputs);
        pali_inputs_free(inputs);
        pali_cache_free(cache);
    }
}

/* ---- forked, reordered, saved, entered in the middle ---- */

static void check_continues(pali_cache *cache, pali_outputs **right, const char *what, const char *kind)
{
    for (int i = 0; i < 25; i++) {
        pali_outputs *got = run_pass(model, cache, ids + PREFIX + MIDDLE + i, 1, 1);
        CHECK_MSG(run_same(got, right[1 + i]), "%s, %s: %s, token %d differs", fixture, kind, what, i);
        pali_outputs_free(got);
    }
}

static void copies(const struct kind *kind, pali_dtype dtype)
{
    const char *path = test_path(test_scratch(), "cache.safetensors");
    pali_cache *cache = make(kind, dtype), *fork = NULL, *loaded = NULL;
    pali_outputs *right[1 + SINGLE];
    pali_error *error = NULL;

    pali_outputs_free(run_pass(model, cache, ids + PREFIX, MIDDLE, 1));
    CHECK_OK(pali_cache_fork(&fork, cache, &error), error);
    CHECK_OK(pali_cache_save(cache, path, &error), error);
    CHECK_OK(pali_cache_load(&loaded, model, path, &error), error);
    CHECK(pali_cache_length(loaded, 0) == PREFIX + MIDDLE && pali_cache_rows(loaded) == 1);
    pali_cache *whole = make(kind, dtype);
    continue_all(whole, right);
    check_continues(cache, right, "the original", kind->name);
    check_continues(fork, right, "a fork", kind->name);
    check_continues(loaded, right, "a loaded copy", kind->name);

    /* Two rows: one goes on, the other is a copy of it; then they change places. */
    int64_t twice[2] = { 0, 0 }, swapped[2] = { 1, 0 }, pair[2];
    CHECK_OK(pali_cache_reorder(fork, twice, 2, &error), error);
    for (int i = 25; i < 40; i++) {
        pair[0] = ids[PREFIX + MIDDLE + i];
        pair[1] = ids[i];
        if (i % 2)
            pair[0] = ids[i], pair[1] = ids[PREFIX + MIDDLE + i];
        pali_outputs *got = run_forward(model, fork, run_inputs(2, 1, pair, NULL, NULL, NULL));
        CHECK_MSG(run_same_at(got, i % 2, 0, right[1 + i], 0, 0, 1), "%s, %s: reordered, token %d differs", fixture,
                  kind->name, i);
        pali_outputs_free(got);
        CHECK_OK(pali_cache_reorder(fork, swapped, 2, &error), error);
    }
    CHECK(pali_cache_rows(fork) == 2);
    free_all(right);
    pali_cache_free(whole);
    pali_cache_free(cache);
    pali_cache_free(fork);
    pali_cache_free(loaded);
}

static void positions(const struct kind *kind)
{
    pali_cache *cache = make(kind, PALI_FLOAT32), *other = make(kind, PALI_FLOAT32);
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_error *error = NULL;

    pali_outputs_free(run_pass(model, cache, ids + PREFIX, 3, 1));
    options.cache = cache;
    options.output_hidden_states = 1;
    options.cache_position = PREFIX;
    pali_inputs *inputs = run_inputs(1, MIDDLE, ids + PREFIX, NULL, NULL, NULL);
    pali_outputs *a = NULL, *b = run_pass(model, other, ids + PREFIX, MIDDLE, 1);
    CHECK_OK(pali_model_forward(&a, model, inputs, &options, &error), error);
    CHECK_MSG(run_same(a, b), "%s, %s: cache_position", fixture, kind->name);
    CHECK(pali_cache_length(cache, 0) == PREFIX + MIDDLE);
    pali_outputs_free(a);
    a = NULL;
    options.cache_position = PREFIX + MIDDLE + 1;
    CHECK_FAILS(pali_model_forward(&a, model, inputs, &options, &error), error, PALI_ERROR_ARGUMENT, "cache_position");
    CHECK(pali_cache_length(cache, 0) == PREFIX + MIDDLE);
    pali_outputs_free(b);
    pali_inputs_free(inputs);
    pali_cache_free(cache);
    pali_cache_free(other);
}

/* ---- generation ---- */

static void answer_ids(pali_cache *cache, const int64_t *prompt, int64_t n, int64_t type, int64_t max_new, int64_t *out,
                       size_t *count)
{
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_generation *generation = NULL;
    pali_error *error = NULL;
    int64_t types[TOTAL];

    for (int64_t i = 0; i < n; i++)
        types[i] = type;
    pali_inputs *inputs = run_inputs(1, n, prompt, type < 0 ? NULL : types, NULL, NULL);
    options.max_new_tokens = max_new;
    options.cache = cache;
    *count = 0;
    CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
    const int64_t *got = pali_generation_token_ids(generation, 0, count);
    if (got)
        memcpy(out, got, *count * sizeof *out);
    pali_generation_free(generation);
    pali_inputs_free(inputs);
}

/* A prompt whole or in two parts, and an answer whole or continued, give the same tokens. */
static void generation(const struct kind *kind, pali_dtype dtype)
{
    int64_t right[24], got[24], more[24];
    size_t n_right, n_got, n_more;
    pali_cache *whole = make(kind, dtype), *cache = make(kind, dtype);

    answer_ids(whole, ids + PREFIX, 9, 1, 24, right, &n_right);
    CHECK(pali_cache_length(whole, 0) == PREFIX + 9 + (int64_t)n_right - 1);
    pali_outputs_free(run_pass(model, cache, ids + PREFIX, 4, 1));
    answer_ids(cache, ids + PREFIX + 4, 5, -1, 10, got, &n_got);
    CHECK_MSG(n_got <= n_right && !memcmp(got, right, n_got * sizeof *got), "%s, %s: continued", fixture, kind->name);
    if (n_got == 10 && n_right > 10) {
        answer_ids(cache, got + 9, 1, -1, 14, more, &n_more);
        CHECK_MSG(n_got + n_more == n_right && !memcmp(more, right + 10, n_more * sizeof *more),
                  "%s, %s: the answer continued", fixture, kind->name);
        CHECK(pali_cache_length(cache, 0) == pali_cache_length(whole, 0));
    }
    pali_cache_free(whole);
    pali_cache_free(cache);
}

/* Without a cache the same tokens too. */
static void generation_alone(void)
{
    pali_cache_options options = PALI_CACHE_OPTIONS_INIT;
    int64_t right[24], got[24];
    size_t n_right, n_got;
    pali_error *error = NULL;

    answer_ids(NULL, ids, PREFIX, 0, 24, right, &n_right);
    for (int sliding = 0; sliding < 2; sliding++) {
        pali_cache *cache = NULL;
        options.sliding = sliding;
        CHECK_OK(pali_cache_create(&cache, model, &options, &error), error);
        answer_ids(cache, ids, PREFIX, 0, 24, got, &n_got);
        CHECK_MSG(n_got == n_right && !memcmp(got, right, n_got * sizeof *got), "%s: sliding %d", fixture, sliding);
        pali_cache_free(cache);
    }
}

static int allow_until_third(void *user, int64_t row, const int64_t *got, size_t n, uint8_t *allowed, int64_t vocab_size)
{
    (void)user, (void)row, (void)got;
    memset(allowed, n < 3, (size_t)vocab_size);
    return 0;
}

/* A call that fails behind some tokens leaves the cache as it was, and the cache goes on as if nothing had been. */
static void failed_generation(const struct kind *kind)
{
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_generation *none = NULL;
    pali_error *error = NULL;
    int64_t right[8], got[8];
    size_t n_right, n_got;
    pali_cache *cache = make(kind, PALI_FLOAT32), *other = make(kind, PALI_FLOAT32);
    pali_inputs *inputs = run_inputs(1, 5, ids + PREFIX, NULL, NULL, NULL);

    options.cache = cache;
    options.token_mask = allow_until_third;
    options.max_new_tokens = 8;
    CHECK_FAILS(pali_generate(&none, model, inputs, &options, &error), error, PALI_ERROR_ARGUMENT, "allows no token");
    CHECK_MSG(none == NULL && pali_cache_length(cache, 0) == pali_cache_length(other, 0), "%s, %s: length %d", fixture,
              kind->name, (int)pali_cache_length(cache, 0));
    answer_ids(other, ids + PREFIX, 9, 1, 8, right, &n_right);
    answer_ids(cache, ids + PREFIX, 9, 1, 8, got, &n_got);
    CHECK_MSG(n_got == n_right && !memcmp(got, right, n_got * sizeof *got), "%s, %s: after a failure", fixture, kind->name);
    pali_inputs_free(inputs);
    pali_cache_free(cache);
    pali_cache_free(other);
}

/* min(window, 64) tokens can be taken back at any length, also just after the shelf has been moved. */
static void roll_back_anywhere(int64_t window)
{
    enum { N = 60 };
    pali_cache_options options = PALI_CACHE_OPTIONS_INIT;
    pali_outputs *right[N];
    pali_cache *cache = NULL;
    pali_error *error = NULL;
    int64_t slack = window < 64 ? window : 64;

    options.sliding = 1;
    CHECK_OK(pali_cache_create(&cache, model, &options, &error), error);
    for (int64_t n = 0; n < N; n++) {
        right[n] = run_pass(model, cache, ids + n, 1, 1);
        int64_t back = n + 1 - slack;
        if (window == 0 || back < 0)
            continue;
        pali_cache *copy = NULL;
        CHECK_OK(pali_cache_fork(&copy, cache, &error), error);
        CHECK_OK(pali_cache_truncate(copy, back, &error), error);
        pali_outputs *again = run_pass(model, copy, ids + back, 1, 1);
        CHECK_MSG(run_same(again, right[back]), "%s: rolled back to %d of %d", fixture, (int)back, (int)(n + 1));
        pali_outputs_free(again);
        pali_cache_free(copy);
    }
    for (int64_t n = 0; n < N; n++)
        pali_outputs_free(right[n]);
    pali_cache_free(cache);
}

int main(void)
{
    static const struct {
        const char *name;
        int64_t window;
    } all[] = { { "pg1", 0 }, { "pg2", 6 }, { "pg2-f32", 4 }, { "pg2-f16", 8 } };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        fixture = all[i].name;
        model = run_model(fixture, PALI_FLOAT32);
        if (!model)
            continue;
        run_random_ids(ids, TOTAL);
        kinds_agree(PALI_FLOAT32, all[i].window);
        kinds_agree(PALI_BFLOAT16, all[i].window);
        kinds_agree(PALI_INT8, all[i].window);
        one_pass_agrees();
        late_prefix(all[i].window);
        generation_alone();
        roll_back_anywhere(all[i].window);
        for (size_t k = 0; k < N_KINDS; k++) {
            cancelled_pass(&kinds[k], 1);
            cancelled_pass(&kinds[k], 50);
            copies(&kinds[k], PALI_FLOAT32);
            copies(&kinds[k], PALI_BFLOAT16);
            if (i == 1)
                copies(&kinds[k], PALI_INT8);
            positions(&kinds[k]);
            generation(&kinds[k], PALI_FLOAT32);
            generation(&kinds[k], PALI_BFLOAT16);
            if (i == 1)
                generation(&kinds[k], PALI_INT8);
            if (!kinds[k].sliding || all[i].window == 0 || all[i].window > 7) /* it takes 7 tokens back */
                failed_generation(&kinds[k]);
        }
        pali_model_free(model);
    }
    return test_report("cache");
}
