/* SPDX-License-Identifier: BSD-2-Clause */
#include "checkpoint/shard_index.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json_file.h"
#include "core/memory.h"

enum { INDEX_LIMIT = 64 << 20, INDEX_DEPTH = 8 };

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int by_tensor_name(const void *a, const void *b)
{
    return strcmp(((const struct pali__mapped_tensor *)a)->name, ((const struct pali__mapped_tensor *)b)->name);
}

/* An index comes with the checkpoint, from anywhere: it must not lead out of the checkpoint's folder. */
static bool is_plain_name(const char *name)
{
    return name[0] && !strchr(name, '/') && !strchr(name, '\\') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* Fills `shards` with the file names, sorted and each once. */
static pali_status read_shards(struct pali__shard_index *index, struct json_object *map, const char *path,
                               pali_error **error)
{
    size_t count = pali__json_count(map), n_names = 0;
    const char **names = pali__calloc(count, sizeof *names);
    index->shards = pali__calloc(count, sizeof *index->shards);
    pali_status status = names && index->shards ? PALI_OK : pali__no_memory(error, count * sizeof *names);
    const char *tensor;
    struct json_object *value;
    for (void *cursor = NULL; status == PALI_OK && (cursor = pali__json_next(map, cursor, &tensor, &value));) {
        const char *name = pali__json_string(value);
        if (!name || !is_plain_name(name))
            status = pali__fail(error, PALI_ERROR_FORMAT,
                                "'%s': weight_map[\"%.200s\"] is not a plain file name but %.200s%s", path, tensor,
                                name ? "" : pali__json_kind_name(pali__json_kind(value)), name ? name : "");
        else
            names[n_names++] = name;
    }
    if (n_names)
        qsort(names, n_names, sizeof *names, by_text);
    for (size_t i = 0; i < n_names && status == PALI_OK; i++) {
        if (i && strcmp(names[i], names[i - 1]) == 0)
            continue;
        index->shards[index->n_shards] = pali__strdup(names[i]);
        if (!index->shards[index->n_shards])
            status = pali__no_memory(error, strlen(names[i]) + 1);
        else
            index->n_shards++;
    }
    pali__free(names);
    return status;
}

static pali_status read_tensors(struct pali__shard_index *index, struct json_object *map, pali_error **error)
{
    index->tensors = pali__calloc(pali__json_count(map), sizeof *index->tensors);
    if (!index->tensors)
        return pali__no_memory(error, pali__json_count(map) * sizeof *index->tensors);
    const char *tensor;
    struct json_object *value;
    for (void *cursor = NULL; (cursor = pali__json_next(map, cursor, &tensor, &value));) {
        const char *name = pali__json_string(value);
        char **shard = bsearch(&name, index->shards, index->n_shards, sizeof *index->shards, by_text);
        struct pali__mapped_tensor *entry = &index->tensors[index->n_tensors];
        entry->name = pali__strdup(tensor);
        if (!entry->name)
            return pali__no_memory(error, strlen(tensor) + 1);
        entry->shard = (size_t)(shard - index->shards);
        index->n_tensors++;
    }
    qsort(index->tensors, index->n_tensors, sizeof *index->tensors, by_tensor_name);
    return PALI_OK;
}

static pali_status read_map(struct pali__shard_index *index, struct json_object *root, const char *path,
                            pali_error **error)
{
    struct json_object *map = pali__json_get(root, "weight_map");
    if (pali__json_kind(map) != PALI__JSON_OBJECT || pali__json_count(map) == 0)
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': weight_map is missing, empty or not an object", path);
    TRY(read_shards(index, map, path, error));
    return read_tensors(index, map, error);
}

pali_status pali__shard_index_load(struct pali__shard_index *out, const char *path, pali_error **error)
{
    *out = (struct pali__shard_index){ NULL, 0, NULL, 0 };
    char *text;
    size_t size;
    TRY(pali__file_read(&text, &size, path, INDEX_LIMIT, error));
    struct json_object *root = NULL;
    pali_status status = pali__json_parse(&root, text, size, INDEX_DEPTH, path, error);
    if (status == PALI_OK && pali__json_repeats_key(text, size, root))
        status = pali__fail(error, PALI_ERROR_FORMAT, "'%s': the same name stands twice", path);
    if (status == PALI_OK)
        status = read_map(out, root, path, error);
    if (status != PALI_OK)
        pali__shard_index_clear(out);
    pali__json_free(root);
    pali__free(text);
    return status;
}

void pali__shard_index_clear(struct pali__shard_index *index)
{
    for (size_t i = 0; i < index->n_shards; i++)
        pali__free(index->shards[i]);
    for (size_t i = 0; i < index->n_tensors; i++)
        pali__free(index->tensors[i].name);
    pali__free(index->shards);
    pali__free(index->tensors);
    *index = (struct pali__shard_index){ NULL, 0, NULL, 0 };
}

ptrdiff_t pali__shard_index_find(const struct pali__shard_index *index, const char *name)
{
    size_t low = 0, high = index->n_tensors;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(index->tensors[middle].name, name);
        if (order == 0)
            return (ptrdiff_t)index->tensors[middle].shard;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}
