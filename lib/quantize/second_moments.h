/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * H = Σ x·xᵀ over the inputs x of a matrix: what a calibration learns of them. A change D of the weights W changes the
 * outputs by Σ |D·x|² = tr(D·H·Dᵀ).
 *
 * H is kept in float32. Up to PALI__MOMENTS_WIDTH inputs it is whole; of a wider matrix only equal blocks along its
 * diagonal are kept, as if inputs of different blocks had nothing to do with each other. So memory grows with the width,
 * not with its square: 85 MB of each block at the most.
 */
#ifndef PALI_QUANTIZE_SECOND_MOMENTS_H
#define PALI_QUANTIZE_SECOND_MOMENTS_H

#include "kernels/ops.h"

enum {
    PALI__MOMENTS_WIDTH = 4608, /* the most inputs of a block; a multiple of PALI__MOMENTS_STEP */
    PALI__MOMENTS_STEP = 128,   /* all blocks but the last are a multiple of it wide: no group of weights is in two */
    PALI__MOMENTS_PANEL = 32,   /* columns that stand together for the kernel `product` */
};

struct pali__second_moments {
    int64_t n_in;
    int64_t width;    /* of a block; the last may be narrower */
    int64_t n_blocks;
    int64_t stride;   /* from a row of a block to the next */
    int64_t n_rows;   /* x that were seen */
    float *blocks;    /* [n_blocks, width, stride]; only [i, j ≥ i] of each is valid */
    float *panels;    /* the x at work: [panels, MOMENTS_ROWS, PALI__MOMENTS_PANEL] */
};

/* H = 0, of blocks of at most `width_max` inputs (a multiple of PALI__MOMENTS_STEP). */
pali_status pali__second_moments_init(struct pali__second_moments *moments, int64_t n_in, int64_t width_max,
                                      pali_error **error);
void pali__second_moments_clear(struct pali__second_moments *moments); /* of a zeroed one: nothing */

/* H += Σ x·xᵀ over those rows of x: [n_rows, n_in] that are `real` ([n_rows], or NULL: all). The result does not depend
 * on the number of threads. PALI_ERROR_MEMORY. */
pali_status pali__second_moments_add(const struct pali__compute *compute, struct pali__second_moments *moments,
                                     const float *x, int64_t n_rows, const uint8_t *real, pali_error **error);

/* Where block `block` begins, and how many inputs it has. */
static inline int64_t pali__moments_first(const struct pali__second_moments *moments, int64_t block)
{
    return block * moments->width;
}

static inline int64_t pali__moments_count(const struct pali__second_moments *moments, int64_t block)
{
    int64_t left = moments->n_in - block * moments->width;
    return left < moments->width ? left : moments->width;
}

static inline float *pali__moments_block(const struct pali__second_moments *moments, int64_t block)
{
    return moments->blocks + block * moments->width * moments->stride;
}

#endif
