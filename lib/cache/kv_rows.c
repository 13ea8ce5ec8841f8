/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows as wholes: rolled back, copied, put in another order, read out and in. */
#include <assert.h>
#include <string.h>

#include "cache/kv_store.h"
#include "core/memory.h"

void pali__kv_clear_row(struct pali__kv_row *row)
{
    pali__aligned_free(row->shelves[0].block);
    pali__aligned_free(row->shelves[1].block);
    pali__aligned_free(row->staged.block);
    pali__free(row->real);
    pali__free(row->type);
    pali__free(row->positions);
    *row = (struct pali__kv_row){ 0 };
}

/* ---- rolling back ---- */

bool pali__kv_can_truncate(const struct pali__kv *kv, int64_t row_index, int64_t length)
{
    const struct pali__kv_row *row = &kv->rows[row_index];
    int64_t reach = length - kv->layout.window + 1;

    if (length >= row->length)
        return true;
    if (length < kv->prefix_length)
        return false;
    if (kv->n_on_shelf[PALI__KV_WINDOW] == 0 || length == kv->prefix_length || reach >= length)
        return true;
    return row->shelves[PALI__KV_WINDOW].first <= (reach > kv->prefix_length ? reach : kv->prefix_length);
}

void pali__kv_truncate_row(struct pali__kv *kv, int64_t row_index, int64_t length)
{
    struct pali__kv_row *row = &kv->rows[row_index];

    if (length >= row->length)
        return;
    row->length = length;
    if (row->shelves[PALI__KV_WINDOW].first > length)
        row->shelves[PALI__KV_WINDOW].first = length;
}

void pali__kv_truncate(struct pali__kv *kv, int64_t length)
{
    for (int64_t i = 0; i < kv->n_rows; i++) {
        int64_t to = length > kv->prefix_length ? length : kv->prefix_length;
        if (pali__kv_can_truncate(kv, i, to))
            pali__kv_truncate_row(kv, i, to);
    }
}

/* ---- copies ---- */

static void copy_kinds(struct pali__kv_row *to, const struct pali__kv_row *from)
{
    if (from->length == 0)
        return;
    memcpy(to->real, from->real, (size_t)from->length);
    memcpy(to->type, from->type, (size_t)from->length);
    memcpy(to->positions, from->positions, (size_t)from->length * sizeof *from->positions);
}

pali_status pali__kv_copy_row(const struct pali__kv *kv, const struct pali__kv_row *row, struct pali__kv_row *out,
                              pali_error **error)
{
    pali_status status = PALI_OK;

    *out = (struct pali__kv_row){ 0 };
    if (row->n_kinds > 0)
        status = pali__kv_make_kinds(out, row->n_kinds, error);
    for (int shelf = 0; status == PALI_OK && shelf < 2; shelf++) {
        const struct pali__kv_shelf *from = &row->shelves[shelf];
        out->shelves[shelf].first = from->first;
        if (!from->block)
            continue;
        status = pali__kv_make_shelf(kv, shelf, from->first, from->capacity, &out->shelves[shelf], error);
        if (status == PALI_OK)
            pali__kv_copy_slots(kv, shelf, &out->shelves[shelf], from, from->first, row->length);
    }
    if (status != PALI_OK) {
        pali__kv_clear_row(out);
        return status;
    }
    copy_kinds(out, row);
    out->length = row->length;
    return PALI_OK;
}

static void overwrite_row(const struct pali__kv *kv, struct pali__kv_row *to, const struct pali__kv_row *from)
{
    struct pali__kv_shelf *shelf = &to->shelves[PALI__KV_ALL];

    assert(!kv->layout.sliding && shelf->capacity == from->shelves[PALI__KV_ALL].capacity);
    pali__kv_copy_slots(kv, PALI__KV_ALL, shelf, &from->shelves[PALI__KV_ALL], shelf->first, from->length);
    copy_kinds(to, from);
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
        if (spare[i].real)
            continue;
        for (bool has_child = true; has_child; next_childless += has_child) {
            has_child = false;
            for (int64_t j = 0; j < n; j++)
                has_child = has_child || parents[j] == next_childless;
        }
        spare[i] = kv->rows[next_childless++];
        overwrite_row(kv, &spare[i], &kv->rows[parents[i]]);
    }
    memcpy(kv->rows, spare, (size_t)n * sizeof *spare);
}

/* ---- out and in ---- */

void pali__kv_read(const struct pali__kv *kv, int64_t row, int64_t layer, bool values, int64_t first, int64_t n,
                   void *out)
{
    size_t slot_size = pali__kv_slot_size(kv);
    struct pali__kv_run runs[2];
    int n_runs = pali__kv_runs(kv, row, layer, runs);

    for (int i = 0; i < n_runs; i++) {
        const struct pali__kv_run *run = &runs[i];
        int64_t from = first > run->first ? first : run->first;
        int64_t end = first + n < run->first + run->count ? first + n : run->first + run->count;
        assert(run->dtype == kv->layout.dtype);
        for (int64_t head = 0; head < kv->layout.n_kv_heads && from < end; head++)
            memcpy((unsigned char *)out + (size_t)(head * n + from - first) * slot_size,
                   (const unsigned char *)(values ? run->values : run->keys) +
                       (size_t)(head * run->head_stride) * pali_dtype_size(run->dtype) +
                       (size_t)(from - run->first) * slot_size,
                   (size_t)(end - from) * slot_size);
    }
}

void pali__kv_write(struct pali__kv *kv, int64_t row, int64_t layer, bool values, int64_t first, int64_t n,
                    const void *in)
{
    const struct pali__kv_shelf *shelf = &kv->rows[row].shelves[pali__kv_shelf_of(kv, layer)];
    size_t size = (size_t)n * pali__kv_slot_size(kv);

    for (int64_t head = 0; head < kv->layout.n_kv_heads && n > 0; head++)
        memcpy(pali__kv_slot(kv, shelf, pali__kv_plane(kv, layer, values) + head, first),
               (const unsigned char *)in + (size_t)head * size, size);
}
