/* SPDX-License-Identifier: BSD-2-Clause */
/* The head, quantized while it is loaded: what a checkpoint whose head is the embedding cannot store. */
#ifndef PALI_MODEL_INT8_HEAD_H
#define PALI_MODEL_INT8_HEAD_H

#include "kernels/ops.h"

/* Told how many more rows are done; anything but PALI_OK ends the work. */
typedef pali_status (*pali__rows_done)(void *user, int64_t n_rows, pali_error **error);

/* *out becomes `head` in int8, a scale for each output. Its codes and scales stand in *block, the caller's to free
 * (pali__aligned_free). Spread over the threads of `compute`. */
pali_status pali__int8_head(struct pali__matrix *out, void **block, const struct pali__compute *compute,
                            const struct pali__matrix *head, pali__rows_done rows_done, void *user, pali_error **error);

#endif
