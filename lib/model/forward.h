/* SPDX-License-Identifier: BSD-2-Clause */
/* A forward pass by steps: what stands between named tensors and the decoder's rows. */
#ifndef PALI_MODEL_FORWARD_H
#define PALI_MODEL_FORWARD_H

#include <paligemma/model.h>

#include "model/image_features.h"
#include "model/pass.h"

struct pali__forward {
    pali_model *model;
    const struct pali__settings *settings;
    const pali_inputs *inputs;
    pali_forward_options options;
    struct pali__watch watch;
    int64_t batch, length;

    /* The inputs, borrowed; NULL if not given. */
    const int64_t *input_ids, *attention_mask, *position_ids, *token_type_ids, *labels;
    int64_t mask_width, n_position_rows;
    const float *inputs_embeds;

    pali_image_features *own_features;   /* of pixel_values */
    const pali_image_features *features; /* these, or those that the caller gave; NULL: no picture */
    struct pali__sequence *sequences;  /* one a row of the batch */
    uint8_t *real;                     /* [batch, mask_width]: the mask, if it covers the cache too; else NULL */
    struct pali__pass pass;
    pali_outputs *outputs;
};

/* Checks the inputs, runs the tower if there are pictures without features, and makes the pass that the decoder runs on:
 * its sequences, and in pass.h the rows that enter. `forward` has its model, inputs, options (checked) and watch; outputs
 * if those of the tower are wanted. Ended by _end, after a failure too. */
pali_status pali__forward_begin(struct pali__forward *forward, pali_error **error);
void pali__forward_end(struct pali__forward *forward);

#endif
