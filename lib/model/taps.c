/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/taps.h"

#include <stdio.h>

#include "core/memory.h"

static pali_status add(struct pali__tensor_set *outputs, const char *name, int64_t number, int32_t rank,
                       const int64_t *shape, float **data, pali_error **error)
{
    pali_tensor *tensor;
    char full[48];

    snprintf(full, sizeof full, "%s.%lld", name, (long long)number);
    TRY(pali__tensor_set_add(outputs, full, PALI_FLOAT32, rank, shape, &tensor, error));
    *data = tensor->data;
    return PALI_OK;
}

/* "NAME.N", N = 0…n_layers. */
static pali_status add_states(float ***states, struct pali__tensor_set *outputs, const char *name, int64_t n_layers,
                              const int64_t shape[3], pali_error **error)
{
    *states = pali__calloc((size_t)n_layers + 1, sizeof **states);
    if (!*states)
        return pali__no_memory(error, ((size_t)n_layers + 1) * sizeof **states);
    for (int64_t i = 0; i <= n_layers; i++)
        TRY(add(outputs, name, i, 3, shape, &(*states)[i], error));
    return PALI_OK;
}

/* Entry `i` of the option `name`, a number below `limit`, or counted from the end if negative. */
static pali_status chosen(int64_t *out, const char *name, const int64_t *list, size_t i, int64_t limit,
                          pali_error **error)
{
    *out = list[i] < 0 ? list[i] + limit : list[i];
    if (*out < 0 || *out >= limit)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "%s[%zu] is %lld, expected %lld…%lld", name, i,
                          (long long)list[i], (long long)-limit, (long long)(limit - 1));
    return PALI_OK;
}

static pali_status choose_heads(struct pali__taps *taps, const pali_forward_options *options, int64_t n_heads,
                                pali_error **error)
{
    size_t n = options->attention_heads ? options->n_attention_heads : (size_t)n_heads;

    if (n == 0 || n > (size_t)n_heads)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "attention_heads names %zu heads, expected 1…%lld", n,
                          (long long)n_heads);
    taps->heads = pali__malloc(n * sizeof *taps->heads);
    if (!taps->heads)
        return pali__no_memory(error, n * sizeof *taps->heads);
    taps->n_heads = (int64_t)n;
    for (size_t i = 0; i < n; i++) {
        taps->heads[i] = (int64_t)i;
        if (options->attention_heads)
            TRY(chosen(&taps->heads[i], "attention_heads", options->attention_heads, i, n_heads, error));
    }
    return PALI_OK;
}

static pali_status add_attentions(struct pali__taps *taps, struct pali__tensor_set *outputs,
                                  const pali_forward_options *options, int64_t n_layers, const int64_t shape[4],
                                  pali_error **error)
{
    size_t n = options->attention_layers ? options->n_attention_layers : (size_t)n_layers;

    if (n == 0 || n > (size_t)n_layers)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "attention_layers names %zu layers, expected 1…%lld", n,
                          (long long)n_layers);
    taps->attentions = pali__calloc((size_t)n_layers, sizeof *taps->attentions);
    if (!taps->attentions)
        return pali__no_memory(error, (size_t)n_layers * sizeof *taps->attentions);
    for (size_t i = 0; i < n; i++) {
        int64_t layer = (int64_t)i;
        if (options->attention_layers)
            TRY(chosen(&layer, "attention_layers", options->attention_layers, i, n_layers, error));
        if (!taps->attentions[layer]) /* a layer may be named twice */
            TRY(add(outputs, "attentions", layer, 4, shape, &taps->attentions[layer], error));
    }
    return PALI_OK;
}

pali_status pali__taps_open(struct pali__taps *taps, struct pali__tensor_set *outputs,
                            const struct pali__settings *settings, const pali_forward_options *options, int64_t batch,
                            int64_t length, int64_t n_keys, pali_error **error)
{
    const struct pali__text_config *text = &settings->text;
    int64_t states[] = { batch, length, text->hidden_size };

    if (options->output_hidden_states)
        TRY(add_states(&taps->hidden_states, outputs, "hidden_states", text->num_hidden_layers, states, error));
    if (!options->output_attentions)
        return PALI_OK;
    TRY(choose_heads(taps, options, text->num_attention_heads, error));
    int64_t scores[] = { batch, taps->n_heads, length, n_keys };
    return add_attentions(taps, outputs, options, text->num_hidden_layers, scores, error);
}

void pali__taps_close(struct pali__taps *taps)
{
    pali__free(taps->hidden_states);
    pali__free(taps->attentions);
    pali__free(taps->heads);
    *taps = (struct pali__taps){ 0 };
}

pali_status pali__vision_taps_open(float ***states, struct pali__tensor_set *outputs,
                                   const struct pali__vision_config *config, int64_t n_images, pali_error **error)
{
    int64_t shape[] = { n_images, config->num_patches, config->hidden_size };
    return add_states(states, outputs, "vision_hidden_states", config->num_hidden_layers, shape, error);
}
