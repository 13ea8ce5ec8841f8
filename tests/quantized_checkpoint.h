/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Quantized checkpoints made of plain ones: what the tests load, and spoil. Beside each the same numbers without any
 * quantization, in float32, to compare with. What the package itself writes is tests/data/quantized's business.
 */
#ifndef PALI_TESTS_QUANTIZED_CHECKPOINT_H
#define PALI_TESTS_QUANTIZED_CHECKPOINT_H

#include <stdbool.h>
#include <sys/stat.h>

#include <paligemma/checkpoint.h>

#include "checkpoint/tensors.h"
#include "core/tensor_set.h"
#include "kernels/round_weights.h"
#include "test.h"

/* How the matrices are quantized in whose file name `part` stands. Of several rules the first counts. */
struct rule {
    const char *part;
    int bits;
    int64_t group_size; /* 0: a scale for each output, -1: one for all */
    bool packed, zero_points;
    pali_dtype scale_dtype;
};

static inline void put_tensor(struct pali__tensor_set *set, const char *name, const char *suffix, pali_dtype dtype,
                              int32_t rank, const int64_t *shape, const void *data)
{
    char full[256];
    pali_error *error = NULL;
    pali_tensor tensor = pali_tensor_view((void *)(uintptr_t)data, dtype, rank, shape);

    snprintf(full, sizeof full, "%s%s", name, suffix);
    CHECK_OK(pali__tensor_set_copy(set, full, &tensor, &error), error);
}

/* Field `index` of `bits` bits in words that are filled from the lowest bit up. */
static inline void put_field(uint32_t *words, int64_t index, int bits, int value)
{
    int64_t per_word = 32 / bits;
    words[index / per_word] |= (uint32_t)(value + (1 << (bits - 1))) << (index % per_word * bits);
}

/* The zero points of one group of all outputs, packed along the outputs: [words, n_groups]. */
static inline void put_zero_points(struct pali__tensor_set *set, const char *name, const struct rule *rule,
                                   const int8_t *zero_points, int64_t n_out, int64_t n_groups)
{
    int64_t n_words = (n_out * rule->bits + 31) / 32;

    if (!rule->packed || rule->group_size < 0) {
        int64_t shape[2] = { rule->group_size < 0 ? 1 : n_out, n_groups };
        put_tensor(set, name, "_zero_point", PALI_INT8, rule->group_size < 0 ? 1 : 2, shape, zero_points);
        return;
    }
    uint32_t *column = calloc((size_t)n_words, sizeof *column);
    uint32_t *all = calloc((size_t)(n_words * n_groups), sizeof *all);
    for (int64_t g = 0; g < n_groups; g++) {
        memset(column, 0, (size_t)n_words * sizeof *column);
        for (int64_t j = 0; j < n_out; j++)
            put_field(column, j, rule->bits, zero_points[j * n_groups + g]);
        for (int64_t i = 0; i < n_words; i++)
            all[i * n_groups + g] = column[i];
    }
    put_tensor(set, name, "_zero_point", PALI_INT32, 2, (int64_t[]){ n_words, n_groups }, all);
    free(column);
    free(all);
}

/* Rounds w with `rule`, and either writes the parts or, for the twin, scale·(q - zero_point). */
static inline void put_quantized(struct pali__tensor_set *set, const char *name, const pali_tensor *tensor,
                                 const struct rule *rule, bool twin)
{
    int64_t n_out = tensor->shape[0], n_in = tensor->shape[1], count = n_out * n_in;
    int64_t group_size = rule->group_size > 0 ? rule->group_size : n_in, n_groups = (n_in + group_size - 1) / group_size;
    int low = -(1 << (rule->bits - 1)), high = -low - 1;
    size_t width = pali_dtype_size(rule->scale_dtype);
    float *w = malloc((size_t)count * sizeof *w), largest_of_all = 0.0f;
    int8_t *q = malloc((size_t)count), *zero_points = calloc((size_t)(n_out * n_groups), 1);
    char *scales = calloc((size_t)(n_out * n_groups), width);
    uint32_t *packed = calloc((size_t)(n_out * ((n_in * rule->bits + 31) / 32)), sizeof *packed);

    pali__to_float(w, tensor->data, tensor->dtype, count);
    for (int64_t i = 0; i < count; i++)
        largest_of_all = fabsf(w[i]) > largest_of_all ? fabsf(w[i]) : largest_of_all;
    for (int64_t j = 0; j < n_out; j++)
        for (int64_t g = 0; g < n_groups; g++) {
            int64_t first = g * group_size, end = first + group_size < n_in ? first + group_size : n_in;
            bool one = rule->group_size < 0;
            float largest = one ? largest_of_all : 0.0f, scale;
            for (int64_t k = j * n_in + first; k < j * n_in + end && !one; k++)
                largest = fabsf(w[k]) > largest ? fabsf(w[k]) : largest;
            scale = largest / (float)high;
            pali__from_float(scales + (size_t)(j * n_groups + g) * width, rule->scale_dtype, &scale, 1);
            pali__to_float(&scale, scales + (size_t)(j * n_groups + g) * width, rule->scale_dtype, 1);
            int zero = !rule->zero_points ? 0 : one ? -3 : (int)((j * 5 + g * 3) % 7) - 3;
            zero_points[j * n_groups + g] = (int8_t)zero;
            for (int64_t k = first; k < end; k++) {
                float rounded = rintf(w[j * n_in + k] / scale) + (float)zero;
                int code = rounded < (float)low ? low : rounded > (float)high ? high : (int)rounded;
                q[j * n_in + k] = (int8_t)code;
                put_field(packed + j * ((n_in * rule->bits + 31) / 32), k, rule->bits, code);
                w[j * n_in + k] = scale * (float)(code - zero);
            }
        }
    if (twin) {
        put_tensor(set, name, "", PALI_FLOAT32, 2, tensor->shape, w);
    } else {
        int64_t words = (n_in * rule->bits + 31) / 32, sizes[2] = { n_out, n_in };
        if (rule->packed) {
            put_tensor(set, name, "_packed", PALI_INT32, 2, (int64_t[]){ n_out, words }, packed);
            put_tensor(set, name, "_shape", PALI_INT64, 1, (int64_t[]){ 2 }, sizes);
        } else {
            put_tensor(set, name, "", PALI_INT8, 2, sizes, q);
        }
        put_tensor(set, name, "_scale", rule->scale_dtype, rule->group_size < 0 ? 1 : 2,
                   (int64_t[]){ rule->group_size < 0 ? 1 : n_out, n_groups }, scales);
        if (rule->zero_points)
            put_zero_points(set, name, rule, zero_points, n_out, n_groups);
    }
    free(w);
    free(q);
    free(zero_points);
    free(scales);
    free(packed);
}

static inline const struct rule *find_rule(const char *name, const pali_tensor *tensor, const struct rule *rules,
                                           size_t n_rules)
{
    const char *end = strrchr(name, '.');

    for (size_t i = 0; i < n_rules && tensor->rank == 2 && end && !strcmp(end, ".weight"); i++)
        if (strstr(name, rules[i].part))
            return &rules[i];
    return NULL;
}

/* config.json of `source`, with `member` ("\"quantization_config\": {…}, ") in front of all others. */
static inline void write_config(const char *source, const char *target, const char *member)
{
    FILE *from = fopen(test_path(source, "config.json"), "rb"), *to = fopen(test_path(target, "config.json"), "wb");
    bool first = true;

    CHECK(from && to);
    for (int c; from && to && (c = fgetc(from)) != EOF;) {
        fputc(c, to);
        if (first && c == '{') {
            fputs(member, to);
            first = false;
        }
    }
    if (from)
        fclose(from);
    if (to)
        fclose(to);
}

/* The checkpoint `source`, one file, quantized by the rules, as `target`. `member` as above; `twin` makes the plain
 * checkpoint of equal numbers instead. `edit`, unless NULL, may spoil the tensors before they are written. */
static inline void write_quantized(const char *source, const char *target, const struct rule *rules, size_t n_rules,
                                   const char *member, bool twin, void (*edit)(struct pali__tensor_set *set))
{
    struct pali__tensor_set set = { 0 };
    pali_checkpoint *checkpoint = NULL;
    pali_error *error = NULL;

    mkdir(target, 0777);
    CHECK_OK(pali_checkpoint_open(&checkpoint, source, &error), error);
    for (size_t i = 0; i < pali_checkpoint_count(checkpoint); i++) {
        const char *name = pali_checkpoint_name(checkpoint, i);
        pali_tensor tensor;
        CHECK_OK(pali_checkpoint_tensor(checkpoint, i, &tensor, &error), error);
        const struct rule *rule = find_rule(name, &tensor, rules, n_rules);
        if (rule)
            put_quantized(&set, name, &tensor, rule, twin);
        else
            put_tensor(&set, name, "", tensor.dtype, tensor.rank, tensor.shape, tensor.data);
    }
    if (edit)
        edit(&set);
    CHECK_OK(pali__safetensors_save(&set, test_path(target, "model.safetensors"), &error), error);
    write_config(source, target, twin ? "" : member);
    pali__tensor_set_clear(&set);
    pali_checkpoint_free(checkpoint);
}

#endif
