/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of attention that one thread does: some queries of some heads against a range of keys. */
#ifndef PALI_KERNELS_ATTENTION_TILE_H
#define PALI_KERNELS_ATTENTION_TILE_H

#include "kernels/kernels.h"
#include "kernels/ops.h"

enum {
    PALI__TILE_ROWS = 128,    /* (head, query) pairs of a tile */
    PALI__TILE_KEYS = 128,
    PALI__TILE_HEAD_DIM = 256, /* wider heads are worked on without tiles, a row at a time */
    PALI__KEY_BUFFER = PALI__TILE_KEYS * PALI__TILE_HEAD_DIM /* floats */
};

/* Keys, or values, first…first+n-1 of a key head, rows *stride apart: in place where a float32 run has them all, else
 * gathered in `buffer`. A slot that is in no run becomes zeros. n ≤ pali__keys_at_once(). */
const float *pali__key_rows(const struct pali__kernels *kernels, const struct pali__attention *attention, bool values,
                            int64_t head, int64_t first, int64_t n, float *buffer, int64_t *stride);

/* The same where one run of that type has them all, else NULL. */
const void *pali__keys_in_place(const struct pali__attention *attention, bool values, int64_t head, int64_t first,
                                int64_t n, pali_dtype dtype, int64_t *stride);

/* As many keys as PALI__KEY_BUFFER has room for, at most a tile's. */
static inline int64_t pali__keys_at_once(const struct pali__attention *attention)
{
    int64_t n = PALI__KEY_BUFFER / attention->head_dim;
    return n < PALI__TILE_KEYS ? n : PALI__TILE_KEYS;
}

/* Row h·n_queries + i of a tile is query first_query + i of head first_head + h; all its heads read one key head. */
struct pali__tile {
    const struct pali__attention *attention;
    const struct pali__kernels *kernels;
    int64_t first_head, n_heads, first_query, n_queries;
    int64_t first_key, n_keys; /* first_key is a multiple of PALI__TILE_KEYS from the attention's own */
    bool by_dots;              /* scores by dot products: set for a whole call, so that no query depends on another */
    const float *panels;       /* of its key head, turned for all tiles (attention_panels.h); NULL: it turns them itself */

    /* Σ exp(score - max)·v over the keys, by row, before the division by Σ exp(score - max): row h, i stands at
     * out + h·head_stride + i·query_stride. Not written while `empty`. */
    float *out;
    int64_t head_stride, query_stride;
    float max[PALI__TILE_ROWS], sum[PALI__TILE_ROWS];
    bool empty; /* no key is visible to any row */
};

/* Fills in out, max, sum and empty. n_heads·n_queries ≤ PALI__TILE_ROWS; 1 if the head is wider than a tile. */
void pali__tile_run(struct pali__tile *tile);

/* Scaled scores[j] of keys first…first+n-1: capped, and -infinity where query slot `query` does not see the key. */
void pali__scores_finish(const struct pali__kernels *kernels, const struct pali__attention *attention, float *scores,
                         int64_t query, int64_t first, int64_t n, bool masked);

/* out = the mean of all values of a key head: what a query gets that sees nothing. out: [head_dim]. */
void pali__mean_value(const struct pali__kernels *kernels, const struct pali__attention *attention, float *out,
                      int64_t head);

/* The key head that a query head reads. */
static inline int64_t pali__key_head(const struct pali__attention *attention, int64_t head)
{
    return head * attention->n_kv_heads / attention->n_heads;
}

#endif
