/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/outputs.h"

#include "checkpoint/tensors.h"
#include "core/memory.h"

void pali_outputs_free(pali_outputs *outputs)
{
    if (!outputs)
        return;
    pali__tensor_set_clear(&outputs->tensors);
    pali__free(outputs);
}

size_t pali_outputs_count(const pali_outputs *outputs)
{
    return outputs ? outputs->tensors.count : 0;
}

const char *pali_outputs_name(const pali_outputs *outputs, size_t index)
{
    return index < pali_outputs_count(outputs) ? outputs->tensors.entries[index].name : NULL;
}

const pali_tensor *pali_outputs_get(const pali_outputs *outputs, const char *name)
{
    return outputs && name ? pali__tensor_set_get(&outputs->tensors, name) : NULL;
}

pali_status pali_outputs_save(const pali_outputs *outputs, const char *path, pali_error **error)
{
    if (!outputs || !path)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_outputs_save: %s is NULL", outputs ? "path" : "outputs");
    return pali__safetensors_save(&outputs->tensors, path, error);
}
