/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures to rows for the decoder: SigLIP's tower and PaliGemma's projector (PARITY §6, §7). */
#ifndef PALI_MODEL_VISION_H
#define PALI_MODEL_VISION_H

#include "core/watch.h"
#include "model/network.h"

/* How the tower runs. */
struct pali__vision_run {
    const pali_adapter *adapter; /* or NULL */
    double adapter_scale;
    float *const *states; /* NULL, or [layers + 1] buffers of [n_images, patches, hidden] for what enters each block and
                             what leaves the last */
    const struct pali__watch *watch; /* or NULL */
    int32_t threads;      /* 0: the model's number */
};

/* Bytes of the tower's arena. Of the model only its configuration and the shapes and types of its matrices are used. */
size_t pali__vision_size(const pali_model *model, const struct pali__compute *compute);

/* features: [n_images, patches, text hidden] of pixels: [n_images, channels, size, size]. The rows are not scaled by
 * sqrt(hidden) in either direction, as in Transformers >= 5.4. */
pali_status pali__vision_features(const pali_model *model, float *features, const float *pixels, int64_t n_images,
                                  const struct pali__vision_run *run, pali_error **error);

#endif
