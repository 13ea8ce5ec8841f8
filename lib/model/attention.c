/* SPDX-License-Identifier: BSD-2-Clause */
/* Attention of a pass: which keys each sequence sees, those in the cache and its own, and what is kept of them. */
#include "model/pass.h"

#include <math.h>

static const struct pali__text_config *text_config(const struct pali__pass *pass)
{
    return &pass->model->settings->text;
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
            .count = past[i].count, .head_stride = past[i].head_stride,
            .slot_stride = past[i].slot_stride,
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
        .scratch = pass->scratch, .scratch_size = pass->scratch_size,
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
    pali__attend(&pass->compute, &attention);
}

/* Padding at either end is left out of what the real tokens do, so that it leaves no trace in their last bits. */
static void attend_sequence(const struct pali__pass *pass, const struct pali__sequence *sequence,
                            struct pali__attention attention)
{
    int64_t first, end, past = attention.q_start, n = sequence->length;

    pali__real_tokens(pass, sequence, &first, &end);
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
        pali__attend(&pass->compute, &attention);
        attention.q += attention.q_stride;
        attention.out += attention.out_stride;
        attention.q_start++;
        attention.n_keys++;
    }
}

/* A cache in bfloat16 or int8 rounds keys and values; the pass that makes them sees them as later passes will. */
static void round_keys(struct pali__pass *pass)
{
    const struct pali__text_config *config = text_config(pass);
    int64_t n_vectors = pass->n_rows * config->num_key_value_heads, n = config->head_dim;
    float *const both[] = { pass->k, pass->v };

    for (int i = 0; pass->kv && i < 2; i++) {
        if (pass->kv->layout.dtype == PALI_BFLOAT16)
            pali__round_to_bf16(&pass->compute, both[i], n_vectors * n);
        else if (pass->kv->layout.dtype == PALI_INT8)
            pali__round_to_int8(&pass->compute, both[i], n_vectors, n);
    }
}

void pali__pass_attend(struct pali__pass *pass, int64_t layer)
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
            pali__attention_probabilities(&pass->compute, &attention);
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
