/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys and values of every layer for the tokens seen so far, a row for each sequence (PARITY §11). A token's place in
 * its row is its slot. A row knows for each slot whether a real token stands there (1) or padding (0), the token's type
 * (0 prefix, 1 suffix) and its position.
 *
 * A row has two shelves: one for the layers that keep every slot, and one for those that keep only what their window
 * can still reach. Without `sliding` all layers are on the first. A store that continues a prefix reads the prefix's
 * slots where they are; its own shelves begin behind them.
 *
 * A pass writes in three steps: stage() makes room behind the row's length and notes the new slots' kinds, store()
 * writes each layer's keys and values there, commit() makes them part of the row. A pass that fails before commit()
 * leaves the row as it was.
 */
#ifndef PALI_CACHE_KV_STORE_H
#define PALI_CACHE_KV_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "core/int8_vector.h"

enum { PALI__KV_ALL = 0, PALI__KV_WINDOW = 1 }; /* the shelves */

struct pali__kv;

/* What a store is for. */
struct pali__kv_layout {
    int64_t n_layers, n_kv_heads, head_dim;
    const bool *layer_slides; /* [n_layers], borrowed for the life of the store; NULL: none does */
    int64_t window;           /* of the layers that slide: a token sees itself and window - 1 before it */
    pali_dtype dtype;         /* of keys and values: float32, bfloat16 or int8 (core/int8_vector.h) */
    bool sliding;             /* those layers forget what no later token can see */
    int64_t capacity;         /* slots to make room for at once, the prefix's included */
    bool fixed;               /* never grow past that */
    const struct pali__kv *prefix; /* its row 0 comes before every row; NULL: none */
};

/* Elements of one head's key or value: head_dim, and in int8 the bytes of its scale. */
static inline int64_t pali__kv_slot_width(const struct pali__kv_layout *layout)
{
    return layout->dtype == PALI_INT8 ? pali__int8_vector_size(layout->head_dim) : layout->head_dim;
}

struct pali__kv_shelf {
    unsigned char *block;    /* [layers of the shelf][keys, values][kv heads][capacity][slot width] */
    int64_t first, capacity; /* slot of the first entry; entries go on to the row's length */
};

struct pali__kv_row {
    struct pali__kv_shelf shelves[2];
    struct pali__kv_shelf staged; /* the second shelf as it will be when the pass is committed, if not in place */
    uint8_t *real, *type;         /* [n_kinds], of all slots from 0 on, the prefix's included */
    int64_t *positions;           /* the same */
    int64_t length, n_kinds;
};

struct pali__kv {
    struct pali__kv_layout layout;
    int64_t *place;        /* [n_layers]: which one of its shelf a layer is */
    int64_t n_on_shelf[2]; /* layers */
    int64_t prefix_length;
    int64_t n_rows;
    struct pali__kv_row *rows;
};

/* Consecutive slots of one layer: slot first + i of head h begins at element h·head_stride + i·slot_stride. */
struct pali__kv_run {
    const void *keys, *values;
    pali_dtype dtype;
    int64_t first, count, head_stride, slot_stride;
};

pali_status pali__kv_init(struct pali__kv *kv, int64_t n_rows, const struct pali__kv_layout *layout,
                          pali_error **error);
void pali__kv_clear(struct pali__kv *kv); /* of a zeroed one: nothing */

/* Room for `length` tokens in `row`, so that passes up to there allocate nothing as long as each has few tokens.
 * PALI_ERROR_LIMIT when fixed to less. */
pali_status pali__kv_reserve(struct pali__kv *kv, int64_t row, int64_t length, pali_error **error);

/* Room for `n` more tokens in `row`, of the given kinds ([n] each). PALI_ERROR_LIMIT when fixed and full, and when they
 * would see tokens that the window has left behind (tokens of type 0 see each other however far apart). */
pali_status pali__kv_stage(struct pali__kv *kv, int64_t row, int64_t n, const uint8_t *real, const uint8_t *type,
                           const int64_t *positions, pali_error **error);

/* Keys and values [n, kv heads · head_dim] of the staged tokens in `layer`, rounded to the store's type. */
void pali__kv_store(struct pali__kv *kv, int64_t row, int64_t layer, int64_t n, const float *keys,
                    const float *values);
void pali__kv_commit(struct pali__kv *kv, int64_t row, int64_t n);

/* Where the committed slots of a row's layer stand: fills in up to two runs and returns their number. */
int pali__kv_runs(const struct pali__kv *kv, int64_t row, int64_t layer, struct pali__kv_run runs[2]);

/* From this slot on every layer has all there is; 0 unless the store, or its prefix, slides. */
int64_t pali__kv_held_from(const struct pali__kv *kv, int64_t row);

/* How far every row can always be rolled back, down to a prefix: INT64_MAX unless the store slides. */
int64_t pali__kv_slack(const struct pali__kv *kv);

/* Slots that windowed layers of a sliding store never give up: what the next token sees, and some to roll back to. */
int64_t pali__kv_window_kept(const struct pali__kv *kv);

/* The position that follows the row's last real token; 1 in a row without any. */
int64_t pali__kv_next_position(const struct pali__kv *kv, int64_t row);

/* Bytes of memory of the store's own. */
size_t pali__kv_size(const struct pali__kv *kv);

/* ---- kv_rows.c: rows as wholes ---- */

/* Whether a row can forget all from `length` on: not into the prefix, nor below what sliding layers still need. */
bool pali__kv_can_truncate(const struct pali__kv *kv, int64_t row, int64_t length);
void pali__kv_truncate_row(struct pali__kv *kv, int64_t row, int64_t length);
void pali__kv_truncate(struct pali__kv *kv, int64_t length); /* every row that can */

/* `out`, zeroed, becomes a copy of the row with memory of its own. */
pali_status pali__kv_copy_row(const struct pali__kv *kv, const struct pali__kv_row *row, struct pali__kv_row *out,
                              pali_error **error);
void pali__kv_clear_row(struct pali__kv_row *row);

/* The first `n` rows become continuations of rows parents[0…n-1], each below n: beams that live on, are doubled or die.
 * The store does not slide, all rows have one capacity, and nothing is allocated. `spare` has room for n rows. */
void pali__kv_reorder(struct pali__kv *kv, int64_t n, const int64_t *parents, struct pali__kv_row *spare);

/* Keys (or values) of slots first…first+n-1 of a layer that has them, [kv heads][n][slot width] in the store's type,
 * out of the store and into the row's own shelves. */
void pali__kv_read(const struct pali__kv *kv, int64_t row, int64_t layer, bool values, int64_t first, int64_t n,
                   void *out);
void pali__kv_write(struct pali__kv *kv, int64_t row, int64_t layer, bool values, int64_t first, int64_t n,
                    const void *in);

/* ---- for this folder ---- */

static inline int pali__kv_shelf_of(const struct pali__kv *kv, int64_t layer)
{
    return kv->layout.sliding && kv->layout.layer_slides && kv->layout.layer_slides[layer] ? PALI__KV_WINDOW
                                                                                           : PALI__KV_ALL;
}

/* Bytes of a slot in a plane. */
static inline size_t pali__kv_slot_size(const struct pali__kv *kv)
{
    return (size_t)pali__kv_slot_width(&kv->layout) * pali_dtype_size(kv->layout.dtype);
}

/* Number of (layer, key or value, head) planes of [capacity, slot width] on a shelf. */
static inline int64_t pali__kv_n_planes(const struct pali__kv *kv, int shelf)
{
    return kv->n_on_shelf[shelf] * 2 * kv->layout.n_kv_heads;
}

/* Slot `slot` in plane `plane` of a shelf. */
static inline unsigned char *pali__kv_slot(const struct pali__kv *kv, const struct pali__kv_shelf *shelf, int64_t plane,
                                           int64_t slot)
{
    return shelf->block + (size_t)(plane * shelf->capacity + slot - shelf->first) * pali__kv_slot_size(kv);
}

static inline int64_t pali__kv_plane(const struct pali__kv *kv, int64_t layer, bool values)
{
    return (kv->place[layer] * 2 + values) * kv->layout.n_kv_heads;
}

/* Memory for `capacity` entries, whose first is slot `first`. */
pali_status pali__kv_make_shelf(const struct pali__kv *kv, int shelf, int64_t first, int64_t capacity,
                                struct pali__kv_shelf *out, pali_error **error);
/* Slots first…end-1, which both have. */
void pali__kv_copy_slots(const struct pali__kv *kv, int shelf, const struct pali__kv_shelf *to,
                         const struct pali__kv_shelf *from, int64_t first, int64_t end);
pali_status pali__kv_make_kinds(struct pali__kv_row *row, int64_t n_kinds, pali_error **error);

#endif
