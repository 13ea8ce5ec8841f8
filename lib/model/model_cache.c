/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/model_cache.h"

#include "core/memory.h"
#include "core/options.h"

#define MOST_ROWS 65536
#define MOST_TOKENS (1 << 24)

void pali_cache_options_init(pali_cache_options *options)
{
    *options = (pali_cache_options)PALI_CACHE_OPTIONS_INIT;
}

/* ---- made and ended ---- */

struct pali__kv_layout pali__cache_layout(const pali_model *model)
{
    const struct pali__text_config *config = &model->settings->text;

    return (struct pali__kv_layout){
        .n_layers = config->num_hidden_layers, .n_kv_heads = config->num_key_value_heads,
        .head_dim = config->head_dim, .layer_slides = config->layer_slides, .window = config->sliding_window,
        .dtype = PALI_FLOAT32,
    };
}

static pali_cache *retain(pali_cache *cache)
{
    if (cache)
        atomic_fetch_add_explicit(&cache->references, 1, memory_order_relaxed);
    return cache;
}

pali_status pali__cache_create(pali_cache **out, pali_model *model, int64_t rows, struct pali__kv_layout layout,
                               pali_cache *prefix, pali_error **error)
{
    pali_cache *cache = pali__calloc(1, sizeof *cache);
    pali_status status;

    if (!cache)
        return pali__no_memory(error, sizeof *cache);
    atomic_init(&cache->references, 1);
    cache->model = pali__model_retain(model);
    cache->prefix = retain(prefix);
    layout.prefix = prefix ? &prefix->kv : NULL;
    status = pali__kv_init(&cache->kv, rows, &layout, error);
    if (status != PALI_OK) {
        pali_cache_free(cache);
        return status;
    }
    *out = cache;
    return PALI_OK;
}

static pali_status check_prefix(const pali_cache_options *options, const pali_model *model, pali_error **error)
{
    const pali_cache *prefix = options->prefix;

    if (!prefix)
        return PALI_OK;
    if (prefix->model != model)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_cache_options.prefix belongs to another model");
    if (prefix->kv.n_rows != 1)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_cache_options.prefix should have one row and has %lld",
                          (long long)prefix->kv.n_rows);
    if (prefix->prefix)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "pali_cache_options.prefix continues a prefix itself; share that one, or a fork that is saved "
                          "and loaded");
    if (options->dtype != 0 && options->dtype != prefix->kv.layout.dtype)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_cache_options.dtype is %s and the prefix's is %s",
                          pali_dtype_name(options->dtype), pali_dtype_name(prefix->kv.layout.dtype));
    if (options->fixed && options->capacity < prefix->kv.rows[0].length)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "pali_cache_options.capacity is %lld and the prefix alone has %lld tokens",
                          (long long)options->capacity, (long long)prefix->kv.rows[0].length);
    return PALI_OK;
}

static pali_status check_options(const pali_cache_options *options, const pali_model *model, pali_error **error)
{
    int least = options->fixed ? 1 : 0;

    if (options->rows < 1 || options->rows > MOST_ROWS)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_cache_options.rows should be 1…%d and is %lld", MOST_ROWS,
                          (long long)options->rows);
    if (options->capacity < least || options->capacity > MOST_TOKENS)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_cache_options.capacity should be %d…%d and is %lld", least,
                          MOST_TOKENS, (long long)options->capacity);
    if (options->dtype != 0 && options->dtype != PALI_FLOAT32 && options->dtype != PALI_BFLOAT16 &&
        options->dtype != PALI_INT8)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "pali_cache_options.dtype should be float32, bfloat16 or int8 and is %s",
                          pali_dtype_name(options->dtype));
    return check_prefix(options, model, error);
}

pali_status pali_cache_create(pali_cache **out, pali_model *model, const pali_cache_options *options,
                              pali_error **error)
{
    pali_cache_options chosen = PALI_CACHE_OPTIONS_INIT;
    struct pali__kv_layout layout;
    union { /* a prefix is only counted; the interface promises not to change what it holds */
        const pali_cache *given;
        pali_cache *counted;
    } prefix;

    if (!out || !model)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_cache_create: %s is NULL", out ? "model" : "out");
    *out = NULL;
    TRY(pali__options_take(&chosen, sizeof chosen, options, "pali_cache_options", error));
    TRY(check_options(&chosen, model, error));
    prefix.given = chosen.prefix;
    layout = pali__cache_layout(model);
    layout.dtype = chosen.dtype       ? chosen.dtype
                   : prefix.given ? prefix.given->kv.layout.dtype
                                  : PALI_FLOAT32;
    layout.sliding = chosen.sliding != 0;
    layout.capacity = chosen.capacity;
    layout.fixed = chosen.fixed != 0;
    return pali__cache_create(out, model, chosen.rows, layout, prefix.counted, error);
}

pali_status pali_cache_fork(pali_cache **out, const pali_cache *cache, pali_error **error)
{
    pali_cache *fork = NULL;
    pali_status status;

    if (!out || !cache)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_cache_fork: %s is NULL", out ? "cache" : "out");
    *out = NULL;
    struct pali__kv_layout layout = cache->kv.layout;
    layout.capacity = 0; /* the rows' own memory is copied below */
    status = pali__cache_create(&fork, cache->model, cache->kv.n_rows, layout, cache->prefix, error);
    for (int64_t i = 0; status == PALI_OK && i < cache->kv.n_rows; i++) {
        pali__kv_clear_row(&fork->kv.rows[i]);
        status = pali__kv_copy_row(&cache->kv, &cache->kv.rows[i], &fork->kv.rows[i], error);
    }
    if (status != PALI_OK) {
        pali_cache_free(fork);
        return status;
    }
    fork->kv.layout.capacity = cache->kv.layout.capacity;
    *out = fork;
    return PALI_OK;
}

void pali_cache_free(pali_cache *cache)
{
    if (!cache || atomic_fetch_sub_explicit(&cache->references, 1, memory_order_acq_rel) > 1)
        return;
    pali__kv_clear(&cache->kv);
    pali_cache_free(cache->prefix);
    pali_model_free(cache->model);
    pali__free(cache);
}

/* ---- looked at ---- */

int64_t pali_cache_rows(const pali_cache *cache)
{
    return cache ? cache->kv.n_rows : 0;
}

int64_t pali_cache_length(const pali_cache *cache, int64_t row)
{
    return cache && row >= 0 && row < cache->kv.n_rows ? cache->kv.rows[row].length : 0;
}

size_t pali_cache_size_bytes(const pali_cache *cache)
{
    return cache ? pali__kv_size(&cache->kv) : 0;
}

/* ---- changed ---- */

pali_status pali__cache_check_writable(const pali_cache *cache, pali_error **error)
{
    if (atomic_load_explicit(&cache->references, memory_order_acquire) > 1)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "the cache is the prefix of others and cannot change before they are freed");
    return PALI_OK;
}

pali_status pali__cache_check_truncate(const pali_cache *cache, int64_t length, pali_error **error)
{
    const struct pali__kv *kv = &cache->kv;

    TRY(pali__cache_check_writable(cache, error));
    for (int64_t i = 0; i < kv->n_rows; i++) {
        if (pali__kv_can_truncate(kv, i, length))
            continue;
        if (length < kv->prefix_length)
            return pali__fail(error, PALI_ERROR_LIMIT,
                              "the cache cannot be rolled back to %lld tokens: the prefix it continues has %lld",
                              (long long)length, (long long)kv->prefix_length);
        return pali__fail(error, PALI_ERROR_LIMIT,
                          "row %lld of the sliding cache cannot be rolled back to %lld tokens: its windowed layers hold "
                          "only the tokens from %lld on, of %lld",
                          (long long)i, (long long)length, (long long)pali__kv_held_from(kv, i),
                          (long long)kv->rows[i].length);
    }
    return PALI_OK;
}

pali_status pali_cache_truncate(pali_cache *cache, int64_t length, pali_error **error)
{
    if (!cache || length < 0)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_cache_truncate: %s", cache ? "length is negative"
                                                                                       : "cache is NULL");
    TRY(pali__cache_check_truncate(cache, length, error));
    pali__kv_truncate(&cache->kv, length);
    return PALI_OK;
}

void pali_cache_reset(pali_cache *cache)
{
    if (cache && pali__cache_check_writable(cache, NULL) == PALI_OK)
        pali__kv_truncate(&cache->kv, 0);
}

static pali_status check_parents(const pali_cache *cache, const int64_t *parents, size_t n, pali_error **error)
{
    if (!cache || !parents)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_cache_reorder: %s is NULL", cache ? "parents" : "cache");
    TRY(pali__cache_check_writable(cache, error));
    if (n < 1 || n > MOST_ROWS)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_cache_reorder: n should be 1…%d and is %zu", MOST_ROWS, n);
    for (size_t i = 0; i < n; i++)
        if (parents[i] < 0 || parents[i] >= cache->kv.n_rows)
            return pali__fail(error, PALI_ERROR_ARGUMENT, "parents[%zu] is %lld, outside the %lld rows", i,
                              (long long)parents[i], (long long)cache->kv.n_rows);
    return PALI_OK;
}

/* The first child of a row takes it over, later ones are copied; rows without a child go. */
pali_status pali_cache_reorder(pali_cache *cache, const int64_t *parents, size_t n, pali_error **error)
{
    struct pali__kv_row *rows;
    int64_t *first_child;
    pali_status status = PALI_OK;

    TRY(check_parents(cache, parents, n, error));
    rows = pali__calloc(n, sizeof *rows);
    first_child = pali__malloc((size_t)cache->kv.n_rows * sizeof *first_child);
    if (!rows || !first_child)
        status = pali__no_memory(error, n * sizeof *rows);
    for (int64_t i = 0; status == PALI_OK && i < cache->kv.n_rows; i++)
        first_child[i] = -1;
    for (size_t i = 0; status == PALI_OK && i < n; i++) {
        if (first_child[parents[i]] < 0)
            first_child[parents[i]] = (int64_t)i;
        else
            status = pali__kv_copy_row(&cache->kv, &cache->kv.rows[parents[i]], &rows[i], error);
    }
    for (int64_t i = 0; status == PALI_OK && i < cache->kv.n_rows; i++) {
        if (first_child[i] >= 0)
            rows[first_child[i]] = cache->kv.rows[i];
        else
            pali__kv_clear_row(&cache->kv.rows[i]);
    }
    pali__free(first_child);
    if (status == PALI_OK) {
        pali__free(cache->kv.rows);
        cache->kv.rows = rows;
        cache->kv.n_rows = (int64_t)n;
        return PALI_OK;
    }
    for (size_t i = 0; rows && i < n; i++)
        pali__kv_clear_row(&rows[i]);
    pali__free(rows);
    return status;
}
