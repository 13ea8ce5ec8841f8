/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PALI_MODEL_IMAGE_FEATURES_H
#define PALI_MODEL_IMAGE_FEATURES_H

#include "model/merge.h"
#include "model/network.h"
#include "model/vision.h"

struct pali_image_features {
    pali_model *model; /* a reference */
    float *data;
    pali_tensor tensor; /* [images, patches, text hidden] float32, a view of data */
};

pali_status pali__check_pixel_values(const pali_model *model, const pali_tensor *pixels, pali_error **error);

/* As pali_model_image_features. */
pali_status pali__image_features_compute(pali_image_features **out, pali_model *model, const pali_tensor *pixels,
                                         const struct pali__vision_run *run, pali_error **error);

/* The features that a call runs on: `given` if it is not NULL, else those of `pixels` ([images, …] or NULL: none), which
 * are computed and stand in *own for the caller to free. *rows has no rows if there are none. */
pali_status pali__image_features_take(struct pali__feature_rows *rows, pali_image_features **own, pali_model *model,
                                      const pali_image_features *given, const pali_tensor *pixels,
                                      const struct pali__vision_run *run, pali_error **error);

#endif
