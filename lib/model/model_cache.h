/* SPDX-License-Identifier: BSD-2-Clause */
/* The public cache: keys and values, and a hold on the model they belong to. */
#ifndef PALI_MODEL_MODEL_CACHE_H
#define PALI_MODEL_MODEL_CACHE_H

#include "cache/kv_store.h"
#include "model/network.h"

struct pali_cache {
    pali_model *model;
    struct pali__kv kv;
};

#endif
