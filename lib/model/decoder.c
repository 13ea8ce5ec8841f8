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

/* The new tokens of a sequence from the first real one to the last; all of them if none is real. */
static void real_tokens(const struct pali__pass *pass, const struct pali__sequence *sequence, int64_t *first,
                        int64_t *end)
{
    const uint8_t *real = pass->real + sequence->first;

    *first = 0;
    *end = sequence->length;
    while (*first < *end && !real[*first])
        ++*first;
    while (*end > *first && !real[*end - 1])
        --*end;
    if (*first == *end) {
        *first = 0;
        *end = sequence->length;
    }
}

static bool goes_by_row(const struct pali__pass *pass, const struct pali__sequence *sequence)
{
    int64_t first, end;

    real_tokens(pass, sequence, &first, &end);
    return end - first <= pali__few_rows(&pass->model->compute, pass->model->network.decoder.head.dtype);
}

/* A matrix product for rows first…first+n_rows-1 of the pass, which stand at the front of x and y: sequences that go
 * by row and others apart, neighbours of one kind together. */
static pali_status multiply_from(struct pali__pass *pass, float *y, const float *x, int64_t first, int64_t n_rows,
                                 const struct pali__matrix *w, enum pali__store store, pali_error **error)
{
    const struct pali__compute *compute = &pass->model->compute;
    int64_t end = first;

    if (compute->dtype != PALI_FLOAT32)
        return pali__linear(compute, y, x, n_rows, w, NULL, store, pass->scratch, error);
    for (int64_t i = 0; i < pass->n_sequences && end < first + n_rows; i++) {
        const struct pali__sequence *sequence = &pass->sequences[i];
        bool by_row = goes_by_row(pass, sequence);
        if (sequence->first + sequence->length <= end)
            continue;
        while (i + 1 < pass->n_sequences && goes_by_row(pass, &pass->sequences[i + 1]) == by_row)
            sequence = &pass->sequences[++i];
        int64_t begin = end, left = first + n_rows - begin, n = sequence->first + sequence->length - begin;
        float *out = y + (begin - first) * w->n_out;
        const float *in = x + (begin - first) * w->n_in;
        end += n < left ? n : left;
        if (by_row)
            pali__linear_by_row(compute, out, in, end - begin, w, NULL, store);
        else
            TRY(pali__linear_in_blocks(compute, out, in, end - begin, w, NULL, store, pass->scratch, error));
    }
    return PALI_OK;
}

/* The same, and what the adapter adds. */
static pali_status linear_from(struct pali__pass *pass, float *y, const float *x, int64_t first, int64_t n_rows,
                               const struct pali__matrix *w, enum pali__store store, pali_error **error)
{
    TRY(multiply_from(pass, y, x, first, n_rows, w, store, error));
    return pali__lora_add(&pass->lora, y, x, n_rows, w, error);
}

static pali_status linear(struct pali__pass *pass, float *y, const float *x, int64_t n_rows,
                          const struct pali__matrix *w, enum pali__store store, pali_error **error)
{
    return linear_from(pass, y, x, 0, n_rows, w, store, error);
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
 * [n_rows, hidden] and apart from x, holds W·x. The rows are those of the pass from `first` on. */
static pali_status add_to_residual(struct pali__pass *pass, float *h, const float *x, int64_t first, int64_t n_rows,
                                   const struct pali__matrix *w, const float *norm, float *product, pali_error **error)
{
    if (!norm)
        return linear_from(pass, h, x, first, n_rows, w, PALI__ADD, error);
    TRY(linear_from(pass, product, x, first, n_rows, w, PALI__STORE, error));
    rms_norm(pass, product, product, norm, n_rows);
    pali__add(&pass->model->compute, h, product, n_rows * text_config(pass)->hidden_size);
    return PALI_OK;
}

/* The keys and values that a sequence sees: those in its row of the cache, then the pass's own. */
static void find_keys(const struct pali__pass *pass, const struct pali__sequence *sequence, int64_t layer,
                      struct pali__attention *attention)
{
    int64_t head_dim = text_config(pass)->head_dim, kv_width = text_config(pass)->num_key_value_heads * head_dim;
    struct pali__kv_run past[2];
    int n = pass->kv ? pali__kv_runs(pass->kv, sequence->cache_row, layer, past) : 0;

    for (int i = 0; i < n; i++)
        attention->runs[i] = (struct pali__key_run){
            .k = past[i].keys, .v = past[i].values, .dtype = past[i].dtype, .first = past[i].first,
            .count = past[i].count, .head_stride = past[i].head_stride, .slot_stride = head_dim,
        };
    attention->runs[n] = (struct pali__key_run){
        .k = pass->k + sequence->first * kv_width, .v = pass->v + sequence->first * kv_width, .dtype = PALI_FLOAT32,
        .first = attention->q_start, .count = sequence->length, .head_stride = head_dim, .slot_stride = kv_width,
    };
    attention->n_runs = n + 1;
}

/* One sequence's attention, over all that it has seen so far. */
static struct pali__attention attention_of(const struct pali__pass *pass, const struct pali__sequence *sequence,
                                           int64_t layer)
{
    const struct pali__text_config *config = text_config(pass);
    const struct pali__kv_row *row = pass->kv ? &pass->kv->rows[sequence->cache_row] : NULL;
    int64_t q_width = config->num_attention_heads * config->head_dim;
    struct pali__attention attention = {
        .q = pass->q + sequence->first * q_width, .out = pass->mixed + sequence->first * q_width,
        .q_stride = q_width, .out_stride = q_width, .q_start = row ? row->length : 0,
        .n_queries = sequence->length, .n_heads = config->num_attention_heads,
        .n_kv_heads = config->num_key_value_heads, .head_dim = config->head_dim,
        .scale = (float)(1.0 / sqrt(config->query_pre_attn_scalar)), .soft_cap = (float)config->attn_logit_softcapping,
        .key_is_real = row ? row->real : pass->real + sequence->first,
        .type = row ? row->type : pass->type + sequence->first,
        .window = config->layer_slides[layer] ? config->sliding_window : 0,
    };

    if (sequence->real)
        attention.key_is_real = sequence->real;
    attention.n_keys = attention.q_start + sequence->length;
    while (attention.first_key < attention.q_start && !attention.key_is_real[attention.first_key])
        attention.first_key++;
    find_keys(pass, sequence, layer, &attention);
    return attention;
}

/* The queries of tokens first…end-1 of a sequence over the keys before slot n_keys. */
static void attend_tokens(const struct pali__pass *pass, struct pali__attention attention, int64_t first, int64_t end,
                          int64_t n_keys)
{
    attention.q += first * attention.q_stride;
    attention.out += first * attention.out_stride;
    attention.q_start += first;
    attention.n_queries = end - first;
    attention.n_keys = n_keys;
    pali__attend(&pass->model->compute, &attention);
}

/* Padding at either end is left out of what the real tokens do, so that it leaves no trace in their last bits. */
static void attend_sequence(const struct pali__pass *pass, const struct pali__sequence *sequence,
                            struct pali__attention attention)
{
    int64_t first, end, past = attention.q_start, n = sequence->length;

    real_tokens(pass, sequence, &first, &end);
    while (attention.first_key < past + first && !attention.key_is_real[attention.first_key])
        attention.first_key++;
    attend_tokens(pass, attention, 0, first, past + n);
    attend_tokens(pass, attention, first, end, past + end);
    attend_tokens(pass, attention, end, n, past + n);
}

/* Each token as if it came in a pass of its own: n_keys ends before the later ones. */
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

/* A cache in bfloat16 rounds keys and values; the pass that makes them sees them as later passes will. */
static void round_keys(struct pali__pass *pass)
{
    const struct pali__text_config *config = text_config(pass);
    int64_t count = pass->n_rows * config->num_key_value_heads * config->head_dim;

    if (!pass->kv || pass->kv->layout.dtype != PALI_BFLOAT16)
        return;
    pali__round_to_bf16(&pass->model->compute, pass->k, count);
    pali__round_to_bf16(&pass->model->compute, pass->v, count);
}

/* mixed = softmax(mask(cap(q·kᵀ))) · v of every sequence, whose keys and values then go into the cache. */
static void attend(struct pali__pass *pass, int64_t layer)
{
    int64_t kv_width = text_config(pass)->num_key_value_heads * text_config(pass)->head_dim;
    float *probabilities = pass->taps.attentions ? pass->taps.attentions[layer] : NULL;

    round_keys(pass);
    for (int64_t i = 0; i < pass->n_sequences; i++) {
        const struct pali__sequence *sequence = &pass->sequences[i];
        struct pali__attention attention = attention_of(pass, sequence, layer);
        if (probabilities) {
            attention.probabilities = probabilities;
            attention.seen_heads = pass->taps.heads;
            attention.n_seen_heads = pass->taps.n_heads;
            pali__attention_probabilities(&pass->model->compute, &attention);
            attention.probabilities = NULL;
            probabilities += pass->taps.n_heads * attention.n_queries * attention.n_keys;
        }
        if (sequence->one_by_one)
            attend_one_by_one(pass, attention);
        else
            attend_sequence(pass, sequence, attention);
        if (pass->kv)
            pali__kv_store(pass->kv, sequence->cache_row, layer, sequence->length, pass->k + sequence->first * kv_width,
                           pass->v + sequence->first * kv_width);
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
    return add_to_residual(pass, pass->h, pass->mixed, 0, n, &block->o, block->post_attention_norm, pass->x, error);
}

static pali_status mlp_part(struct pali__pass *pass, const struct pali__decoder_block *block, pali_error **error)
{
    const struct pali__text_config *config = text_config(pass);

    for (int64_t first = 0; first < pass->n_rows; first += pass->max_mlp_rows) {
        int64_t left = pass->n_rows - first, n = left < pass->max_mlp_rows ? left : pass->max_mlp_rows;
        float *h = pass->h + first * config->hidden_size, *y = pass->x + first * config->hidden_size;

        rms_norm(pass, y, h, block->mlp_norm, n);
        TRY(linear_from(pass, pass->gate, y, first, n, &block->gate, PALI__STORE, error));
        TRY(linear_from(pass, pass->up, y, first, n, &block->up, PALI__STORE, error));
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

pali_status pali__decoder_run(struct pali__pass *pass, pali_error **error)
{
    const struct pali__decoder *decoder = &pass->model->network.decoder;
    int64_t n_layers = text_config(pass)->num_hidden_layers;

    for (int64_t i = 0; pass->kv && i < pass->n_sequences; i++) {
        const struct pali__sequence *sequence = &pass->sequences[i];
        TRY(pali__kv_stage(pass->kv, sequence->cache_row, sequence->length, pass->real + sequence->first,
                           pass->type + sequence->first, pass->positions + sequence->first, error));
    }
    for (int64_t layer = 0; layer < n_layers; layer++) {
        TRY(pali__watch_step(pass->watch, "prefill", layer, n_layers, error));
        tap_hidden_state(pass, layer, pass->h);
        TRY(attention_part(pass, &decoder->blocks[layer], layer, error));
        TRY(mlp_part(pass, &decoder->blocks[layer], error));
    }
    rms_norm(pass, pass->x, pass->h, decoder->norm, pass->n_rows);
    tap_hidden_state(pass, n_layers, pass->x);
    if (!pass->commits_later)
        pali__pass_commit(pass);
    return PALI_OK;
}

/* The head takes few rows one by one whatever they are, and many so only if all belong to sequences that go by row. */
static bool head_by_row(const struct pali__pass *pass, const int64_t *rows, int64_t n_rows)
{
    bool by_row = pass->model->compute.dtype == PALI_FLOAT32;

    for (int64_t i = 0; i < n_rows && by_row; i++) {
        const struct pali__sequence *sequence = pass->sequences;
        while (rows[i] >= sequence->first + sequence->length)
            sequence++;
        by_row = goes_by_row(pass, sequence);
    }
    return by_row || n_rows <= pali__few_rows(&pass->model->compute, pass->model->network.decoder.head.dtype);
}

pali_status pali__lm_head(struct pali__pass *pass, float *logits, const int64_t *rows, int64_t n_rows, float *gathered,
                          pali_error **error)
{
    const struct pali__text_config *config = text_config(pass);
    const struct pali__compute *compute = &pass->model->compute;
    const struct pali__matrix *head = &pass->model->network.decoder.head;

    for (int64_t i = 0; i < n_rows; i++)
        memcpy(gathered + i * config->hidden_size, pass->x + rows[i] * config->hidden_size,
               (size_t)config->hidden_size * sizeof(float));
    if (head_by_row(pass, rows, n_rows))
        pali__linear_by_row(compute, logits, gathered, n_rows, head, NULL, PALI__STORE);
    else
        TRY(pali__linear(compute, logits, gathered, n_rows, head, NULL, PALI__STORE, pass->scratch, error));
    TRY(pali__lora_add(&pass->lora, logits, gathered, n_rows, head, error));
    if (config->final_logit_softcapping > 0.0)
        pali__soft_cap(compute, logits, n_rows * config->vocab_size, (float)config->final_logit_softcapping);
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
