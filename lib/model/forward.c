/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One forward pass on tensors: PaliGemmaForConditionalGeneration.forward
 * (transformers/models/paligemma/modeling_paligemma.py).
 *
 *   features = projector(tower(pixel_values))
 *   h        = embeddings(input_ids) · sqrt(hidden), image rows replaced by features
 *   x        = decoder(h), prefix seen both ways, suffix causal, padding unseen
 *   logits   = head(x of the positions that are asked for)
 */
#include <paligemma/model.h>

#include <string.h>

#include "core/memory.h"
#include "core/options.h"
#include "model/forward.h"
#include "model/loss.h"
#include "model/merge.h"
#include "model/model_cache.h"
#include "model/outputs.h"
#include "model/taps.h"

void pali_forward_options_init(pali_forward_options *options)
{
    *options = (pali_forward_options)PALI_FORWARD_OPTIONS_INIT;
}

/* ---- inputs ---- */

/* An int64 tensor [batch, length] of `inputs`, or NULL. The first one that is found sets batch and length. */
static pali_status take_ids(struct pali__forward *forward, const char *name, const int64_t **out, pali_error **error)
{
    const pali_tensor *tensor = pali_inputs_get(forward->inputs, name);

    if (!tensor)
        return PALI_OK;
    if (tensor->dtype != PALI_INT64 || tensor->rank != 2)
        return pali__fail(error, PALI_ERROR_SHAPE, "%s should be int64 of rank 2 and is %s of rank %d", name,
                          pali_dtype_name(tensor->dtype), (int)tensor->rank);
    if (forward->batch == 0) {
        forward->batch = tensor->shape[0];
        forward->length = tensor->shape[1];
    }
    if (tensor->shape[0] != forward->batch || tensor->shape[1] != forward->length)
        return pali__fail(error, PALI_ERROR_SHAPE, "%s should be [%lld, %lld] and is [%lld, %lld]", name,
                          (long long)forward->batch, (long long)forward->length, (long long)tensor->shape[0],
                          (long long)tensor->shape[1]);
    *out = tensor->data;
    return PALI_OK;
}

static pali_status take_embeds(struct pali__forward *forward, pali_error **error)
{
    const pali_tensor *tensor = pali_inputs_get(forward->inputs, "inputs_embeds");
    int64_t hidden = forward->settings->text.hidden_size;

    if (!tensor)
        return PALI_OK;
    if (tensor->dtype != PALI_FLOAT32 || tensor->rank != 3 || tensor->shape[2] != hidden ||
        (forward->batch != 0 && (tensor->shape[0] != forward->batch || tensor->shape[1] != forward->length)))
        return pali__fail(error, PALI_ERROR_SHAPE,
                          "inputs_embeds should be float32 [batch, length, %lld], as long as input_ids if both are given",
                          (long long)hidden);
    forward->batch = tensor->shape[0];
    forward->length = tensor->shape[1];
    forward->inputs_embeds = tensor->data;
    return PALI_OK;
}

/* Tokens before this pass's in a row. */
static int64_t past_length(const struct pali__forward *forward, int64_t row)
{
    if (!forward->options.cache)
        return 0;
    return forward->options.cache_position >= 0 ? forward->options.cache_position
                                                : forward->options.cache->kv.rows[row].length;
}

/* The mask may also cover what the cache holds already: [batch, past + length]. It then says for this pass, in place of
 * what the cache noted, which of those tokens are seen. */
static pali_status take_mask(struct pali__forward *forward, pali_error **error)
{
    const pali_tensor *tensor = pali_inputs_get(forward->inputs, "attention_mask");

    if (!tensor)
        return PALI_OK;
    if (tensor->dtype != PALI_INT64 || tensor->rank != 2 || tensor->shape[0] != forward->batch ||
        tensor->shape[1] < forward->length || (tensor->shape[1] > forward->length && !forward->options.cache))
        return pali__fail(error, PALI_ERROR_SHAPE, "attention_mask should be int64 [%lld, %lld]",
                          (long long)forward->batch, (long long)forward->length);
    for (int64_t row = 0; tensor->shape[1] > forward->length && row < forward->batch; row++)
        if (tensor->shape[1] != past_length(forward, row) + forward->length)
            return pali__fail(error, PALI_ERROR_SHAPE,
                              "attention_mask has %lld columns; row %lld has %lld tokens in the cache and %lld new ones",
                              (long long)tensor->shape[1], (long long)row, (long long)past_length(forward, row),
                              (long long)forward->length);
    forward->attention_mask = tensor->data;
    forward->mask_width = tensor->shape[1];
    if (forward->mask_width == forward->length)
        return PALI_OK;
    forward->real = pali__malloc((size_t)pali_tensor_count(tensor));
    if (!forward->real)
        return pali__no_memory(error, (size_t)pali_tensor_count(tensor));
    for (int64_t i = 0; i < pali_tensor_count(tensor); i++)
        forward->real[i] = forward->attention_mask[i] != 0;
    return PALI_OK;
}

static pali_status take_positions(struct pali__forward *forward, pali_error **error)
{
    const pali_tensor *tensor = pali_inputs_get(forward->inputs, "position_ids");

    if (!tensor)
        return PALI_OK;
    if (tensor->dtype != PALI_INT64 || tensor->rank != 2 || tensor->shape[1] != forward->length ||
        (tensor->shape[0] != forward->batch && tensor->shape[0] != 1))
        return pali__fail(error, PALI_ERROR_SHAPE, "position_ids should be int64 [%lld or 1, %lld]",
                          (long long)forward->batch, (long long)forward->length);
    forward->position_ids = tensor->data;
    forward->n_position_rows = tensor->shape[0];
    return PALI_OK;
}

/* Whether the cache fits, can be added to, and can forget what stands at cache_position and behind. */
static pali_status check_cache(const struct pali__forward *forward, pali_error **error)
{
    const pali_cache *cache = forward->options.cache;
    int64_t position = forward->options.cache_position;

    if (!cache && position > 0)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "cache_position is %lld and there is no cache",
                          (long long)position);
    if (!cache)
        return PALI_OK;
    if (cache->model != forward->model)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "the cache belongs to another model");
    if (cache->kv.n_rows != forward->batch)
        return pali__fail(error, PALI_ERROR_SHAPE, "the cache has %lld rows and the batch %lld",
                          (long long)cache->kv.n_rows, (long long)forward->batch);
    for (int64_t row = 0; row < cache->kv.n_rows; row++)
        if (position > cache->kv.rows[row].length)
            return pali__fail(error, PALI_ERROR_ARGUMENT, "cache_position is %lld and row %lld has %lld tokens",
                              (long long)position, (long long)row, (long long)cache->kv.rows[row].length);
    return position >= 0 ? pali__cache_check_truncate(cache, position, error)
                         : pali__cache_check_writable(cache, error);
}

static pali_status take_inputs(struct pali__forward *forward, pali_error **error)
{

    TRY(take_ids(forward, "input_ids", &forward->input_ids, error));
    TRY(take_embeds(forward, error));
    if (forward->batch < 1 || forward->length < 1)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "a forward pass needs input_ids or inputs_embeds, not empty");
    TRY(check_cache(forward, error));
    TRY(take_mask(forward, error));
    TRY(take_positions(forward, error));
    TRY(take_ids(forward, "token_type_ids", &forward->token_type_ids, error));
    TRY(take_ids(forward, "labels", &forward->labels, error));
    return PALI_OK;
}

static pali_status compute_features(struct pali__forward *forward, const pali_tensor *pixels, pali_error **error)
{
    struct pali__vision_run how = { .adapter = forward->options.adapter, .watch = &forward->watch,
                                    .adapter_scale = forward->options.adapter_scale,
                                    .threads = forward->options.threads };
    float **states = NULL;
    pali_status status = pali__check_pixel_values(forward->model, pixels, error);

    if (status == PALI_OK && forward->options.output_vision_hidden_states)
        status = pali__vision_taps_open(&states, &forward->outputs->tensors, &forward->settings->vision,
                                        pixels->shape[0], error);
    how.states = states;
    if (status == PALI_OK)
        status = pali__image_features_compute(&forward->own_features, forward->model, pixels, &how, error);
    pali__free(states);
    return status;
}

/* The feature rows for this pass: given, computed from pixel_values, or none. */
static pali_status take_features(struct pali__forward *forward, struct pali__feature_rows *rows, pali_error **error)
{
    const pali_image_features *features = forward->options.features;
    const pali_tensor *pixels = pali_inputs_get(forward->inputs, "pixel_values");

    if (!features && pixels) {
        TRY(compute_features(forward, pixels, error));
        features = forward->own_features;
    }
    forward->features = features;
    return pali__image_features_take(rows, NULL, forward->model, features, NULL, NULL, error);
}

/* ---- the pass ---- */

/* Position, kind and type of every token (PARITY §10). */
static void place_tokens(struct pali__forward *forward)
{
    struct pali__pass *pass = &forward->pass;
    int64_t length = forward->length;

    for (int64_t row = 0; row < forward->batch; row++) {
        int64_t past = past_length(forward, row), prefix = forward->options.prefix_length;
        if (prefix < 0)
            prefix = past == 0 ? length : 0;
        forward->sequences[row] =
            (struct pali__sequence){ .first = row * length, .length = length, .cache_row = row,
                                     .real = forward->real ? forward->real + row * forward->mask_width : NULL };
        for (int64_t i = 0; i < length; i++) {
            int64_t at = row * length + i;
            int64_t position_row = forward->n_position_rows == 1 ? 0 : row;
            int64_t mask_at = row * forward->mask_width + forward->mask_width - length + i;
            pass->positions[at] = forward->position_ids ? forward->position_ids[position_row * length + i]
                                                        : past + i + 1;
            pass->real[at] = !forward->attention_mask || forward->attention_mask[mask_at] != 0;
            pass->type[at] = forward->token_type_ids ? forward->token_type_ids[at] != 0 : i >= prefix;
        }
    }
}

static pali_status enter_rows(struct pali__forward *forward, struct pali__feature_rows *features, pali_error **error)
{
    int64_t n = forward->batch * forward->length;

    if (forward->inputs_embeds)
        return pali__merge_embeds(forward->model, forward->pass.h, forward->inputs_embeds, forward->input_ids, n,
                                  features, error);
    TRY(pali__merge_check(forward->model, forward->input_ids, n, features, error));
    pali__merge_ids(forward->model, forward->pass.h, forward->input_ids, n, features);
    return PALI_OK;
}

/* ---- outputs ---- */

static pali_status add_output(struct pali__forward *forward, const char *name, int32_t rank, const int64_t *shape,
                              float **data, pali_error **error)
{
    pali_tensor *tensor;

    TRY(pali__tensor_set_add(&forward->outputs->tensors, name, PALI_FLOAT32, rank, shape, &tensor, error));
    *data = tensor->data;
    return PALI_OK;
}

static pali_status add_taps(struct pali__forward *forward, pali_error **error)
{
    int64_t past = past_length(forward, 0);

    for (int64_t row = 1; forward->options.output_attentions && row < forward->batch; row++)
        if (past_length(forward, row) != past)
            return pali__fail(error, PALI_ERROR_SHAPE, "attentions need cache rows of one length");
    return pali__taps_open(&forward->pass.taps, &forward->outputs->tensors, forward->settings, &forward->options,
                           forward->batch, forward->length, past + forward->length, error);
}

/* Which positions of a row the logits are wanted for: `*count` of them, from `*first` on or as logits_index says. */
static pali_status kept_positions(const struct pali__forward *forward, int64_t *first, int64_t *count, pali_error **error)
{
    const pali_forward_options *options = &forward->options;

    if (options->logits_to_keep < 0)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "logits_to_keep is negative");
    *count = options->logits_to_keep == 0 || options->logits_to_keep > forward->length ? forward->length
                                                                                       : options->logits_to_keep;
    *first = forward->length - *count;
    if (!options->logits_index)
        return PALI_OK;
    *count = (int64_t)options->n_logits_index;
    for (int64_t i = 0; i < *count; i++)
        if (options->logits_index[i] < -forward->length || options->logits_index[i] >= forward->length)
            return pali__fail(error, PALI_ERROR_ARGUMENT, "logits_index[%lld] is %lld, outside the %lld positions",
                              (long long)i, (long long)options->logits_index[i], (long long)forward->length);
    return PALI_OK;
}

static pali_status add_logits(struct pali__forward *forward, pali_error **error)
{
    int64_t vocab_size = forward->settings->text.vocab_size, hidden = forward->settings->text.hidden_size;
    int64_t first = 0, count = 0, *rows;
    float *logits, *gathered;
    pali_status status;

    TRY(kept_positions(forward, &first, &count, error));
    if (count == 0)
        return PALI_OK;
    if (count > forward->length)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "logits_index names more positions than there are");
    TRY(add_output(forward, "logits", 3, (int64_t[]){ forward->batch, count, vocab_size }, &logits, error));
    gathered = pali__aligned_malloc((size_t)(count * hidden) * sizeof(float));
    rows = pali__malloc((size_t)count * sizeof *rows);
    status = gathered && rows ? PALI_OK : pali__no_memory(error, (size_t)(count * hidden) * sizeof(float));
    for (int64_t row = 0; status == PALI_OK && row < forward->batch; row++) {
        for (int64_t i = 0; i < count; i++) {
            int64_t at = forward->options.logits_index ? forward->options.logits_index[i] : first + i;
            rows[i] = row * forward->length + (at < 0 ? at + forward->length : at);
        }
        status = pali__lm_head(&forward->pass, logits + row * count * vocab_size, rows, count, gathered, error);
    }
    pali__aligned_free(gathered);
    pali__free(rows);
    return status;
}

static pali_status add_loss(struct pali__forward *forward, pali_error **error)
{
    float *loss, *token_loss;

    if (!forward->labels)
        return PALI_OK;
    TRY(add_output(forward, "loss", 0, NULL, &loss, error));
    TRY(add_output(forward, "token_loss", 2, (int64_t[]){ forward->batch, forward->length - 1 }, &token_loss, error));
    return pali__loss(&forward->pass, forward->labels, forward->batch, forward->length, loss, token_loss, error);
}

static pali_status add_image_states(struct pali__forward *forward, pali_error **error)
{
    const pali_tensor *from = &forward->features->tensor;
    float scale = forward->options.image_states_divided ? pali__embedding_scale(forward->model) : 1.0f, *states;

    TRY(add_output(forward, "image_hidden_states", 3, from->shape, &states, error));
    for (int64_t i = 0; i < pali_tensor_count(from); i++)
        states[i] = forward->features->data[i] / scale;
    return PALI_OK;
}

static pali_status add_states(struct pali__forward *forward, pali_error **error)
{
    int64_t shape[] = { forward->batch, forward->length, forward->settings->text.hidden_size };
    float *state;

    TRY(add_output(forward, "last_hidden_state", 3, shape, &state, error));
    memcpy(state, forward->pass.x, (size_t)(shape[0] * shape[1] * shape[2]) * sizeof(float));
    return forward->features ? add_image_states(forward, error) : PALI_OK;
}

/* ---- the whole ---- */

pali_status pali__forward_begin(struct pali__forward *forward, pali_error **error)
{
    struct pali__feature_rows features;
    struct pali__kv *kv = forward->options.cache ? &forward->options.cache->kv : NULL;
    int64_t n_rows;

    forward->settings = forward->model->settings;
    TRY(take_inputs(forward, error));
    TRY(take_features(forward, &features, error));
    n_rows = forward->batch * forward->length;
    TRY(pali__pass_init(&forward->pass, forward->model, forward->options.threads, kv, n_rows, error));
    TRY(pali__lora_begin(&forward->pass.lora, forward->options.adapter, forward->options.adapter_scale, forward->model,
                         &forward->pass.compute, n_rows, error));
    forward->sequences = pali__calloc((size_t)forward->batch, sizeof *forward->sequences);
    if (!forward->sequences)
        return pali__no_memory(error, (size_t)forward->batch * sizeof *forward->sequences);
    forward->pass.sequences = forward->sequences;
    forward->pass.n_sequences = forward->batch;
    forward->pass.n_rows = n_rows;
    forward->pass.watch = &forward->watch;
    place_tokens(forward);
    return enter_rows(forward, &features, error);
}

void pali__forward_end(struct pali__forward *forward)
{
    pali__taps_close(&forward->pass.taps);
    pali__pass_clear(&forward->pass);
    pali__free(forward->sequences);
    pali__free(forward->real);
    pali_image_features_free(forward->own_features);
}

static pali_status run(struct pali__forward *forward, pali_error **error)
{
    struct pali__kv *kv = forward->options.cache ? &forward->options.cache->kv : NULL;

    TRY(pali__forward_begin(forward, error));
    TRY(add_taps(forward, error));
    if (kv && forward->options.cache_position >= 0)
        pali__kv_truncate(kv, forward->options.cache_position);
    forward->pass.commits_later = true;
    TRY(pali__decoder_run(&forward->pass, error));
    TRY(add_logits(forward, error));
    TRY(add_loss(forward, error));
    TRY(add_states(forward, error));
    pali__pass_commit(&forward->pass);
    return PALI_OK;
}

pali_status pali_model_forward(pali_outputs **out, pali_model *model, const pali_inputs *inputs,
                               const pali_forward_options *options, pali_error **error)
{
    struct pali__forward forward = { .model = model, .inputs = inputs, .options = PALI_FORWARD_OPTIONS_INIT };
    pali_status status;

    if (!out || !model || !inputs)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_model_forward: %s is NULL",
                          !out ? "out" : !model ? "model" : "inputs");
    *out = NULL;
    TRY(pali__options_take(&forward.options, sizeof forward.options, options, "pali_forward_options", error));
    forward.watch = (struct pali__watch){ forward.options.progress, forward.options.progress_user };
    forward.outputs = pali__calloc(1, sizeof *forward.outputs);
    if (!forward.outputs)
        return pali__no_memory(error, sizeof *forward.outputs);

    status = run(&forward, error);
    pali__forward_end(&forward);
    if (status != PALI_OK) {
        pali_outputs_free(forward.outputs);
        return status;
    }
    *out = forward.outputs;
    return PALI_OK;
}
