/* SPDX-License-Identifier: BSD-2-Clause */
/* A checkpoint written anew: the list of tensors from weights.c, their values from the map, chunk by chunk. */
#include <paligemma/save.h>

#include <string.h>

#include "checkpoint/safetensors.h"
#include "core/memory.h"
#include "core/options.h"
#include "model/inventory.h"
#include "model/lora_merge.h"
#include "model/quantized_tensors.h"
#include "model/rewrite.h"

static const int64_t default_shard_size = 5000000000;

struct saving {
    pali_save_options options; /* defaults filled in, but dtype: 0 still means as it is */
    struct pali__rewrite rewrite;
    struct pali__lora_merge merge;
    int64_t chunk_size; /* values */
    float *values;      /* a chunk in float32 */
    void *rounded;      /* the same in the type of the file */
};

void pali_save_options_init(pali_save_options *options) { *options = (pali_save_options)PALI_SAVE_OPTIONS_INIT; }

static pali_status fill_in_options(struct saving *saving, pali_error **error)
{
    pali_save_options *options = &saving->options;

    if (options->dtype != 0 && options->dtype != PALI_FLOAT32 && options->dtype != PALI_BFLOAT16 &&
        options->dtype != PALI_FLOAT16)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "a checkpoint is saved in float32, bfloat16 or float16, not in %s",
                          pali_dtype_name(options->dtype));
    if (options->name_style == 0)
        options->name_style = PALI_NAMES_TRANSFORMERS_4;
    if ((int)options->name_style < PALI_NAMES_TRANSFORMERS_4 || (int)options->name_style > PALI_NAMES_MODULES_5)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "name_style should be 1 to 4 and is %d",
                          (int)options->name_style);
    if (options->max_shard_size < 0)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "max_shard_size is negative");
    if (options->max_shard_size == 0)
        options->max_shard_size = default_shard_size;
    return PALI_OK;
}

/* ---- what is written ---- */

static int64_t rows_of(const pali_tensor *tensor)
{
    return tensor->rank > 0 ? tensor->shape[0] : 1;
}

/* Adds the tensor of that canonical name to the plan. */
static pali_status plan_entry(struct saving *saving, const char *canonical, const pali_tensor *tensor, pali_dtype dtype,
                              pali_error **error)
{
    int64_t width = pali_tensor_count(tensor) / rows_of(tensor);

    saving->chunk_size = width > saving->chunk_size ? width : saving->chunk_size;
    return pali__rewrite_plan(&saving->rewrite, canonical, saving->options.name_style, dtype, tensor->rank,
                              tensor->shape, tensor, 0, error);
}

/* All parts as they are; config.json, which is copied, says how they belong together. */
static pali_status plan_quantized(struct saving *saving, const struct pali__quantized_tensors *tensors,
                                  const struct pali__tensor_spec *spec, pali_error **error)
{
    struct pali__part_spec part;

    if (saving->options.dtype)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "'%s': %s is quantized: the checkpoint can be saved as it is, but not in %s",
                          saving->rewrite.in_dir, spec->name, pali_dtype_name(saving->options.dtype));
    for (enum pali__part i = 0; i < PALI__N_PARTS; i++)
        if (pali__part_spec(&part, i, tensors->group, spec))
            TRY(plan_entry(saving, part.name, tensors->parts[i], tensors->parts[i]->dtype, error));
    return PALI_OK;
}

static pali_status plan_tensor(void *user, const struct pali__tensor_spec *spec, pali_error **error)
{
    struct saving *saving = user;
    const struct pali__rewrite *rewrite = &saving->rewrite;
    struct pali__quantized_tensors parts;
    struct pali__tensor_spec stored = *spec;
    const pali_tensor *tensor = NULL;
    bool is_tied_head = pali__head_is_tied(rewrite->checkpoint, rewrite->settings) &&
                        !strcmp(spec->name, PALI__HEAD_NAME);

    stored.name = pali__inventory_name(rewrite->checkpoint, rewrite->settings, spec->name);
    TRY(pali__quantized_find(&parts, rewrite->checkpoint, rewrite->settings, rewrite->in_dir, &stored, error));
    if (is_tied_head && (parts.group || !saving->options.write_tied_head))
        return parts.group && saving->options.write_tied_head
                   ? pali__fail(error, PALI_ERROR_UNSUPPORTED, "'%s': write_tied_head, but %s is quantized",
                                rewrite->in_dir, stored.name)
                   : PALI_OK;
    if (parts.group)
        return plan_quantized(saving, &parts, &stored, error);
    TRY(pali__inventory_find(rewrite->checkpoint, rewrite->settings, rewrite->in_dir, spec, &tensor, error));
    return plan_entry(saving, spec->name, tensor, saving->options.dtype ? saving->options.dtype : tensor->dtype, error);
}

static pali_status make_plan(struct saving *saving, pali_error **error)
{
    struct pali__rewrite *rewrite = &saving->rewrite;

    saving->chunk_size = PALI__REWRITE_CHUNK;
    TRY(pali__network_visit(&rewrite->network, rewrite->settings, plan_tensor, saving, error));
    TRY(pali__inventory_refuse_unexpected(rewrite->checkpoint, rewrite->settings, &rewrite->network, rewrite->in_dir,
                                          error));
    saving->values = pali__aligned_malloc((size_t)saving->chunk_size * sizeof(float));
    saving->rounded = pali__aligned_malloc((size_t)saving->chunk_size * sizeof(float));
    if (!saving->values || !saving->rounded)
        return pali__no_memory(error, (size_t)saving->chunk_size * sizeof(float));
    return PALI_OK;
}

/* ---- writing ---- */

/* Rows first_row… of the tensor: from the map as they are, or by way of float32. */
static pali_status write_rows(struct saving *saving, const struct pali__tensor_entry *entry,
                              const struct pali__rewrite_source *source, int64_t first_row, int64_t n_rows, pali_error **error)
{
    int64_t width = pali_tensor_count(source->tensor) / rows_of(source->tensor), count = n_rows * width;
    pali_dtype from = source->tensor->dtype, to = entry->tensor.dtype;
    const char *data = (const char *)source->tensor->data + (size_t)(first_row * width) * pali_dtype_size(from);
    size_t size = (size_t)count * pali_dtype_size(to);
    bool merged = pali__lora_merge_changes(&saving->merge, source->name);

    if (from != to || merged) {
        pali__to_float(saving->values, data, from, count);
        if (merged)
            TRY(pali__lora_merge_add(&saving->merge, source->name, saving->values, first_row, n_rows, error));
        pali__from_float(saving->rounded, to, saving->values, count);
        data = saving->rounded;
    }
    return pali__rewrite_put(&saving->rewrite, data, size, error);
}

static pali_status write_tensor(void *user, const struct pali__tensor_entry *entry,
                                const struct pali__rewrite_source *source, pali_error **error)
{
    struct saving *saving = user;
    int64_t n_rows = rows_of(source->tensor), width = pali_tensor_count(source->tensor) / n_rows;
    int64_t rows_per_chunk = saving->chunk_size / width;

    for (int64_t first = 0; first < n_rows; first += rows_per_chunk) {
        int64_t left = n_rows - first;
        TRY(write_rows(saving, entry, source, first, left < rows_per_chunk ? left : rows_per_chunk, error));
    }
    return PALI_OK;
}

static pali_status set_dtype(void *user, struct json_object *root, pali_error **error)
{
    return pali__config_set_dtype(&((struct saving *)user)->options.dtype, root, error);
}

static pali_status save(struct saving *saving, const char *out_dir, pali_error **error)
{
    struct pali__rewrite *rewrite = &saving->rewrite;
    struct pali__rewrite_work work = { write_tensor, saving->options.dtype ? set_dtype : NULL, saving };

    TRY(fill_in_options(saving, error));
    TRY(pali__rewrite_open(rewrite, error));
    TRY(pali__lora_merge_open(&saving->merge, saving->options.adapters, saving->options.adapter_scales,
                              saving->options.n_adapters, rewrite->checkpoint, rewrite->settings, &rewrite->network,
                              error));
    TRY(make_plan(saving, error));
    return pali__rewrite_run(rewrite, out_dir, saving->options.max_shard_size, &work, error);
}

static void clear(struct saving *saving)
{
    pali__aligned_free(saving->values);
    pali__aligned_free(saving->rounded);
    pali__lora_merge_close(&saving->merge);
    pali__rewrite_close(&saving->rewrite);
}

pali_status pali_checkpoint_save(const char *in_dir, const char *out_dir, const pali_save_options *options,
                                 pali_error **error)
{
    struct saving saving = { .options = PALI_SAVE_OPTIONS_INIT, .rewrite = { .in_dir = in_dir, .stage = "save" } };

    if (!in_dir || !out_dir || !out_dir[0])
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_checkpoint_save: %s", !in_dir  ? "in_dir is NULL"
                                                                                 : out_dir ? "out_dir is empty"
                                                                                           : "out_dir is NULL");
    TRY(pali__options_take(&saving.options, sizeof saving.options, options, "pali_save_options", error));
    saving.rewrite.watch = (struct pali__watch){ saving.options.progress, saving.options.progress_user };
    pali_status status = save(&saving, out_dir, error);
    clear(&saving);
    return status;
}
