/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/inputs.h
 * Named tensors: what the processor returns and the model takes (`pali_inputs`).
 *
 * | name | shape | dtype |
 * |---|---|---|
 * | input_ids | [batch, length] | int64 |
 * | attention_mask | [batch, length] | int64, 1 real, 0 padding; with a cache also [batch, cached + length], which says
 *   for that one pass what is seen of the cached tokens too |
 * | token_type_ids | [batch, length] | int64, 0 prefix, 1 suffix |
 * | position_ids | [batch, length] | int64, the first token has 1 |
 * | labels | [batch, length] | int64, -100 where there is no loss |
 * | pixel_values | [images, 3, size, size] | float32, -1…1 |
 * | inputs_embeds | [batch, length, hidden] | float32: text rows already scaled by sqrt(hidden), image rows merged or
 *   to be merged where input_ids, if given too, has image tokens, else where they equal <image>'s scaled embedding |
 */
#ifndef PALIGEMMA_INPUTS_H
#define PALIGEMMA_INPUTS_H

#include <paligemma/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Belongs to one thread while it is changed, else shared freely. */
typedef struct pali_inputs pali_inputs;

/** An empty set. Since 0.1. */
PALI_API pali_status pali_inputs_create(pali_inputs **out, pali_error **error);

/** Reads all tensors of the safetensors file `path`. Since 0.1. */
PALI_API pali_status pali_inputs_load(pali_inputs **out, const char *path, pali_error **error);

/** Writes all tensors to the safetensors file `path`, replacing it only when complete. Since 0.1. */
PALI_API pali_status pali_inputs_save(const pali_inputs *inputs, const char *path, pali_error **error);

PALI_API void pali_inputs_free(pali_inputs *inputs);

/** Number of tensors, and the name of tensor `index` (NULL past the end), in the order they were set. Since 0.1. */
PALI_API size_t pali_inputs_count(const pali_inputs *inputs);
PALI_API const char *pali_inputs_name(const pali_inputs *inputs, size_t index);

/** The tensor `name`, borrowed, or NULL if it is not there. Since 0.1. */
PALI_API const pali_tensor *pali_inputs_get(const pali_inputs *inputs, const char *name);

/** Copies a contiguous tensor in under `name`, replacing what was there. Since 0.1. */
PALI_API pali_status pali_inputs_set(pali_inputs *inputs, const char *name, const pali_tensor *tensor,
                                     pali_error **error);

#ifdef __cplusplus
}
#endif
#endif
