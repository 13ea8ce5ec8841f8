/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of caches and batches share: random tokens, passes over them, and comparison of bits. */
#ifndef PALI_TESTS_PARITY_CACHE_RUNS_H
#define PALI_TESTS_PARITY_CACHE_RUNS_H

#include "fixtures.h"

static uint32_t run_seed = 1;

static inline int64_t run_random(int64_t n)
{
    run_seed = run_seed * 1664525u + 1013904223u;
    return (int64_t)(run_seed >> 8) % n;
}

/* Ids of plain text in the fixtures' vocabulary. */
static inline void run_random_ids(int64_t *ids, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        ids[i] = 20 + run_random(200);
}

/* Inputs of [batch, length] tensors; NULL for what is not given. */
static inline pali_inputs *run_inputs(int64_t batch, int64_t length, const int64_t *ids, const int64_t *types,
                                      const int64_t *mask, const int64_t *positions)
{
    const struct {
        const char *name;
        const int64_t *values;
    } all[] = { { "input_ids", ids }, { "token_type_ids", types }, { "attention_mask", mask },
                { "position_ids", positions } };
    pali_inputs *inputs = NULL;
    pali_error *error = NULL;

    CHECK_OK(pali_inputs_create(&inputs, &error), error);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (!all[i].values)
            continue;
        pali_tensor view = pali_tensor_view((void *)(uintptr_t)all[i].values, PALI_INT64, 2,
                                            (int64_t[]){ batch, length });
        CHECK_OK(pali_inputs_set(inputs, all[i].name, &view, &error), error);
    }
    return inputs;
}

static inline pali_outputs *run_forward(pali_model *model, pali_cache *cache, pali_inputs *inputs)
{
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;

    options.cache = cache;
    options.output_hidden_states = 1;
    CHECK_OK(pali_model_forward(&outputs, model, inputs, &options, &error), error);
    pali_inputs_free(inputs);
    return outputs;
}

/* One pass of `n` tokens of one type for a cache of one row. */
static inline pali_outputs *run_pass(pali_model *model, pali_cache *cache, const int64_t *ids, int64_t n, int64_t type)
{
    int64_t types[1024];

    for (int64_t i = 0; i < n; i++)
        types[i] = type;
    return run_forward(model, cache, run_inputs(1, n, ids, types, NULL, NULL));
}

static inline const float *run_floats(const pali_outputs *outputs, const char *name)
{
    const pali_tensor *tensor = pali_outputs_get(outputs, name);
    return tensor ? tensor->data : NULL;
}

/* Whether positions a_first…a_first+n-1 of row a_row and the like of b agree in every output, to the last bit. */
static inline bool run_same_at(const pali_outputs *a, int64_t a_row, int64_t a_first, const pali_outputs *b,
                               int64_t b_row, int64_t b_first, int64_t n)
{
    bool same = a && b && pali_outputs_count(a) == pali_outputs_count(b);

    for (size_t i = 0; same && i < pali_outputs_count(a); i++) {
        const char *name = pali_outputs_name(a, i);
        const pali_tensor *x = pali_outputs_get(a, name), *y = pali_outputs_get(b, name);
        if (x->rank != 3 || !strcmp(name, "image_hidden_states"))
            continue;
        size_t width = (size_t)x->shape[2];
        same = y && y->rank == 3 && y->shape[2] == x->shape[2] &&
               !memcmp((const float *)x->data + (size_t)(a_row * x->shape[1] + a_first) * width,
                       (const float *)y->data + (size_t)(b_row * y->shape[1] + b_first) * width,
                       (size_t)n * width * sizeof(float));
    }
    return same;
}

static inline bool run_same(const pali_outputs *a, const pali_outputs *b)
{
    const pali_tensor *logits = a ? pali_outputs_get(a, "logits") : NULL;
    bool same = logits != NULL;

    for (int64_t row = 0; same && row < logits->shape[0]; row++)
        same = run_same_at(a, row, 0, b, row, 0, logits->shape[1]);
    return same;
}

/* Largest difference between the logits of a, all positions, and those of b from `first` on, one row each. */
static inline double run_difference(const pali_outputs *a, const pali_outputs *b, int64_t first)
{
    const pali_tensor *x = a ? pali_outputs_get(a, "logits") : NULL, *y = b ? pali_outputs_get(b, "logits") : NULL;
    double worst = x && y ? 0.0 : INFINITY;

    for (int64_t i = 0; x && y && i < x->shape[1] * x->shape[2]; i++) {
        double difference = fabs((double)((const float *)x->data)[i] -
                                 (double)((const float *)y->data)[first * y->shape[2] + i]);
        worst = !(difference <= worst) ? difference : worst;
    }
    return worst;
}

static inline pali_model *run_model(const char *fixture, pali_dtype dtype)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_error *error = NULL;

    options.dtype = dtype;
    CHECK_OK(pali_model_load(&model, fixture_path(fixture, NULL), &options, &error), error);
    return model;
}

#endif
