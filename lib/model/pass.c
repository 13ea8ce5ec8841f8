/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/pass.h"

#include <string.h>

#include "core/memory.h"

/* The MLP is wide (8 times the hidden size in Gemma 1), so it runs over about this many rows at a time, in equal parts:
 * enough to keep the matrix product at its peak, and a long prompt does not need gigabytes. */
#define MLP_ROWS 1024

static int64_t mlp_rows_for(int64_t max_rows)
{
    int64_t n_parts = (max_rows + MLP_ROWS / 2) / MLP_ROWS;
    return n_parts > 1 ? (max_rows + n_parts - 1) / n_parts : max_rows;
}

static size_t aligned(int64_t count, size_t size)
{
    return ((size_t)count * size + 63) / 64 * 64;
}

static size_t scratch_size(const pali_model *model, const struct pali__compute *compute, int64_t max_rows)
{
    const struct pali__decoder *decoder = &model->network.decoder;
    const struct pali__text_config *config = &model->settings->text;
    size_t size = pali__linear_scratch(compute, max_rows, &decoder->head);
    size_t attending = pali__attend_scratch(compute, max_rows, config->num_key_value_heads, config->head_dim);

    size = attending > size ? attending : size;
    for (int64_t i = 0; i < model->settings->text.num_hidden_layers; i++) {
        const struct pali__decoder_block *block = &decoder->blocks[i];
        const struct pali__matrix *all[] = { &block->q,    &block->k,  &block->v,   &block->o,
                                             &block->gate, &block->up, &block->down };
        for (size_t j = 0; j < sizeof all / sizeof *all; j++) {
            size_t needed = pali__linear_scratch(compute, max_rows, all[j]);
            size = needed > size ? needed : size;
        }
    }
    return size;
}

/* A part of the arena: where it goes, and how large it is. */
struct part {
    void *slot;
    int64_t count;
    size_t size;
};

enum { N_PARTS = 11 };

static void list_parts(struct part parts[N_PARTS], struct pali__pass *pass, const struct pali__text_config *config,
                       int64_t max_rows)
{
    int64_t q_width = config->num_attention_heads * config->head_dim;
    int64_t kv_width = config->num_key_value_heads * config->head_dim;
    int64_t mlp_rows = mlp_rows_for(max_rows);
    const struct part all[N_PARTS] = {
        { &pass->h, max_rows * config->hidden_size, sizeof(float) },
        { &pass->x, max_rows * config->hidden_size, sizeof(float) },
        { &pass->q, max_rows * q_width, sizeof(float) },
        { &pass->k, max_rows * kv_width, sizeof(float) },
        { &pass->v, max_rows * kv_width, sizeof(float) },
        { &pass->mixed, max_rows * q_width, sizeof(float) },
        { &pass->gate, mlp_rows * config->intermediate_size, sizeof(float) },
        { &pass->up, mlp_rows * config->intermediate_size, sizeof(float) },
        { &pass->positions, max_rows, sizeof(int64_t) },
        { &pass->real, max_rows, 1 },
        { &pass->type, max_rows, 1 },
    };

    memcpy(parts, all, sizeof all);
}

size_t pali__pass_size(const pali_model *model, const struct pali__compute *compute, int64_t max_rows)
{
    struct pali__pass pass;
    struct part parts[N_PARTS];
    size_t size = scratch_size(model, compute, max_rows);

    list_parts(parts, &pass, &model->settings->text, max_rows);
    for (size_t i = 0; i < N_PARTS; i++)
        size += aligned(parts[i].count, parts[i].size);
    return size;
}

pali_status pali__pass_init(struct pali__pass *pass, const pali_model *model, int32_t threads, struct pali__kv *kv,
                            int64_t max_rows, pali_error **error)
{
    struct pali__compute compute;
    struct part parts[N_PARTS];
    int64_t mlp_rows = mlp_rows_for(max_rows);
    char *next;

    TRY(pali__model_compute(&compute, model, threads, error));
    size_t size = pali__pass_size(model, &compute, max_rows);
    *pass = (struct pali__pass){
        .model = model, .compute = compute, .kv = kv, .max_rows = max_rows, .max_mlp_rows = mlp_rows,
        .scratch_size = scratch_size(model, &compute, max_rows) };
    list_parts(parts, pass, &model->settings->text, max_rows);
    pass->block = next = pali__aligned_malloc(size);
    if (!next)
        return pali__no_memory(error, size);
    for (size_t i = 0; i < N_PARTS; i++) {
        *(void **)parts[i].slot = next;
        next += aligned(parts[i].count, parts[i].size);
    }
    pass->scratch = next;
    return PALI_OK;
}

void pali__pass_clear(struct pali__pass *pass)
{
    pali__lora_end(&pass->lora);
    pali__aligned_free(pass->block);
    *pass = (struct pali__pass){ 0 };
}

void pali__real_tokens(const struct pali__pass *pass, const struct pali__sequence *sequence, int64_t *first,
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
