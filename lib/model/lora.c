/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/lora.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/tensors.h"
#include "core/memory.h"
#include "model/inventory.h"
#include "model/quantized_tensors.h"

/* The update of one matrix of the network. */
struct update {
    const struct pali__matrix *w;
    struct pali__matrix a, b; /* [rank, n_in], [n_out, rank] */
    float scale;
};

struct pali_adapter {
    pali_model *model; /* a reference */
    struct update *updates; /* sorted by the address of w */
    size_t count;
    int64_t max_rank;
};

/* ---- matching ---- */

struct matching {
    const struct pali__lora_file *file;
    unsigned char *taken; /* a flag for each pair of the file */
    pali__lora_visitor *visitor;
    void *user;
};

static pali_status check_fit(const struct pali__lora_file *file, const struct pali__tensor_spec *spec,
                             const struct pali__lora_pair *pair, pali_error **error)
{
    if (!spec->slot.matrix || spec->rank != 2 || !strcmp(spec->name, PALI__EMBEDDING_NAME))
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "'%s': tensor \"%.200s\" adapts %s, which is no linear layer",
                          file->path, pair->a_name, spec->name);
    if (pair->a->shape[1] != spec->shape[1] || pair->b->shape[0] != spec->shape[0])
        return pali__fail(error, PALI_ERROR_SHAPE,
                          "'%s': tensors \"%.200s\" [%lld, %lld] and \"%.200s\" [%lld, %lld] do not fit %s "
                          "[%lld, %lld]",
                          file->path, pair->a_name, (long long)pair->a->shape[0], (long long)pair->a->shape[1],
                          pair->b_name, (long long)pair->b->shape[0], (long long)pair->b->shape[1], spec->name,
                          (long long)spec->shape[0], (long long)spec->shape[1]);
    return PALI_OK;
}

static pali_status match_tensor(void *user, const struct pali__tensor_spec *spec, pali_error **error)
{
    struct matching *matching = user;
    const struct pali__lora_pair *pair = pali__lora_file_find(matching->file, spec->name);

    if (!pair)
        return PALI_OK;
    TRY(check_fit(matching->file, spec, pair, error));
    matching->taken[pair - matching->file->pairs] = 1;
    return matching->visitor(matching->user, spec, pair, error);
}

pali_status pali__lora_match(const struct pali__lora_file *file, const struct pali__settings *settings,
                             struct pali__network *network, pali__lora_visitor *visitor, void *user,
                             pali_error **error)
{
    struct matching matching = { .file = file, .visitor = visitor, .user = user };

    matching.taken = pali__calloc(file->count, 1);
    if (!matching.taken)
        return pali__no_memory(error, file->count);
    pali_status status = pali__network_visit(network, settings, match_tensor, &matching, error);
    for (size_t i = 0; status == PALI_OK && i < file->count; i++)
        if (!matching.taken[i])
            status = pali__fail(error, PALI_ERROR_FORMAT,
                                "'%s': tensor \"%.200s\" belongs to no weight of a model of this configuration",
                                file->path, file->pairs[i].a_name);
    pali__free(matching.taken);
    return status;
}

/* ---- the handle ---- */

/* The file may hold it unaligned. */
static pali_status copy_matrix(struct pali__matrix *out, const pali_tensor *tensor, pali_error **error)
{
    size_t size = pali__tensor_size(tensor);
    void *data = pali__aligned_malloc(size);

    if (!data)
        return pali__no_memory(error, size);
    memcpy(data, tensor->data, size);
    *out = (struct pali__matrix){ .data = data, .dtype = tensor->dtype, .n_out = tensor->shape[0],
                                  .n_in = tensor->shape[1] };
    return PALI_OK;
}

struct filling {
    struct pali_adapter *adapter;
    const struct pali__lora_file *file;
};

/* The base weight as numbers: of one that was quantized while it was loaded, what the checkpoint has. */
static pali_status plain_weight(struct pali__matrix *out, const struct filling *filling,
                                const struct pali__tensor_spec *spec, pali_error **error)
{
    const pali_model *model = filling->adapter->model;
    const char *name = pali__inventory_name(model->checkpoint, model->settings, spec->name);

    *out = *spec->slot.matrix;
    if (out->quantized.code == PALI__CODE_NONE)
        return PALI_OK;
    if (pali__weight_stored(model->checkpoint, name) != PALI__STORED_PLAIN)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "'%s' has a copy of %s, which the model has quantized: the two cannot be compared",
                          filling->file->path, spec->name);
    out->data = pali__checkpoint_find(model->checkpoint, name)->data;
    out->dtype = pali__checkpoint_find(model->checkpoint, name)->dtype;
    return PALI_OK;
}

/* A copy of the base weight in the adapter's file says nothing new, or the adapter is for another model. */
static pali_status check_copy(const struct filling *filling, const struct pali__tensor_spec *spec, pali_error **error)
{
    const struct pali__lora_file *file = filling->file;
    const struct pali__lora_copy *copy = pali__lora_file_copy(file, spec->name);
    struct pali__matrix weight, *w = &weight;

    if (!copy)
        return PALI_OK;
    TRY(plain_weight(w, filling, spec, error));
    bool same = pali__tensor_fits(copy->tensor, spec);
    size_t width = pali_dtype_size(copy->tensor->dtype), row = (size_t)spec->shape[1];
    size_t own_row = row * pali_dtype_size(w->dtype);
    char *raw = pali__aligned_malloc(row * 2 * sizeof(float) + own_row);
    if (!raw)
        return pali__no_memory(error, row * 2 * sizeof(float) + own_row);
    float *values = (float *)(void *)(raw + row * sizeof(float));
    for (int64_t i = 0; same && i < spec->shape[0]; i++) {
        memcpy(raw, (const char *)copy->tensor->data + (size_t)i * row * width, row * width);
        pali__to_float(values, raw, copy->tensor->dtype, spec->shape[1]);
        pali__from_float(values + row, w->dtype, values, spec->shape[1]);
        same = !memcmp(values + row, (const char *)w->data + (size_t)i * own_row, own_row);
    }
    pali__aligned_free(raw);
    if (!same)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "'%s': tensor \"%.200s\" replaces a weight of the model by another, which is not served",
                          file->path, copy->name);
    return PALI_OK;
}

static pali_status add_update(void *user, const struct pali__tensor_spec *spec, const struct pali__lora_pair *pair,
                              pali_error **error)
{
    struct filling *filling = user;
    struct pali_adapter *adapter = filling->adapter;
    struct update *update = &adapter->updates[adapter->count++];

    TRY(check_copy(filling, spec, error));
    update->w = spec->slot.matrix;
    update->scale = (float)pair->scale;
    adapter->max_rank = pair->rank > adapter->max_rank ? pair->rank : adapter->max_rank;
    TRY(copy_matrix(&update->a, pair->a, error));
    return copy_matrix(&update->b, pair->b, error);
}

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct update *)a)->w, y = (uintptr_t)((const struct update *)b)->w;
    return (x > y) - (x < y);
}

static pali_status fill(struct pali_adapter *adapter, const char *path, pali_error **error)
{
    struct pali__lora_file file;
    struct filling filling = { adapter, &file };

    TRY(pali__lora_file_open(&file, path, error));
    adapter->updates = pali__calloc(file.count, sizeof *adapter->updates);
    /* The walk over the weights only needs their addresses; nothing in the model changes. */
    pali_status status = adapter->updates
                             ? pali__lora_match(&file, adapter->model->settings, &adapter->model->network, add_update,
                                                &filling, error)
                             : pali__no_memory(error, file.count * sizeof *adapter->updates);
    if (status == PALI_OK)
        qsort(adapter->updates, adapter->count, sizeof *adapter->updates, by_address);
    pali__lora_file_close(&file);
    return status;
}

pali_status pali_adapter_load(pali_adapter **out, pali_model *model, const char *path, pali_error **error)
{
    if (!out || !model || !path)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_adapter_load: %s is NULL",
                          !out ? "out" : !model ? "model" : "path");
    *out = NULL;
    pali_adapter *adapter = pali__calloc(1, sizeof *adapter);
    if (!adapter)
        return pali__no_memory(error, sizeof *adapter);
    adapter->model = pali__model_retain(model);
    pali_status status = fill(adapter, path, error);
    if (status == PALI_OK)
        *out = adapter;
    else
        pali_adapter_free(adapter);
    return status;
}

void pali_adapter_free(pali_adapter *adapter)
{
    if (!adapter)
        return;
    for (size_t i = 0; i < adapter->count; i++) {
        pali__aligned_free((void *)(uintptr_t)adapter->updates[i].a.data);
        pali__aligned_free((void *)(uintptr_t)adapter->updates[i].b.data);
    }
    pali__free(adapter->updates);
    pali_model_free(adapter->model);
    pali__free(adapter);
}

size_t pali_adapter_count(const pali_adapter *adapter) { return adapter ? adapter->count : 0; }

int64_t pali_adapter_rank(const pali_adapter *adapter) { return adapter ? adapter->max_rank : 0; }

/* ---- in a pass ---- */

static size_t scratch_size(const pali_adapter *adapter, const struct pali__compute *compute, int64_t max_rows)
{
    size_t size = 0;

    for (size_t i = 0; i < adapter->count; i++) {
        size_t a = pali__linear_scratch(compute, max_rows, &adapter->updates[i].a);
        size_t b = pali__linear_scratch(compute, max_rows, &adapter->updates[i].b);
        size = a > size ? a : size;
        size = b > size ? b : size;
    }
    return size;
}

pali_status pali__lora_begin(struct pali__lora *lora, const pali_adapter *adapter, double scale,
                             const pali_model *model, const struct pali__compute *compute, int64_t max_rows,
                             pali_error **error)
{
    size_t low_size, size;

    *lora = (struct pali__lora){ 0 };
    if (!adapter)
        return PALI_OK;
    if (adapter->model != model)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "the adapter belongs to another model");
    if (!isfinite(scale) || fabs(scale) > 1e6)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "adapter_scale should be a number within ±1e6 and is %g", scale);
    if (!pali__size_product(&low_size, 3, (int64_t[]){ max_rows, adapter->max_rank, sizeof(float) }))
        return pali__fail(error, PALI_ERROR_LIMIT, "%lld rows are too many", (long long)max_rows);
    low_size = (low_size + 63) / 64 * 64;
    size = low_size + scratch_size(adapter, compute, max_rows);
    lora->block = pali__aligned_malloc(size);
    if (!lora->block)
        return pali__no_memory(error, size);
    lora->adapter = adapter;
    lora->scale = (float)scale;
    lora->compute = *compute;
    lora->low = lora->block;
    lora->scratch = (char *)lora->block + low_size;
    return PALI_OK;
}

void pali__lora_end(struct pali__lora *lora)
{
    pali__aligned_free(lora->block);
    *lora = (struct pali__lora){ 0 };
}

static const struct update *find_update(const struct pali__lora *lora, const struct pali__matrix *w)
{
    struct update wanted = { .w = w };

    return lora->adapter ? bsearch(&wanted, lora->adapter->updates, lora->adapter->count, sizeof wanted, by_address)
                         : NULL;
}

/* lora->low = scale·A·x. */
static pali_status lower(const struct pali__lora *lora, const struct update *update, const float *x, int64_t n_rows,
                         pali_error **error)
{
    float scale = lora->scale * update->scale;

    TRY(pali__linear(&lora->compute, lora->low, x, n_rows, &update->a, NULL, PALI__STORE,
                     lora->scratch, error));
    for (int64_t i = 0; i < n_rows * update->a.n_out; i++)
        lora->low[i] *= scale;
    return PALI_OK;
}

pali_status pali__lora_add(const struct pali__lora *lora, float *y, const float *x, int64_t n_rows,
                           const struct pali__matrix *w, pali_error **error)
{
    const struct update *update = find_update(lora, w);

    if (!update)
        return PALI_OK;
    TRY(lower(lora, update, x, n_rows, error));
    return pali__linear(&lora->compute, y, lora->low, n_rows, &update->b, NULL, PALI__ADD,
                        lora->scratch, error);
}

/* Products of one row do not reach oneDNN and cannot fail. */
void pali__lora_add_spans(const struct pali__lora *lora, float *y, const float *x, const struct pali__matrix *w,
                          const struct pali__span *spans, int64_t n_spans)
{
    const struct update *update = find_update(lora, w);

    if (!update || lower(lora, update, x, 1, NULL) != PALI_OK)
        return;
    for (int64_t i = 0; i < n_spans; y += spans[i++].count) {
        struct pali__matrix rows = update->b;
        rows.data = (const char *)update->b.data +
                    (size_t)(spans[i].first * update->b.n_in) * pali_dtype_size(update->b.dtype);
        rows.n_out = spans[i].count;
        pali__linear(&lora->compute, y, lora->low, 1, &rows, NULL, PALI__ADD, lora->scratch, NULL);
    }
}
