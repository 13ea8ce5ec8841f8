/* SPDX-License-Identifier: BSD-2-Clause */
/* A checkpoint written anew: the list of tensors from weights.c, their values from the map, chunk by chunk. */
#include <paligemma/save.h>

#include <string.h>

#include "checkpoint/checkpoint_writer.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/tensors.h"
#include "core/directory.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/watch.h"
#include "model/inventory.h"
#include "model/lora_merge.h"
#include "model/quantized_tensors.h"
#include "model/save_files.h"

enum { CHUNK = 1 << 20 }; /* values converted at a time, or one row where a row has more */

static const int64_t default_shard_size = 5000000000;

struct saving {
    const char *in_dir;
    pali_save_options options; /* defaults filled in, but dtype: 0 still means as it is */
    struct pali__watch watch;

    pali_config *config;
    const struct pali__settings *settings;
    pali_checkpoint *checkpoint;
    struct pali__network network; /* its arrays of blocks only */
    struct pali__lora_merge merge;

    struct pali__tensor_entry *plan; /* what the files will have */
    struct source {
        char *name; /* canonical */
        const pali_tensor *tensor;
    } *sources; /* what each comes from */
    size_t count, capacity;

    struct pali__checkpoint_writer *writer;
    int64_t done, total; /* bytes */
    int64_t chunk_size;  /* values */
    float *values;       /* a chunk in float32 */
    void *rounded;       /* the same in the type of the file */
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

static pali_status count_tensor(void *user, const struct pali__tensor_spec *spec, pali_error **error)
{
    (void)error;
    ((struct saving *)user)->capacity += spec->rank == 2 ? PALI__N_PARTS : 1;
    return PALI_OK;
}

/* Adds the tensor of that canonical name to the plan. */
static pali_status plan_entry(struct saving *saving, const char *canonical, const pali_tensor *tensor, pali_dtype dtype,
                              pali_error **error)
{
    struct pali__tensor_entry *entry = &saving->plan[saving->count];
    struct source *source = &saving->sources[saving->count];
    char name[256];

    if (!pali__styled_name(name, sizeof name, canonical, saving->options.name_style))
        return pali__fail(error, PALI_ERROR_INTERNAL, "the name of tensor %s is too long", canonical);
    saving->count++;
    source->tensor = tensor;
    entry->name = pali__strdup(name);
    source->name = pali__strdup(canonical);
    if (!entry->name || !source->name)
        return pali__no_memory(error, sizeof name);
    entry->tensor = pali_tensor_view(NULL, dtype, tensor->rank, tensor->shape);
    int64_t width = pali_tensor_count(tensor) / rows_of(tensor);
    saving->chunk_size = width > saving->chunk_size ? width : saving->chunk_size;
    return PALI_OK;
}

/* All parts as they are; config.json, which is copied, says how they belong together. */
static pali_status plan_quantized(struct saving *saving, const struct pali__quantized_tensors *tensors,
                                  const struct pali__tensor_spec *spec, pali_error **error)
{
    struct pali__part_spec part;

    if (saving->options.dtype)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "'%s': %s is quantized: the checkpoint can be saved as it is, but not in %s", saving->in_dir,
                          spec->name, pali_dtype_name(saving->options.dtype));
    for (enum pali__part i = 0; i < PALI__N_PARTS; i++)
        if (pali__part_spec(&part, i, tensors->group, spec))
            TRY(plan_entry(saving, part.name, tensors->parts[i], tensors->parts[i]->dtype, error));
    return PALI_OK;
}

static pali_status plan_tensor(void *user, const struct pali__tensor_spec *spec, pali_error **error)
{
    struct saving *saving = user;
    struct pali__quantized_tensors parts;
    struct pali__tensor_spec stored = *spec;
    const pali_tensor *tensor = NULL;
    bool is_tied_head = pali__head_is_tied(saving->checkpoint, saving->settings) &&
                        !strcmp(spec->name, PALI__HEAD_NAME);

    stored.name = pali__inventory_name(saving->checkpoint, saving->settings, spec->name);
    TRY(pali__quantized_find(&parts, saving->checkpoint, saving->settings, saving->in_dir, &stored, error));
    if (is_tied_head && (parts.group || !saving->options.write_tied_head))
        return parts.group && saving->options.write_tied_head
                   ? pali__fail(error, PALI_ERROR_UNSUPPORTED, "'%s': write_tied_head, but %s is quantized",
                                saving->in_dir, stored.name)
                   : PALI_OK;
    if (parts.group)
        return plan_quantized(saving, &parts, &stored, error);
    TRY(pali__inventory_find(saving->checkpoint, saving->settings, saving->in_dir, spec, &tensor, error));
    return plan_entry(saving, spec->name, tensor, saving->options.dtype ? saving->options.dtype : tensor->dtype, error);
}

static pali_status open_source(struct saving *saving, pali_error **error)
{
    TRY(pali_config_load(&saving->config, saving->in_dir, error));
    saving->settings = pali__config_settings(saving->config);
    TRY(pali_checkpoint_open(&saving->checkpoint, saving->in_dir, error));
    TRY(pali__network_init(&saving->network, saving->settings, saving->checkpoint, error));
    if (saving->network.embedding_dim > 0)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "'%s': a ColPali checkpoint cannot be saved, only loaded",
                          saving->in_dir);
    return pali__lora_merge_open(&saving->merge, saving->options.adapters, saving->options.adapter_scales,
                                 saving->options.n_adapters, saving->checkpoint, saving->settings, &saving->network,
                                 error);
}

static pali_status make_plan(struct saving *saving, pali_error **error)
{
    TRY(pali__network_visit(&saving->network, saving->settings, count_tensor, saving, error));
    saving->plan = pali__calloc(saving->capacity, sizeof *saving->plan);
    saving->sources = pali__calloc(saving->capacity, sizeof *saving->sources);
    if (!saving->plan || !saving->sources)
        return pali__no_memory(error, saving->capacity * sizeof *saving->plan);
    saving->chunk_size = CHUNK;
    TRY(pali__network_visit(&saving->network, saving->settings, plan_tensor, saving, error));
    TRY(pali__inventory_refuse_unexpected(saving->checkpoint, saving->settings, &saving->network, saving->in_dir,
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
                              const struct source *source, int64_t first_row, int64_t n_rows, pali_error **error)
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
    TRY(pali__checkpoint_writer_write(saving->writer, data, size, error));
    saving->done += (int64_t)size;
    if (saving->watch.progress &&
        saving->watch.progress(saving->watch.user, "save", (double)saving->done / (double)saving->total))
        return pali__fail(error, PALI_ERROR_CANCELLED, "%s: saving was cancelled", saving->in_dir);
    return PALI_OK;
}

static pali_status write_tensor(struct saving *saving, const struct pali__tensor_entry *entry, pali_error **error)
{
    const struct source *source = &saving->sources[entry - saving->plan];
    int64_t n_rows = rows_of(source->tensor), width = pali_tensor_count(source->tensor) / n_rows;
    int64_t rows_per_chunk = saving->chunk_size / width;

    for (int64_t first = 0; first < n_rows; first += rows_per_chunk) {
        int64_t left = n_rows - first;
        TRY(write_rows(saving, entry, source, first, left < rows_per_chunk ? left : rows_per_chunk, error));
    }
    return PALI_OK;
}

static pali_status write_weights(struct saving *saving, const char *directory, pali_error **error)
{
    const struct pali__tensor_entry *entry;

    TRY(pali__checkpoint_writer_open(&saving->writer, directory, saving->plan, saving->count,
                                     saving->options.max_shard_size, error));
    saving->total = pali__checkpoint_writer_total(saving->writer);
    while ((entry = pali__checkpoint_writer_next(saving->writer)) != NULL)
        TRY(write_tensor(saving, entry, error));
    struct pali__checkpoint_writer *writer = saving->writer;
    saving->writer = NULL;
    return pali__checkpoint_writer_finish(writer, error);
}

static pali_status save(struct saving *saving, const char *out_dir, pali_error **error)
{
    char *directory;

    TRY(fill_in_options(saving, error));
    TRY(open_source(saving, error));
    TRY(make_plan(saving, error));
    TRY(pali__directory_begin(&directory, out_dir, error));
    pali_status status = write_weights(saving, directory, error);
    if (status == PALI_OK)
        status = pali__save_files(saving->in_dir, directory, saving->options.dtype, error);
    if (status == PALI_OK)
        return pali__directory_commit(directory, out_dir, error);
    pali__checkpoint_writer_abort(saving->writer);
    saving->writer = NULL;
    pali__directory_abort(directory);
    return status;
}

static void clear(struct saving *saving)
{
    for (size_t i = 0; i < saving->count; i++) {
        pali__free(saving->plan[i].name);
        pali__free(saving->sources[i].name);
    }
    pali__free(saving->plan);
    pali__free(saving->sources);
    pali__aligned_free(saving->values);
    pali__aligned_free(saving->rounded);
    pali__lora_merge_close(&saving->merge);
    pali__network_clear(&saving->network);
    pali_checkpoint_free(saving->checkpoint);
    pali_config_free(saving->config);
}

pali_status pali_checkpoint_save(const char *in_dir, const char *out_dir, const pali_save_options *options,
                                 pali_error **error)
{
    struct saving saving = { .in_dir = in_dir, .options = PALI_SAVE_OPTIONS_INIT };

    if (!in_dir || !out_dir || !out_dir[0])
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_checkpoint_save: %s", !in_dir  ? "in_dir is NULL"
                                                                                 : out_dir ? "out_dir is empty"
                                                                                           : "out_dir is NULL");
    TRY(pali__options_take(&saving.options, sizeof saving.options, options, "pali_save_options", error));
    saving.watch = (struct pali__watch){ saving.options.progress, saving.options.progress_user };
    pali_status status = save(&saving, out_dir, error);
    clear(&saving);
    return status;
}
