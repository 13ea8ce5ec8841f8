/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quantization_config of config.json, as compressed-tensors writes it: which modules are quantized, and how.
 * Source: compressed-tensors' quantization/quant_config.py, quant_scheme.py, quant_args.py.
 */
#ifndef PALI_CONFIG_QUANTIZATION_CONFIG_H
#define PALI_CONFIG_QUANTIZATION_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config_fields.h"

/* One of config_groups. */
struct pali__quantization_group {
    char **targets; /* "Linear", a module's name, or "re:" and a regular expression */
    size_t n_targets;
    int num_bits;         /* of weights: 4 or 8 */
    bool symmetric;
    int64_t group_size;   /* 0: one scale for each output; -1: one for the whole tensor */
    bool packed;          /* format pack-quantized, else int-quantized */
    bool int8_inputs;     /* dynamic, symmetric, 8 bits, a scale for each token */
};

struct pali__quantization_config {
    struct pali__quantization_group *groups;
    size_t n_groups; /* 0: the checkpoint is not quantized */
    char **ignore;   /* as targets */
    size_t n_ignore;
};

/* The member quantization_config of the root of config.json, `section->object` NULL: there is none. What this version
 * does not serve (another quant_method, floating-point formats, static activations, an activation order) is
 * PALI_ERROR_UNSUPPORTED with the field's name. Ended by _clear, of a zeroed one too. */
pali_status pali__quantization_config_read(struct pali__quantization_config *out, const struct pali__section *section);
void pali__quantization_config_clear(struct pali__quantization_config *config);

/* The group that quantizes the module of that name and class ("Linear", "Embedding"), or NULL: none does, or it is
 * ignored. A target that is the module's name goes before regular expressions, and these before classes; among equal
 * ones the alphabet decides, and of one target in two groups the later group counts (apply_quantization_config). */
const struct pali__quantization_group *pali__quantization_group_of(const struct pali__quantization_config *config,
                                                                   const char *module, const char *class_name);

#endif
