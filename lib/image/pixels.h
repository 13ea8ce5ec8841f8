/* SPDX-License-Identifier: BSD-2-Clause */
/* From a picture to pixel_values (PARITY §5). */
#ifndef PALI_IMAGE_PIXELS_H
#define PALI_IMAGE_PIXELS_H

#include <stdbool.h>

#include <paligemma/image.h>

struct pali__pixel_options {
    int32_t height, width;
    pali_resample resample;
    bool do_resize, do_rescale, do_normalize;
    double rescale_factor, mean[3], std[3];
};

/* out: [3, height, width] float32. Without do_resize a picture of another size is PALI_ERROR_SHAPE. Arithmetic follows
 * the chosen backend of the oracle bit for bit. */
pali_status pali__image_pixel_values(float *out, const pali_image *image, const struct pali__pixel_options *options,
                                     pali_error **error);

#endif
