/* SPDX-License-Identifier: BSD-2-Clause */
/* What the caller left open comes from generation_config.json, then from Transformers' defaults. */
#ifndef PALI_GENERATE_OPTION_DEFAULTS_H
#define PALI_GENERATE_OPTION_DEFAULTS_H

#include <paligemma/generate.h>

#include "config/model_config.h"

#define PALI__MAX_NEW_TOKENS (1 << 20)
#define PALI__MAX_BEAMS 64
#define PALI__MAX_ANSWERS 1024 /* to one prompt */
#define PALI__MAX_ALTERNATIVES 64

/*
 * Fills in `options` and checks every number in it: afterwards temperature 0 means greedy, top_k below 1 all, a penalty
 * or filter that does nothing has its neutral value, and eos_token_ids is not NULL. What would be without effect is PALI_ERROR_ARGUMENT; a field of the file that would
 * change answers and is not served, PALI_ERROR_UNSUPPORTED.
 */
pali_status pali__fill_in_options(pali_generate_options *options, const struct pali__generation_config *config,
                                  pali_error **error);

#endif
