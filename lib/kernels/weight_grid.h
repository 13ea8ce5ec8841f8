/* SPDX-License-Identifier: BSD-2-Clause */
/* The grid of numbers that a group of weights is rounded to. */
#ifndef PALI_KERNELS_WEIGHT_GRID_H
#define PALI_KERNELS_WEIGHT_GRID_H

#include "kernels/round_weights.h"

/* scale · (q - zero_point) for whole numbers q. */
struct pali__weight_grid {
    float scale; /* exact in rounding->scale_dtype, never 0 or infinite */
    int zero_point;
};

/* The limits of q. */
void pali__code_limits(enum pali__code code, float *lowest, float *highest);

/* For w: [n], with importance: [n] or NULL. */
struct pali__weight_grid pali__weight_grid_choose(const struct pali__kernels *kernels,
                                                  const struct pali__rounding *rounding, const float *w,
                                                  const float *importance, int64_t n);

#endif
