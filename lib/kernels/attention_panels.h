/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys and values as the kernel `product` reads them: in panels of product_columns columns that stand close. As they
 * stand otherwise, a head's rows lie far apart, drive each other out of the caches, and are asked for one by one.
 * Where several tiles of queries read the same keys, these are turned once for all of them:
 *
 *   for each tile of keys:   keys   [keys / columns, head_dim, columns]
 *                            values [head_dim / columns, PALI__TILE_KEYS, columns]
 */
#ifndef PALI_KERNELS_ATTENTION_PANELS_H
#define PALI_KERNELS_ATTENTION_PANELS_H

#include "kernels/attention_tile.h"

/* panel[head_dim, columns] = keysᵀ, of n ≤ product_columns keys whose rows are `stride` apart. */
void pali__turn_keys(const struct pali__kernels *kernels, float *panel, const float *keys, int64_t stride, int64_t n,
                     int64_t head_dim);
/* panel[n, columns] = the first `width` ≤ product_columns columns of values[n, …]. */
void pali__cut_values(const struct pali__kernels *kernels, float *panel, const float *values, int64_t stride, int64_t n,
                      int64_t width);

/* Floats of all the panels of one key head. */
int64_t pali__panels_count(const struct pali__kernels *kernels, int64_t n_keys, int64_t head_dim);

/* Fills in those of the keys first…first+PALI__TILE_KEYS-1, as far as there are any; first is a multiple of
 * PALI__TILE_KEYS from the attention's first_key. `panels` are those of key head `head`. */
void pali__panels_fill(const struct pali__kernels *kernels, const struct pali__attention *attention, float *panels,
                       int64_t head, int64_t first);

/* The panel of keys first + key…, and that of the values' columns `column`…, of the tile that begins with key `first`;
 * `key` and `column` are multiples of product_columns. */
const float *pali__key_panel(const struct pali__kernels *kernels, const struct pali__attention *attention,
                             const float *panels, int64_t first, int64_t key);
const float *pali__value_panel(const struct pali__kernels *kernels, const struct pali__attention *attention,
                               const float *panels, int64_t first, int64_t column);

#endif
