/* SPDX-License-Identifier: BSD-2-Clause */
/* adapter_config.json of a LoRA adapter, as PEFT's LoraConfig writes it. */
#ifndef PALI_CHECKPOINT_LORA_CONFIG_H
#define PALI_CHECKPOINT_LORA_CONFIG_H

#include <stdbool.h>

#include "core/json_file.h"

struct pali__lora_config {
    struct json_object *root;
    char *path;
    int64_t rank;
    double alpha;
    bool use_rslora;
};

/* Reads the file; whatever would make the adapter more than scale·B·A beside unchanged weights is
 * PALI_ERROR_UNSUPPORTED, with the field's name. Ended by pali__lora_config_clear. */
pali_status pali__lora_config_load(struct pali__lora_config *out, const char *directory, pali_error **error);
pali_status pali__lora_config_parse(struct pali__lora_config *out, const char *text, size_t size, pali_error **error);
void pali__lora_config_clear(struct pali__lora_config *config); /* of a zeroed one: nothing */

/* Rank and scale of the module with that name in the trained model: alpha / rank, or alpha / sqrt(rank) (rsLoRA,
 * arXiv 2312.03732), both with what rank_pattern and alpha_pattern say of it. */
pali_status pali__lora_config_module(const struct pali__lora_config *config, const char *module, int64_t *rank,
                                     double *scale, pali_error **error);

#endif
