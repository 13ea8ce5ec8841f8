/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys and values of every layer for the tokens seen so far, a row for each sequence (PARITY §11). A row knows for each
 * slot whether a real token stands there (1) or padding (0), and the token's type (0 prefix, 1 suffix).
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

struct pali__kv_row {
    float *block;         /* [layers][keys, values][kv heads][capacity][head_dim] */
    uint8_t *real, *type; /* [capacity] */
    int64_t length, capacity;
};

struct pali__kv {
    int64_t n_layers, n_kv_heads, head_dim;
    int64_t n_rows;
    bool fixed; /* never grow */
    struct pali__kv_row *rows;
};

/* `capacity` slots a row at once (may be 0 unless `fixed`). */
pali_status pali__kv_init(struct pali__kv *kv, int64_t n_rows, int64_t n_layers, int64_t n_kv_heads, int64_t head_dim,
                          int64_t capacity, bool fixed, pali_error **error);
void pali__kv_clear(struct pali__kv *kv); /* of a zeroed one: nothing */

/* Room for `n` more tokens in `row`, of the given kinds ([n] each). PALI_ERROR_LIMIT when fixed and full. */
pali_status pali__kv_stage(struct pali__kv *kv, int64_t row, int64_t n, const uint8_t *real, const uint8_t *type,
                           pali_error **error);

/* Keys and values [n, kv heads · head_dim] of the staged tokens in `layer`. */
void pali__kv_store(struct pali__kv *kv, int64_t row, int64_t layer, int64_t n, const float *keys,
                    const float *values);
void pali__kv_commit(struct pali__kv *kv, int64_t row, int64_t n);

/* First slot of head 0; heads lie `capacity · head_dim` apart, slots `head_dim`. */
const float *pali__kv_keys(const struct pali__kv *kv, int64_t row, int64_t layer);
const float *pali__kv_values(const struct pali__kv *kv, int64_t row, int64_t layer);

/* The first `n` rows become continuations of rows parents[0…n-1], each below n: beams that live on, are doubled or die.
 * All rows have one capacity, and nothing is allocated. `spare` has room for n rows. */
void pali__kv_reorder(struct pali__kv *kv, int64_t n, const int64_t *parents, struct pali__kv_row *spare);

void pali__kv_truncate(struct pali__kv *kv, int64_t length);
void pali__kv_truncate_row(struct pali__kv *kv, int64_t row, int64_t length);

#endif
