/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/lora_merge.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "model/lora.h"
#include "model/quantized_tensors.h"

struct checking {
    const struct pali__lora_file *file;
    const pali_checkpoint *checkpoint;
    const struct pali__settings *settings;
};

/* A tied head is the embedding: an update of one of the two would have to part them. */
static pali_status check_weight(void *user, const struct pali__tensor_spec *spec, const struct pali__lora_pair *pair,
                                pali_error **error)
{
    const struct checking *checking = user;
    const struct pali__lora_copy *copy = pali__lora_file_copy(checking->file, spec->name);

    if (copy)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "'%s': tensor \"%.200s\" is a copy of the base weight: the adapter can be used at run time, "
                          "but not merged",
                          checking->file->path, copy->name);
    if (checking->settings->tie_word_embeddings && !strcmp(spec->name, PALI__HEAD_NAME))
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "'%s': tensor \"%.200s\" adapts a head that is tied to the embedding: the adapter can be "
                          "used at run time, but not merged",
                          checking->file->path, pair->a_name);
    if (pali__quantized_group(checking->checkpoint, checking->settings, spec))
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "'%s': tensor \"%.200s\" adapts %s, which is quantized: the adapter can be used at run time, "
                          "but not merged",
                          checking->file->path, pair->a_name, spec->name);
    return PALI_OK;
}

static pali_status open_file(struct pali__lora_merge *merge, const char *directory, double scale,
                             const pali_checkpoint *checkpoint, const struct pali__settings *settings,
                             struct pali__network *network, pali_error **error)
{
    if (!directory || !isfinite(scale) || fabs(scale) > 1e6)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "adapters[%zu] is NULL, or its scale %g is not within ±1e6",
                          merge->count, scale);
    TRY(pali__lora_file_open(&merge->files[merge->count], directory, error));
    merge->scales[merge->count] = (float)scale;
    merge->count++;
    struct checking checking = { &merge->files[merge->count - 1], checkpoint, settings };
    return pali__lora_match(checking.file, settings, network, check_weight, &checking, error);
}

pali_status pali__lora_merge_open(struct pali__lora_merge *out, const char *const *directories, const double *scales,
                                  size_t count, const pali_checkpoint *checkpoint,
                                  const struct pali__settings *settings, struct pali__network *network,
                                  pali_error **error)
{
    pali_status status = PALI_OK;

    *out = (struct pali__lora_merge){ 0 };
    if (count == 0)
        return PALI_OK;
    if (!directories)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "adapters is NULL and n_adapters %zu", count);
    pali__compute_init(&out->compute, PALI_FLOAT32, 0);
    out->files = pali__calloc(count, sizeof *out->files);
    out->scales = pali__calloc(count, sizeof *out->scales);
    if (!out->files || !out->scales)
        status = pali__no_memory(error, count * sizeof *out->files);
    for (size_t i = 0; status == PALI_OK && i < count; i++)
        status = open_file(out, directories[i], scales ? scales[i] : 1.0, checkpoint, settings, network,
                           error);
    if (status != PALI_OK)
        pali__lora_merge_close(out);
    return status;
}

void pali__lora_merge_close(struct pali__lora_merge *merge)
{
    for (size_t i = 0; i < merge->count; i++)
        pali__lora_file_close(&merge->files[i]);
    pali__free(merge->files);
    pali__free(merge->scales);
    *merge = (struct pali__lora_merge){ 0 };
}

bool pali__lora_merge_changes(const struct pali__lora_merge *merge, const char *weight)
{
    for (size_t i = 0; i < merge->count; i++)
        if (pali__lora_file_find(&merge->files[i], weight))
            return true;
    return false;
}

/* Rows first_row… of `tensor` in float32, a block of its own; NULL without memory. */
static float *float_rows(const pali_tensor *tensor, int64_t first_row, int64_t n_rows)
{
    size_t width = (size_t)tensor->shape[1], count = (size_t)n_rows * width, size = pali_dtype_size(tensor->dtype);
    void *rows = pali__aligned_malloc(count * size); /* the file may hold them unaligned */
    float *floats = pali__aligned_malloc(count * sizeof *floats);

    if (rows && floats) {
        memcpy(rows, (const char *)tensor->data + (size_t)first_row * width * size, count * size);
        pali__to_float(floats, rows, tensor->dtype, (int64_t)count);
    } else {
        pali__aligned_free(floats);
        floats = NULL;
    }
    pali__aligned_free(rows);
    return floats;
}

pali_status pali__lora_merge_add(const struct pali__lora_merge *merge, const char *weight, float *w, int64_t first_row,
                                 int64_t n_rows, pali_error **error)
{
    for (size_t i = 0; i < merge->count; i++) {
        const struct pali__lora_pair *pair = pali__lora_file_find(&merge->files[i], weight);
        if (!pair)
            continue;
        float *a = float_rows(pair->a, 0, pair->rank), *b = float_rows(pair->b, first_row, n_rows);
        bool done = a && b;
        if (done)
            pali__add_low_rank(&merge->compute, w, b, a, n_rows, pair->a->shape[1], pair->rank,
                               (float)pair->scale * merge->scales[i]);
        pali__aligned_free(a);
        pali__aligned_free(b);
        if (!done)
            return pali__no_memory(error, pali__tensor_size(pair->a) + pali__tensor_size(pair->b));
    }
    return PALI_OK;
}
