/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/tensor_set.h"

#include <stdbool.h>
#include <string.h>

#include "core/memory.h"

void pali__tensor_set_clear(struct pali__tensor_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        pali__free(set->entries[i].name);
        pali__aligned_free(set->entries[i].tensor.data);
    }
    pali__free(set->entries);
    *set = (struct pali__tensor_set){ NULL, 0, 0 };
}

static struct pali__tensor_entry *find(const struct pali__tensor_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->entries[i].name, name) == 0)
            return &set->entries[i];
    return NULL;
}

const pali_tensor *pali__tensor_set_get(const struct pali__tensor_set *set, const char *name)
{
    const struct pali__tensor_entry *entry = find(set, name);
    return entry ? &entry->tensor : NULL;
}

/* A fresh contiguous tensor that belongs to no set yet. */
static pali_status allocate(pali_tensor *out, const char *name, pali_dtype dtype, int32_t rank, const int64_t *shape,
                            pali_error **error)
{
    if (pali_dtype_size(dtype) == 0)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "tensor \"%s\": unknown dtype %d", name, (int)dtype);
    if (rank < 0 || rank > PALI_MAX_RANK)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "tensor \"%s\": rank %d is not within 0 to %d", name, (int)rank,
                          PALI_MAX_RANK);
    for (int32_t i = 0; i < rank; i++)
        if (shape[i] < 0)
            return pali__fail(error, PALI_ERROR_ARGUMENT, "tensor \"%s\": size %lld of dimension %d is negative", name,
                              (long long)shape[i], (int)i);
    int64_t factors[PALI_MAX_RANK + 1] = { (int64_t)pali_dtype_size(dtype) };
    for (int32_t i = 0; i < rank; i++)
        factors[i + 1] = shape[i];
    size_t size;
    if (!pali__size_product(&size, rank + 1, factors))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "tensor \"%s\": its shape has more bytes than memory can address",
                          name);
    void *data = pali__aligned_malloc(size);
    if (!data)
        return pali__no_memory(error, size);
    *out = pali_tensor_view(data, dtype, rank, shape);
    return PALI_OK;
}

static bool reserve_entry(struct pali__tensor_set *set)
{
    if (set->count < set->capacity)
        return true;
    size_t capacity = set->capacity ? set->capacity * 2 : 8;
    if (capacity > SIZE_MAX / sizeof *set->entries)
        return false;
    void *entries = pali__regrow(set->entries, set->count * sizeof *set->entries, capacity * sizeof *set->entries);
    if (!entries)
        return false;
    set->entries = entries;
    set->capacity = capacity;
    return true;
}

/* The set takes `tensor`'s memory; on failure it is freed. The old memory goes last: `tensor` may be a copy of it. */
static pali_status install(struct pali__tensor_set *set, const char *name, pali_tensor tensor, pali_tensor **out,
                           pali_error **error)
{
    struct pali__tensor_entry *entry = find(set, name);
    if (entry) {
        pali__aligned_free(entry->tensor.data);
    } else {
        char *copy = pali__strdup(name);
        if (!copy || !reserve_entry(set)) {
            pali__free(copy);
            pali__aligned_free(tensor.data);
            return pali__no_memory(error, strlen(name) + 1);
        }
        entry = &set->entries[set->count++];
        entry->name = copy;
    }
    entry->tensor = tensor;
    if (out)
        *out = &entry->tensor;
    return PALI_OK;
}

pali_status pali__tensor_set_add(struct pali__tensor_set *set, const char *name, pali_dtype dtype, int32_t rank,
                                 const int64_t *shape, pali_tensor **out, pali_error **error)
{
    pali_tensor tensor;
    TRY(allocate(&tensor, name, dtype, rank, shape, error));
    return install(set, name, tensor, out, error);
}

/* Strides of dimensions that have one element, or of a tensor without elements, are never used. */
static bool is_contiguous(const pali_tensor *tensor)
{
    if (pali_tensor_count(tensor) == 0)
        return true;
    int64_t stride = 1;
    for (int32_t i = tensor->rank - 1; i >= 0; i--) {
        if (tensor->shape[i] != 1 && tensor->strides[i] != stride)
            return false;
        stride *= tensor->shape[i];
    }
    return true;
}

pali_status pali__tensor_set_copy(struct pali__tensor_set *set, const char *name, const pali_tensor *tensor,
                                  pali_error **error)
{
    pali_tensor copy;
    TRY(allocate(&copy, name, tensor->dtype, tensor->rank, tensor->shape, error));
    size_t size = (size_t)pali_tensor_count(&copy) * pali_dtype_size(copy.dtype);
    const char *wrong = size && !tensor->data    ? "has no data"
                        : !is_contiguous(tensor) ? "is not contiguous (row-major strides are required)"
                                                 : NULL;
    if (wrong) {
        pali__aligned_free(copy.data);
        return pali__fail(error, PALI_ERROR_ARGUMENT, "tensor \"%s\" %s", name, wrong);
    }
    if (size)
        memcpy(copy.data, tensor->data, size);
    return install(set, name, copy, NULL, error);
}
