/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/model_cache.h"

#include "core/memory.h"
#include "core/options.h"

void pali_cache_options_init(pali_cache_options *options)
{
    *options = (pali_cache_options)PALI_CACHE_OPTIONS_INIT;
}

pali_status pali_cache_create(pali_cache **out, pali_model *model, const pali_cache_options *options,
                              pali_error **error)
{
    pali_cache_options chosen = PALI_CACHE_OPTIONS_INIT;
    const struct pali__text_config *config;
    pali_cache *cache;
    pali_status status;

    if (!out || !model)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_cache_create: %s is NULL", out ? "model" : "out");
    *out = NULL;
    TRY(pali__options_take(&chosen, sizeof chosen, options, "pali_cache_options", error));
    if (chosen.rows < 1 || chosen.rows > 65536)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_cache_options.rows should be 1…65536 and is %lld",
                          (long long)chosen.rows);
    if (chosen.capacity < (chosen.fixed ? 1 : 0) || chosen.capacity > 1 << 24)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_cache_options.capacity should be %d…16777216 and is %lld",
                          chosen.fixed ? 1 : 0, (long long)chosen.capacity);
    cache = pali__calloc(1, sizeof *cache);
    if (!cache)
        return pali__no_memory(error, sizeof *cache);
    config = &model->settings->text;
    status = pali__kv_init(&cache->kv, chosen.rows, config->num_hidden_layers, config->num_key_value_heads,
                           config->head_dim, chosen.capacity, chosen.fixed != 0, error);
    if (status != PALI_OK) {
        pali__free(cache);
        return status;
    }
    cache->model = pali__model_retain(model);
    *out = cache;
    return PALI_OK;
}

void pali_cache_free(pali_cache *cache)
{
    if (!cache)
        return;
    pali__kv_clear(&cache->kv);
    pali_model_free(cache->model);
    pali__free(cache);
}

int64_t pali_cache_length(const pali_cache *cache, int64_t row)
{
    return cache && row >= 0 && row < cache->kv.n_rows ? cache->kv.rows[row].length : 0;
}

pali_status pali_cache_truncate(pali_cache *cache, int64_t length, pali_error **error)
{
    if (!cache || length < 0)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_cache_truncate: %s", cache ? "length is negative"
                                                                                       : "cache is NULL");
    pali__kv_truncate(&cache->kv, length);
    return PALI_OK;
}

void pali_cache_reset(pali_cache *cache)
{
    if (cache)
        pali__kv_truncate(&cache->kv, 0);
}
