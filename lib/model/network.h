/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network's weights as the forward passes use them. Matrices point into the mapped checkpoint, or to a converted
 * copy; norms, biases and the position table are float32 copies. `weights.c` is the one list of all the tensors.
 */
#ifndef PALI_MODEL_NETWORK_H
#define PALI_MODEL_NETWORK_H

#include <stdatomic.h>
#include <stdbool.h>

#include <paligemma/checkpoint.h>
#include <paligemma/model.h>

#include "config/model_config.h"
#include "kernels/ops.h"

struct pali__affine { /* LayerNorm's weight and bias */
    float *weight, *bias;
};

struct pali__dense { /* nn.Linear; bias NULL if it has none */
    struct pali__matrix weight;
    float *bias;
};

struct pali__vision_block {
    struct pali__affine layer_norm1, layer_norm2;
    struct pali__dense q, k, v, out, fc1, fc2;
};

struct pali__vision {
    struct pali__dense patch_embedding; /* [hidden, channels · patch · patch] */
    float *position_embedding;          /* [patches, hidden] */
    struct pali__vision_block *blocks;
    struct pali__affine post_layernorm;
};

struct pali__decoder_block {
    float *input_norm;
    float *post_attention_norm; /* Gemma 2: on the attention's output; NULL in the others */
    float *mlp_norm;            /* post_attention_layernorm; in Gemma 2 pre_feedforward_layernorm */
    float *post_mlp_norm;       /* Gemma 2: post_feedforward_layernorm; NULL in the others */
    struct pali__matrix q, k, v, o, gate, up, down;
};

struct pali__decoder {
    struct pali__matrix embedding; /* [vocabulary, hidden] */
    struct pali__matrix head;      /* the same when tied */
    struct pali__decoder_block *blocks;
    float *norm;
    float *rotary; /* [head_dim/2], from the configuration: model/rotary.h */
};

struct pali__network {
    struct pali__vision vision;
    struct pali__dense projector;
    struct pali__decoder decoder;
    struct pali__dense embedding_projection; /* ColPali: [embedding_dim, hidden] */
    int64_t embedding_dim;                   /* 0: there is none */
};

struct pali_model {
    atomic_int references;
    pali_config *config;
    const struct pali__settings *settings; /* of `config` */
    struct pali_checkpoint *checkpoint;    /* keeps the map */
    struct pali__compute compute;
    struct pali__network network;
    void **owned; /* every float32 copy and converted matrix */
    size_t n_owned, owned_capacity;
};

pali_model *pali__model_retain(pali_model *model);

/* How a call computes that wants so many threads; 0: as many as the model. */
pali_status pali__model_compute(struct pali__compute *compute, const pali_model *model, int32_t threads,
                                pali_error **error);

/* ---- the list of tensors, weights.c ---- */

/* Where a tensor goes: exactly one of the two is set. */
struct pali__slot {
    struct pali__matrix *matrix; /* rank 2 or more: the first size is n_out, the product of the others n_in */
    float **vector;
};

/* What a visitor learns of each tensor. */
struct pali__tensor_spec {
    const char *name; /* canonical, checkpoint/tensors.h */
    int32_t rank;
    int64_t shape[4];
    struct pali__slot slot;
};
typedef pali_status (*pali__tensor_visitor)(void *user, const struct pali__tensor_spec *spec, pali_error **error);

/* Allocates the arrays of blocks and sees whether there is an embedding projection; everything else is zero. */
pali_status pali__network_init(struct pali__network *network, const struct pali__settings *settings,
                               const pali_checkpoint *checkpoint, pali_error **error);
void pali__network_clear(struct pali__network *network);

/* Visits every tensor that a model of `settings` has, embedding and head included (a checkpoint may lack one of the
 * two, see load.c). Stops at the first failure. */
pali_status pali__network_visit(struct pali__network *network, const struct pali__settings *settings,
                                pali__tensor_visitor visitor, void *user, pali_error **error);

#define PALI__EMBEDDING_NAME "language_model.embed_tokens.weight"
#define PALI__HEAD_NAME "lm_head.weight"

/* True for tensors that old files carry and no model needs (position_ids, inv_freq). */
bool pali__tensor_is_ignorable(const char *canonical_name);

#endif
