/* SPDX-License-Identifier: BSD-2-Clause */
/* y = x·Wᵀ for many rows in float32, by the kernel `product` of the instruction set. */
#ifndef PALI_KERNELS_PANEL_PRODUCT_H
#define PALI_KERNELS_PANEL_PRODUCT_H

#include "kernels/ops.h"

/* As pali__linear_group. What a row of x gives depends on that row and the weights alone. `scratch` has at least
 * pali__panel_product_scratch() bytes for as many rows or more, 64-byte aligned. */
void pali__panel_product(const struct pali__compute *compute, const struct pali__linear_part *parts, int n_parts,
                         const float *x, int64_t n_rows, enum pali__store store, void *scratch);
size_t pali__panel_product_scratch(const struct pali__compute *compute, int64_t n_rows, const struct pali__matrix *w);

#endif
