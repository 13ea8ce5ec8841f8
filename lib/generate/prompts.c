/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/prompts.h"

#include "core/memory.h"

static pali_status take(const pali_inputs *inputs, const char *name, const pali_tensor *like, const int64_t **out,
                        pali_error **error)
{
    const pali_tensor *tensor = pali_inputs_get(inputs, name);

    *out = NULL;
    if (!tensor)
        return PALI_OK;
    if (tensor->dtype != PALI_INT64 || tensor->rank != 2 ||
        (like && (tensor->shape[0] != like->shape[0] || tensor->shape[1] != like->shape[1])))
        return pali__fail(error, PALI_ERROR_SHAPE, "%s should be int64 [batch, length]%s", name,
                          like ? " like input_ids" : "");
    *out = tensor->data;
    return PALI_OK;
}

pali_status pali__prompts_init(struct pali__prompts *prompts, const pali_inputs *inputs, pali_error **error)
{
    const pali_tensor *tensor = pali_inputs_get(inputs, "input_ids");
    const int64_t *ids, *mask, *types;
    int64_t batch, length;

    *prompts = (struct pali__prompts){ 0 };
    TRY(take(inputs, "input_ids", NULL, &ids, error));
    if (!ids || tensor->shape[0] < 1 || tensor->shape[1] < 1)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "generation needs input_ids, not empty");
    TRY(take(inputs, "attention_mask", tensor, &mask, error));
    TRY(take(inputs, "token_type_ids", tensor, &types, error));
    batch = tensor->shape[0];
    length = tensor->shape[1];

    prompts->ids = pali__malloc((size_t)(batch * length) * sizeof *prompts->ids);
    prompts->types = pali__malloc((size_t)(batch * length));
    prompts->starts = pali__malloc((size_t)(batch + 1) * sizeof *prompts->starts);
    if (!prompts->ids || !prompts->types || !prompts->starts) {
        pali__prompts_clear(prompts);
        return pali__no_memory(error, (size_t)(batch * length) * sizeof *prompts->ids);
    }
    prompts->rows = batch;
    for (int64_t row = 0; row < batch; row++) {
        prompts->starts[row] = prompts->total;
        for (int64_t i = row * length; i < (row + 1) * length; i++) {
            if (mask && !mask[i])
                continue;
            prompts->types[prompts->total] = types ? types[i] != 0 : 0;
            prompts->ids[prompts->total++] = ids[i];
        }
        int64_t n = prompts->total - prompts->starts[row];
        prompts->longest = n > prompts->longest ? n : prompts->longest;
        if (n == 0) {
            pali__prompts_clear(prompts);
            return pali__fail(error, PALI_ERROR_ARGUMENT, "row %lld of input_ids is all padding", (long long)row);
        }
    }
    prompts->starts[batch] = prompts->total;
    return PALI_OK;
}

void pali__prompts_clear(struct pali__prompts *prompts)
{
    pali__free(prompts->ids);
    pali__free(prompts->types);
    pali__free(prompts->starts);
    *prompts = (struct pali__prompts){ 0 };
}
