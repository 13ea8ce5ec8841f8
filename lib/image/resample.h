/* SPDX-License-Identifier: BSD-2-Clause */
/* The weights of a separable, antialiased resize along one axis, as Pillow's Resample.c computes them. */
#ifndef PALI_IMAGE_RESAMPLE_H
#define PALI_IMAGE_RESAMPLE_H

#include "core/error.h"

enum pali__filter {
    PALI__FILTER_BICUBIC, /* a = -0.5 */
    PALI__FILTER_BILINEAR
};

/* For each output position: the first input position, how many there are, and their weights, of sum 1. */
struct pali__axis {
    int32_t n_out, n_in;
    int32_t stride; /* weights from one output position to the next */
    int32_t *first, *count;
    double *weights; /* [n_out, stride], 0 past the count */
};

/* Both lengths are positive. Ended by pali__axis_clear, also of a zeroed axis. */
pali_status pali__axis_init(struct pali__axis *axis, int32_t n_in, int32_t n_out, enum pali__filter filter,
                            pali_error **error);
void pali__axis_clear(struct pali__axis *axis);

/* to: [to_height, to_width], from: [from_height, from_width] with rows from_stride apart, all float32. Equal to the bit
 * to Pillow 13's resize of a picture of mode F: sums are float64, each of the two passes rounds to float32. */
pali_status pali__plane_resize(float *to, int32_t to_width, int32_t to_height, const float *from, int32_t from_width,
                               int32_t from_height, size_t from_stride, enum pali__filter filter, pali_error **error);

#endif
