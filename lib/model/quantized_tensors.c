/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/quantized_tensors.h"

#include <stdio.h>
#include <string.h>

#include "checkpoint/tensors.h"
#include "model/inventory.h"

static const char *const suffixes[PALI__N_PARTS] = { "_packed", "_scale", "_zero_point", "_shape" };

/* ---- which group ---- */

static const pali_tensor *find(const pali_checkpoint *checkpoint, const char *weight, const char *suffix)
{
    char name[208];

    snprintf(name, sizeof name, "%.180s%s", weight, suffix);
    return pali__checkpoint_find(checkpoint, name);
}

enum pali__stored pali__weight_stored(const pali_checkpoint *checkpoint, const char *weight)
{
    if (find(checkpoint, weight, "_packed") || find(checkpoint, weight, "_scale"))
        return PALI__STORED_QUANTIZED;
    return pali__checkpoint_find(checkpoint, weight) ? PALI__STORED_PLAIN : PALI__STORED_NOWHERE;
}

/* The module's name in a style, 0 for the canonical one: without ".weight". */
static bool module_name(char *out, size_t size, const char *weight, int style)
{
    static const char ending[] = ".weight";
    size_t length;

    if (style == 0)
        snprintf(out, size, "%s", weight);
    else if (!pali__styled_name(out, size, weight, (enum pali_name_style)style))
        return false;
    length = strlen(out);
    if (length < sizeof ending || strcmp(out + length - (sizeof ending - 1), ending) != 0)
        return false;
    out[length - (sizeof ending - 1)] = 0;
    return true;
}

const struct pali__quantization_group *pali__quantized_group(const pali_checkpoint *checkpoint,
                                                             const struct pali__settings *settings,
                                                             const struct pali__tensor_spec *spec)
{
    bool is_table = spec->slot.vector || !strcmp(spec->name, PALI__EMBEDDING_NAME);
    const struct pali__quantization_group *found = NULL;
    char module[256];

    if (!settings->quantization.n_groups || spec->rank != 2)
        return NULL;
    bool is_quantized = pali__weight_stored(checkpoint, spec->name) == PALI__STORED_QUANTIZED;
    for (int style = PALI_NAMES_MODULES_5; style >= 0; style--) { /* the names that the package sees come first */
        if (!module_name(module, sizeof module, spec->name, style))
            continue;
        const struct pali__quantization_group *group =
            pali__quantization_group_of(&settings->quantization, module, is_table ? "Embedding" : "Linear");
        if (!group != is_quantized) /* this style settles it */
            return group;
        found = group;
    }
    return found;
}

/* ---- which parts ---- */

static void set_part(struct pali__part_spec *out, pali_dtype dtype, int32_t rank, int64_t first, int64_t second)
{
    out->dtype = dtype;
    out->rank = rank;
    out->shape[0] = first;
    out->shape[1] = second;
}

bool pali__part_spec(struct pali__part_spec *out, enum pali__part part, const struct pali__quantization_group *group,
                     const struct pali__tensor_spec *spec)
{
    int64_t n_out = spec->shape[0], n_in = spec->shape[1], per_word = 32 / group->num_bits;
    int64_t n_groups = group->group_size > 0 ? (n_in + group->group_size - 1) / group->group_size : 1;
    bool one_for_all = group->group_size < 0;

    snprintf(out->name, sizeof out->name, "%.180s%s", spec->name,
             part == PALI__PART_CODES && !group->packed ? "" : suffixes[part]);
    out->loose = false;
    switch (part) {
    case PALI__PART_CODES:
        if (group->packed)
            set_part(out, PALI_INT32, 2, n_out, (n_in + per_word - 1) / per_word);
        else
            set_part(out, PALI_INT8, 2, n_out, n_in);
        return true;
    case PALI__PART_SCALES:
        set_part(out, (pali_dtype)0, one_for_all ? 1 : 2, one_for_all ? 1 : n_out, n_groups);
        out->loose = true;
        return true;
    case PALI__PART_ZERO_POINTS:
        out->loose = !group->packed || one_for_all;
        if (out->loose)
            set_part(out, PALI_INT8, one_for_all ? 1 : 2, one_for_all ? 1 : n_out, n_groups);
        else
            set_part(out, PALI_INT32, 2, (n_out + per_word - 1) / per_word, n_groups);
        return !group->symmetric;
    case PALI__PART_SHAPE:
        set_part(out, PALI_INT64, 1, 2, 0);
        return group->packed;
    default:
        return false;
    }
}

/* The sizes that are not 1, at most two; -1 if there are more. */
static int real_sizes(int64_t out[2], int32_t rank, const int64_t *shape)
{
    int n = 0;

    for (int32_t i = 0; i < rank; i++) {
        if (shape[i] == 1)
            continue;
        if (n == 2)
            return -1;
        out[n++] = shape[i];
    }
    return n;
}

bool pali__part_fits(const pali_tensor *tensor, const struct pali__part_spec *part)
{
    int64_t expected[2], found[2];

    if (!part->loose)
        return tensor->rank == part->rank && !memcmp(tensor->shape, part->shape, (size_t)part->rank * sizeof(int64_t));
    int n = real_sizes(expected, part->rank, part->shape);
    return real_sizes(found, tensor->rank, tensor->shape) == n && !memcmp(expected, found, (size_t)n * sizeof *found);
}

/* ---- the parts that are there ---- */

static pali_status check_part(const char *path, const pali_tensor *tensor, const struct pali__part_spec *part,
                              pali_error **error)
{
    char expected[96], found[96];
    bool floating = tensor->dtype == PALI_FLOAT32 || tensor->dtype == PALI_BFLOAT16 || tensor->dtype == PALI_FLOAT16;

    if (!pali__part_fits(tensor, part)) {
        pali__shape_text(expected, part->rank, part->shape);
        pali__shape_text(found, tensor->rank, tensor->shape);
        return pali__fail(error, PALI_ERROR_FORMAT,
                          "%s: tensor %s should have the shape [%s] by quantization_config and has [%s]", path,
                          part->name, expected, found);
    }
    if (part->dtype ? tensor->dtype != part->dtype : !floating)
        return pali__fail(error, PALI_ERROR_FORMAT, "%s: tensor %s should be %s by quantization_config and is %s", path,
                          part->name, part->dtype ? pali_dtype_name(part->dtype) : "float32, bfloat16 or float16",
                          pali_dtype_name(tensor->dtype));
    return PALI_OK;
}

static pali_status fail_missing(const pali_checkpoint *checkpoint, const char *path,
                                const struct pali__tensor_spec *spec, const struct pali__part_spec *part,
                                pali_error **error)
{
    char expected[96];

    pali__shape_text(expected, part->rank, part->shape);
    if (pali__weight_stored(checkpoint, spec->name) == PALI__STORED_PLAIN)
        return pali__fail(error, PALI_ERROR_FORMAT,
                          "%s: tensor %s of shape [%s] is missing: quantization_config quantizes this matrix, but the "
                          "file has it plainly, as %s",
                          path, part->name, expected, spec->name);
    return pali__fail(error, PALI_ERROR_FORMAT,
                      "%s: tensor %s of shape [%s] is missing, which quantization_config asks for", path, part->name,
                      expected);
}

static pali_status check_group_size(const char *path, const struct pali__quantization_group *group,
                                    const struct pali__tensor_spec *spec, pali_error **error)
{
    if (group->group_size <= 0 || spec->shape[1] % group->group_size == 0)
        return PALI_OK;
    return pali__fail(error, PALI_ERROR_FORMAT,
                      "%s: %s has %lld inputs, which the group_size %lld of quantization_config does not divide", path,
                      spec->name, (long long)spec->shape[1], (long long)group->group_size);
}

static pali_status check_shape_tensor(const char *path, const pali_tensor *tensor, const char *name,
                                      const struct pali__tensor_spec *spec, pali_error **error)
{
    int64_t sizes[2];

    memcpy(sizes, tensor->data, sizeof sizes);
    if (sizes[0] == spec->shape[0] && sizes[1] == spec->shape[1])
        return PALI_OK;
    return pali__fail(error, PALI_ERROR_FORMAT, "%s: tensor %s says [%lld, %lld], but config.json makes it [%lld, %lld]",
                      path, name, (long long)sizes[0], (long long)sizes[1], (long long)spec->shape[0],
                      (long long)spec->shape[1]);
}

static pali_status fail_without_group(const char *path, const struct pali__settings *settings,
                                      const struct pali__tensor_spec *spec, pali_error **error)
{
    return pali__fail(error, PALI_ERROR_FORMAT, "%s: the file has %s quantized, but %s", path, spec->name,
                      settings->quantization.n_groups ? "no group of quantization_config is for it"
                                                      : "config.json has no quantization_config with groups");
}

pali_status pali__quantized_find(struct pali__quantized_tensors *out, const pali_checkpoint *checkpoint,
                                 const struct pali__settings *settings, const char *path,
                                 const struct pali__tensor_spec *spec, pali_error **error)
{
    struct pali__part_spec part;

    *out = (struct pali__quantized_tensors){ .group = pali__quantized_group(checkpoint, settings, spec) };
    if (!out->group)
        return pali__weight_stored(checkpoint, spec->name) == PALI__STORED_QUANTIZED
                   ? fail_without_group(path, settings, spec, error)
                   : PALI_OK;
    TRY(check_group_size(path, out->group, spec, error));
    for (enum pali__part i = 0; i < PALI__N_PARTS; i++) {
        if (!pali__part_spec(&part, i, out->group, spec))
            continue;
        out->parts[i] = pali__checkpoint_find(checkpoint, part.name);
        if (!out->parts[i])
            return fail_missing(checkpoint, path, spec, &part, error);
        TRY(check_part(path, out->parts[i], &part, error));
        if (i == PALI__PART_SHAPE)
            TRY(check_shape_tensor(path, out->parts[i], part.name, spec, error));
    }
    return PALI_OK;
}
