/* SPDX-License-Identifier: BSD-2-Clause */
/* The public cache: keys and values, and a hold on the model they belong to and on the cache they continue. */
#ifndef PALI_MODEL_MODEL_CACHE_H
#define PALI_MODEL_MODEL_CACHE_H

#include "cache/kv_store.h"
#include "model/network.h"

struct pali_cache {
    atomic_int references; /* the caller's, and one of each cache that continues this one: then nobody may change it */
    pali_model *model;
    pali_cache *prefix; /* whose row 0 comes before every row; NULL: none */
    struct pali__kv kv;
};

/* What a store for `model` is like without any option: growing, float32. */
struct pali__kv_layout pali__cache_layout(const pali_model *model);

/* PALI_ERROR_ARGUMENT while other caches continue this one. */
pali_status pali__cache_check_writable(const pali_cache *cache, pali_error **error);

/* PALI_ERROR_LIMIT or PALI_ERROR_ARGUMENT if some row cannot forget all from `length` on. */
pali_status pali__cache_check_truncate(const pali_cache *cache, int64_t length, pali_error **error);

/* An empty cache with a store of that layout; `prefix` is held, or NULL. */
pali_status pali__cache_create(pali_cache **out, pali_model *model, int64_t rows, struct pali__kv_layout layout,
                               pali_cache *prefix, pali_error **error);

#endif
