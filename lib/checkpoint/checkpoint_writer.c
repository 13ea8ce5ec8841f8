/* SPDX-License-Identifier: BSD-2-Clause */
#include "checkpoint/checkpoint_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/safetensors.h"
#include "core/file.h"
#include "core/json_file.h"
#include "core/memory.h"

struct pali__checkpoint_writer {
    char *directory;
    const struct pali__tensor_entry **order; /* shard by shard, in each as its file has them */
    size_t count;
    size_t *ends; /* of each shard in `order` */
    size_t n_shards;
    int64_t total_size, total_parameters;

    size_t next, shard;        /* where writing has come to */
    size_t written;            /* bytes of order[next] */
    struct pali__writer *file; /* of `shard`, or NULL before its first byte */
};

/* ---- the plan ---- */

static pali_status take_list(struct pali__checkpoint_writer *writer, const struct pali__tensor_entry *tensors,
                             pali_error **error)
{
    for (size_t i = 0; i < writer->count; i++) {
        const pali_tensor *tensor = &tensors[i].tensor;
        int64_t factors[PALI_MAX_RANK + 1] = { (int64_t)pali_dtype_size(tensor->dtype) };
        size_t size = 0;
        memcpy(factors + 1, tensor->shape, (size_t)tensor->rank * sizeof *factors);
        if (!pali__size_product(&size, tensor->rank + 1, factors) || size == 0 ||
            size > (size_t)(INT64_MAX - writer->total_size))
            return pali__fail(error, PALI_ERROR_ARGUMENT, "tensor \"%.200s\" cannot be written: it has %s",
                              tensors[i].name, size ? "too many bytes" : "no bytes, or more than memory can address");
        writer->order[i] = &tensors[i];
        writer->total_size += (int64_t)size;
        writer->total_parameters += pali_tensor_count(tensor);
    }
    return PALI_OK;
}

/* A tensor that does not fit any more begins the next shard. */
static void cut_shards(struct pali__checkpoint_writer *writer, int64_t max_shard_size)
{
    int64_t size = 0;
    for (size_t i = 0, first = 0; i < writer->count; i++) {
        int64_t own = (int64_t)pali__tensor_size(&writer->order[i]->tensor);
        if (i > first && own > max_shard_size - size) {
            writer->ends[writer->n_shards++] = first = i;
            size = 0;
        }
        size += own;
    }
    writer->ends[writer->n_shards++] = writer->count;
    for (size_t shard = 0, first = 0; shard < writer->n_shards; first = writer->ends[shard++])
        pali__safetensors_sort(writer->order + first, writer->ends[shard] - first);
}

pali_status pali__checkpoint_writer_open(struct pali__checkpoint_writer **out, const char *directory,
                                         const struct pali__tensor_entry *tensors, size_t count,
                                         int64_t max_shard_size, pali_error **error)
{
    struct pali__checkpoint_writer *writer = pali__calloc(1, sizeof *writer);
    pali_status status;

    *out = NULL;
    if (!writer)
        return pali__no_memory(error, sizeof *writer);
    writer->count = count;
    writer->directory = pali__strdup(directory);
    writer->order = pali__calloc(count, sizeof *writer->order);
    writer->ends = pali__calloc(count + 1, sizeof *writer->ends);
    status = writer->directory && writer->order && writer->ends
                 ? take_list(writer, tensors, error)
                 : pali__no_memory(error, (count + 1) * sizeof *writer->order);
    if (status != PALI_OK) {
        pali__checkpoint_writer_abort(writer);
        return status;
    }
    cut_shards(writer, max_shard_size);
    *out = writer;
    return PALI_OK;
}

/* ---- the bytes ---- */

static void shard_name(char out[64], const struct pali__checkpoint_writer *writer, size_t shard)
{
    if (writer->n_shards == 1)
        snprintf(out, 64, "model.safetensors");
    else
        snprintf(out, 64, "model-%05zu-of-%05zu.safetensors", shard + 1, writer->n_shards);
}

static pali_status begin_shard(struct pali__checkpoint_writer *writer, pali_error **error)
{
    size_t first = writer->shard ? writer->ends[writer->shard - 1] : 0;
    char name[64], *path;
    pali_status status;

    shard_name(name, writer, writer->shard);
    path = pali__path_join(writer->directory, name);
    if (!path)
        return pali__no_memory(error, strlen(writer->directory) + sizeof name);
    status = pali__safetensors_begin(&writer->file, writer->order + first, writer->ends[writer->shard] - first, path,
                                     error);
    pali__free(path);
    return status;
}

static pali_status end_shard(struct pali__checkpoint_writer *writer, pali_error **error)
{
    struct pali__writer *file = writer->file;

    writer->file = NULL;
    writer->shard++;
    return pali__writer_commit(file, error);
}

const struct pali__tensor_entry *pali__checkpoint_writer_next(const struct pali__checkpoint_writer *writer)
{
    return writer->next < writer->count ? writer->order[writer->next] : NULL;
}

pali_status pali__checkpoint_writer_write(struct pali__checkpoint_writer *writer, const void *data, size_t size,
                                          pali_error **error)
{
    const struct pali__tensor_entry *entry = pali__checkpoint_writer_next(writer);

    if (!entry || size > pali__tensor_size(&entry->tensor) - writer->written)
        return pali__fail(error, PALI_ERROR_INTERNAL, "'%s': tensor \"%.200s\" got more bytes than its shape has",
                          writer->directory, entry ? entry->name : "");
    if (!writer->file)
        TRY(begin_shard(writer, error));
    TRY(pali__writer_write(writer->file, data, size, error));
    writer->written += size;
    if (writer->written < pali__tensor_size(&entry->tensor))
        return PALI_OK;
    writer->written = 0;
    writer->next++;
    return writer->next == writer->ends[writer->shard] ? end_shard(writer, error) : PALI_OK;
}

int64_t pali__checkpoint_writer_total(const struct pali__checkpoint_writer *writer) { return writer->total_size; }

/* ---- the index ---- */

struct placed {
    const char *name;
    size_t shard;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct placed *)a)->name, ((const struct placed *)b)->name);
}

static bool print_index(struct pali__text *text, const struct pali__checkpoint_writer *writer,
                        const struct placed *tensors)
{
    char name[64];
    bool done = pali__text_printf(text,
                                  "{\n  \"metadata\": {\n    \"total_parameters\": %lld,\n    \"total_size\": %lld\n  },\n"
                                  "  \"weight_map\": {\n",
                                  (long long)writer->total_parameters, (long long)writer->total_size);
    for (size_t i = 0; i < writer->count && done; i++) {
        shard_name(name, writer, tensors[i].shard);
        done = pali__text_append(text, "    ", 4) && pali__json_append_string(text, tensors[i].name) &&
               pali__text_printf(text, ": \"%s\"%s\n", name, i + 1 < writer->count ? "," : "");
    }
    return done && pali__text_append(text, "  }\n}\n", 6);
}

static pali_status write_index(const struct pali__checkpoint_writer *writer, pali_error **error)
{
    struct placed *tensors = pali__calloc(writer->count, sizeof *tensors);
    char *path = pali__path_join(writer->directory, "model.safetensors.index.json");
    struct pali__text text = { NULL, 0, 0 };
    pali_status status = PALI_ERROR_MEMORY;

    for (size_t i = 0, shard = 0; tensors && i < writer->count; i++) {
        shard += i == writer->ends[shard];
        tensors[i] = (struct placed){ writer->order[i]->name, shard };
    }
    if (tensors && path) {
        qsort(tensors, writer->count, sizeof *tensors, by_name);
        if (print_index(&text, writer, tensors))
            status = pali__file_write(path, text.data, text.size, error);
    }
    if (status == PALI_ERROR_MEMORY)
        pali__no_memory(error, writer->count * sizeof *tensors);
    pali__text_clear(&text);
    pali__free(tensors);
    pali__free(path);
    return status;
}

pali_status pali__checkpoint_writer_finish(struct pali__checkpoint_writer *writer, pali_error **error)
{
    const struct pali__tensor_entry *entry = pali__checkpoint_writer_next(writer);
    pali_status status = PALI_OK;

    if (entry)
        status = pali__fail(error, PALI_ERROR_INTERNAL, "'%s': tensor \"%.200s\" was not written", writer->directory,
                            entry->name);
    else if (writer->n_shards > 1)
        status = write_index(writer, error);
    pali__checkpoint_writer_abort(writer);
    return status;
}

void pali__checkpoint_writer_abort(struct pali__checkpoint_writer *writer)
{
    if (!writer)
        return;
    pali__writer_abort(writer->file);
    pali__free(writer->directory);
    pali__free(writer->order);
    pali__free(writer->ends);
    pali__free(writer);
}
