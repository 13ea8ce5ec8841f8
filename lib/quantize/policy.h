/* SPDX-License-Identifier: BSD-2-Clause */
/* Which matrices of a network are quantized, and how: a group of quantization_config for each. */
#ifndef PALI_QUANTIZE_POLICY_H
#define PALI_QUANTIZE_POLICY_H

#include <paligemma/quantize.h>

#include "config/quantization_config.h"
#include "core/memory.h"
#include "kernels/round_weights.h"
#include "model/network.h"

struct json_object;

/*
 * All but one sort of matrix have the scheme that was asked for:
 * - Rows that are no multiple of the group size cannot be in groups: compressed-tensors' dequantize refuses them. They
 *   have 8 bits and a scale for each output.
 * - So has the vision tower in the weight-only schemes, its codes not packed: Transformers (5.23) fails on packed ones, for
 *   it fills SigLIP's weights by name before it loads them; and fc2's 4304 inputs are no multiple of any group.
 */
enum pali__policy_group { PALI__POLICY_UNEVEN, PALI__POLICY_TOWER, PALI__POLICY_MAIN, PALI__N_POLICY_GROUPS };

struct pali__policy {
    int parts; /* of enum pali_quantization_part */
    bool searches;
    struct pali__quantization_group groups[PALI__N_POLICY_GROUPS]; /* without targets */
    struct pali__text targets[PALI__N_POLICY_GROUPS]; /* JSON strings with commas, of the groups that are in use */
    size_t n_matrices;
};

/* From options that are filled in. PALI_ERROR_ARGUMENT. */
pali_status pali__policy_init(struct pali__policy *policy, const pali_quantize_options *options, pali_error **error);
void pali__policy_clear(struct pali__policy *policy);

/* The group of a matrix, NULL: it stays as it is. The head must be one of its own. */
const struct pali__quantization_group *pali__policy_group(const struct pali__policy *policy,
                                                          const struct pali__tensor_spec *spec);

/* How a matrix of that group is rounded. */
struct pali__rounding pali__policy_rounding(const struct pali__policy *policy,
                                            const struct pali__quantization_group *group, int64_t n_in,
                                            pali_dtype scale_dtype);

/* Notes a matrix that is quantized. False without memory. */
bool pali__policy_note(struct pali__policy *policy, const struct pali__quantization_group *group, const char *name);

/* Puts the member quantization_config into the root of config.json, for what was noted. */
pali_status pali__policy_write(const struct pali__policy *policy, struct json_object *root, pali_error **error);

#endif
