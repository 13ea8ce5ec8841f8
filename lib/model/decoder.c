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

#include <math.h>
#include <string.h>

static const struct pali__text_config *text_config(const struct pali__pass *pass)
{
    return &pass->model->settings->text;
}

static void rms_norm(struct pali__pass *pass, float *y, const float *x, const float *weight, int64_t n_rows)
{
    const struct pali__text_config *config = text_config(pass);

    pali__rms_norm(&pass->model->compute, y, x, weight, n_rows, config->hidden_size, (float)config->rms_norm_eps, config->norm_offset);
}

static pali_status linear(struct pali__pass *pass, float *y, const float *x, int64_t n_rows,
                          const struct pali__matrix *w, enum pali__store store, pali_error **error)
{
    TRY(pali__linear(&pass->model->compute, y, x, n_rows, w, NULL, store, pass->scratch, error));
    return pali__lora_add(&pass->lora, y, x, n_rows, w, error);
}

static void rope(struct pali__pass *pass, float *x, int64_t n_heads)
{
    pali__rope(&pass->model->compute, x, pass->positions, pass->n_rows, n_heads, text_config(pass)->head_dim,
               pass->model->network.decoder.rotary);
}

/* gate = act(gate) ⊙ up */
static void activate(struct pali__pass *pass, float *gate, const float *up, int64_t count)
{
    if (text_config(pass)->activation == PALI__SILU)
        pali__silu_mul(&pass->model->compute, gate, up, count);
    else
        pali__gelu_mul(&pass->model->compute, gate, up, count);
}

/* h += W·x, or h += norm(W·x) where the family norms a part's output (`norm` is not NULL); then `product`, of
 * [n_rows, hidden] and apart from x, holds W·x. */
static pali_status add_to_residual(struct pali__pass *pass, float *h, const float *x, int64_t n_rows,
                                   const struct pali__matrix *w, const float *norm, float *product, pali_error **error)
{
    if (!norm)
        return linear(pass, h, x, n_rows, w, PALI__ADD, error);
    TRY(linear(pass, product, x, n_rows, w, PALI__STORE, error));
    rms_norm(pass, product, product, norm, n_rows);
    pali__add(&pass->model->compute, h, product, n_rows * text_config(pass)->hidden_size);
    return PALI_OK;
}

/* What one sequence's attention reads: its row of the cache, or the pass's own keys and values. */
static struct pali__attention attention_of(const struct pali__pass *pass, const struct pali__sequence *sequence,
                                           int64_t layer)
{
    const struct pali__text_config *config = text_config(pass);
    int64_t q_width = config->num_attention_heads * config->head_dim;
    int64_t kv_width = config->num_key_value_heads * config->head_dim;
    struct pali__attention attention = {
        .q = pass->q + sequence->first * q_width, .out = pass->mixed + sequence->first * q_width,
        .q_stride = q_width, .out_stride = q_width,
        .n_queries = sequence->length, .n_heads = config->num_attention_heads,
        .n_kv_heads = config->num_key_value_heads, .head_dim = config->head_dim,
        .scale = (float)(1.0 / sqrt(config->query_pre_attn_scalar)), .soft_cap = (float)config->attn_logit_softcapping,
        .window = config->layer_slides[layer] ? config->sliding_window : 0,
    };

    if (pass->kv) {
        const struct pali__kv_row *row = &pass->kv->rows[sequence->cache_row];
        attention.k = pali__kv_keys(pass->kv, sequence->cache_row, layer);
        attention.v = pali__kv_values(pass->kv, sequence->cache_row, layer);
        attention.head_stride = row->capacity * config->head_dim;
        attention.slot_stride = config->head_dim;
        attention.q_start = row->length;
        attention.key_is_real = sequence->real ? sequence->real : row->real;
        attention.type = row->type;
    } else {
        attention.k = pass->k + sequence->first * kv_width;
        attention.v = pass->v + sequence->first * kv_width;
        attention.head_stride = config->head_dim;
        attention.slot_stride = kv_width;
        attention.key_is_real = pass->real + sequence->first;
        attention.type = pass->type + sequence->first;
    }
    attention.n_keys = attention.q_start + sequence->length;
    return attention;
}

/* The keys of later tokens are in the cache already; n_keys ends before them. */
static void attend_one_by_one(const struct pali__pass *pass, struct pali__attention attention)
{
    int64_t n = attention.n_queries;

    attention.n_queries = 1;
    attention.n_keys = attention.q_start + 1;
    for (int64_t i = 0; i < n; i++) {
        pali__attend(&pass->model->compute, &attention);
        attention.q += attention.q_stride;
        attention.out += attention.out_stride;
        attention.q_start++;
        attention.n_keys++;
    }
}

/* mixed = softmax(mask(cap(q·kᵀ))) · v of every sequence, over all it has seen so far. */
static void attend(struct pali__pass *pass, int64_t layer)
{
    const struct pali__text_config *config = text_config(pass);
    float *probabilities = pass->taps.attentions ? pass->taps.attentions[layer] : NULL;

    for (int64_t i = 0; i < pass->n_sequences; i++) {
        const struct pali__sequence *sequence = &pass->sequences[i];
        if (pass->kv)
            pali__kv_store(pass->kv, sequence->cache_row, layer, sequence->length,
                           pass->k + sequence->first * config->num_key_value_heads * config->head_dim,
                           pass->v + sequence->first * config->num_key_value_heads * config->head_dim);
        struct pali__attention attention = attention_of(pass, sequence, layer);
        if (sequence->one_by_one && !probabilities) {
            attend_one_by_one(pass, attention);
            continue;
        }
        attention.probabilities = probabilities;
        attention.seen_heads = pass->taps.heads;
        attention.n_seen_heads = pass->taps.n_heads;
        pali__attend(&pass->model->compute, &attention);
        if (probabilities)
            probabilities += pass->taps.n_heads * attention.n_queries * attention.n_keys;
    }
}

static pali_status attention_part(struct pali__pass *pass, const struct pali__decoder_block *block, int64_t layer,
                                  pali_error **error)
{
    int64_t n = pass->n_rows;

    rms_norm(pass, pass->x, pass->h, block->input_norm, n);
    TRY(linear(pass, pass->q, pass->x, n, &block->q, PALI__STORE, error));
    TRY(linear(pass, pass->k, pass->x, n, &block->k, PALI__STORE, error));
    TRY(linear(pass, pass->v, pass->x, n, &block->v, PALI__STORE, error));
    rope(pass, pass->q, text_config(pass)->num_attention_heads);
    rope(pass, pass->k, text_config(pass)->num_key_value_heads);
    attend(pass, layer);
    return add_to_residual(pass, pass->h, pass->mixed, n, &block->o, block->post_attention_norm, pass->x, error);
}

static pali_status mlp_part(struct pali__pass *pass, const struct pali__decoder_block *block, pali_error **error)
{
    const struct pali__text_config *config = text_config(pass);

    for (int64_t first = 0; first < pass->n_rows; first += pass->max_mlp_rows) {
        int64_t left = pass->n_rows - first, n = left < pass->max_mlp_rows ? left : pass->max_mlp_rows;
        float *h = pass->h + first * config->hidden_size, *y = pass->x + first * config->hidden_size;

        rms_norm(pass, y, h, block->mlp_norm, n);
        TRY(linear(pass, pass->gate, y, n, &block->gate, PALI__STORE, error));
        TRY(linear(pass, pass->up, y, n, &block->up, PALI__STORE, error));
        activate(pass, pass->gate, pass->up, n * config->intermediate_size);
        TRY(add_to_residual(pass, h, pass->gate, n, &block->down, block->post_mlp_norm, y, error));
    }
    return PALI_OK;
}

static void tap_hidden_state(struct pali__pass *pass, int64_t index, const float *state)
{
    if (pass->taps.hidden_states)
        memcpy(pass->taps.hidden_states[index], state,
               (size_t)(pass->n_rows * text_config(pass)->hidden_size) * sizeof(float));
}

pali_status pali__decoder_run(struct pali__pass *pass, pali_error **error)
{
    const struct pali__decoder *decoder = &pass->model->network.decoder;
    int64_t n_layers = text_config(pass)->num_hidden_layers;

    for (int64_t i = 0; pass->kv && i < pass->n_sequences; i++) {
        const struct pali__sequence *sequence = &pass->sequences[i];
        TRY(pali__kv_stage(pass->kv, sequence->cache_row, sequence->length, pass->real + sequence->first,
                           pass->type + sequence->first, error));
    }
    for (int64_t layer = 0; layer < n_layers; layer++) {
        TRY(pali__watch_step(pass->watch, "prefill", layer, n_layers, error));
        tap_hidden_state(pass, layer, pass->h);
        TRY(attention_part(pass, &decoder->blocks[layer], layer, error));
        TRY(mlp_part(pass, &decoder->blocks[layer], error));
    }
    rms_norm(pass, pass->x, pass->h, decoder->norm, pass->n_rows);
    tap_hidden_state(pass, n_layers, pass->x);
    for (int64_t i = 0; pass->kv && i < pass->n_sequences; i++)
        pali__kv_commit(pass->kv, pass->sequences[i].cache_row, pass->sequences[i].length);
    return PALI_OK;
}

pali_status pali__lm_head(struct pali__pass *pass, float *logits, const int64_t *rows, int64_t n_rows, float *gathered,
                          pali_error **error)
{
    const struct pali__text_config *config = text_config(pass);
    const struct pali__matrix *head = &pass->model->network.decoder.head;

    for (int64_t i = 0; i < n_rows; i++)
        memcpy(gathered + i * config->hidden_size, pass->x + rows[i] * config->hidden_size,
               (size_t)config->hidden_size * sizeof(float));
    TRY(linear(pass, logits, gathered, n_rows, head, PALI__STORE, error));
    if (config->final_logit_softcapping > 0.0)
        pali__soft_cap(&pass->model->compute, logits, n_rows * config->vocab_size,
                       (float)config->final_logit_softcapping);
    return PALI_OK;
}

/* From values that stand without gaps at the front of `logits` to each in its place, the last first so that none is
 * overwritten before it has moved, and -infinity between them. */
static void spread(float *logits, int64_t vocab_size, const struct pali__span *spans, int64_t n_spans, int64_t count)
{
    int64_t end = vocab_size;

    for (int64_t i = n_spans - 1; i >= 0; i--) {
        count -= spans[i].count;
        memmove(logits + spans[i].first, logits + count, (size_t)spans[i].count * sizeof *logits);
        for (int64_t j = spans[i].first + spans[i].count; j < end; j++)
            logits[j] = -INFINITY;
        end = spans[i].first;
    }
    for (int64_t j = 0; j < end; j++)
        logits[j] = -INFINITY;
}

void pali__lm_head_spans(struct pali__pass *pass, float *logits, int64_t row, const struct pali__span *spans,
                         int64_t n_spans)
{
    const struct pali__text_config *config = text_config(pass);
    int64_t count = 0;

    for (int64_t i = 0; i < n_spans; i++)
        count += spans[i].count;
    pali__linear_spans(&pass->model->compute, logits, pass->x + row * config->hidden_size,
                       &pass->model->network.decoder.head, spans, n_spans);
    pali__lora_add_spans(&pass->lora, logits, pass->x + row * config->hidden_size,
                         &pass->model->network.decoder.head, spans, n_spans);
    if (config->final_logit_softcapping > 0.0)
        pali__soft_cap(&pass->model->compute, logits, count, (float)config->final_logit_softcapping);
    spread(logits, config->vocab_size, spans, n_spans, count);
}
