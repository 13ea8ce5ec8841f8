/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/load.h"

#include <string.h>

#include "core/memory.h"
#include "model/inventory.h"
#include "model/lora_merge.h"
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

/* A copy of the values at `*data`, which then points to it. */
static pali_status copy_matrix(struct loading *loading, const void **data, size_t size, pali_error **error)
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
                   ? copy_matrix(loading, &out->data, (size_t)pali_tensor_count(tensor) * pali_dtype_size(tensor->dtype),
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

static pali_status load_tensor(void *user, const struct pali__tensor_spec *spec, pali_error **error)
{
    struct loading *loading = user;
    struct pali__decoder *decoder = &loading->model->network.decoder;
    const pali_tensor *tensor = NULL;

    TRY(pali__inventory_find(loading->model->checkpoint, loading->model->settings, loading->path, spec, &tensor,
                             error));
    if (spec->slot.vector)
        TRY(copy_vector(loading->model, spec->slot.vector, tensor, error));
    else if (spec->slot.matrix == &decoder->head &&
             pali__head_is_tied(loading->model->checkpoint, loading->model->settings))
        decoder->head = decoder->embedding;
    else if (pali__lora_merge_changes(&loading->merge, spec->name))
        TRY(take_merged(loading, spec->slot.matrix, spec->name, tensor, error));
    else
        TRY(take_matrix(loading, spec->slot.matrix, tensor, error));

    loading->done += pali_tensor_count(tensor) * (int64_t)pali_dtype_size(tensor->dtype);
    double fraction = loading->done < loading->total ? (double)loading->done / (double)loading->total : 1.0;
    if (loading->options->progress && loading->options->progress(loading->options->progress_user, "load", fraction))
        return pali__fail(error, PALI_ERROR_CANCELLED, "%s: loading was cancelled", loading->path);
    return PALI_OK;
}

static pali_status load_all(struct loading *loading, pali_error **error)
{
    pali_model *model = loading->model;

    TRY(pali__network_visit(&model->network, model->settings, load_tensor, loading, error));
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
                              model->settings, &model->network, error));
    pali_status status = load_all(&loading, error);
    pali__lora_merge_close(&loading.merge);
    return status;
}
