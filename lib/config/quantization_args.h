/* SPDX-License-Identifier: BSD-2-Clause */
/* What a group of quantization_config says of its weights and inputs. */
#ifndef PALI_CONFIG_QUANTIZATION_ARGS_H
#define PALI_CONFIG_QUANTIZATION_ARGS_H

#include "config/quantization_config.h"

/* weights and input_activations of the group that `section` is; the rest of *out stays. */
pali_status pali__quantization_args_read(struct pali__quantization_group *out, const struct pali__section *section);

/* PALI_ERROR_UNSUPPORTED, "'FILE': FIELD is VALUE, EXPECTED", with the member as the file has it. */
pali_status pali__refuse_member(const struct pali__section *section, const char *name, const char *expected);

#endif
