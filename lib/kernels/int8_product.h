/* SPDX-License-Identifier: BSD-2-Clause */
/* y = x·Wᵀ for many rows in int8: int8_dynamic_activation_int8_weight. */
#ifndef PALI_KERNELS_INT8_PRODUCT_H
#define PALI_KERNELS_INT8_PRODUCT_H

#include "kernels/ops.h"

/* Sums of more products than inputs below this number might not fit into 32 bits. */
enum { PALI__INT8_INPUTS_MAX = 1 << 17 };

/* As pali__linear, for a matrix with int8_inputs, codes of 8 bits, one scale for each output, no zero
 * points and fewer than PALI__INT8_INPUTS_MAX inputs. Each
 * row of x is rounded to integers q with one scale, and sums of q·w are exact: what a row gives depends on that row
 * alone. `scratch` has at least pali__int8_product_scratch() bytes for as many rows or more, 64-byte aligned. */
pali_status pali__int8_product(const struct pali__compute *compute, float *y, const float *x, int64_t n_rows,
                               const struct pali__matrix *w, const float *bias, enum pali__store store, void *scratch,
                               pali_error **error);
size_t pali__int8_product_scratch(const struct pali__compute *compute, int64_t n_rows, const struct pali__matrix *w);

#endif
