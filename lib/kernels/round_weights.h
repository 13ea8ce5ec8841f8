/* SPDX-License-Identifier: BSD-2-Clause */
/* Rounding weights to integers with scales: what quantizes a checkpoint, or a matrix while it is loaded. */
#ifndef PALI_KERNELS_ROUND_WEIGHTS_H
#define PALI_KERNELS_ROUND_WEIGHTS_H

#include "kernels/ops.h"

struct pali__rounding {
    enum pali__code code;     /* also says how many bits */
    int64_t group_size;       /* n_in: one scale for each output */
    bool symmetric;           /* zero points are all 0 */
    bool searches;            /* the scale of each group is the one of several that makes the least squared error,
                                 not simply the one that fits the largest weight */
    pali_dtype scale_dtype;   /* what scales are rounded to before the weights are rounded by them */
    const float *importance;  /* [n_in] ≥ 0: how much each input's squared error counts in the search; NULL: all alike */
};

/* Rounds w: [n_rows, n_in] float32. Writes codes (rows pali__code_row_size apart, unused bits of a row 0), scales
 * [n_rows, n_groups] of scale_dtype and, unless symmetric, zero_points [n_rows, n_groups]. A row's result depends on that
 * row alone. Spread over the threads of `compute`. */
void pali__round_weights(const struct pali__compute *compute, const struct pali__rounding *rounding, const float *w,
                         int64_t n_rows, int64_t n_in, void *codes, void *scales, int8_t *zero_points);

/* Whether each of n values is a number and not infinite: no other can be rounded. */
bool pali__all_finite(const float *x, int64_t n);

#endif
