/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gemma (arXiv 2403.08295; transformers/models/gemma/modeling_gemma.py), PARITY §8:
 *
 *   h += O · attend(norm(h))
 *   h += down(gelu_tanh(gate · y) ⊙ up · y),   y = norm(h)
 *
 * Gemma 2 (arXiv 2408.00118; modeling_gemma2.py), PARITY §9, norms what comes out of both parts too, caps the scores,
 * and lets every other layer see only a window:
 *
 *   h += norm(O · attend(norm(h)))
 *   h += norm(down(gelu_tanh(gate · y) ⊙ up · y)),   y = norm(h)
 *
 * norm(x) = x / sqrt(mean(x²) + eps) · (1 + weight): the stored weight is the distance from one.
 *
 * Llama (arXiv 2302.13971; modeling_llama.py) and Mistral (arXiv 2310.06825; modeling_mistral.py) are Gemma's block with
 * silu in place of gelu_tanh and norm(x) = x / sqrt(mean(x²) + eps) · weight; their text rows enter unscaled (merge.c),
 * and every layer of Mistral sees only a window. What differs stands in struct pali__text_config: the block itself asks
 * for no family.
 */
#include "model/pass.h"

#include <string.h>

static const struct pali__text_config *text_config(const struct pali__pass *pass)
{
    return &pass->model->settings->text;
}

static void rms_norm(struct pali__pass *pass, float *y, const float *x, const float *weight, int64_t n_rows)
{
    const struct pali__text_config *config = text_config(pass);

    pali__rms_norm(&pass->compute, y, x, weight, n_rows, config->hidden_size, (float)config->rms_norm_eps,
                   config->norm_offset);
}

static void rope(struct pali__pass *pass, float *x, int64_t n_heads)
{
    pali__rope(&pass->compute, x, pass->positions, pass->n_rows, n_heads, text_config(pass)->head_dim,
               pass->model->network.decoder.rotary);
}

/* gate = act(gate) ⊙ up */
static void activate(struct pali__pass *pass, float *gate, const float *up, int64_t count)
{
    if (text_config(pass)->activation == PALI__SILU)
        pali__silu_mul(&pass->compute, gate, up, count);
    else
        pali__gelu_mul(&pass->compute, gate, up, count);
}

/* h += W·x, or h += norm(W·x) where the family norms a part's output (`norm` is not NULL); then `product`, of
 * [n_rows, hidden] and apart from x, holds W·x. The rows are those of the pass from `first` on. */
static pali_status add_to_residual(struct pali__pass *pass, float *h, const float *x, int64_t first, int64_t n_rows,
                                   const struct pali__matrix *w, const float *norm, float *product, pali_error **error)
{
    if (!norm)
        return pali__pass_linear(pass, h, x, first, n_rows, w, PALI__ADD, error);
    TRY(pali__pass_linear(pass, product, x, first, n_rows, w, PALI__STORE, error));
    rms_norm(pass, product, product, norm, n_rows);
    pali__add(&pass->compute, h, product, n_rows * text_config(pass)->hidden_size);
    return PALI_OK;
}

static pali_status attention_part(struct pali__pass *pass, const struct pali__decoder_block *block, int64_t layer,
                                  pali_error **error)
{
    int64_t n = pass->n_rows;
    struct pali__linear_part qkv[] = { { .y = pass->q, .w = &block->q }, { .y = pass->k, .w = &block->k },
                                       { .y = pass->v, .w = &block->v } };

    rms_norm(pass, pass->x, pass->h, block->input_norm, n);
    TRY(pali__pass_linears(pass, qkv, 3, pass->x, 0, n, error));
    rope(pass, pass->q, text_config(pass)->num_attention_heads);
    rope(pass, pass->k, text_config(pass)->num_key_value_heads);
    pali__pass_attend(pass, layer);
    return add_to_residual(pass, pass->h, pass->mixed, 0, n, &block->o, block->post_attention_norm, pass->x, error);
}

static pali_status mlp_part(struct pali__pass *pass, const struct pali__decoder_block *block, pali_error **error)
{
    const struct pali__text_config *config = text_config(pass);
    struct pali__linear_part gate_up[] = { { .y = pass->gate, .w = &block->gate },
                                           { .y = pass->up, .w = &block->up } };

    for (int64_t first = 0; first < pass->n_rows; first += pass->max_mlp_rows) {
        int64_t left = pass->n_rows - first, n = left < pass->max_mlp_rows ? left : pass->max_mlp_rows;
        float *h = pass->h + first * config->hidden_size, *y = pass->x + first * config->hidden_size;

        rms_norm(pass, y, h, block->mlp_norm, n);
        TRY(pali__pass_linears(pass, gate_up, 2, y, first, n, error));
        activate(pass, pass->gate, pass->up, n * config->intermediate_size);
        TRY(add_to_residual(pass, h, pass->gate, first, n, &block->down, block->post_mlp_norm, y, error));
    }
    return PALI_OK;
}

static void tap_hidden_state(struct pali__pass *pass, int64_t index, const float *state)
{
    if (pass->taps.hidden_states)
        memcpy(pass->taps.hidden_states[index], state,
               (size_t)(pass->n_rows * text_config(pass)->hidden_size) * sizeof(float));
}

void pali__pass_commit(struct pali__pass *pass)
{
    for (int64_t i = 0; pass->kv && i < pass->n_sequences; i++)
        pali__kv_commit(pass->kv, pass->sequences[i].cache_row, pass->sequences[i].length);
}

pali_status pali__decoder_block_run(struct pali__pass *pass, int64_t layer, pali_error **error)
{
    const struct pali__decoder_block *block = &pass->model->network.decoder.blocks[layer];

    TRY(attention_part(pass, block, layer, error));
    return mlp_part(pass, block, error);
}

void pali__decoder_end(struct pali__pass *pass)
{
    rms_norm(pass, pass->x, pass->h, pass->model->network.decoder.norm, pass->n_rows);
}

pali_status pali__decoder_run(struct pali__pass *pass, pali_error **error)
{
    int64_t n_layers = text_config(pass)->num_hidden_layers;

    for (int64_t i = 0; pass->kv && i < pass->n_sequences; i++) {
        const struct pali__sequence *sequence = &pass->sequences[i];
        TRY(pali__kv_stage(pass->kv, sequence->cache_row, sequence->length, pass->real + sequence->first,
                           pass->type + sequence->first, pass->positions + sequence->first, error));
    }
    for (int64_t layer = 0; layer < n_layers; layer++) {
        TRY(pali__watch_step(pass->watch, "prefill", layer, n_layers, error));
        tap_hidden_state(pass, layer, pass->h);
        TRY(pali__decoder_block_run(pass, layer, error));
    }
    pali__decoder_end(pass);
    tap_hidden_state(pass, n_layers, pass->x);
    if (!pass->commits_later)
        pali__pass_commit(pass);
    return PALI_OK;
}
