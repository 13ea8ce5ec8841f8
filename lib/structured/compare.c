/* SPDX-License-Identifier: BSD-2-Clause */
#include <paligemma/compare.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/dtype.h"
#include "core/memory.h"
#include "core/options.h"

void pali_compare_options_init(pali_compare_options *options)
{
    *options = (pali_compare_options)PALI_COMPARE_OPTIONS_INIT;
}

struct pali_comparison {
    pali_difference *items;
    size_t count;
};

/* ---- the order of the computation ---- */

/* Stages of a pass; a stage of numbered tensors has all its layers between this number and the next. */
static const struct {
    const char *name;
    bool numbered;
    int64_t stage;
} stages[] = {
    { "pixel_values", false, 0 },
    { "input_ids", false, 1 },
    { "inputs_embeds", false, 2 },
    { "attention_mask", false, 3 },
    { "token_type_ids", false, 4 },
    { "position_ids", false, 5 },
    { "labels", false, 6 },
    { "vision_hidden_states.", true, 1000000 },
    { "image_hidden_states", false, 2000000 },
    { "hidden_states.", true, 3000000 }, /* and attentions.N right behind hidden_states.N */
    { "attentions.", true, 3000001 },
    { "last_hidden_state", false, 4000000 },
    { "logits", false, 4000001 },
    { "token_loss", false, 4000002 },
    { "loss", false, 4000003 },
};

#define OTHER 5000000

static int64_t stage_of(const char *name)
{
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        size_t size = strlen(stages[i].name);
        if (!stages[i].numbered && !strcmp(name, stages[i].name))
            return stages[i].stage;
        if (!stages[i].numbered || strncmp(name, stages[i].name, size) != 0)
            continue;
        size_t digits = strspn(name + size, "0123456789");
        if (digits > 0 && digits < 6 && name[size + digits] == '\0')
            return stages[i].stage + 2 * strtol(name + size, NULL, 10);
    }
    return OTHER;
}

static int by_stage(const void *a, const void *b)
{
    const pali_difference *x = a, *y = b;
    int64_t stage_x = stage_of(x->name), stage_y = stage_of(y->name);

    if (stage_x != stage_y)
        return stage_x < stage_y ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* ---- values ---- */

static double value_at(const pali_tensor *tensor, int64_t i)
{
    switch (tensor->dtype) {
    case PALI_FLOAT32:
        return (double)((const float *)tensor->data)[i];
    case PALI_BFLOAT16:
        return (double)pali__float_from_bf16(((const uint16_t *)tensor->data)[i]);
    case PALI_FLOAT16:
        return (double)pali__float_from_f16(((const uint16_t *)tensor->data)[i]);
    case PALI_FLOAT64:
        return ((const double *)tensor->data)[i];
    case PALI_INT64:
        return (double)((const int64_t *)tensor->data)[i];
    case PALI_INT32:
        return (double)((const int32_t *)tensor->data)[i];
    case PALI_INT16:
        return (double)((const int16_t *)tensor->data)[i];
    case PALI_INT8:
        return (double)((const int8_t *)tensor->data)[i];
    case PALI_UINT8:
    case PALI_BOOL:
        return (double)((const uint8_t *)tensor->data)[i];
    }
    return NAN;
}

static void index_of(int64_t out[PALI_MAX_RANK], const pali_tensor *tensor, int64_t flat)
{
    for (int32_t i = tensor->rank - 1; i >= 0; i--) {
        out[i] = flat % tensor->shape[i];
        flat /= tensor->shape[i];
    }
}

/* |a - b|: 0 for equal infinities and two NaN, infinite where only one of them is a number. */
static double distance(double a, double b)
{
    if (a == b || (isnan(a) && isnan(b)))
        return 0.0;
    return isfinite(a) && isfinite(b) ? fabs(a - b) : INFINITY;
}

static void compare_values(pali_difference *out, const pali_tensor *a, const pali_tensor *b,
                           const pali_compare_options *options)
{
    double squares = 0.0;
    int64_t n_finite = 0;

    out->count = pali_tensor_count(a);
    for (int64_t i = 0; i < out->count; i++) {
        double x = value_at(a, i), y = value_at(b, i), d = distance(x, y);
        out->n_nan_a += isnan(x);
        out->n_nan_b += isnan(y);
        if (isfinite(x) && isfinite(y)) {
            squares += d * d;
            n_finite++;
        }
        if (d > 0.0)
            out->max_rel = fmax(out->max_rel, y == 0.0 || !isfinite(d) ? INFINITY : d / fabs(y));
        if (d > out->max_abs) {
            out->max_abs = d;
            out->max_a = x, out->max_b = y;
            index_of(out->max_index, a, i);
        }
        /* A tolerance that is infinite for an infinite b would let everything pass. */
        if (d == INFINITY || d > options->atol + options->rtol * (isfinite(y) ? fabs(y) : 0.0)) {
            if (out->n_departing++ == 0) {
                out->first_a = x, out->first_b = y;
                index_of(out->first_index, a, i);
            }
        }
    }
    out->rms = n_finite ? sqrt(squares / (double)n_finite) : 0.0;
    if (out->n_departing)
        out->kind = PALI_DIFFERENCE_VALUES;
}

static void compare_tensors(pali_difference *out, const pali_tensor *a, const pali_tensor *b,
                            const pali_compare_options *options)
{
    if (!a || !b) {
        out->kind = a ? PALI_DIFFERENCE_MISSING_B : PALI_DIFFERENCE_MISSING_A;
        return;
    }
    out->rank = a->rank;
    if (a->rank != b->rank || memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape) != 0)
        out->kind = PALI_DIFFERENCE_SHAPE;
    else
        compare_values(out, a, b, options);
}

/* ---- the whole ---- */

static pali_status add_name(pali_comparison *comparison, const char *name, pali_error **error)
{
    char *copy = pali__strdup(name);
    if (!copy)
        return pali__no_memory(error, strlen(name) + 1);
    comparison->items[comparison->count++].name = copy;
    return PALI_OK;
}

static pali_status add_names(pali_comparison *comparison, const pali_inputs *a, const pali_inputs *b,
                             pali_error **error)
{
    size_t most = pali_inputs_count(a) + pali_inputs_count(b);

    comparison->items = pali__calloc(most + 1, sizeof *comparison->items);
    if (!comparison->items)
        return pali__no_memory(error, most * sizeof *comparison->items);
    for (size_t i = 0; i < pali_inputs_count(a); i++)
        TRY(add_name(comparison, pali_inputs_name(a, i), error));
    for (size_t i = 0; i < pali_inputs_count(b); i++)
        if (!pali_inputs_get(a, pali_inputs_name(b, i)))
            TRY(add_name(comparison, pali_inputs_name(b, i), error));
    return PALI_OK;
}

pali_status pali_compare(pali_comparison **out, const pali_inputs *a, const pali_inputs *b,
                         const pali_compare_options *options, pali_error **error)
{
    pali_compare_options chosen = PALI_COMPARE_OPTIONS_INIT;

    if (out)
        *out = NULL;
    if (!out || !a || !b)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_compare: %s is NULL", !out ? "out" : !a ? "a" : "b");
    TRY(pali__options_take(&chosen, sizeof chosen, options, "pali_compare_options", error));
    if (!(chosen.atol >= 0.0 && chosen.rtol >= 0.0 && isfinite(chosen.atol) && isfinite(chosen.rtol)))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_compare_options: atol is %g and rtol %g, expected 0 or more",
                          chosen.atol, chosen.rtol);
    pali_comparison *comparison = pali__calloc(1, sizeof *comparison);
    if (!comparison)
        return pali__no_memory(error, sizeof *comparison);
    pali_status status = add_names(comparison, a, b, error);
    if (status != PALI_OK) {
        pali_comparison_free(comparison);
        return status;
    }
    qsort(comparison->items, comparison->count, sizeof *comparison->items, by_stage);
    for (size_t i = 0; i < comparison->count; i++)
        compare_tensors(&comparison->items[i], pali_inputs_get(a, comparison->items[i].name),
                        pali_inputs_get(b, comparison->items[i].name), &chosen);
    *out = comparison;
    return PALI_OK;
}

void pali_comparison_free(pali_comparison *comparison)
{
    if (!comparison)
        return;
    for (size_t i = 0; comparison->items && i < comparison->count; i++)
        pali__free((char *)(uintptr_t)comparison->items[i].name); /* const to the readers only */
    pali__free(comparison->items);
    pali__free(comparison);
}

size_t pali_comparison_count(const pali_comparison *comparison) { return comparison ? comparison->count : 0; }

const pali_difference *pali_comparison_get(const pali_comparison *comparison, size_t index)
{
    return index < pali_comparison_count(comparison) ? &comparison->items[index] : NULL;
}

size_t pali_comparison_first(const pali_comparison *comparison)
{
    size_t count = pali_comparison_count(comparison), missing = count;
    for (size_t i = 0; i < count; i++) {
        pali_difference_kind kind = comparison->items[i].kind;
        if (kind == PALI_DIFFERENCE_VALUES || kind == PALI_DIFFERENCE_SHAPE)
            return i;
        if (kind != PALI_DIFFERENCE_NONE && missing == count)
            missing = i;
    }
    return missing;
}
