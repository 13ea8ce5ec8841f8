/* SPDX-License-Identifier: BSD-2-Clause */
/* Named tensors that own their memory: what stands behind pali_inputs and pali_outputs. */
#ifndef PALI_CORE_TENSOR_SET_H
#define PALI_CORE_TENSOR_SET_H

#include "core/error.h"

struct pali__tensor_entry {
    char *name;
    pali_tensor tensor; /* data is owned, 64-byte aligned */
};

struct pali__tensor_set {
    struct pali__tensor_entry *entries;
    size_t count, capacity;
};

void pali__tensor_set_clear(struct pali__tensor_set *set);
const pali_tensor *pali__tensor_set_get(const struct pali__tensor_set *set, const char *name);

/* Adds (or replaces) a tensor with uninitialised memory and returns it through *out, borrowed. */
pali_status pali__tensor_set_add(struct pali__tensor_set *set, const char *name, pali_dtype dtype, int32_t rank,
                                 const int64_t *shape, pali_tensor **out, pali_error **error);

/* Copies `tensor`, which must be contiguous, in under `name`. PALI_ERROR_ARGUMENT for a malformed view. */
pali_status pali__tensor_set_copy(struct pali__tensor_set *set, const char *name, const pali_tensor *tensor,
                                  pali_error **error);

#endif
