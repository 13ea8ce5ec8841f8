/* SPDX-License-Identifier: BSD-2-Clause */
/* What is to be answered: the rows of pali_inputs without their padding. */
#ifndef PALI_GENERATE_PROMPTS_H
#define PALI_GENERATE_PROMPTS_H

#include <paligemma/inputs.h>

#include "core/error.h"

struct pali__prompts {
    int64_t rows, longest, total;
    int64_t *ids;    /* the real tokens of all rows, one row after another */
    uint8_t *types;  /* of the same tokens: 0 prefix, 1 suffix */
    int64_t *starts; /* [rows + 1]: row i is ids[starts[i]…starts[i + 1]) */
};

/* input_ids, and of attention_mask and token_type_ids what there is. A row without any token is PALI_ERROR_ARGUMENT. */
pali_status pali__prompts_init(struct pali__prompts *prompts, const pali_inputs *inputs, pali_error **error);
void pali__prompts_clear(struct pali__prompts *prompts); /* of a zeroed one: nothing */

#endif
