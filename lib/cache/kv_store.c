/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache/kv_store.h"

#include <assert.h>
#include <string.h>

#include "core/memory.h"

/* A growing row is enlarged by at least this many slots, so that decoding rarely has to. */
#define MINIMAL_GROWTH 256

static int64_t head_stride(const struct pali__kv *kv, const struct pali__kv_row *row)
{
    return row->capacity * kv->head_dim;
}

/* Number of (layer, key or value, head) planes of [capacity, head_dim] in a row's block. */
static int64_t n_planes(const struct pali__kv *kv)
{
    return kv->n_layers * 2 * kv->n_kv_heads;
}

static int64_t plane_of(const struct pali__kv *kv, int64_t layer, int values)
{
    return (layer * 2 + values) * kv->n_kv_heads;
}

static void row_clear(struct pali__kv_row *row)
{
    pali__aligned_free(row->block);
    pali__free(row->real);
    pali__free(row->type);
    *row = (struct pali__kv_row){ 0 };
}

static pali_status row_grow(struct pali__kv *kv, struct pali__kv_row *row, int64_t capacity, pali_error **error)
{
    struct pali__kv_row grown = { .length = row->length, .capacity = capacity };
    size_t size;

    if (!pali__size_product(&size, 4, (int64_t[]){ n_planes(kv), capacity, kv->head_dim, sizeof(float) }))
        return pali__fail(error, PALI_ERROR_LIMIT, "a cache of %lld tokens does not fit the address space",
                          (long long)capacity);
    grown.block = pali__aligned_malloc(size);
    grown.real = pali__malloc((size_t)capacity);
    grown.type = pali__malloc((size_t)capacity);
    if (!grown.block || !grown.real || !grown.type) {
        row_clear(&grown);
        return pali__no_memory(error, size);
    }
    if (row->length > 0) {
        for (int64_t plane = 0; plane < n_planes(kv); plane++)
            memcpy(grown.block + plane * head_stride(kv, &grown), row->block + plane * head_stride(kv, row),
                   (size_t)(row->length * kv->head_dim) * sizeof(float));
        memcpy(grown.real, row->real, (size_t)row->length);
        memcpy(grown.type, row->type, (size_t)row->length);
    }
    row_clear(row);
    *row = grown;
    return PALI_OK;
}

pali_status pali__kv_init(struct pali__kv *kv, int64_t n_rows, int64_t n_layers, int64_t n_kv_heads, int64_t head_dim,
                          int64_t capacity, bool fixed, pali_error **error)
{
    pali_status status = PALI_OK;

    *kv = (struct pali__kv){ .n_layers = n_layers, .n_kv_heads = n_kv_heads, .head_dim = head_dim, .fixed = fixed };
    kv->rows = pali__calloc((size_t)n_rows, sizeof *kv->rows);
    if (!kv->rows)
        return pali__no_memory(error, (size_t)n_rows * sizeof *kv->rows);
    kv->n_rows = n_rows;
    for (int64_t i = 0; status == PALI_OK && capacity > 0 && i < n_rows; i++)
        status = row_grow(kv, &kv->rows[i], capacity, error);
    if (status != PALI_OK)
        pali__kv_clear(kv);
    return status;
}

void pali__kv_clear(struct pali__kv *kv)
{
    for (int64_t i = 0; i < kv->n_rows; i++)
        row_clear(&kv->rows[i]);
    pali__free(kv->rows);
    *kv = (struct pali__kv){ 0 };
}

pali_status pali__kv_stage(struct pali__kv *kv, int64_t row_index, int64_t n, const uint8_t *real, const uint8_t *type,
                           pali_error **error)
{
    struct pali__kv_row *row = &kv->rows[row_index];
    int64_t needed = row->length + n;

    if (needed > row->capacity) {
        if (kv->fixed)
            return pali__fail(error, PALI_ERROR_LIMIT,
                              "the cache holds %lld tokens a row and row %lld would need %lld",
                              (long long)row->capacity, (long long)row_index, (long long)needed);
        int64_t growth = row->capacity / 2 > MINIMAL_GROWTH ? row->capacity / 2 : MINIMAL_GROWTH;
        int64_t capacity = row->capacity + growth > needed ? row->capacity + growth : needed;
        TRY(row_grow(kv, row, capacity, error));
    }
    memcpy(row->real + row->length, real, (size_t)n);
    memcpy(row->type + row->length, type, (size_t)n);
    return PALI_OK;
}

static void store_planes(struct pali__kv *kv, struct pali__kv_row *row, int64_t plane, int64_t n, const float *source)
{
    int64_t width = kv->n_kv_heads * kv->head_dim;

    for (int64_t head = 0; head < kv->n_kv_heads; head++) {
        float *slot = row->block + (plane + head) * head_stride(kv, row) + row->length * kv->head_dim;
        for (int64_t i = 0; i < n; i++)
            memcpy(slot + i * kv->head_dim, source + i * width + head * kv->head_dim,
                   (size_t)kv->head_dim * sizeof(float));
    }
}

void pali__kv_store(struct pali__kv *kv, int64_t row_index, int64_t layer, int64_t n, const float *keys,
                    const float *values)
{
    struct pali__kv_row *row = &kv->rows[row_index];

    assert(row->length + n <= row->capacity);
    store_planes(kv, row, plane_of(kv, layer, 0), n, keys);
    store_planes(kv, row, plane_of(kv, layer, 1), n, values);
}

void pali__kv_commit(struct pali__kv *kv, int64_t row_index, int64_t n)
{
    struct pali__kv_row *row = &kv->rows[row_index];

    assert(row->length + n <= row->capacity);
    row->length += n;
}

const float *pali__kv_keys(const struct pali__kv *kv, int64_t row_index, int64_t layer)
{
    const struct pali__kv_row *row = &kv->rows[row_index];
    return row->block + plane_of(kv, layer, 0) * head_stride(kv, row);
}

const float *pali__kv_values(const struct pali__kv *kv, int64_t row_index, int64_t layer)
{
    const struct pali__kv_row *row = &kv->rows[row_index];
    return row->block + plane_of(kv, layer, 1) * head_stride(kv, row);
}

static void row_copy(const struct pali__kv *kv, struct pali__kv_row *to, const struct pali__kv_row *from)
{
    assert(to->capacity == from->capacity);
    for (int64_t plane = 0; plane < n_planes(kv); plane++)
        memcpy(to->block + plane * head_stride(kv, to), from->block + plane * head_stride(kv, from),
               (size_t)(from->length * kv->head_dim) * sizeof(float));
    memcpy(to->real, from->real, (size_t)from->length);
    memcpy(to->type, from->type, (size_t)from->length);
    to->length = from->length;
}

/* A parent's first child takes over its memory; the others get a copy in the memory of rows that have no child. */
void pali__kv_reorder(struct pali__kv *kv, int64_t n, const int64_t *parents, struct pali__kv_row *spare)
{
    int64_t next_childless = 0;

    for (int64_t i = 0; i < n; i++) {
        bool is_first = true;
        for (int64_t j = 0; j < i; j++)
            is_first = is_first && parents[j] != parents[i];
        spare[i] = is_first ? kv->rows[parents[i]] : (struct pali__kv_row){ 0 };
    }
    for (int64_t i = 0; i < n; i++) {
        if (spare[i].block)
            continue;
        for (bool has_child = true; has_child; next_childless += has_child) {
            has_child = false;
            for (int64_t j = 0; j < n; j++)
                has_child = has_child || parents[j] == next_childless;
        }
        spare[i] = kv->rows[next_childless++];
        row_copy(kv, &spare[i], &kv->rows[parents[i]]);
    }
    memcpy(kv->rows, spare, (size_t)n * sizeof *spare);
}

void pali__kv_truncate(struct pali__kv *kv, int64_t length)
{
    for (int64_t i = 0; i < kv->n_rows; i++)
        pali__kv_truncate_row(kv, i, length);
}

void pali__kv_truncate_row(struct pali__kv *kv, int64_t row, int64_t length)
{
    if (kv->rows[row].length > length)
        kv->rows[row].length = length;
}
