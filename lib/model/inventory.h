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

/* Lists what is missing or wrongly shaped (unless `missing` is NULL) and what is unexpected, a line each. Of `network`
 * only the arrays of blocks are used. */
pali_status pali__inventory_compare(const pali_checkpoint *checkpoint, const struct pali__settings *settings,
                                    struct pali__network *network, struct pali__text *missing,
                                    struct pali__text *unexpected, pali_error **error);

#endif
