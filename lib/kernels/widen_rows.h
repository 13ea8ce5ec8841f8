/* SPDX-License-Identifier: BSD-2-Clause */
/* Weights of any type as float32. */
#ifndef PALI_KERNELS_WIDEN_ROWS_H
#define PALI_KERNELS_WIDEN_ROWS_H

#include "kernels/kernels.h"
#include "kernels/ops.h"

/* y[k] = W[row, first + k] for k < n. */
void pali__widen_row(const struct pali__kernels *kernels, float *y, const struct pali__matrix *w, int64_t row,
                     int64_t first, int64_t n);

/* Where the weight at [row, column] stands, and n of a row take so many bytes; column and n even for 4-bit codes. */
static inline int64_t pali__weights_size(const struct pali__matrix *w, int64_t n)
{
    switch (w->quantized.code) {
    case PALI__CODE_NONE:
        return n * (w->dtype == PALI_FLOAT32 ? 4 : 2);
    case PALI__CODE_PACKED4:
        return n / 2;
    default:
        return n;
    }
}

static inline const void *pali__weights_at(const struct pali__matrix *w, int64_t row, int64_t column)
{
    int64_t row_size = w->quantized.code == PALI__CODE_NONE ? pali__weights_size(w, w->n_in) : w->quantized.row_size;
    return (const unsigned char *)w->data + row * row_size + pali__weights_size(w, column);
}

#endif
