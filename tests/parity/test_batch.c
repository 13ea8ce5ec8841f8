/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of a batch against the same rows alone, to the last bit: padded left, right or on both sides, in one pass and
 * with a cache, with a row of so few tokens that its products take another path, and while generating.
 */
#include "cache_runs.h"

enum { ROWS = 7, LONGEST = 70, STEPS = 6, NEW_TOKENS = 12 };

/* Real tokens of each row: few and many, more than a tile of keys, more than the window. */
static const int64_t lengths[ROWS] = { 9, 70, 3, 24, 1, 66, 31 };
static int64_t ids[ROWS][LONGEST + STEPS];
static pali_model *model;
static const char *fixture;

enum side { LEFT, RIGHT, BOTH, N_SIDES };
static const char *const side_names[N_SIDES] = { "left", "right", "both sides" };

/* Where row `row` begins in a batch padded like that. */
static int64_t start_of(int64_t row, enum side side)
{
    int64_t pad = LONGEST - lengths[row];
    return side == LEFT ? pad : side == RIGHT ? 0 : pad / 2;
}

/* A prompt: its first two thirds are prefix. Positions count real tokens. */
static pali_inputs *padded(enum side side)
{
    static int64_t batch_ids[ROWS * LONGEST], types[ROWS * LONGEST], mask[ROWS * LONGEST], positions[ROWS * LONGEST];

    for (int64_t row = 0; row < ROWS; row++)
        for (int64_t i = 0; i < LONGEST; i++) {
            int64_t at = row * LONGEST + i, token = i - start_of(row, side);
            bool real = token >= 0 && token < lengths[row];
            batch_ids[at] = real ? ids[row][token] : 0;
            types[at] = real && token >= lengths[row] * 2 / 3;
            mask[at] = real;
            positions[at] = real ? token + 1 : 1;
        }
    return run_inputs(ROWS, LONGEST, batch_ids, types, mask, positions);
}

static pali_inputs *alone(int64_t row)
{
    int64_t types[LONGEST];

    for (int64_t i = 0; i < lengths[row]; i++)
        types[i] = i >= lengths[row] * 2 / 3;
    return run_inputs(1, lengths[row], ids[row], types, NULL, NULL);
}

static void one_pass(enum side side)
{
    pali_outputs *batch = run_forward(model, NULL, padded(side));

    for (int64_t row = 0; row < ROWS; row++) {
        pali_outputs *single = run_forward(model, NULL, alone(row));
        CHECK_MSG(run_same_at(single, 0, 0, batch, row, start_of(row, side), lengths[row]),
                  "%s: row %d padded %s differs", fixture, (int)row, side_names[side]);
        pali_outputs_free(single);
    }
    pali_outputs_free(batch);
}

static pali_cache *make_cache(int64_t rows, bool sliding, pali_dtype dtype)
{
    pali_cache_options options = PALI_CACHE_OPTIONS_INIT;
    pali_cache *cache = NULL;
    pali_error *error = NULL;

    options.rows = rows;
    options.sliding = sliding;
    options.dtype = dtype;
    CHECK_OK(pali_cache_create(&cache, model, &options, &error), error);
    return cache;
}

/* After a padded pass all rows go on together, a token and then a few at a time. Slots of padding count in the distance
 * that a window measures, so right padding, which comes between, is left out here. */
static void with_cache(bool sliding, pali_dtype dtype)
{
    pali_cache *together = make_cache(ROWS, sliding, dtype), *single[ROWS];
    int64_t next[ROWS * 2], positions[ROWS * 2];

    pali_outputs_free(run_forward(model, together, padded(LEFT)));
    for (int64_t row = 0; row < ROWS; row++) {
        single[row] = make_cache(1, sliding, dtype);
        pali_outputs_free(run_forward(model, single[row], alone(row)));
    }
    for (int step = 0; step < STEPS;) {
        int64_t n = step < 2 ? 1 : 2;
        for (int64_t row = 0; row < ROWS; row++)
            for (int64_t i = 0; i < n; i++) {
                next[row * n + i] = ids[row][lengths[row] + step + i];
                positions[row * n + i] = lengths[row] + step + i + 1;
            }
        pali_outputs *batch = run_forward(model, together, run_inputs(ROWS, n, next, NULL, NULL, positions));
        for (int64_t row = 0; row < ROWS; row++) {
            pali_outputs *one =
                run_forward(model, single[row], run_inputs(1, n, next + row * n, NULL, NULL, positions + row * n));
            CHECK_MSG(run_same_at(one, 0, 0, batch, row, 0, n), "%s: row %d, step %d, %s, %s cache", fixture, (int)row,
                      step, pali_dtype_name(dtype), sliding ? "sliding" : "growing");
            pali_outputs_free(one);
        }
        pali_outputs_free(batch);
        step += (int)n;
    }
    pali_cache_free(together);
    for (int64_t row = 0; row < ROWS; row++)
        pali_cache_free(single[row]);
}

/* ---- generation ---- */

static pali_generation *answer(pali_inputs *inputs, pali_cache *cache)
{
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_generation *generation = NULL;
    pali_error *error = NULL;

    options.max_new_tokens = NEW_TOKENS;
    options.cache = cache;
    CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
    pali_inputs_free(inputs);
    return generation;
}

/* The tokens, and the keys behind them: rows of the batch's cache go on as those of a row alone. */
static void generated(enum side side, bool sliding)
{
    pali_cache *together = make_cache(ROWS, sliding, PALI_FLOAT32);
    pali_generation *batch = answer(padded(side), together), *plain = answer(padded(side), NULL);
    pali_timing timing = PALI_TIMING_INIT;
    int64_t next[ROWS], steps = 0;
    pali_outputs *single[ROWS];

    for (int64_t row = 0; row < ROWS; row++) {
        pali_cache *cache = make_cache(1, sliding, PALI_FLOAT32);
        pali_generation *one = answer(alone(row), cache);
        size_t n = 0, n_batch = 0, n_plain = 0;
        const int64_t *right = pali_generation_token_ids(one, 0, &n);
        const int64_t *got = pali_generation_token_ids(batch, row, &n_batch);
        const int64_t *without = pali_generation_token_ids(plain, row, &n_plain);
        CHECK_MSG(n > 0 && n == n_batch && n == n_plain && !memcmp(right, got, n * sizeof *got) &&
                      !memcmp(right, without, n * sizeof *got),
                  "%s: row %d padded %s: other tokens", fixture, (int)row, side_names[side]);
        next[row] = n ? right[n - 1] : 0;
        steps += (int64_t)n - 1;
        CHECK(pali_cache_length(cache, 0) == lengths[row] + (int64_t)n - 1);
        CHECK(pali_cache_length(together, row) == pali_cache_length(cache, 0));
        single[row] = run_forward(model, cache, run_inputs(1, 1, &next[row], NULL, NULL, NULL));
        pali_generation_free(one);
        pali_cache_free(cache);
    }
    CHECK(pali_generation_timing(batch, &timing, NULL) == PALI_OK);
    CHECK(timing.decode_tokens == steps); /* rows that have ended are not run any more */
    pali_outputs *outputs = run_forward(model, together, run_inputs(ROWS, 1, next, NULL, NULL, NULL));
    for (int64_t row = 0; row < ROWS; row++) {
        CHECK_MSG(run_same_at(single[row], 0, 0, outputs, row, 0, 1), "%s: row %d padded %s: logits of the last token",
                  fixture, (int)row, side_names[side]);
        pali_outputs_free(single[row]);
    }
    pali_outputs_free(outputs);
    pali_generation_free(batch);
    pali_generation_free(plain);
    pali_cache_free(together);
}

/* Losses, token by token, of a right-padded batch. */
static void losses(void)
{
    static int64_t labels[ROWS * LONGEST];
    pali_inputs *inputs = padded(RIGHT);
    pali_outputs *batch = NULL;
    pali_error *error = NULL;

    for (int64_t row = 0; row < ROWS; row++)
        for (int64_t i = 0; i < LONGEST; i++)
            labels[row * LONGEST + i] = i < lengths[row] && i >= lengths[row] / 3 ? ids[row][i] : -100;
    pali_tensor view = pali_tensor_view(labels, PALI_INT64, 2, (int64_t[]){ ROWS, LONGEST });
    CHECK_OK(pali_inputs_set(inputs, "labels", &view, &error), error);
    CHECK_OK(pali_model_forward(&batch, model, inputs, NULL, &error), error);
    pali_inputs_free(inputs);
    for (int64_t row = 0; row < ROWS; row++) {
        if (lengths[row] < 2)
            continue;
        pali_outputs *one = NULL;
        inputs = alone(row);
        view = pali_tensor_view(labels + row * LONGEST, PALI_INT64, 2, (int64_t[]){ 1, lengths[row] });
        CHECK_OK(pali_inputs_set(inputs, "labels", &view, &error), error);
        CHECK_OK(pali_model_forward(&one, model, inputs, NULL, &error), error);
        CHECK_MSG(!memcmp(run_floats(one, "token_loss"), run_floats(batch, "token_loss") + row * (LONGEST - 1),
                          (size_t)(lengths[row] - 1) * sizeof(float)), "%s: losses of row %d", fixture, (int)row);
        pali_outputs_free(one);
        pali_inputs_free(inputs);
    }
    pali_outputs_free(batch);
}

int main(void)
{
    static const char *const names[] = { "pg1", "pg2", "pg1-bf16", "pg2-f16" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fixture = names[i];
        model = run_model(fixture, PALI_FLOAT32);
        if (!model)
            continue;
        run_random_ids(&ids[0][0], ROWS * (LONGEST + STEPS));
        for (enum side side = LEFT; side < N_SIDES; side++) {
            one_pass(side);
            generated(side, false);
        }
        generated(RIGHT, true);
        with_cache(false, PALI_FLOAT32);
        with_cache(true, PALI_FLOAT32);
        with_cache(true, PALI_BFLOAT16);
        losses();
        pali_model_free(model);
    }
    return test_report("batch");
}
