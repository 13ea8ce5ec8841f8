/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inputs of a few-rows product with a quantized matrix, rounded to 16 bits in blocks, so that the product is one of
 * integers. They are made once for each product and shared by all threads.
 *
 *   x[k] ≈ scale[⌊k / 128⌋] · values[k],   |values| ≤ 32767:   an error of at most 1/65534 of the block's largest |x|
 *
 * With int8_inputs they are what round_int8 makes of the whole row, within -128…127, all with its one scale.
 */
#ifndef PALI_KERNELS_ROUNDED_INPUTS_H
#define PALI_KERNELS_ROUNDED_INPUTS_H

#include "kernels/kernels.h"
#include "kernels/ops.h"

/* The table whose dot_* and round_inputs serve this matrix: the one of `compute`, or plain C's for groups that do not
 * fall together with blocks of 32, 64 or 128. */
const struct pali__kernels *pali__code_kernels(const struct pali__compute *compute, const struct pali__matrix *w);

/* Bytes of scratch for n_rows rows of inputs of w. */
size_t pali__rounded_inputs_size(int64_t n_rows, const struct pali__matrix *w);

/* Rounds x: [n_rows, w->n_in] into scratch, 64-byte aligned. */
struct pali__rounded pali__round_inputs(const struct pali__compute *compute, const float *x, int64_t n_rows,
                                        const struct pali__matrix *w, void *scratch);

/* Row `row` and those behind it. */
struct pali__rounded pali__rounded_rows(const struct pali__rounded *rounded, int64_t row);

#endif
