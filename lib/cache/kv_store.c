/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache/kv_store.h"

#include <assert.h>
#include <string.h>

#include "core/dtype.h"
#include "core/memory.h"

enum {
    MINIMAL_GROWTH = 256, /* a growing shelf is enlarged by at least this many slots, so that decoding rarely has to */
    MOST_SLACK = 64       /* slots that a window's shelf keeps beyond the window, for rolling back */
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- shelves ---- */

int64_t pali__kv_slack(const struct pali__kv *kv)
{
    return kv->n_on_shelf[PALI__KV_WINDOW] > 0 ? smaller(kv->layout.window, MOST_SLACK) : INT64_MAX;
}

int64_t pali__kv_window_kept(const struct pali__kv *kv)
{
    return kv->layout.window - 1 + smaller(kv->layout.window, MOST_SLACK);
}

/* The most slots a window's shelf ever needs: as many again arrive before it is moved to its front. */
static int64_t window_capacity(const struct pali__kv *kv)
{
    return pali__kv_window_kept(kv) + smaller(kv->layout.window, MOST_SLACK);
}

pali_status pali__kv_make_shelf(const struct pali__kv *kv, int shelf, int64_t first, int64_t capacity,
                                struct pali__kv_shelf *out, pali_error **error)
{
    const int64_t factors[] = { pali__kv_n_planes(kv, shelf), capacity, (int64_t)pali__kv_slot_size(kv) };
    size_t size;

    *out = (struct pali__kv_shelf){ 0 };
    if (!pali__size_product(&size, 3, factors))
        return pali__fail(error, PALI_ERROR_LIMIT, "a cache of %lld tokens does not fit the address space",
                          (long long)capacity);
    out->block = pali__aligned_malloc(size);
    if (!out->block)
        return pali__no_memory(error, size);
    out->first = first;
    out->capacity = capacity;
    return PALI_OK;
}

void pali__kv_copy_slots(const struct pali__kv *kv, int shelf, const struct pali__kv_shelf *to,
                         const struct pali__kv_shelf *from, int64_t first, int64_t end)
{
    if (first >= end)
        return;
    for (int64_t plane = 0; plane < pali__kv_n_planes(kv, shelf); plane++)
        memcpy(pali__kv_slot(kv, to, plane, first), pali__kv_slot(kv, from, plane, first),
               (size_t)(end - first) * pali__kv_slot_size(kv));
}

/* A shelf with more room; entries from its first one on are kept. */
static pali_status grow_shelf(struct pali__kv *kv, struct pali__kv_row *row, int shelf, int64_t capacity,
                              pali_error **error)
{
    struct pali__kv_shelf *old = &row->shelves[shelf], grown;

    TRY(pali__kv_make_shelf(kv, shelf, old->first, capacity, &grown, error));
    pali__kv_copy_slots(kv, shelf, &grown, old, old->first, row->length);
    pali__aligned_free(old->block);
    *old = grown;
    return PALI_OK;
}

/* Entries before slot `first` give way. */
static void move_to_front(struct pali__kv *kv, struct pali__kv_row *row, int64_t first)
{
    struct pali__kv_shelf *shelf = &row->shelves[PALI__KV_WINDOW];
    size_t size = (size_t)(row->length - first) * pali__kv_slot_size(kv);

    for (int64_t plane = 0; plane < pali__kv_n_planes(kv, PALI__KV_WINDOW); plane++)
        memmove(pali__kv_slot(kv, shelf, plane, shelf->first), pali__kv_slot(kv, shelf, plane, first), size);
    shelf->first = first;
}

/* With room for `needed` entries, or as many as `most`: what is asked for, or half as much again. */
static int64_t grown_capacity(const struct pali__kv *kv, int64_t capacity, int64_t needed, int64_t most)
{
    int64_t roomy = kv->layout.fixed ? needed : capacity + larger(capacity / 2, MINIMAL_GROWTH);

    return smaller(larger(needed, roomy), most);
}

/* ---- rows ---- */

pali_status pali__kv_make_kinds(struct pali__kv_row *row, int64_t n_kinds, pali_error **error)
{
    struct pali__kv_row grown = { .real = pali__malloc((size_t)n_kinds), .type = pali__malloc((size_t)n_kinds),
                                  .positions = pali__malloc((size_t)n_kinds * sizeof(int64_t)) };

    if (!grown.real || !grown.type || !grown.positions) {
        pali__kv_clear_row(&grown);
        return pali__no_memory(error, (size_t)n_kinds * sizeof(int64_t));
    }
    if (row->length > 0) {
        memcpy(grown.real, row->real, (size_t)row->length);
        memcpy(grown.type, row->type, (size_t)row->length);
        memcpy(grown.positions, row->positions, (size_t)row->length * sizeof *row->positions);
    }
    pali__free(row->real);
    pali__free(row->type);
    pali__free(row->positions);
    row->real = grown.real;
    row->type = grown.type;
    row->positions = grown.positions;
    row->n_kinds = n_kinds;
    return PALI_OK;
}

/* Every row begins with the prefix's kinds. */
static pali_status begin_row(struct pali__kv *kv, struct pali__kv_row *row, pali_error **error)
{
    const struct pali__kv_row *prefix = kv->layout.prefix ? &kv->layout.prefix->rows[0] : NULL;

    row->shelves[PALI__KV_ALL].first = row->shelves[PALI__KV_WINDOW].first = kv->prefix_length;
    if (kv->prefix_length == 0)
        return PALI_OK;
    TRY(pali__kv_make_kinds(row, kv->prefix_length, error));
    memcpy(row->real, prefix->real, (size_t)kv->prefix_length);
    memcpy(row->type, prefix->type, (size_t)kv->prefix_length);
    memcpy(row->positions, prefix->positions, (size_t)kv->prefix_length * sizeof *row->positions);
    row->length = kv->prefix_length;
    return PALI_OK;
}

pali_status pali__kv_init(struct pali__kv *kv, int64_t n_rows, const struct pali__kv_layout *layout,
                          pali_error **error)
{
    pali_status status = PALI_OK;

    *kv = (struct pali__kv){ .layout = *layout };
    kv->layout.sliding = layout->sliding && layout->window > 0;
    kv->prefix_length = layout->prefix ? layout->prefix->rows[0].length : 0;
    kv->place = pali__calloc((size_t)layout->n_layers, sizeof *kv->place);
    kv->rows = pali__calloc((size_t)n_rows, sizeof *kv->rows);
    if (!kv->place || !kv->rows) {
        pali__kv_clear(kv);
        return pali__no_memory(error, (size_t)n_rows * sizeof *kv->rows);
    }
    for (int64_t i = 0; i < layout->n_layers; i++)
        kv->place[i] = kv->n_on_shelf[pali__kv_shelf_of(kv, i)]++;
    kv->n_rows = n_rows;
    for (int64_t i = 0; status == PALI_OK && i < n_rows; i++) {
        status = begin_row(kv, &kv->rows[i], error);
        if (status == PALI_OK && layout->capacity > 0)
            status = pali__kv_reserve(kv, i, layout->capacity, error);
    }
    if (status != PALI_OK)
        pali__kv_clear(kv);
    return status;
}

void pali__kv_clear(struct pali__kv *kv)
{
    for (int64_t i = 0; kv->rows && i < kv->n_rows; i++)
        pali__kv_clear_row(&kv->rows[i]);
    pali__free(kv->rows);
    pali__free(kv->place);
    *kv = (struct pali__kv){ 0 };
}

pali_status pali__kv_reserve(struct pali__kv *kv, int64_t row_index, int64_t length, pali_error **error)
{
    struct pali__kv_row *row = &kv->rows[row_index];
    int64_t own = length - kv->prefix_length;

    if (kv->layout.fixed && length > kv->layout.capacity)
        return pali__fail(error, PALI_ERROR_LIMIT, "the cache holds %lld tokens a row and row %lld would need %lld",
                          (long long)kv->layout.capacity, (long long)row_index, (long long)length);
    if (length > row->n_kinds)
        TRY(pali__kv_make_kinds(row, length, error));
    if (own > row->shelves[PALI__KV_ALL].capacity)
        TRY(grow_shelf(kv, row, PALI__KV_ALL, own, error));
    if (kv->layout.sliding && smaller(own, window_capacity(kv)) > row->shelves[PALI__KV_WINDOW].capacity)
        TRY(grow_shelf(kv, row, PALI__KV_WINDOW, smaller(own, window_capacity(kv)), error));
    return PALI_OK;
}

/* ---- a pass ---- */

int64_t pali__kv_held_from(const struct pali__kv *kv, int64_t row_index)
{
    const struct pali__kv_row *row = &kv->rows[row_index];

    if (kv->n_on_shelf[PALI__KV_WINDOW] > 0 && row->length > kv->prefix_length &&
        row->shelves[PALI__KV_WINDOW].first > kv->prefix_length)
        return smaller(row->shelves[PALI__KV_WINDOW].first, row->length);
    return kv->layout.prefix ? pali__kv_held_from(kv->layout.prefix, 0) : 0;
}

/* A new token of type 0 sees every earlier one, also in layers whose window has left it behind. */
static pali_status check_reach(const struct pali__kv *kv, int64_t row_index, int64_t n, const uint8_t *real,
                               const uint8_t *type, pali_error **error)
{
    const struct pali__kv_row *row = &kv->rows[row_index];
    int64_t held_from = pali__kv_held_from(kv, row_index);
    bool new_prefix = false;

    for (int64_t i = 0; i < n; i++)
        new_prefix = new_prefix || (real[i] && type[i] == 0);
    for (int64_t slot = 0; new_prefix && slot < held_from; slot++)
        if (row->real[slot] && row->type[slot] == 0)
            return pali__fail(error, PALI_ERROR_LIMIT,
                              "row %lld: new tokens of type 0 see the whole prefix, of which the sliding cache has lost "
                              "the first %lld tokens; give a prefix in one pass, and what follows type 1",
                              (long long)row_index, (long long)held_from);
    return PALI_OK;
}

/* Room on the shelf of the windowed layers, if need be on a new one. */
static pali_status stage_window(struct pali__kv *kv, struct pali__kv_row *row, int64_t n, pali_error **error)
{
    struct pali__kv_shelf *shelf = &row->shelves[PALI__KV_WINDOW];
    int64_t most = window_capacity(kv), end = row->length + n, needed = end - shelf->first;

    if (shelf->first >= row->length) { /* it has no entries */
        shelf->first = n <= most ? row->length : end - pali__kv_window_kept(kv);
        needed = end - shelf->first;
    }
    if (needed <= shelf->capacity)
        return PALI_OK;
    if (shelf->capacity < most)
        TRY(grow_shelf(kv, row, PALI__KV_WINDOW, grown_capacity(kv, shelf->capacity, needed, most), error));
    if (needed <= shelf->capacity)
        return PALI_OK;
    if (n <= pali__kv_slack(kv)) {
        move_to_front(kv, row, row->length - pali__kv_window_kept(kv));
        return PALI_OK;
    }
    int64_t first = larger(shelf->first, end - pali__kv_window_kept(kv));
    TRY(pali__kv_make_shelf(kv, PALI__KV_WINDOW, first, most, &row->staged, error));
    pali__kv_copy_slots(kv, PALI__KV_WINDOW, &row->staged, shelf, first, row->length);
    return PALI_OK;
}

pali_status pali__kv_stage(struct pali__kv *kv, int64_t row_index, int64_t n, const uint8_t *real, const uint8_t *type,
                           const int64_t *positions, pali_error **error)
{
    struct pali__kv_row *row = &kv->rows[row_index];
    int64_t needed = row->length + n, own = needed - kv->prefix_length;
    struct pali__kv_shelf *all = &row->shelves[PALI__KV_ALL];

    pali__aligned_free(row->staged.block); /* of a pass that failed */
    row->staged = (struct pali__kv_shelf){ 0 };
    if (kv->layout.fixed && needed > kv->layout.capacity)
        return pali__fail(error, PALI_ERROR_LIMIT, "the cache holds %lld tokens a row and row %lld would need %lld",
                          (long long)kv->layout.capacity, (long long)row_index, (long long)needed);
    TRY(check_reach(kv, row_index, n, real, type, error));
    if (needed > row->n_kinds)
        TRY(pali__kv_make_kinds(row, grown_capacity(kv, row->n_kinds, needed, INT64_MAX), error));
    if (own > all->capacity)
        TRY(grow_shelf(kv, row, PALI__KV_ALL, grown_capacity(kv, all->capacity, own, INT64_MAX), error));
    if (kv->n_on_shelf[PALI__KV_WINDOW] > 0)
        TRY(stage_window(kv, row, n, error));
    memcpy(row->real + row->length, real, (size_t)n);
    memcpy(row->type + row->length, type, (size_t)n);
    memcpy(row->positions + row->length, positions, (size_t)n * sizeof *positions);
    return PALI_OK;
}

static void store_slot(const struct pali__kv *kv, unsigned char *slot, const float *source)
{
    int64_t width = kv->layout.head_dim;

    if (kv->layout.dtype == PALI_FLOAT32) {
        memcpy(slot, source, (size_t)width * sizeof *source);
        return;
    }
    if (kv->layout.dtype == PALI_INT8) {
        pali__int8_vector_make((int8_t *)slot, source, width);
        return;
    }
    uint16_t *narrow = (uint16_t *)(void *)slot;
    for (int64_t i = 0; i < width; i++)
        narrow[i] = pali__bf16_from_float(source[i]);
}

static void store_planes(const struct pali__kv *kv, const struct pali__kv_shelf *shelf, int64_t plane, int64_t length,
                         int64_t n, const float *source)
{
    int64_t heads = kv->layout.n_kv_heads, width = kv->layout.head_dim;
    int64_t begin = larger(shelf->first, length);

    for (int64_t head = 0; head < heads; head++)
        for (int64_t slot = begin; slot < length + n; slot++)
            store_slot(kv, pali__kv_slot(kv, shelf, plane + head, slot),
                       source + ((slot - length) * heads + head) * width);
}

void pali__kv_store(struct pali__kv *kv, int64_t row_index, int64_t layer, int64_t n, const float *keys,
                    const float *values)
{
    struct pali__kv_row *row = &kv->rows[row_index];
    int on = pali__kv_shelf_of(kv, layer);
    const struct pali__kv_shelf *shelf = on == PALI__KV_WINDOW && row->staged.block ? &row->staged : &row->shelves[on];

    assert(row->length + n - shelf->first <= shelf->capacity);
    store_planes(kv, shelf, pali__kv_plane(kv, layer, false), row->length, n, keys);
    store_planes(kv, shelf, pali__kv_plane(kv, layer, true), row->length, n, values);
}

void pali__kv_commit(struct pali__kv *kv, int64_t row_index, int64_t n)
{
    struct pali__kv_row *row = &kv->rows[row_index];

    row->length += n;
    if (!row->staged.block)
        return;
    pali__aligned_free(row->shelves[PALI__KV_WINDOW].block);
    row->shelves[PALI__KV_WINDOW] = row->staged;
    row->staged = (struct pali__kv_shelf){ 0 };
}

/* ---- reading ---- */

static int own_run(const struct pali__kv *kv, int64_t row_index, int64_t layer, struct pali__kv_run *run)
{
    const struct pali__kv_row *row = &kv->rows[row_index];
    const struct pali__kv_shelf *shelf = &row->shelves[pali__kv_shelf_of(kv, layer)];

    if (shelf->first >= row->length || !shelf->block)
        return 0;
    *run = (struct pali__kv_run){
        .keys = pali__kv_slot(kv, shelf, pali__kv_plane(kv, layer, false), shelf->first),
        .values = pali__kv_slot(kv, shelf, pali__kv_plane(kv, layer, true), shelf->first), .dtype = kv->layout.dtype,
        .first = shelf->first, .count = row->length - shelf->first,
        .head_stride = shelf->capacity * pali__kv_slot_width(&kv->layout),
        .slot_stride = pali__kv_slot_width(&kv->layout),
    };
    return 1;
}

int pali__kv_runs(const struct pali__kv *kv, int64_t row, int64_t layer, struct pali__kv_run runs[2])
{
    int n = kv->prefix_length > 0 ? own_run(kv->layout.prefix, 0, layer, runs) : 0;

    return n + own_run(kv, row, layer, runs + n);
}

int64_t pali__kv_next_position(const struct pali__kv *kv, int64_t row_index)
{
    const struct pali__kv_row *row = &kv->rows[row_index];

    for (int64_t slot = row->length - 1; slot >= 0; slot--)
        if (row->real[slot]) /* a caller's position may be any number */
            return smaller(row->positions[slot], INT64_MAX / 2) + 1;
    return 1;
}

size_t pali__kv_size(const struct pali__kv *kv)
{
    size_t size = 0;

    for (int64_t i = 0; i < kv->n_rows; i++) {
        const struct pali__kv_row *row = &kv->rows[i];
        for (int shelf = 0; shelf < 2; shelf++)
            size += (size_t)(pali__kv_n_planes(kv, shelf) * row->shelves[shelf].capacity) * pali__kv_slot_size(kv);
        size += (size_t)row->n_kinds * (2 + sizeof(int64_t));
    }
    return size;
}
