/* SPDX-License-Identifier: BSD-2-Clause */
/* What a checkpoint has, against what a model of its configuration needs. */
#ifndef PALI_MODEL_INVENTORY_H
#define PALI_MODEL_INVENTORY_H

#include <paligemma/checkpoint.h>

#include "core/memory.h"
#include "model/network.h"

/* "2048, 1152" */
void pali__shape_text(char out[96], int32_t rank, const int64_t *shape);
bool pali__tensor_fits(const pali_tensor *tensor, const struct pali__tensor_spec *spec);

/* The name under which the checkpoint has the weight `name`, or should. A head may stand for the embedding and the
 * reverse (PARITY §1.5): tied weights are stored once under either name. */
const char *pali__inventory_name(const pali_checkpoint *checkpoint, const struct pali__settings *settings,
                                 const char *name);

/* The checkpoint's tensor for `spec`, of a floating type and the right shape; `path` is for messages. Of a quantized
 * matrix there is none: quantized_tensors.h. */
pali_status pali__inventory_find(const pali_checkpoint *checkpoint, const struct pali__settings *settings,
                                 const char *path, const struct pali__tensor_spec *spec, const pali_tensor **out,
                                 pali_error **error);

/* PALI_ERROR_FORMAT if the checkpoint has a tensor that no model of `settings` has. */
pali_status pali__inventory_refuse_unexpected(const pali_checkpoint *checkpoint, const struct pali__settings *settings,
                                              struct pali__network *network, const char *path, pali_error **error);

/* Lists what is missing or wrongly shaped (unless `missing` is NULL) and what is unexpected, a line each. Of `network`
 * only the arrays of blocks are used. */
pali_status pali__inventory_compare(const pali_checkpoint *checkpoint, const struct pali__settings *settings,
                                    struct pali__network *network, struct pali__text *missing,
                                    struct pali__text *unexpected, pali_error **error);

/* Whether embedding and head are one matrix. A file of Llama or Mistral that has both means both, whatever its
 * config.json says: their releases before Transformers 5 left the head untied. So does a file that has both with one of
 * them quantized. */
bool pali__head_is_tied(const pali_checkpoint *checkpoint, const struct pali__settings *settings);

#endif
