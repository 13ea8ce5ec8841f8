/* SPDX-License-Identifier: BSD-2-Clause */
/* Filling the network from the checkpoint. */
#ifndef PALI_MODEL_LOAD_H
#define PALI_MODEL_LOAD_H

#include "model/network.h"

/* Fills model->network from model->checkpoint, whose directory is `path` for messages. A missing, unexpected or wrongly
 * shaped tensor is an error that names it. Matrices of the type `dtype` can use stay in the map. */
pali_status pali__model_load_weights(pali_model *model, const char *path, pali_dtype dtype, pali_progress_fn progress,
                                     void *progress_user, pali_error **error);

#endif
