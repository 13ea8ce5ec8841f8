/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes safetensors files. Data begins at a multiple of 64 bytes; so does every tensor whose size is one, and these come
 * first. Of the others wide types come first, so a reader that maps the file finds all aligned to their elements. */
#include <stdlib.h>
#include <string.h>

#include "checkpoint/safetensors.h"
#include "checkpoint/tensors.h"
#include "core/file.h"
#include "core/json_file.h"
#include "core/memory.h"
#include "core/utf8_length.h"

enum { LENGTH_SIZE = 8, DATA_ALIGNMENT = 64 };

static pali_status check_name(const char *name, const char *path, pali_error **error)
{
    size_t size = strlen(name);
    if (strcmp(name, "__metadata__") == 0)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "'%s': a tensor cannot be named \"__metadata__\"", path);
    for (size_t at = 0; at < size;) {
        size_t length = pali__utf8_length(name + at, size - at);
        if (length == 0)
            return pali__fail(error, PALI_ERROR_ARGUMENT, "'%s': the tensor name \"%.200s\" is not valid UTF-8", path,
                              name);
        at += length;
    }
    return PALI_OK;
}

static bool append_entry(struct pali__text *header, const struct pali__tensor_entry *entry, size_t begin)
{
    const pali_tensor *tensor = &entry->tensor;
    bool done = pali__text_append(header, ",", 1) && pali__json_append_string(header, entry->name) &&
                pali__text_printf(header, ":{\"dtype\":\"%s\",\"shape\":[", pali__safetensors_code(tensor->dtype));
    for (int32_t i = 0; i < tensor->rank && done; i++)
        done = pali__text_printf(header, "%s%lld", i ? "," : "", (long long)tensor->shape[i]);
    return done && pali__text_printf(header, "],\"data_offsets\":[%zu,%zu]}", begin, begin + pali__tensor_size(tensor));
}

/* Entries in the order of their bytes; spaces at the end align what follows. */
static bool make_header(struct pali__text *header, const struct pali__tensor_entry *const *order, size_t count)
{
    static const char metadata[] = "{\"__metadata__\":{\"format\":\"pt\"}";
    bool done = pali__text_append(header, metadata, sizeof metadata - 1);
    size_t begin = 0;
    for (size_t i = 0; i < count && done; i++) {
        done = append_entry(header, order[i], begin);
        begin += pali__tensor_size(&order[i]->tensor);
    }
    done = done && pali__text_append(header, "}", 1);
    while (done && (LENGTH_SIZE + header->size) % DATA_ALIGNMENT)
        done = pali__text_append(header, " ", 1);
    return done;
}

/* 0 for sizes that keep what follows aligned; the others by the width of their elements. */
static size_t rank_of(const pali_tensor *tensor)
{
    return pali__tensor_size(tensor) % DATA_ALIGNMENT ? 16 / pali_dtype_size(tensor->dtype) : 0;
}

/* Among equals the set's order counts (entries lie in one array, so addresses tell it). */
static int by_alignment(const void *a, const void *b)
{
    const struct pali__tensor_entry *x = *(const struct pali__tensor_entry *const *)a;
    const struct pali__tensor_entry *y = *(const struct pali__tensor_entry *const *)b;
    size_t rank_x = rank_of(&x->tensor), rank_y = rank_of(&y->tensor);
    if (rank_x != rank_y)
        return rank_x < rank_y ? -1 : 1;
    return (x > y) - (x < y);
}

void pali__safetensors_sort(const struct pali__tensor_entry **order, size_t count)
{
    if (count)
        qsort(order, count, sizeof *order, by_alignment);
}

/* The header's length and the header. */
static pali_status write_header(struct pali__writer *writer, const struct pali__text *header, pali_error **error)
{
    unsigned char length[LENGTH_SIZE];
    for (int i = 0; i < LENGTH_SIZE; i++)
        length[i] = (unsigned char)((uint64_t)header->size >> (8 * i));
    TRY(pali__writer_write(writer, length, sizeof length, error));
    return pali__writer_write(writer, header->data, header->size, error);
}

pali_status pali__safetensors_begin(struct pali__writer **out, const struct pali__tensor_entry *const *order,
                                    size_t count, const char *path, pali_error **error)
{
    struct pali__text header = { NULL, 0, 0 };
    *out = NULL;
    for (size_t i = 0; i < count; i++)
        TRY(check_name(order[i]->name, path, error));
    pali_status status = make_header(&header, order, count) ? pali__writer_open(out, path, error)
                                                            : pali__no_memory(error, header.size * 2);
    if (status == PALI_OK)
        status = write_header(*out, &header, error);
    if (status != PALI_OK) {
        pali__writer_abort(*out);
        *out = NULL;
    }
    pali__text_clear(&header);
    return status;
}

static pali_status write_file(const struct pali__tensor_entry *const *order, size_t count, const char *path,
                              pali_error **error)
{
    struct pali__writer *writer;
    pali_status status = PALI_OK;
    TRY(pali__safetensors_begin(&writer, order, count, path, error));
    for (size_t i = 0; i < count && status == PALI_OK; i++)
        status = pali__writer_write(writer, order[i]->tensor.data, pali__tensor_size(&order[i]->tensor), error);
    if (status == PALI_OK)
        return pali__writer_commit(writer, error);
    pali__writer_abort(writer);
    return status;
}

pali_status pali__safetensors_save(const struct pali__tensor_set *set, const char *path, pali_error **error)
{
    const struct pali__tensor_entry **order = pali__calloc(set->count, sizeof *order);
    if (!order)
        return pali__no_memory(error, set->count * sizeof *order);
    for (size_t i = 0; i < set->count; i++)
        order[i] = &set->entries[i];
    pali__safetensors_sort(order, set->count);
    pali_status status = write_file(order, set->count, path, error);
    pali__free(order);
    return status;
}
