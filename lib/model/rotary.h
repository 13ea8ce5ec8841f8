/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PALI_MODEL_ROTARY_H
#define PALI_MODEL_ROTARY_H

#include "config/model_config.h"

/* How far each pair of a head turns from one position to the next. frequency: [head_dim/2]. */
void pali__rotary_frequencies(float *frequency, const struct pali__text_config *config);

#endif
