/* SPDX-License-Identifier: BSD-2-Clause */
/* The layers of the mask VQ-VAE: which there are, and how one is computed. */
#ifndef PALI_STRUCTURED_MASK_NETWORK_H
#define PALI_STRUCTURED_MASK_NETWORK_H

#include <stdbool.h>

#include <paligemma/segmentation.h>

#include "kernels/kernels.h"

#define PALI__CODE_WIDTH 512 /* values of a row of the codebook */
#define PALI__CODE_SIDE 4    /* the 16 tokens stand in a square of this side */

enum pali__layer_kind {
    PALI__LAYER_SAME, /* convolution, stride 1, as many pixels out as in */
    PALI__LAYER_DOWN, /* convolution 4 × 4, stride 2, padding 1: half the side */
    PALI__LAYER_UP    /* transposed convolution 4 × 4, stride 2, padding 1: twice the side */
};

/* In the order of pali__layer_shapes. A residual block has three layers. */
enum pali__layer_index {
    PALI__DECODER_IN = 0,
    PALI__DECODER_BLOCKS = 1,
    PALI__DECODER_UP = 7,
    PALI__DECODER_OUT = 11,
    PALI__ENCODER_DOWN = 12,
    PALI__ENCODER_BLOCKS = 16,
    PALI__ENCODER_OUT = 22,
    PALI__N_LAYERS = 23
};

struct pali__layer_shape {
    const char *name; /* NAME.weight and NAME.bias in the file */
    enum pali__layer_kind kind;
    int32_t n_in, n_out, side; /* the weight is [n_out, n_in, side, side]; of an UP layer [n_in, n_out, side, side] */
};
extern const struct pali__layer_shape pali__layer_shapes[PALI__N_LAYERS];

struct pali_mask_decoder {
    const struct pali__kernels *kernels;
    bool has_encoder;
    float *codebook;               /* [PALI_SEG_COUNT, PALI__CODE_WIDTH] */
    float *weight[PALI__N_LAYERS]; /* as in the file; of an UP layer [n_out, side, side, n_in] */
    float *bias[PALI__N_LAYERS];   /* [n_out] */
};

#endif
