/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SigLIP So400m/14, the tower of every PaliGemma (arXiv 2303.15343; transformers/models/siglip/modeling_siglip.py):
 *
 *   x = W·patch + b + position                      patches row by row, top left first; no class token
 *   x += out(attention(layer_norm1(x)))             16 heads, no mask, scale head_dim^-1/2
 *   x += fc2(gelu_tanh(fc1(layer_norm2(x))))        27 blocks
 *   features = projector(post_layernorm(x))         all patches; no pooling head
 */
#include "model/vision.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"

static size_t largest(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t scratch_size(const pali_model *model, const struct pali__compute *compute)
{
    const struct pali__vision *vision = &model->network.vision;
    int64_t n = model->settings->vision.num_patches, n_heads = model->settings->vision.num_attention_heads;
    size_t size = pali__attend_scratch(compute, n, n_heads, model->settings->vision.hidden_size / n_heads);

    size = largest(size, pali__linear_scratch(compute, n, &vision->patch_embedding.weight));
    size = largest(size, pali__linear_scratch(compute, n, &model->network.projector.weight));
    for (int64_t i = 0; i < model->settings->vision.num_hidden_layers; i++) {
        const struct pali__vision_block *block = &vision->blocks[i];
        const struct pali__dense *all[] = { &block->q, &block->k, &block->v, &block->out, &block->fc1, &block->fc2 };
        for (size_t j = 0; j < sizeof all / sizeof *all; j++)
            size = largest(size, pali__linear_scratch(compute, n, &all[j]->weight));
    }
    return size;
}

/* A part of the arena: where it goes, and how many floats it has. */
struct part {
    float **slot;
    int64_t count;
};

enum { N_PARTS = 8 };

static void list_parts(struct part parts[N_PARTS], struct pali__tower *tower, const struct pali__vision_config *config)
{
    int64_t n = config->num_patches, hidden = config->hidden_size;
    int64_t patch_width = config->num_channels * config->patch_size * config->patch_size;
    const struct part all[N_PARTS] = {
        { &tower->patches, n * patch_width }, { &tower->x, n * hidden }, { &tower->normed, n * hidden },
        { &tower->q, n * hidden }, { &tower->k, n * hidden }, { &tower->v, n * hidden },
        { &tower->mixed, n * hidden }, { &tower->wide, n * config->intermediate_size },
    };

    memcpy(parts, all, sizeof all);
}

static size_t part_size(const struct part *part)
{
    return (size_t)(part->count + 15) / 16 * 64;
}

size_t pali__vision_size(const pali_model *model, const struct pali__compute *compute)
{
    struct pali__tower tower;
    struct part parts[N_PARTS];
    size_t size = scratch_size(model, compute);

    list_parts(parts, &tower, &model->settings->vision);
    for (size_t i = 0; i < N_PARTS; i++)
        size += part_size(&parts[i]);
    return size;
}

pali_status pali__tower_init(struct pali__tower *tower, const pali_model *model, int32_t threads, pali_error **error)
{
    const struct pali__vision_config *config = &model->settings->vision;
    struct part parts[N_PARTS];
    size_t offset = 0;

    *tower = (struct pali__tower){ .model = model, .config = config, .n = config->num_patches };
    TRY(pali__model_compute(&tower->compute, model, threads, error));
    tower->scratch_size = scratch_size(model, &tower->compute);
    size_t size = pali__vision_size(model, &tower->compute);
    tower->block = pali__aligned_malloc(size);
    if (!tower->block)
        return pali__no_memory(error, size);
    list_parts(parts, tower, config);
    for (size_t i = 0; i < N_PARTS; i++) {
        *parts[i].slot = (float *)(void *)((char *)tower->block + offset);
        offset += part_size(&parts[i]);
    }
    tower->scratch = (char *)tower->block + offset;
    return PALI_OK;
}

static pali_status linear(struct pali__tower *tower, float *y, const float *x, const struct pali__dense *dense,
                          enum pali__store store, pali_error **error)
{
    TRY(pali__observe(tower->observer, &dense->weight, x, tower->n, NULL, error));
    TRY(pali__linear(&tower->compute, y, x, tower->n, &dense->weight, dense->bias, store, tower->scratch, error));
    return pali__lora_add(&tower->lora, y, x, tower->n, &dense->weight, error);
}

static pali_status queries_keys_values(struct pali__tower *tower, const struct pali__vision_block *block,
                                       pali_error **error)
{
    struct pali__linear_part parts[] = { { tower->q, &block->q.weight, block->q.bias },
                                         { tower->k, &block->k.weight, block->k.bias },
                                         { tower->v, &block->v.weight, block->v.bias } };

    for (int i = 0; i < 3; i++)
        TRY(pali__observe(tower->observer, parts[i].w, tower->normed, tower->n, NULL, error));
    TRY(pali__linear_group(&tower->compute, parts, 3, tower->normed, tower->n, PALI__STORE, tower->scratch, error));
    for (int i = 0; i < 3; i++)
        TRY(pali__lora_add(&tower->lora, parts[i].y, tower->normed, tower->n, parts[i].w, error));
    return PALI_OK;
}

static void layer_norm(struct pali__tower *tower, float *y, const float *x, const struct pali__affine *norm)
{
    pali__layer_norm(&tower->compute, y, x, norm->weight, norm->bias, tower->n, tower->config->hidden_size,
                     (float)tower->config->layer_norm_eps);
}

/* Cuts a picture [channels, size, size] into rows (channel, row, column) as a convolution of stride `patch` reads it. */
static void cut_patches(struct pali__tower *tower, const float *pixels)
{
    int64_t size = tower->config->image_size, patch = tower->config->patch_size, grid = size / patch;
    float *out = tower->patches;

    for (int64_t i = 0; i < tower->n; i++) {
        int64_t top = i / grid * patch, left = i % grid * patch;
        for (int64_t channel = 0; channel < tower->config->num_channels; channel++)
            for (int64_t y = 0; y < patch; y++)
                for (int64_t x = 0; x < patch; x++)
                    *out++ = pixels[(channel * size + top + y) * size + left + x];
    }
}

pali_status pali__tower_enter(struct pali__tower *tower, const float *pixels, pali_error **error)
{
    const struct pali__vision *vision = &tower->model->network.vision;

    cut_patches(tower, pixels);
    TRY(linear(tower, tower->x, tower->patches, &vision->patch_embedding, PALI__STORE, error));
    pali__add(&tower->compute, tower->x, vision->position_embedding, tower->n * tower->config->hidden_size);
    return PALI_OK;
}

pali_status pali__tower_block_run(struct pali__tower *tower, int64_t layer, pali_error **error)
{
    const struct pali__vision_block *block = &tower->model->network.vision.blocks[layer];
    int64_t hidden = tower->config->hidden_size, heads = tower->config->num_attention_heads;
    int64_t head_dim = hidden / heads;

    layer_norm(tower, tower->normed, tower->x, &block->layer_norm1);
    TRY(queries_keys_values(tower, block, error));
    pali__attend(&tower->compute, &(struct pali__attention){
        .q = tower->q, .out = tower->mixed, .q_stride = hidden, .out_stride = hidden, .n_runs = 1,
        .runs = { { .k = tower->k, .v = tower->v, .dtype = PALI_FLOAT32, .count = tower->n, .head_stride = head_dim,
                    .slot_stride = hidden } },
        .n_queries = tower->n, .n_keys = tower->n, .n_heads = heads, .n_kv_heads = heads, .head_dim = head_dim,
        .scale = 1.0f / sqrtf((float)head_dim), .scratch = tower->scratch, .scratch_size = tower->scratch_size,
    });
    TRY(linear(tower, tower->x, tower->mixed, &block->out, PALI__ADD, error));

    layer_norm(tower, tower->normed, tower->x, &block->layer_norm2);
    TRY(linear(tower, tower->wide, tower->normed, &block->fc1, PALI__STORE, error));
    pali__gelu(&tower->compute, tower->wide, tower->n * tower->config->intermediate_size);
    return linear(tower, tower->x, tower->wide, &block->fc2, PALI__ADD, error);
}

pali_status pali__tower_leave(struct pali__tower *tower, float *features, pali_error **error)
{
    const struct pali__network *network = &tower->model->network;

    layer_norm(tower, tower->normed, tower->x, &network->vision.post_layernorm);
    return linear(tower, features, tower->normed, &network->projector, PALI__STORE, error);
}

void pali__tower_clear(struct pali__tower *tower)
{
    pali__lora_end(&tower->lora);
    pali__aligned_free(tower->block);
    *tower = (struct pali__tower){ 0 };
}

static void tap_state(const struct pali__tower *tower, float *const *states, int64_t index, int64_t image)
{
    int64_t size = tower->n * tower->config->hidden_size;

    if (states)
        memcpy(states[index] + image * size, tower->x, (size_t)size * sizeof(float));
}

pali_status pali__vision_features(const pali_model *model, float *features, const float *pixels, int64_t n_images,
                                  const struct pali__vision_run *run, pali_error **error)
{
    const struct pali__vision_config *config = &model->settings->vision;
    int64_t n_layers = config->num_hidden_layers, n_steps = n_layers * n_images;
    int64_t picture = config->num_channels * config->image_size * config->image_size;
    struct pali__tower tower;
    pali_status status = PALI_OK;

    TRY(pali__tower_init(&tower, model, run->threads, error));
    status = pali__lora_begin(&tower.lora, run->adapter, run->adapter_scale, model, &tower.compute, tower.n, error);
    for (int64_t i = 0; status == PALI_OK && i < n_images; i++) {
        status = pali__tower_enter(&tower, pixels + i * picture, error);
        for (int64_t layer = 0; status == PALI_OK && layer < n_layers; layer++) {
            tap_state(&tower, run->states, layer, i);
            status = pali__watch_step(run->watch, "image", i * n_layers + layer, n_steps, error);
            if (status == PALI_OK)
                status = pali__tower_block_run(&tower, layer, error);
        }
        if (status != PALI_OK)
            break;
        tap_state(&tower, run->states, n_layers, i);
        status = pali__tower_leave(&tower, features + i * tower.n * model->settings->text.hidden_size, error);
    }
    pali__tower_clear(&tower);
    return status;
}
