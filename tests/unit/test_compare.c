/* SPDX-License-Identifier: BSD-2-Clause */
/* Comparing two sets of tensors: order, tolerance, NaN and infinities, shapes, element types. */
#include <paligemma/paligemma.h>

#include "test.h"

static pali_inputs *set(void)
{
    pali_inputs *tensors = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_inputs_create(&tensors, &error), error);
    return tensors;
}

static void put(pali_inputs *to, const char *name, pali_dtype dtype, const void *data, int64_t rows, int64_t columns)
{
    pali_tensor view = pali_tensor_view((void *)(uintptr_t)data, dtype, 2, (const int64_t[]){ rows, columns });
    pali_error *error = NULL;
    CHECK_OK(pali_inputs_set(to, name, &view, &error), error);
}

static pali_comparison *compare(const pali_inputs *a, const pali_inputs *b, double atol, double rtol)
{
    pali_compare_options options;
    pali_comparison *comparison = NULL;
    pali_error *error = NULL;

    pali_compare_options_init(&options);
    options.atol = atol;
    options.rtol = rtol;
    CHECK_OK(pali_compare(&comparison, a, b, &options, &error), error);
    return comparison;
}

/* However they are stored, tensors come in the order of the computation. */
static void order(void)
{
    static const char *const ordered[] = {
        "pixel_values", "input_ids", "vision_hidden_states.0", "vision_hidden_states.1", "image_hidden_states",
        "hidden_states.0", "attentions.0", "hidden_states.1", "attentions.1", "hidden_states.2", "hidden_states.10",
        "last_hidden_state", "logits", "token_loss", "loss", "attentions.x", "hidden_states.", "zebra",
    };
    enum { N = sizeof ordered / sizeof *ordered };
    static const float value[1] = { 1.0f };
    pali_inputs *a = set(), *b = set();

    for (int i = 0; i < N; i++) {
        put(a, ordered[(i * 7 + 3) % N], PALI_FLOAT32, value, 1, 1);
        put(b, ordered[N - 1 - i], PALI_FLOAT32, value, 1, 1);
    }
    pali_comparison *comparison = compare(a, b, 0, 0);
    CHECK(pali_comparison_count(comparison) == N && pali_comparison_first(comparison) == N);
    for (size_t i = 0; i < N; i++)
        CHECK_MSG(!strcmp(pali_comparison_get(comparison, i)->name, ordered[i]), "%s, not %s",
                  pali_comparison_get(comparison, i)->name, ordered[i]);
    CHECK(pali_comparison_get(comparison, N) == NULL);
    pali_comparison_free(comparison);
    pali_inputs_free(a);
    pali_inputs_free(b);
}

static void values(void)
{
    static const float x[6] = { 1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f }, y[6] = { 1.0f, 2.0f, 3.5f, 4.0f, 4.0f, 6.0f };
    static const float one[1] = { 1.0f };
    pali_inputs *a = set(), *b = set();

    put(a, "logits", PALI_FLOAT32, x, 2, 3);
    put(b, "logits", PALI_FLOAT32, y, 2, 3);
    put(a, "hidden_states.0", PALI_FLOAT32, x, 2, 3);
    put(b, "hidden_states.0", PALI_FLOAT32, x, 2, 3);
    put(a, "attentions.0", PALI_FLOAT32, one, 1, 1);
    put(b, "attentions.1", PALI_FLOAT32, one, 1, 1);
    put(a, "loss", PALI_FLOAT32, x, 3, 2);
    put(b, "loss", PALI_FLOAT32, x, 2, 3);
    pali_comparison *comparison = compare(a, b, 0.6, 0);
    CHECK(pali_comparison_count(comparison) == 5 && pali_comparison_first(comparison) == 3); /* missing ones last */
    const pali_difference *same = pali_comparison_get(comparison, 0), *logits = pali_comparison_get(comparison, 3);
    CHECK(same->kind == PALI_DIFFERENCE_NONE && same->max_abs == 0.0 && same->rms == 0.0 && same->count == 6);
    CHECK(pali_comparison_get(comparison, 1)->kind == PALI_DIFFERENCE_MISSING_B);
    CHECK(pali_comparison_get(comparison, 2)->kind == PALI_DIFFERENCE_MISSING_A);
    CHECK(pali_comparison_get(comparison, 4)->kind == PALI_DIFFERENCE_SHAPE);
    CHECK(logits->kind == PALI_DIFFERENCE_VALUES && logits->n_departing == 1 && logits->max_abs == 1.0);
    CHECK(logits->first_index[0] == 1 && logits->first_index[1] == 1 && logits->first_a == 5.0 && logits->first_b == 4.0);
    CHECK(logits->max_index[0] == 1 && logits->max_index[1] == 1 && logits->max_rel == 0.25);
    CHECK(fabs(logits->rms - sqrt(1.25 / 6.0)) < 1e-12);
    pali_comparison_free(comparison);

    comparison = compare(a, b, 0.0, 0.25); /* 1 <= 0.25 · 4, 0.5 <= 0.25 · 3.5 */
    CHECK(pali_comparison_get(comparison, 3)->kind == PALI_DIFFERENCE_NONE && pali_comparison_first(comparison) == 4);
    pali_comparison_free(comparison);
    pali_inputs_free(a);
    pali_inputs_free(b);
}

static void no_numbers(void)
{
    static const float x[5] = { NAN, NAN, INFINITY, INFINITY, 1.0f }, y[5] = { NAN, 1.0f, INFINITY, -INFINITY, INFINITY };
    pali_inputs *a = set(), *b = set();

    put(a, "logits", PALI_FLOAT32, x, 1, 5);
    put(b, "logits", PALI_FLOAT32, y, 1, 5);
    pali_comparison *comparison = compare(a, b, 1e9, 1e9);
    const pali_difference *one = pali_comparison_get(comparison, 0);
    CHECK(one->kind == PALI_DIFFERENCE_VALUES && one->n_departing == 3 && one->n_nan_a == 2 && one->n_nan_b == 1);
    CHECK(one->first_index[1] == 1 && isnan(one->first_a) && isinf(one->max_abs) && isinf(one->max_rel));
    CHECK(one->rms == 0.0); /* no pair is finite in both */
    pali_comparison_free(comparison);
    pali_inputs_free(a);
    pali_inputs_free(b);
}

/* Element types do not matter, values do. */
static void types(void)
{
    static const float x[3] = { 1.0f, -2.0f, 0.5f };
    static const uint16_t bf16[3] = { 0x3f80, 0xc000, 0x3f00 }, f16[3] = { 0x3c00, 0xc000, 0x3800 };
    static const double wide[3] = { 1.0, -2.0, 0.5 };
    static const int64_t i64[3] = { 1, -2, 0 };
    static const int32_t i32[3] = { 1, -2, 0 };
    static const int16_t i16[3] = { 1, -2, 0 };
    static const int8_t i8[3] = { 1, -2, 0 };
    static const struct { pali_dtype dtype; const void *data; size_t departing; } forms[] = {
        { PALI_BFLOAT16, bf16, 0 }, { PALI_FLOAT16, f16, 0 }, { PALI_FLOAT64, wide, 0 }, { PALI_INT64, i64, 1 },
        { PALI_INT32, i32, 1 }, { PALI_INT16, i16, 1 }, { PALI_INT8, i8, 1 },
    };
    pali_inputs *a = set();

    put(a, "x", PALI_FLOAT32, x, 1, 3);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        pali_inputs *b = set();
        put(b, "x", forms[i].dtype, forms[i].data, 1, 3);
        pali_comparison *comparison = compare(a, b, 0, 0);
        CHECK_MSG(pali_comparison_get(comparison, 0)->n_departing == (int64_t)forms[i].departing, "%s",
                  pali_dtype_name(forms[i].dtype));
        pali_comparison_free(comparison);
        pali_inputs_free(b);
    }
    pali_inputs_free(a);
}

static void mistakes(void)
{
    pali_compare_options options = PALI_COMPARE_OPTIONS_INIT;
    pali_comparison *comparison = NULL;
    pali_inputs *a = set();
    pali_error *error = NULL;

    CHECK_FAILS(pali_compare(&comparison, a, NULL, NULL, &error), error, PALI_ERROR_ARGUMENT, "b is NULL");
    options.atol = NAN;
    CHECK_FAILS(pali_compare(&comparison, a, a, &options, &error), error, PALI_ERROR_ARGUMENT, "atol");
    CHECK_OK(pali_compare(&comparison, a, a, NULL, &error), error);
    CHECK(pali_comparison_count(comparison) == 0 && pali_comparison_first(comparison) == 0);
    pali_comparison_free(comparison);
    pali_inputs_free(a);
}

int main(void)
{
    order();
    values();
    no_numbers();
    types();
    mistakes();
    return test_report("compare");
}
