/* SPDX-License-Identifier: BSD-2-Clause */
/* Every tensor of a PaliGemma checkpoint: its canonical name, its shape, its place in the network (PARITY §1.5). */
#include "model/network.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/tensors.h"
#include "core/memory.h"

struct visit {
    pali__tensor_visitor visitor;
    void *user;
    pali_error **error;
    char prefix[96]; /* of the names that follow */
};

static pali_status visit_tensor(struct visit *visit, const char *name, struct pali__slot slot, int32_t rank,
                                const int64_t *shape)
{
    char full_name[192];
    struct pali__tensor_spec spec = { .name = full_name, .rank = rank, .slot = slot };

    snprintf(full_name, sizeof full_name, "%s%s", visit->prefix, name);
    memcpy(spec.shape, shape, (size_t)rank * sizeof *shape);
    return visit->visitor(visit->user, &spec, visit->error);
}

static pali_status vector(struct visit *visit, const char *name, float **slot, int64_t n)
{
    return visit_tensor(visit, name, (struct pali__slot){ .vector = slot }, 1, &n);
}

static pali_status matrix(struct visit *visit, const char *name, struct pali__matrix *slot, int64_t n_out, int64_t n_in)
{
    return visit_tensor(visit, name, (struct pali__slot){ .matrix = slot }, 2, (int64_t[]){ n_out, n_in });
}

/* "NAME.weight" and "NAME.bias". */
static pali_status dense(struct visit *visit, const char *name, struct pali__dense *slot, int64_t n_out, int64_t n_in)
{
    char part[64];

    snprintf(part, sizeof part, "%s.weight", name);
    TRY(matrix(visit, part, &slot->weight, n_out, n_in));
    snprintf(part, sizeof part, "%s.bias", name);
    return vector(visit, part, &slot->bias, n_out);
}

static pali_status affine(struct visit *visit, const char *name, struct pali__affine *slot, int64_t n)
{
    char part[64];

    snprintf(part, sizeof part, "%s.weight", name);
    TRY(vector(visit, part, &slot->weight, n));
    snprintf(part, sizeof part, "%s.bias", name);
    return vector(visit, part, &slot->bias, n);
}

static pali_status vision_block(struct visit *visit, struct pali__vision_block *block,
                                const struct pali__vision_config *config)
{
    int64_t hidden = config->hidden_size;

    TRY(affine(visit, "layer_norm1", &block->layer_norm1, hidden));
    TRY(dense(visit, "self_attn.q_proj", &block->q, hidden, hidden));
    TRY(dense(visit, "self_attn.k_proj", &block->k, hidden, hidden));
    TRY(dense(visit, "self_attn.v_proj", &block->v, hidden, hidden));
    TRY(dense(visit, "self_attn.out_proj", &block->out, hidden, hidden));
    TRY(affine(visit, "layer_norm2", &block->layer_norm2, hidden));
    TRY(dense(visit, "mlp.fc1", &block->fc1, config->intermediate_size, hidden));
    return dense(visit, "mlp.fc2", &block->fc2, hidden, config->intermediate_size);
}

static pali_status vision(struct visit *visit, struct pali__vision *tower, const struct pali__vision_config *config)
{
    struct pali__slot patch = { .matrix = &tower->patch_embedding.weight };
    struct pali__slot position = { .vector = &tower->position_embedding };
    const int64_t patch_shape[] = { config->hidden_size, config->num_channels, config->patch_size, config->patch_size };

    strcpy(visit->prefix, "vision_tower.");
    TRY(visit_tensor(visit, "embeddings.patch_embedding.weight", patch, 4, patch_shape));
    TRY(vector(visit, "embeddings.patch_embedding.bias", &tower->patch_embedding.bias, config->hidden_size));
    TRY(visit_tensor(visit, "embeddings.position_embedding.weight", position, 2,
                     (int64_t[]){ config->num_patches, config->hidden_size }));
    TRY(affine(visit, "post_layernorm", &tower->post_layernorm, config->hidden_size));
    for (int64_t i = 0; i < config->num_hidden_layers; i++) {
        snprintf(visit->prefix, sizeof visit->prefix, "vision_tower.encoder.layers.%d.", (int)i);
        TRY(vision_block(visit, &tower->blocks[i], config));
    }
    return PALI_OK;
}

/* All but Gemma 2 call the norm before the MLP post_attention_layernorm; there it is a norm behind the attention
 * (PARITY §1.5, "name trap"). */
static pali_status decoder_norms(struct visit *visit, struct pali__decoder_block *block,
                                 const struct pali__text_config *config)
{
    int64_t hidden = config->hidden_size;

    TRY(vector(visit, "input_layernorm.weight", &block->input_norm, hidden));
    if (!config->norms_outputs)
        return vector(visit, "post_attention_layernorm.weight", &block->mlp_norm, hidden);
    TRY(vector(visit, "post_attention_layernorm.weight", &block->post_attention_norm, hidden));
    TRY(vector(visit, "pre_feedforward_layernorm.weight", &block->mlp_norm, hidden));
    return vector(visit, "post_feedforward_layernorm.weight", &block->post_mlp_norm, hidden);
}

static pali_status decoder_block(struct visit *visit, struct pali__decoder_block *block,
                                 const struct pali__text_config *config)
{
    int64_t hidden = config->hidden_size, mlp = config->intermediate_size;
    int64_t q_width = config->num_attention_heads * config->head_dim;
    int64_t kv_width = config->num_key_value_heads * config->head_dim;

    TRY(decoder_norms(visit, block, config));
    TRY(matrix(visit, "self_attn.q_proj.weight", &block->q, q_width, hidden));
    TRY(matrix(visit, "self_attn.k_proj.weight", &block->k, kv_width, hidden));
    TRY(matrix(visit, "self_attn.v_proj.weight", &block->v, kv_width, hidden));
    TRY(matrix(visit, "self_attn.o_proj.weight", &block->o, hidden, q_width));
    TRY(matrix(visit, "mlp.gate_proj.weight", &block->gate, mlp, hidden));
    TRY(matrix(visit, "mlp.up_proj.weight", &block->up, mlp, hidden));
    return matrix(visit, "mlp.down_proj.weight", &block->down, hidden, mlp);
}

static pali_status decoder(struct visit *visit, struct pali__decoder *text, const struct pali__text_config *config)
{
    strcpy(visit->prefix, "");
    TRY(matrix(visit, PALI__EMBEDDING_NAME, &text->embedding, config->vocab_size, config->hidden_size));
    TRY(matrix(visit, PALI__HEAD_NAME, &text->head, config->vocab_size, config->hidden_size));
    TRY(vector(visit, "language_model.norm.weight", &text->norm, config->hidden_size));
    for (int64_t i = 0; i < config->num_hidden_layers; i++) {
        snprintf(visit->prefix, sizeof visit->prefix, "language_model.layers.%d.", (int)i);
        TRY(decoder_block(visit, &text->blocks[i], config));
    }
    return PALI_OK;
}

pali_status pali__network_visit(struct pali__network *network, const struct pali__settings *settings,
                                pali__tensor_visitor visitor, void *user, pali_error **error)
{
    struct visit visit = { .visitor = visitor, .user = user, .error = error };

    TRY(vision(&visit, &network->vision, &settings->vision));
    strcpy(visit.prefix, "multi_modal_projector.");
    TRY(dense(&visit, "linear", &network->projector, settings->text.hidden_size, settings->vision.hidden_size));
    TRY(decoder(&visit, &network->decoder, &settings->text));
    strcpy(visit.prefix, "");
    if (!network->embedding_dim)
        return PALI_OK;
    return dense(&visit, "embedding_proj_layer", &network->embedding_projection, network->embedding_dim,
                 settings->text.hidden_size);
}

pali_status pali__network_init(struct pali__network *network, const struct pali__settings *settings,
                               const pali_checkpoint *checkpoint, pali_error **error)
{
    const pali_tensor *projection = pali__checkpoint_find(checkpoint, "embedding_proj_layer.weight");
    size_t n_vision = (size_t)settings->vision.num_hidden_layers, n_text = (size_t)settings->text.num_hidden_layers;

    *network = (struct pali__network){ 0 };
    network->vision.blocks = pali__calloc(n_vision, sizeof *network->vision.blocks);
    network->decoder.blocks = pali__calloc(n_text, sizeof *network->decoder.blocks);
    network->embedding_dim = settings->embedding_dim;
    if (!network->embedding_dim && projection && projection->rank == 2)
        network->embedding_dim = projection->shape[0]; /* saved by colpali-engine, whose config.json does not say so */
    if (network->vision.blocks && network->decoder.blocks)
        return PALI_OK;
    pali__network_clear(network);
    return pali__no_memory(error, n_text * sizeof *network->decoder.blocks);
}

void pali__network_clear(struct pali__network *network)
{
    pali__free(network->vision.blocks);
    pali__free(network->decoder.blocks);
    *network = (struct pali__network){ 0 };
}

bool pali__tensor_is_ignorable(const char *canonical_name)
{
    const char *end = strrchr(canonical_name, '.');

    return end && (!strcmp(end, ".position_ids") || !strcmp(end, ".inv_freq"));
}
