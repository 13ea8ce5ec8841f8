/* SPDX-License-Identifier: BSD-2-Clause */
/* Weights for the mask VQ-VAE that tests/oracle/mask_vqvae.py computes too, and a file of them. */
#ifndef PALI_TESTS_MASK_WEIGHTS_H
#define PALI_TESTS_MASK_WEIGHTS_H

#include "checkpoint/tensors.h"
#include "structured/mask_network.h"
#include "test.h"

static inline uint32_t mask_weight_mix(uint32_t x)
{
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}

/* The values of tensor `name`: scale · ((mix(fnv1a(name) + i) >> 8) · 2^-23 - 1), all in float32. */
static inline void mask_weight_fill(float *values, int64_t count, const char *name, double scale)
{
    uint32_t seed = 2166136261u;
    for (const char *c = name; *c; c++)
        seed = (seed ^ (uint32_t)(unsigned char)*c) * 16777619u;
    for (int64_t i = 0; i < count; i++) {
        float unit = (float)(mask_weight_mix((uint32_t)i + seed) >> 8) * (1.0f / 8388608.0f) - 1.0f;
        values[i] = (float)scale * unit;
    }
}

static inline void mask_weight_add(struct pali__tensor_set *set, const char *name, int32_t rank, const int64_t *shape,
                                   double scale)
{
    pali_tensor *tensor = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali__tensor_set_add(set, name, PALI_FLOAT32, rank, shape, &tensor, &error), error);
    if (tensor)
        mask_weight_fill(tensor->data, pali_tensor_count(tensor), name, scale);
}

/* All tensors, or those of the decoder only. Ended by pali__tensor_set_clear. */
static inline void mask_weight_set(struct pali__tensor_set *set, bool with_encoder)
{
    const int64_t codebook[2] = { PALI_SEG_COUNT, PALI__CODE_WIDTH };
    mask_weight_add(set, "_vq_vae._embedding", 2, codebook, 1.0);
    for (int i = 0; i < (with_encoder ? PALI__N_LAYERS : PALI__ENCODER_DOWN); i++) {
        const struct pali__layer_shape *layer = &pali__layer_shapes[i];
        const bool up = layer->kind == PALI__LAYER_UP;
        const int64_t shape[4] = { up ? layer->n_in : layer->n_out, up ? layer->n_out : layer->n_in, layer->side,
                                   layer->side };
        const int64_t bias_shape[1] = { layer->n_out };
        const double n_seen = up ? layer->n_in * 4.0 : (double)layer->n_in * layer->side * layer->side;
        char name[64];
        snprintf(name, sizeof name, "%s.weight", layer->name);
        mask_weight_add(set, name, 4, shape, (strstr(name, ".net.4.") ? 0.5 : 1.0) * sqrt(6.0 / n_seen));
        snprintf(name, sizeof name, "%s.bias", layer->name);
        mask_weight_add(set, name, 1, bias_shape, 0.125);
    }
}

/* Writes them to "SCRATCH/name" and returns its path. */
static inline const char *mask_weight_file(const char *name, bool with_encoder)
{
    struct pali__tensor_set set = { NULL, 0, 0 };
    pali_error *error = NULL;
    const char *path = test_path(test_scratch(), name);
    mask_weight_set(&set, with_encoder);
    CHECK_OK(pali__safetensors_save(&set, path, &error), error);
    pali__tensor_set_clear(&set);
    return path;
}

#endif
