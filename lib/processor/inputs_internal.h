/* SPDX-License-Identifier: BSD-2-Clause */
/* What the generation needs of the processor behind a set of inputs. */
#ifndef PALI_PROCESSOR_INPUTS_INTERNAL_H
#define PALI_PROCESSOR_INPUTS_INTERNAL_H

#include <paligemma/inputs.h>
#include <paligemma/processor.h>

#include "core/tensor_set.h"
#include "tokenizer/tokenizer.h"

struct pali_inputs {
    struct pali__tensor_set tensors;
    pali_processor *processor; /* a reference, or NULL */
};

pali_processor *pali__processor_retain(pali_processor *processor);
const struct pali__tokenizer *pali__processor_tokenizer(const pali_processor *processor);
const char *pali__processor_eos(const pali_processor *processor); /* as text; the tokenizer has it */

#endif
