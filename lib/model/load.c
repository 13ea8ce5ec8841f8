/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/load.h"

#include <string.h>

#include "core/memory.h"
#include "model/int8_head.h"
#include "model/inventory.h"
#include "model/lora_merge.h"
#include "model/quantized_matrix.h"
#include "model/rotary.h"

struct loading {
    pali_model *model;
    const char *path;
    const pali_model_options *options;
    struct pali__lora_merge merge;
    int64_t done, total; /* bytes */
};

static pali_status own(pali_model *model, void *memory, size_t size, pali_error **error)
{
    if (memory && model->n_owned == model->owned_capacity) {
        size_t capacity = model->owned_capacity ? model->owned_capacity * 2 : 64;
        void **grown = pali__regrow(model->owned, model->owned_capacity * sizeof *grown, capacity * sizeof *grown);
        if (!grown) {
            pali__aligned_free(memory);
            return pali__no_memory(error, capacity * sizeof *grown);
        }
        model->owned = grown;
        model->owned_capacity = capacity;
    }
    if (!memory)
        return pali__no_memory(error, size);
    model->owned[model->n_owned++] = memory;
    return PALI_OK;
}

static pali_status copy_vector(pali_model *model, float **out, const pali_tensor *tensor, pali_error **error)
{
    size_t size = (size_t)pali_tensor_count(tensor) * sizeof(float);
    float *copy = pali__aligned_malloc(size);

    TRY(own(model, copy, size, error));
    pali__to_float(copy, tensor->data, tensor->dtype, pali_tensor_count(tensor));
    *out = copy;
    return PALI_OK;
}

/* A copy of the bytes at `*data`, which then points to it. */
static pali_status copy_bytes(struct loading *loading, const void **data, size_t size, pali_error **error)
{
    enum { PIECE = 1 << 20 };
    char *copy = pali__aligned_malloc(size);
    const char *from = *data;

    TRY(own(loading->model, copy, size, error));
    pali__prefer_huge_pages(copy, size);
#pragma omp parallel for schedule(static) num_threads(loading->model->compute.n_threads)
    for (size_t at = 0; at < size; at += PIECE)
        memcpy(copy + at, from + at, size - at < PIECE ? size - at : PIECE);
    *data = copy;
    return PALI_OK;
}

/* In place, unless a copy is asked for, or a float32 matrix is to be used as bfloat16. */
static pali_status take_matrix(struct loading *loading, struct pali__matrix *out, const pali_tensor *tensor,
                               pali_error **error)
{
    size_t size = (size_t)pali_tensor_count(tensor) * sizeof(uint16_t);
    uint16_t *converted;

    *out = (struct pali__matrix){ .data = tensor->data, .dtype = tensor->dtype, .n_out = tensor->shape[0],
                                  .n_in = pali_tensor_count(tensor) / tensor->shape[0] };
    if (loading->model->compute.dtype != PALI_BFLOAT16 || tensor->dtype != PALI_FLOAT32)
        return loading->options->copy_weights
                   ? copy_bytes(loading, &out->data, (size_t)pali_tensor_count(tensor) * pali_dtype_size(tensor->dtype),
                                error)
                   : PALI_OK;
    converted = pali__aligned_malloc(size);
    TRY(own(loading->model, converted, size, error));
    pali__prefer_huge_pages(converted, size);
    pali__to_bf16(converted, tensor->data, tensor->dtype, pali_tensor_count(tensor));
    out->data = converted;
    out->dtype = PALI_BFLOAT16;
    return PALI_OK;
}

/* W + scale·B·A in float32, rounded once if the model runs in bfloat16. */
static pali_status take_merged(struct loading *loading, struct pali__matrix *out, const char *name,
                               const pali_tensor *tensor, pali_error **error)
{
    pali_dtype dtype = loading->model->compute.dtype;
    int64_t count = pali_tensor_count(tensor);
    size_t size = (size_t)count * sizeof(float);
    float *sum = pali__aligned_malloc(size);
    void *data = sum;

    TRY(own(loading->model, sum, size, error));
    pali__to_float(sum, tensor->data, tensor->dtype, count);
    TRY(pali__lora_merge_add(&loading->merge, name, sum, 0, tensor->shape[0], error));
    if (dtype == PALI_BFLOAT16) {
        data = pali__aligned_malloc(size / 2);
        if (!data)
            return pali__no_memory(error, size / 2);
        pali__to_bf16(data, sum, PALI_FLOAT32, count);
        pali__aligned_free(sum); /* the last that the model owns */
        loading->model->owned[loading->model->n_owned - 1] = data;
    }
    *out = (struct pali__matrix){ .data = data, .dtype = dtype, .n_out = tensor->shape[0], .n_in = tensor->shape[1] };
    return PALI_OK;
}

static pali_status make_rotary(pali_model *model, pali_error **error)
{
    size_t size = (size_t)model->settings->text.head_dim / 2 * sizeof(float);
    float *rotary = pali__aligned_malloc(size);

    TRY(own(model, rotary, size, error));
    pali__rotary_frequencies(rotary, &model->settings->text);
    model->network.decoder.rotary = rotary;
    return PALI_OK;
}

/* ---- quantized matrices ---- */

static pali_status take_quantized(struct loading *loading, struct pali__matrix *out,
                                  const struct pali__quantized_tensors *tensors, const struct pali__tensor_spec *spec,
                                  pali_error **error)
{
    void *block;
    size_t block_size;

    if (out == &loading->model->network.decoder.embedding && tensors->group->int8_inputs)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "%s: quantization_config rounds the inputs of %s, which is the embedding: it has none",
                          loading->path, spec->name);
    TRY(pali__quantized_matrix(out, &block, &block_size, tensors, spec, error));
    if (block)
        TRY(own(loading->model, block, block_size, error));
    if (!loading->options->copy_weights)
        return PALI_OK;
    TRY(copy_bytes(loading, &out->data, pali__codes_size(out), error));
    return tensors->group->group_size < 0
               ? PALI_OK
               : copy_bytes(loading, &out->quantized.scales, pali__scales_size(out), error);
}

/* A table that passes use as floats: that of the positions. */
static pali_status take_table(struct loading *loading, float **out, const struct pali__quantized_tensors *tensors,
                              const struct pali__tensor_spec *spec, pali_error **error)
{
    size_t size = (size_t)(spec->shape[0] * spec->shape[1]) * sizeof(float), block_size;
    float *table = pali__aligned_malloc(size);
    struct pali__matrix matrix;
    void *block;

    TRY(own(loading->model, table, size, error));
    TRY(pali__quantized_matrix(&matrix, &block, &block_size, tensors, spec, error));
    for (int64_t i = 0; i < spec->shape[0]; i++)
        pali__embed(&loading->model->compute, table + i * spec->shape[1], &matrix, i, 1.0f);
    pali__aligned_free(block);
    *out = table;
    return PALI_OK;
}

/* ---- the head ---- */

bool pali__wants_int8_head(const pali_model *model, const pali_model_options *options)
{
    return options->int8_head > 0 || (options->int8_head == 0 && model->settings->quantization.n_groups > 0);
}

static pali_status report(struct loading *loading, int64_t bytes, pali_error **error)
{
    loading->done += bytes;
    double fraction = loading->done < loading->total ? (double)loading->done / (double)loading->total : 1.0;
    if (loading->options->progress && loading->options->progress(loading->options->progress_user, "load", fraction))
        return pali__fail(error, PALI_ERROR_CANCELLED, "%s: loading was cancelled", loading->path);
    return PALI_OK;
}

static pali_status report_rows(void *user, int64_t n_rows, pali_error **error)
{
    struct loading *loading = user;

    return report(loading, n_rows * loading->model->network.decoder.head.n_in, error);
}

/* The head in int8, beside the embedding if it is that, else in the place of what was made for it since the model owned
 * `n_owned` blocks. */
static pali_status quantize_head(struct loading *loading, size_t n_owned, pali_error **error)
{
    pali_model *model = loading->model;
    struct pali__matrix *head = &model->network.decoder.head;
    void *block;

    if (head->quantized.code != PALI__CODE_NONE)
        return PALI_OK;
    loading->total += head->n_out * head->n_in;
    TRY(pali__int8_head(head, &block, &model->compute, head, report_rows, loading, error));
    while (model->n_owned > n_owned)
        pali__aligned_free(model->owned[--model->n_owned]);
    return own(model, block, pali__codes_size(head), error);
}

/* ---- every tensor ---- */

static pali_status take(struct loading *loading, const struct pali__tensor_spec *spec, int64_t *bytes,
                        pali_error **error)
{
    pali_model *model = loading->model;
    struct pali__tensor_spec stored = *spec;
    struct pali__quantized_tensors parts;
    const pali_tensor *tensor = NULL;

    stored.name = pali__inventory_name(model->checkpoint, model->settings, spec->name);
    TRY(pali__quantized_find(&parts, model->checkpoint, model->settings, loading->path, &stored, error));
    for (int i = 0; i < PALI__N_PARTS; i++)
        *bytes += parts.parts[i] ? (int64_t)pali__tensor_size(parts.parts[i]) : 0;
    if (parts.group && spec->slot.vector)
        return take_table(loading, spec->slot.vector, &parts, &stored, error);
    if (parts.group)
        return take_quantized(loading, spec->slot.matrix, &parts, &stored, error);
    TRY(pali__inventory_find(model->checkpoint, model->settings, loading->path, spec, &tensor, error));
    *bytes = (int64_t)pali__tensor_size(tensor);
    if (spec->slot.vector)
        return copy_vector(model, spec->slot.vector, tensor, error);
    if (pali__lora_merge_changes(&loading->merge, spec->name))
        return take_merged(loading, spec->slot.matrix, spec->name, tensor, error);
    return take_matrix(loading, spec->slot.matrix, tensor, error);
}

static pali_status load_tensor(void *user, const struct pali__tensor_spec *spec, pali_error **error)
{
    struct loading *loading = user;
    pali_model *model = loading->model;
    struct pali__decoder *decoder = &model->network.decoder;
    bool is_head = spec->slot.matrix == &decoder->head;
    size_t n_owned = model->n_owned;
    int64_t bytes = 0;

    if (is_head && pali__head_is_tied(model->checkpoint, model->settings))
        decoder->head = decoder->embedding;
    else
        TRY(take(loading, spec, &bytes, error));
    if (is_head && pali__wants_int8_head(loading->model, loading->options))
        TRY(quantize_head(loading, n_owned, error));
    return report(loading, bytes, error);
}

static pali_status load_all(struct loading *loading, pali_error **error)
{
    pali_model *model = loading->model;

    TRY(pali__network_visit(&model->network, model->settings, load_tensor, loading, error));
    TRY(report(loading, loading->total - loading->done, error)); /* headers, and tensors that nothing needs */
    return pali__inventory_refuse_unexpected(model->checkpoint, model->settings, &model->network, loading->path, error);
}

pali_status pali__model_load_weights(pali_model *model, const char *path, const pali_model_options *options,
                                     pali_error **error)
{
    struct loading loading = { .model = model, .path = path, .options = options,
                               .total = pali_checkpoint_size(model->checkpoint) };

    TRY(pali__network_init(&model->network, model->settings, model->checkpoint, error));
    TRY(make_rotary(model, error));
    TRY(pali__lora_merge_open(&loading.merge, options->adapters, options->adapter_scales, options->n_adapters,
                              model->checkpoint, model->settings, &model->network, error));
    pali_status status = load_all(&loading, error);
    pali__lora_merge_close(&loading.merge);
    return status;
}
