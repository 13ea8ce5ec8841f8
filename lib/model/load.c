/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/load.h"

#include <string.h>

#include "checkpoint/tensors.h"
#include "core/memory.h"
#include "model/inventory.h"

struct loading {
    pali_model *model;
    const char *path;
    pali_dtype dtype;
    pali_progress_fn progress;
    void *progress_user;
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

static bool is_floating(pali_dtype dtype)
{
    return dtype == PALI_FLOAT32 || dtype == PALI_BFLOAT16 || dtype == PALI_FLOAT16;
}

/* The checkpoint's tensor for `spec`. A head may stand for the embedding and the reverse (PARITY §1.5): tied weights
 * are stored once under either name. */
static pali_status find(struct loading *loading, const struct pali__tensor_spec *spec, const pali_tensor **out,
                        pali_error **error)
{
    const pali_checkpoint *checkpoint = loading->model->checkpoint;
    bool tied = loading->model->settings->tie_word_embeddings;
    const pali_tensor *tensor = pali__checkpoint_find(checkpoint, spec->name);
    char expected[96], found[96];

    if (!strcmp(spec->name, PALI__EMBEDDING_NAME) && !tensor && tied)
        tensor = pali__checkpoint_find(checkpoint, PALI__HEAD_NAME);
    if (!strcmp(spec->name, PALI__HEAD_NAME) && tied) {
        const pali_tensor *embedding = pali__checkpoint_find(checkpoint, PALI__EMBEDDING_NAME);
        tensor = embedding ? embedding : tensor;
    }
    pali__shape_text(expected, spec->rank, spec->shape);
    if (!tensor)
        return pali__fail(error, PALI_ERROR_FORMAT, "%s: tensor %s of shape [%s] is missing", loading->path, spec->name,
                          expected);
    if (!pali__tensor_fits(tensor, spec)) {
        pali__shape_text(found, tensor->rank, tensor->shape);
        return pali__fail(error, PALI_ERROR_FORMAT, "%s: tensor %s should have the shape [%s] and has [%s]",
                          loading->path, spec->name, expected, found);
    }
    if (!is_floating(tensor->dtype))
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "%s: tensor %s should be float32, bfloat16 or float16 and is %s", loading->path, spec->name,
                          pali_dtype_name(tensor->dtype));
    *out = tensor;
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

/* In place, but for a float32 matrix that is to be used as bfloat16. */
static pali_status take_matrix(struct loading *loading, struct pali__matrix *out, const pali_tensor *tensor,
                               pali_error **error)
{
    size_t size = (size_t)pali_tensor_count(tensor) * sizeof(uint16_t);
    uint16_t *converted;

    *out = (struct pali__matrix){ .data = tensor->data, .dtype = tensor->dtype, .n_out = tensor->shape[0],
                                  .n_in = pali_tensor_count(tensor) / tensor->shape[0] };
    if (loading->dtype != PALI_BFLOAT16 || tensor->dtype != PALI_FLOAT32)
        return PALI_OK;
    converted = pali__aligned_malloc(size);
    TRY(own(loading->model, converted, size, error));
    pali__to_bf16(converted, tensor->data, tensor->dtype, pali_tensor_count(tensor));
    out->data = converted;
    out->dtype = PALI_BFLOAT16;
    return PALI_OK;
}

static pali_status load_tensor(void *user, const struct pali__tensor_spec *spec, pali_error **error)
{
    struct loading *loading = user;
    struct pali__decoder *decoder = &loading->model->network.decoder;
    const pali_tensor *tensor = NULL;

    TRY(find(loading, spec, &tensor, error));
    if (spec->slot.vector)
        TRY(copy_vector(loading->model, spec->slot.vector, tensor, error));
    else if (spec->slot.matrix == &decoder->head && loading->model->settings->tie_word_embeddings)
        decoder->head = decoder->embedding;
    else
        TRY(take_matrix(loading, spec->slot.matrix, tensor, error));

    loading->done += pali_tensor_count(tensor) * (int64_t)pali_dtype_size(tensor->dtype);
    double fraction = loading->done < loading->total ? (double)loading->done / (double)loading->total : 1.0;
    if (loading->progress && loading->progress(loading->progress_user, "load", fraction))
        return pali__fail(error, PALI_ERROR_CANCELLED, "%s: loading was cancelled", loading->path);
    return PALI_OK;
}

pali_status pali__model_load_weights(pali_model *model, const char *path, pali_dtype dtype, pali_progress_fn progress,
                                     void *progress_user, pali_error **error)
{
    struct loading loading = { .model = model, .path = path, .dtype = dtype, .progress = progress,
                               .progress_user = progress_user, .total = pali_checkpoint_size(model->checkpoint) };
    struct pali__text unexpected = { 0 };
    pali_status status;

    TRY(pali__network_init(&model->network, model->settings, error));
    TRY(pali__network_visit(&model->network, model->settings, load_tensor, &loading, error));
    status = pali__inventory_compare(model->checkpoint, model->settings, &model->network, NULL, &unexpected, error);
    if (status == PALI_OK && unexpected.size > 0)
        status = pali__fail(error, PALI_ERROR_FORMAT, "%s: tensor %.*s is unexpected in a model of this configuration",
                            path, (int)strcspn(unexpected.data, "\n"), unexpected.data);
    pali__text_clear(&unexpected);
    return status;
}
