/* SPDX-License-Identifier: BSD-2-Clause */
/* How much work a model of a given configuration does: bytes of the cache and operations of each stage. */
#ifndef PALIGEMMA_CLI_BENCH_WORK_H
#define PALIGEMMA_CLI_BENCH_WORK_H

#include <paligemma/paligemma.h>

struct shapes {
    int64_t image_size, patch_size, channels, patches, vision_hidden, vision_mlp, vision_layers, vision_heads;
    int64_t hidden, mlp, layers, heads, kv_heads, head_dim, vocabulary, image_token;
};

/* From the model's configuration. */
pali_status shapes_read(struct shapes *shapes, const pali_config *config, pali_error **error);

/* A product of [m, k] and [k, n] counts 2·m·n·k operations; norms, softmax and activations are left out. */
double image_flops(const struct shapes *shapes);
double prefill_flops(const struct shapes *shapes, int64_t n_tokens); /* the head for one row */

/* Keys and values, float32, that one new token's attention reads when `n_tokens` are in the cache. */
double cache_bytes(const struct shapes *shapes, int64_t n_tokens);

#endif
