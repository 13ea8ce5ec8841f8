/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures to rows for the decoder: SigLIP's tower and PaliGemma's projector (PARITY §6, §7). */
#ifndef PALI_MODEL_VISION_H
#define PALI_MODEL_VISION_H

#include "core/watch.h"
#include "model/lora.h"
#include "model/observer.h"

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

/* ---- the same by steps, for one picture at a time ---- */

/* The activations of a picture, in one allocation. */
struct pali__tower {
    const pali_model *model;
    const struct pali__vision_config *config;
    struct pali__compute compute;
    int64_t n; /* patches */
    float *patches;           /* [n, channels · patch · patch] */
    float *x, *normed;        /* [n, hidden]; x is what enters a block and what leaves it */
    float *q, *k, *v, *mixed; /* [n, hidden] */
    float *wide;              /* [n, intermediate] */
    struct pali__lora lora;
    const struct pali__observer *observer; /* of its products and the projector's, or NULL */
    void *scratch;
    size_t scratch_size;
    void *block;
};

pali_status pali__tower_init(struct pali__tower *tower, const pali_model *model, int32_t threads, pali_error **error);
void pali__tower_clear(struct pali__tower *tower); /* of a zeroed one: nothing */

pali_status pali__tower_enter(struct pali__tower *tower, const float *pixels, pali_error **error);
pali_status pali__tower_block_run(struct pali__tower *tower, int64_t layer, pali_error **error);
pali_status pali__tower_leave(struct pali__tower *tower, float *features, pali_error **error); /* [n, text hidden] */

#endif
