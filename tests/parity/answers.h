/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers of the model under test, and whether two are the same. */
#ifndef PALI_TESTS_PARITY_ANSWERS_H
#define PALI_TESTS_PARITY_ANSWERS_H

#include "parity/fixtures.h"

static pali_model *model;

/* One row of a fixture's inputs, without its padding. */
static inline pali_inputs *one_row(const pali_inputs *whole, int64_t row)
{
    const pali_tensor *mask = pali_inputs_get(whole, "attention_mask"), *pixels = pali_inputs_get(whole, "pixel_values");
    int64_t width = mask->shape[1], first = 0, size = pali_tensor_count(pixels) / pixels->shape[0];
    pali_inputs *part = NULL;
    pali_error *error = NULL;

    while (((const int64_t *)mask->data)[row * width + first] == 0)
        first++;
    CHECK_OK(pali_inputs_create(&part, &error), error);
    for (size_t i = 0; i < pali_inputs_count(whole); i++) {
        const char *name = pali_inputs_name(whole, i);
        const pali_tensor *tensor = pali_inputs_get(whole, name);
        pali_tensor view;
        if (tensor->rank == 2)
            view = pali_tensor_view((int64_t *)tensor->data + row * width + first, PALI_INT64, 2,
                                    (int64_t[]){ 1, width - first });
        else
            view = pali_tensor_view((float *)tensor->data + row * size, PALI_FLOAT32, 4,
                                    (int64_t[]){ 1, pixels->shape[1], pixels->shape[2], pixels->shape[3] });
        CHECK_OK(pali_inputs_set(part, name, &view, &error), error);
    }
    return part;
}

static inline pali_generation *answers_to(const pali_inputs *inputs, const pali_generate_options *options)
{
    pali_generation *generation = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_generate(&generation, model, inputs, options, &error), error);
    return generation;
}

static inline bool equal_answers(const pali_generation *a, int64_t row, const pali_generation *b, int64_t other)
{
    size_t n = 0, m = 0;
    const int64_t *x = pali_generation_token_ids(a, row, &n), *y = pali_generation_token_ids(b, other, &m);
    return x && y && n == m && !memcmp(x, y, n * sizeof *x);
}

#endif
