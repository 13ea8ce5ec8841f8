/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What memory a model will need: every tensor goes where load.c would put it, but nothing is copied, and the passes are
 * asked for the sizes of their arenas.
 */
#include "model/memory_forecast.h"

#include "core/available_memory.h"
#include "core/memory.h"
#include "core/options.h"
#include "model/inventory.h"
#include "model/load.h"
#include "model/lora_merge.h"
#include "model/model_cache.h"
#include "model/pass.h"
#include "model/quantized_matrix.h"
#include "model/vision.h"

enum { MOST_TOKENS = 1 << 24 };

void pali_memory_forecast_init(pali_memory_forecast *forecast)
{
    *forecast = (pali_memory_forecast)PALI_MEMORY_FORECAST_INIT;
}

struct plan {
    pali_model *model; /* whose network is filled in as far as sizes need it */
    const char *path;
    const pali_model_options *options;
    struct pali__lora_merge merge;
    int64_t mapped, copied;
};

/* ---- weights ---- */

static pali_status plan_quantized(struct plan *plan, const struct pali__quantized_tensors *tensors,
                                  const struct pali__tensor_spec *spec, pali_error **error)
{
    struct pali__matrix matrix;
    void *block;
    size_t block_size = 0;
    int64_t bytes = 0;

    TRY(pali__quantized_matrix(&matrix, &block, &block_size, tensors, spec, error));
    plan->copied += block ? (int64_t)block_size : 0;
    pali__aligned_free(block);
    for (int i = 0; i < PALI__N_PARTS; i++)
        bytes += tensors->parts[i] ? (int64_t)pali__tensor_size(tensors->parts[i]) : 0;
    if (spec->slot.vector) { /* a table that passes use as floats */
        plan->copied += spec->shape[0] * spec->shape[1] * (int64_t)sizeof(float);
        return PALI_OK;
    }
    *spec->slot.matrix = matrix;
    *(plan->options->copy_weights ? &plan->copied : &plan->mapped) += bytes;
    return PALI_OK;
}

static void plan_plain(struct plan *plan, const struct pali__tensor_spec *spec, const pali_tensor *tensor)
{
    pali_dtype dtype = plan->model->compute.dtype, to = tensor->dtype;
    int64_t count = pali_tensor_count(tensor);

    if (spec->slot.vector) {
        plan->copied += count * (int64_t)sizeof(float);
        return;
    }
    bool merged = pali__lora_merge_changes(&plan->merge, spec->name);
    if (merged || (dtype == PALI_BFLOAT16 && tensor->dtype == PALI_FLOAT32))
        to = dtype;
    *spec->slot.matrix = (struct pali__matrix){ .data = tensor->data, .dtype = to, .n_out = tensor->shape[0],
                                                .n_in = count / tensor->shape[0] };
    bool copied = merged || to != tensor->dtype || plan->options->copy_weights;
    *(copied ? &plan->copied : &plan->mapped) += count * (int64_t)pali_dtype_size(to);
}

static pali_status plan_tensor(void *user, const struct pali__tensor_spec *spec, pali_error **error)
{
    struct plan *plan = user;
    const pali_model *model = plan->model;
    struct pali__decoder *decoder = &plan->model->network.decoder;
    bool is_head = spec->slot.matrix == &decoder->head;
    struct pali__tensor_spec stored = *spec;
    struct pali__quantized_tensors parts;
    const pali_tensor *tensor = NULL;

    if (is_head && pali__head_is_tied(model->checkpoint, model->settings)) {
        decoder->head = decoder->embedding;
    } else {
        stored.name = pali__inventory_name(model->checkpoint, model->settings, spec->name);
        TRY(pali__quantized_find(&parts, model->checkpoint, model->settings, plan->path, &stored, error));
        if (parts.group) {
            TRY(plan_quantized(plan, &parts, &stored, error));
        } else {
            TRY(pali__inventory_find(model->checkpoint, model->settings, plan->path, spec, &tensor, error));
            plan_plain(plan, spec, tensor);
        }
    }
    if (is_head && pali__wants_int8_head(model, plan->options) && decoder->head.quantized.code == PALI__CODE_NONE)
        plan->copied += decoder->head.n_out * (decoder->head.n_in + (int64_t)sizeof(float)); /* codes and scales */
    return PALI_OK;
}

static pali_status plan_weights(struct plan *plan, pali_error **error)
{
    pali_model *model = plan->model;

    TRY(pali__lora_merge_open(&plan->merge, plan->options->adapters, plan->options->adapter_scales,
                              plan->options->n_adapters, model->checkpoint, model->settings, &model->network, error));
    pali_status status = pali__network_visit(&model->network, model->settings, plan_tensor, plan, error);
    pali__lora_merge_close(&plan->merge);
    return status;
}

/* ---- what calls need ---- */

static void plan_calls(pali_memory_forecast *out, const pali_model *model, int64_t n_tokens)
{
    const struct pali__settings *settings = model->settings;
    int64_t picture = settings->vision.num_channels * settings->vision.image_size * settings->vision.image_size;
    int64_t features = settings->vision.num_patches * settings->text.hidden_size;
    int64_t rows = settings->vision.num_patches + n_tokens, size = (int64_t)sizeof(float);
    struct pali__kv_layout layout = pali__cache_layout(model);

    out->vision = (int64_t)pali__vision_size(model, &model->compute);
    out->activations = (int64_t)pali__pass_size(model, &model->compute, rows) +
                       (settings->text.vocab_size + picture + features) * size;
    out->cache_per_token = layout.n_layers * 2 * layout.n_kv_heads * layout.head_dim * size;
    out->cache = rows * out->cache_per_token;
}

pali_status pali__memory_forecast(pali_memory_forecast *out, const pali_model *model, const char *path,
                                  const pali_model_options *options, int64_t n_tokens, pali_error **error)
{
    pali_model sizes = { .config = model->config, .settings = model->settings, .checkpoint = model->checkpoint,
                         .compute = model->compute };
    struct plan plan = { .model = &sizes, .path = path, .options = options };
    pali_status status;

    *out = (pali_memory_forecast)PALI_MEMORY_FORECAST_INIT;
    TRY(pali__network_init(&sizes.network, sizes.settings, sizes.checkpoint, error));
    status = plan_weights(&plan, error);
    if (status == PALI_OK) {
        out->weights_mapped = plan.mapped;
        out->weights_copied = plan.copied;
        plan_calls(out, &sizes, n_tokens);
        out->total = out->weights_mapped + out->weights_copied + out->cache +
                     (out->vision > out->activations ? out->vision : out->activations);
        out->available = pali__available_memory();
    }
    pali__network_clear(&sizes.network);
    return status;
}

pali_status pali__memory_check(const pali_model *model, const char *path, const pali_model_options *options,
                               pali_error **error)
{
    pali_memory_forecast forecast;

    if (options->ignore_memory)
        return PALI_OK;
    TRY(pali__memory_forecast(&forecast, model, path, options, PALI__FORECAST_TOKENS, error));
    if (forecast.available < 0 || forecast.total <= forecast.available)
        return PALI_OK;
    return pali__fail(error, PALI_ERROR_MEMORY,
                      "%s: the model needs %.1f GB of memory and the machine has %.1f GB free; quantize it, close "
                      "other programs, or load it all the same with ignore_memory (weights are then read from the disk "
                      "again and again)",
                      path, (double)forecast.total * 1e-9, (double)forecast.available * 1e-9);
}

pali_status pali_model_forecast_memory(pali_memory_forecast *forecast, const char *path,
                                       const pali_model_options *options, int64_t n_tokens, pali_error **error)
{
    pali_model_options chosen = PALI_MODEL_OPTIONS_INIT;
    pali_memory_forecast own = PALI_MEMORY_FORECAST_INIT;
    pali_model *model = NULL;

    if (!forecast || !path)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_model_forecast_memory: %s is NULL",
                          forecast ? "path" : "forecast");
    if (n_tokens < 0 || n_tokens > MOST_TOKENS)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "n_tokens should be 0…%d and is %lld", MOST_TOKENS,
                          (long long)n_tokens);
    TRY(pali__options_take(&chosen, sizeof chosen, options, "pali_model_options", error));
    TRY(pali__model_open(&model, path, &chosen, error));
    pali_status status = pali__memory_forecast(&own, model, path, &chosen, n_tokens, error);
    pali_model_free(model);
    return status == PALI_OK ? pali__options_give(forecast, &own, sizeof own, "pali_memory_forecast", error) : status;
}
