/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mask that a pass over given inputs has. tests/parity/test_mask.c holds it against the probabilities that the
 * attention kernels give out.
 */
#include "structured/mask.h"

#include <string.h>

#include "config/model_config.h"
#include "core/memory.h"
#include "core/options.h"

enum { MAX_LENGTH = 32768, MAX_TOKENS = 1 << 30 };

void pali_mask_options_init(pali_mask_options *options)
{
    *options = (pali_mask_options)PALI_MASK_OPTIONS_INIT;
}

/* What the rule looks at. */
struct kinds {
    uint8_t *real, *type; /* [batch, length] */
};

static pali_status take_shape(struct pali_mask *mask, const pali_inputs *inputs, pali_error **error)
{
    const pali_tensor *ids = pali_inputs_get(inputs, "input_ids");
    const pali_tensor *rows = ids ? ids : pali_inputs_get(inputs, "inputs_embeds");

    if (!rows || rows->rank < 2 || rows->shape[0] < 1 || rows->shape[1] < 1 ||
        (ids && (ids->dtype != PALI_INT64 || ids->rank != 2)))
        return pali__fail(error, PALI_ERROR_SHAPE,
                          "a mask needs input_ids, int64 [batch, length], or inputs_embeds, not empty");
    if (rows->shape[1] > MAX_LENGTH)
        return pali__fail(error, PALI_ERROR_LIMIT, "a mask of %lld tokens is too large, expected at most %d",
                          (long long)rows->shape[1], MAX_LENGTH);
    if (rows->shape[0] > MAX_TOKENS / rows->shape[1]) /* rows without elements may claim any shape */
        return pali__fail(error, PALI_ERROR_LIMIT, "a mask of %lld rows of %lld tokens is too large",
                          (long long)rows->shape[0], (long long)rows->shape[1]);
    mask->batch = rows->shape[0];
    mask->length = rows->shape[1];
    if (!ids)
        return PALI_OK;
    mask->ids = pali__malloc((size_t)pali_tensor_count(ids) * sizeof *mask->ids);
    if (!mask->ids)
        return pali__no_memory(error, (size_t)pali_tensor_count(ids) * sizeof *mask->ids);
    memcpy(mask->ids, ids->data, (size_t)pali_tensor_count(ids) * sizeof *mask->ids);
    return PALI_OK;
}

/* An int64 tensor of the mask's shape, or NULL if there is none. */
static pali_status take_tensor(const struct pali_mask *mask, const pali_inputs *inputs, const char *name,
                               const int64_t **out, pali_error **error)
{
    const pali_tensor *tensor = pali_inputs_get(inputs, name);

    *out = tensor ? tensor->data : NULL;
    if (tensor && (tensor->dtype != PALI_INT64 || tensor->rank != 2 || tensor->shape[0] != mask->batch ||
                   tensor->shape[1] != mask->length))
        return pali__fail(error, PALI_ERROR_SHAPE, "%s should be int64 [%lld, %lld]", name, (long long)mask->batch,
                          (long long)mask->length);
    return PALI_OK;
}

static pali_status take_kinds(struct kinds *kinds, const struct pali_mask *mask, const pali_inputs *inputs,
                              int64_t prefix, pali_error **error)
{
    int64_t n = mask->batch * mask->length;
    const int64_t *attention_mask, *types;

    TRY(take_tensor(mask, inputs, "attention_mask", &attention_mask, error));
    TRY(take_tensor(mask, inputs, "token_type_ids", &types, error));
    kinds->real = pali__malloc((size_t)n);
    kinds->type = pali__malloc((size_t)n);
    if (!kinds->real || !kinds->type)
        return pali__no_memory(error, (size_t)n);
    if (prefix < 0) /* all tokens of a first pass, none of those that follow it */
        prefix = mask->past > 0 ? mask->past : mask->length;
    for (int64_t i = 0; i < n; i++) {
        kinds->real[i] = !attention_mask || attention_mask[i] != 0;
        kinds->type[i] = types ? types[i] != 0 : i % mask->length >= prefix;
    }
    return PALI_OK;
}

/* The rule itself, as in kernels/ops.h. */
static bool visible(const uint8_t *real, const uint8_t *type, int64_t window, int64_t query, int64_t key)
{
    bool past = key <= query && (window == 0 || key > query - window);
    return real[key] && (past || (type[query] == 0 && type[key] == 0));
}

/* The mask of the layers with this window. */
static pali_status fill(uint8_t **data, pali_tensor *tensor, const struct pali_mask *mask, const struct kinds *kinds,
                        int64_t window, pali_error **error)
{
    const int64_t shape[3] = { mask->batch, mask->length - mask->past, mask->length };
    size_t size;

    if (!pali__size_product(&size, 3, shape))
        return pali__fail(error, PALI_ERROR_LIMIT, "a mask of %lld rows is too large", (long long)mask->batch);
    uint8_t *out = *data = pali__malloc(size);
    if (!out)
        return pali__no_memory(error, size);
    for (int64_t row = 0; row < mask->batch; row++)
        for (int64_t query = mask->past; query < mask->length; query++)
            for (int64_t key = 0; key < mask->length; key++)
                *out++ = visible(kinds->real + row * mask->length, kinds->type + row * mask->length, window, query, key);
    *tensor = pali_tensor_view(*data, PALI_UINT8, 3, shape);
    return PALI_OK;
}

static pali_status build(struct pali_mask *mask, const struct pali__settings *settings, const pali_inputs *inputs,
                         const pali_mask_options *options, struct kinds *kinds, pali_error **error)
{
    const struct pali__text_config *text = &settings->text;
    bool any_full = false, any_sliding = false;

    TRY(take_shape(mask, inputs, error));
    if (options->past_length < 0 || options->past_length >= mask->length)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "past_length is %lld, expected 0…%lld",
                          (long long)options->past_length, (long long)(mask->length - 1));
    mask->past = options->past_length;
    TRY(take_kinds(kinds, mask, inputs, options->prefix_length, error));

    mask->n_layers = text->num_hidden_layers;
    mask->window = text->sliding_window;
    mask->image_token = settings->image_token_id;
    mask->tokens_per_image = settings->vision.num_patches;
    mask->slides = pali__calloc((size_t)mask->n_layers, sizeof *mask->slides);
    if (!mask->slides)
        return pali__no_memory(error, (size_t)mask->n_layers * sizeof *mask->slides);
    for (int64_t i = 0; i < mask->n_layers; i++) {
        mask->slides[i] = text->layer_slides[i] && text->sliding_window > 0;
        any_sliding = any_sliding || mask->slides[i];
        any_full = any_full || !mask->slides[i];
    }
    if (any_full)
        TRY(fill(&mask->full_data, &mask->full, mask, kinds, 0, error));
    if (any_sliding)
        TRY(fill(&mask->sliding_data, &mask->sliding, mask, kinds, mask->window, error));
    mask->processor = pali__processor_retain(inputs->processor);
    return PALI_OK;
}

pali_status pali_mask_create(pali_mask **out, const pali_config *config, const pali_inputs *inputs,
                             const pali_mask_options *options, pali_error **error)
{
    pali_mask_options chosen = PALI_MASK_OPTIONS_INIT;
    struct kinds kinds = { 0 };

    if (out)
        *out = NULL;
    if (!out || !config || !inputs)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_mask_create: %s is NULL",
                          !out ? "out" : !config ? "config" : "inputs");
    TRY(pali__options_take(&chosen, sizeof chosen, options, "pali_mask_options", error));
    pali_mask *mask = pali__calloc(1, sizeof *mask);
    if (!mask)
        return pali__no_memory(error, sizeof *mask);
    pali_status status = build(mask, pali__config_settings(config), inputs, &chosen, &kinds, error);
    pali__free(kinds.real);
    pali__free(kinds.type);
    if (status != PALI_OK) {
        pali_mask_free(mask);
        return status;
    }
    *out = mask;
    return PALI_OK;
}

void pali_mask_free(pali_mask *mask)
{
    if (!mask)
        return;
    pali__free(mask->slides);
    pali__free(mask->full_data);
    pali__free(mask->sliding_data);
    pali__free(mask->ids);
    pali_processor_free(mask->processor);
    pali__free(mask);
}

const pali_tensor *pali_mask_layer(const pali_mask *mask, int64_t layer)
{
    if (!mask || layer < 0 || layer >= mask->n_layers)
        return NULL;
    return mask->slides[layer] ? &mask->sliding : &mask->full;
}

int64_t pali_mask_window(const pali_mask *mask, int64_t layer)
{
    return mask && layer >= 0 && layer < mask->n_layers && mask->slides[layer] ? mask->window : 0;
}

bool pali__mask_sees(const struct pali_mask *mask, bool sliding, int64_t row, int64_t query, int64_t key)
{
    const uint8_t *data = sliding ? mask->sliding_data : mask->full_data;
    return data[(row * (mask->length - mask->past) + query - mask->past) * mask->length + key] != 0;
}

bool pali__mask_is_image(const struct pali_mask *mask, int64_t row, int64_t position)
{
    return mask->ids && mask->ids[row * mask->length + position] == mask->image_token;
}
