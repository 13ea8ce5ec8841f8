/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PALI_MODEL_OUTPUTS_H
#define PALI_MODEL_OUTPUTS_H

#include <paligemma/model.h>

#include "core/tensor_set.h"

struct pali_outputs {
    struct pali__tensor_set tensors;
};

#endif
