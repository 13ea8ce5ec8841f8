/* SPDX-License-Identifier: BSD-2-Clause */
/* A checkpoint directory: its files mapped, its tensors found by the name in the file and by the canonical name. */
#include <paligemma/checkpoint.h>

#include <stdlib.h>
#include <string.h>

#include "checkpoint/safetensors.h"
#include "checkpoint/shard_index.h"
#include "checkpoint/tensors.h"
#include "core/file.h"
#include "core/memory.h"

struct tensor {
    const char *name; /* belongs to the file */
    char *canonical;
    pali_tensor tensor;
    size_t file;
};

struct pali_checkpoint {
    struct pali__safetensors *files;
    char **paths;
    size_t n_files;
    struct tensor *tensors; /* sorted by name */
    struct tensor **by_canonical;
    size_t count;
    int64_t size;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

static int by_canonical(const void *a, const void *b)
{
    return strcmp((*(struct tensor *const *)a)->canonical, (*(struct tensor *const *)b)->canonical);
}

/* ---- opening ---- */

static pali_status open_files(pali_checkpoint *checkpoint, const char *directory, char *const *names, size_t n_files,
                              pali_error **error)
{
    checkpoint->files = pali__calloc(n_files, sizeof *checkpoint->files);
    checkpoint->paths = pali__calloc(n_files, sizeof *checkpoint->paths);
    if (!checkpoint->files || !checkpoint->paths)
        return pali__no_memory(error, n_files * sizeof *checkpoint->files);
    for (size_t i = 0; i < n_files; i++) {
        char *path = pali__path_join(directory, names[i]);
        if (!path)
            return pali__no_memory(error, strlen(directory) + strlen(names[i]) + 2);
        checkpoint->paths[i] = path;
        checkpoint->n_files++;
        TRY(pali__safetensors_open(&checkpoint->files[i], path, error));
        checkpoint->size += (int64_t)checkpoint->files[i].map.size;
    }
    return PALI_OK;
}

/* The model reads weights where they lie. The format itself demands no alignment, but its writers have long kept it. */
static pali_status check_alignment(const pali_checkpoint *checkpoint, const struct tensor *tensor, pali_error **error)
{
    size_t offset = (size_t)((const unsigned char *)tensor->tensor.data - checkpoint->files[tensor->file].map.data);
    size_t width = pali_dtype_size(tensor->tensor.dtype);
    if (offset % width == 0)
        return PALI_OK;
    return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                      "'%s': tensor \"%.200s\" begins at byte %zu, which is not a multiple of its element size %zu",
                      checkpoint->paths[tensor->file], tensor->name, offset, width);
}

/* Takes all tensors but those that the index gives to another shard. */
static pali_status gather(pali_checkpoint *checkpoint, const struct pali__shard_index *index, pali_error **error)
{
    size_t capacity = 0;
    for (size_t i = 0; i < checkpoint->n_files; i++)
        capacity += checkpoint->files[i].count;
    checkpoint->tensors = pali__calloc(capacity, sizeof *checkpoint->tensors);
    checkpoint->by_canonical = pali__calloc(capacity, sizeof *checkpoint->by_canonical);
    if (!checkpoint->tensors || !checkpoint->by_canonical)
        return pali__no_memory(error, capacity * sizeof *checkpoint->tensors);
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        for (size_t j = 0; j < checkpoint->files[i].count; j++) {
            const struct pali__safetensors_tensor *source = &checkpoint->files[i].tensors[j];
            ptrdiff_t shard = index ? pali__shard_index_find(index, source->name) : -1;
            if (shard >= 0 && (size_t)shard != i)
                continue;
            struct tensor *tensor = &checkpoint->tensors[checkpoint->count++];
            *tensor = (struct tensor){ source->name, NULL, source->tensor, i };
            TRY(check_alignment(checkpoint, tensor, error));
        }
    }
    return PALI_OK;
}

static pali_status sort_names(pali_checkpoint *checkpoint, pali_error **error)
{
    struct tensor *tensors = checkpoint->tensors;
    if (checkpoint->count)
        qsort(tensors, checkpoint->count, sizeof *tensors, by_name);
    for (size_t i = 1; i < checkpoint->count; i++)
        if (strcmp(tensors[i - 1].name, tensors[i].name) == 0)
            return pali__fail(error, PALI_ERROR_FORMAT, "tensor \"%.200s\" stands in '%s' and in '%s'", tensors[i].name,
                              checkpoint->paths[tensors[i - 1].file], checkpoint->paths[tensors[i].file]);
    return PALI_OK;
}

static pali_status check_index(const pali_checkpoint *checkpoint, const struct pali__shard_index *index,
                               pali_error **error)
{
    for (size_t i = 0; i < index->n_tensors; i++) {
        struct tensor wanted = { index->tensors[i].name, NULL, { 0 }, 0 };
        if (!checkpoint->count ||
            !bsearch(&wanted, checkpoint->tensors, checkpoint->count, sizeof *checkpoint->tensors, by_name))
            return pali__fail(error, PALI_ERROR_FORMAT, "'%s' lacks tensor \"%.200s\", which the index places there",
                              checkpoint->paths[index->tensors[i].shard], wanted.name);
    }
    return PALI_OK;
}

static pali_status sort_canonical(pali_checkpoint *checkpoint, pali_error **error)
{
    struct tensor **order = checkpoint->by_canonical;
    for (size_t i = 0; i < checkpoint->count; i++) {
        struct tensor *tensor = &checkpoint->tensors[i];
        size_t size = strlen(tensor->name) + 1 + PALI__CANONICAL_GROWTH;
        tensor->canonical = pali__malloc(size);
        if (!tensor->canonical || !pali__canonical_name(tensor->canonical, size, tensor->name))
            return pali__no_memory(error, size);
        order[i] = tensor;
    }
    if (checkpoint->count)
        qsort(order, checkpoint->count, sizeof *order, by_canonical);
    for (size_t i = 1; i < checkpoint->count; i++)
        if (strcmp(order[i - 1]->canonical, order[i]->canonical) == 0)
            return pali__fail(error, PALI_ERROR_FORMAT, "'%s': \"%.200s\" and \"%.200s\" are names of the same tensor",
                              checkpoint->paths[order[i]->file], order[i - 1]->name, order[i]->name);
    return PALI_OK;
}

static pali_status fill(pali_checkpoint *checkpoint, const char *directory, const char *single, const char *index_path,
                        pali_error **error)
{
    static char model_file[] = "model.safetensors";
    char *const names[] = { model_file };
    if (pali__file_exists(single)) {
        TRY(open_files(checkpoint, directory, names, 1, error));
        TRY(gather(checkpoint, NULL, error));
        TRY(sort_names(checkpoint, error));
        return sort_canonical(checkpoint, error);
    }
    if (!pali__file_exists(index_path))
        return pali__fail(error, PALI_ERROR_IO, "'%s' %s", directory,
                          pali__file_exists(directory)
                              ? "has neither model.safetensors nor model.safetensors.index.json"
                              : "does not exist; a checkpoint directory was expected");
    struct pali__shard_index index;
    TRY(pali__shard_index_load(&index, index_path, error));
    pali_status status = open_files(checkpoint, directory, index.shards, index.n_shards, error);
    if (status == PALI_OK)
        status = gather(checkpoint, &index, error);
    if (status == PALI_OK)
        status = sort_names(checkpoint, error);
    if (status == PALI_OK)
        status = check_index(checkpoint, &index, error);
    if (status == PALI_OK)
        status = sort_canonical(checkpoint, error);
    pali__shard_index_clear(&index);
    return status;
}

pali_status pali_checkpoint_open(pali_checkpoint **out, const char *path, pali_error **error)
{
    if (!out)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_checkpoint_open: out is NULL");
    *out = NULL;
    if (!path)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_checkpoint_open: path is NULL");
    pali_checkpoint *checkpoint = pali__calloc(1, sizeof *checkpoint);
    char *single = pali__path_join(path, "model.safetensors");
    char *index = pali__path_join(path, "model.safetensors.index.json");
    pali_status status = checkpoint && single && index ? fill(checkpoint, path, single, index, error)
                                                       : pali__no_memory(error, sizeof *checkpoint);
    pali__free(single);
    pali__free(index);
    if (status == PALI_OK)
        *out = checkpoint;
    else
        pali_checkpoint_free(checkpoint);
    return status;
}

void pali_checkpoint_free(pali_checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    for (size_t i = 0; i < checkpoint->count; i++)
        pali__free(checkpoint->tensors[i].canonical);
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        pali__safetensors_close(&checkpoint->files[i]);
        pali__free(checkpoint->paths[i]);
    }
    pali__free(checkpoint->tensors);
    pali__free(checkpoint->by_canonical);
    pali__free(checkpoint->files);
    pali__free(checkpoint->paths);
    pali__free(checkpoint);
}

/* ---- looking ---- */

size_t pali_checkpoint_count(const pali_checkpoint *checkpoint) { return checkpoint ? checkpoint->count : 0; }

const char *pali_checkpoint_name(const pali_checkpoint *checkpoint, size_t index)
{
    return checkpoint && index < checkpoint->count ? checkpoint->tensors[index].name : NULL;
}

const char *pali__checkpoint_canonical(const pali_checkpoint *checkpoint, size_t index)
{
    return index < checkpoint->count ? checkpoint->tensors[index].canonical : NULL;
}

pali_status pali_checkpoint_tensor(const pali_checkpoint *checkpoint, size_t index, pali_tensor *tensor,
                                   pali_error **error)
{
    if (!checkpoint || !tensor)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_checkpoint_tensor: %s is NULL",
                          checkpoint ? "tensor" : "checkpoint");
    if (index >= checkpoint->count)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_checkpoint_tensor: index %zu, there are %zu tensors", index,
                          checkpoint->count);
    *tensor = checkpoint->tensors[index].tensor;
    return PALI_OK;
}

int64_t pali_checkpoint_size(const pali_checkpoint *checkpoint) { return checkpoint ? checkpoint->size : 0; }

const pali_tensor *pali__checkpoint_find(const pali_checkpoint *checkpoint, const char *canonical_name)
{
    size_t low = 0, high = checkpoint->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(checkpoint->by_canonical[middle]->canonical, canonical_name);
        if (order == 0)
            return &checkpoint->by_canonical[middle]->tensor;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
