/* SPDX-License-Identifier: BSD-2-Clause */
/* From a checkpoint's tensors to a quantized matrix. */
#ifndef PALI_MODEL_QUANTIZED_MATRIX_H
#define PALI_MODEL_QUANTIZED_MATRIX_H

#include "model/quantized_tensors.h"

/* The matrix of checked `tensors`, its codes and scales in the map. What kernels need in another form, packed zero
 * points and a scale for the whole tensor, goes to *block: the caller's to free (pali__aligned_free), NULL if there is
 * nothing such. */
pali_status pali__quantized_matrix(struct pali__matrix *out, void **block, size_t *block_size,
                                   const struct pali__quantized_tensors *tensors, const struct pali__tensor_spec *spec,
                                   pali_error **error);

/* Bytes of the codes and of the scales. */
size_t pali__codes_size(const struct pali__matrix *matrix);
size_t pali__scales_size(const struct pali__matrix *matrix);

#endif
