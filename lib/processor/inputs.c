/* SPDX-License-Identifier: BSD-2-Clause */
/* Named tensors, from the caller, from a file, or from the processor. */
#include "processor/inputs_internal.h"

#include <string.h>

#include "checkpoint/tensors.h"
#include "core/memory.h"

pali_status pali_inputs_create(pali_inputs **out, pali_error **error)
{
    if (!out)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_inputs_create: out is NULL");
    *out = pali__calloc(1, sizeof **out);
    return *out ? PALI_OK : pali__no_memory(error, sizeof **out);
}

pali_status pali_inputs_load(pali_inputs **out, const char *path, pali_error **error)
{
    if (!out)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_inputs_load: out is NULL");
    *out = NULL;
    if (!path)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_inputs_load: path is NULL");
    TRY(pali_inputs_create(out, error));
    pali_status status = pali__safetensors_load(&(*out)->tensors, path, error);
    if (status != PALI_OK) {
        pali_inputs_free(*out);
        *out = NULL;
    }
    return status;
}

pali_status pali_inputs_save(const pali_inputs *inputs, const char *path, pali_error **error)
{
    if (!inputs || !path)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_inputs_save: %s is NULL", inputs ? "path" : "inputs");
    return pali__safetensors_save(&inputs->tensors, path, error);
}

void pali_inputs_free(pali_inputs *inputs)
{
    if (!inputs)
        return;
    pali__tensor_set_clear(&inputs->tensors);
    pali_processor_free(inputs->processor);
    pali__free(inputs);
}

size_t pali_inputs_count(const pali_inputs *inputs) { return inputs ? inputs->tensors.count : 0; }

const char *pali_inputs_name(const pali_inputs *inputs, size_t index)
{
    return inputs && index < inputs->tensors.count ? inputs->tensors.entries[index].name : NULL;
}

const pali_tensor *pali_inputs_get(const pali_inputs *inputs, const char *name)
{
    return inputs && name ? pali__tensor_set_get(&inputs->tensors, name) : NULL;
}

pali_status pali_inputs_set(pali_inputs *inputs, const char *name, const pali_tensor *tensor, pali_error **error)
{
    if (!inputs || !name || !tensor)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_inputs_set: %s is NULL",
                          !inputs ? "inputs" : !name ? "name" : "tensor");
    return pali__tensor_set_copy(&inputs->tensors, name, tensor, error);
}
