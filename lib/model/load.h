/* SPDX-License-Identifier: BSD-2-Clause */
/* Filling the network from the checkpoint. */
#ifndef PALI_MODEL_LOAD_H
#define PALI_MODEL_LOAD_H

#include "model/network.h"

/* A model of checked options, whose weights are not there yet. */
pali_status pali__model_open(pali_model **out, const char *path, const pali_model_options *options,
                             pali_error **error);

/* Fills model->network from model->checkpoint, whose directory is `path` for messages. A missing, unexpected or wrongly
 * shaped tensor is an error that names it. Matrices of a type that the model can use, and the codes of quantized ones, stay
 * in the map; those that an adapter of `options` changes become copies. */
pali_status pali__model_load_weights(pali_model *model, const char *path, const pali_model_options *options,
                                     pali_error **error);

/* Whether the head is quantized while loading, if it is not already. */
bool pali__wants_int8_head(const pali_model *model, const pali_model_options *options);

#endif
