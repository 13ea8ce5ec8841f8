/* SPDX-License-Identifier: BSD-2-Clause */
/* LoRA updates added to the weights themselves, while a model is loaded or a checkpoint is saved. */
#ifndef PALI_MODEL_LORA_MERGE_H
#define PALI_MODEL_LORA_MERGE_H

#include "checkpoint/lora_file.h"
#include "model/network.h"

struct pali__lora_merge {
    struct pali__lora_file *files;
    float *scales; /* the caller's factors */
    size_t count;
    struct pali__compute compute;
};

/* Opens the adapters and checks that each fits a model of `settings` and changes no matrix that `checkpoint` has
 * quantized; of `network` only the arrays of blocks are used. `scales` NULL: all 1. Ended by pali__lora_merge_close. */
pali_status pali__lora_merge_open(struct pali__lora_merge *out, const char *const *directories, const double *scales,
                                  size_t count, const pali_checkpoint *checkpoint,
                                  const struct pali__settings *settings, struct pali__network *network,
                                  pali_error **error);
void pali__lora_merge_close(struct pali__lora_merge *merge); /* of a zeroed one: nothing */

/* Whether the weight of that canonical name changes. */
bool pali__lora_merge_changes(const struct pali__lora_merge *merge, const char *weight);

/* W += scale·B·A for rows first_row… of that weight: w [n_rows, n_in]. */
pali_status pali__lora_merge_add(const struct pali__lora_merge *merge, const char *weight, float *w, int64_t first_row,
                                 int64_t n_rows, pali_error **error);

#endif
