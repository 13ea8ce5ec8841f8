/* SPDX-License-Identifier: BSD-2-Clause */
/* Rounding a matrix so that its outputs change little, not its weights: GPTQ (arXiv 2210.17323). */
#ifndef PALI_QUANTIZE_GPTQ_H
#define PALI_QUANTIZE_GPTQ_H

#include "kernels/round_weights.h"
#include "quantize/moments_factor.h"

/* As pali__round_weights, for inputs whose moments made `factor`, and overwrites w: [n_rows, n_in] by what the codes
 * stand for. rounding->importance is not read: the factor's is taken. A group's scale is chosen when its first column is
 * reached, for the weights as errors to their left have changed them. A group size is n_in or more, or a multiple of
 * PALI__MOMENTS_PANEL that divides PALI__MOMENTS_STEP. PALI_ERROR_MEMORY. */
pali_status pali__gptq_round(const struct pali__compute *compute, const struct pali__rounding *rounding,
                             const struct pali__moments_factor *factor, float *w, int64_t n_rows, void *codes,
                             void *scales, int8_t *zero_points, pali_error **error);

#endif
