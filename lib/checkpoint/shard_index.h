/* SPDX-License-Identifier: BSD-2-Clause */
/* model.safetensors.index.json: which shard has which tensor. */
#ifndef PALI_CHECKPOINT_SHARD_INDEX_H
#define PALI_CHECKPOINT_SHARD_INDEX_H

#include <stddef.h>

#include "core/error.h"

struct pali__shard_index {
    char **shards; /* file names, sorted, each once */
    size_t n_shards;
    struct pali__mapped_tensor {
        char *name;
        size_t shard;
    } *tensors; /* sorted by name */
    size_t n_tensors;
};

/* Reads the index; shard names are plain file names. Ended by pali__shard_index_clear. */
pali_status pali__shard_index_load(struct pali__shard_index *out, const char *path, pali_error **error);
void pali__shard_index_clear(struct pali__shard_index *index);

/* The shard that should have the tensor, or -1 if the index does not speak of it. */
ptrdiff_t pali__shard_index_find(const struct pali__shard_index *index, const char *name);

#endif
