/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * H + damping = U·Uᵀ with U upper triangular: the Cholesky factor that begins with the last column. A change D of the
 * weights costs tr(D·H·Dᵀ) = |D·U|², and column k of D·U knows columns 0…k of D alone:
 *
 *   (D·U)[k] = U[k,k] · (D[k] + Σ_{i<k} D[i]·u[i,k]),   u[i,k] = U[i,k] / U[k,k]
 *
 * So when columns are rounded from the first to the last, what has been done wrong to earlier ones asks column k for
 * D[k] = -Σ D[i]·u[i,k]. GPTQ (arXiv 2210.17323) writes the same with the factor of H⁻¹, which is U⁻¹; this needs no
 * inverse.
 */
#ifndef PALI_QUANTIZE_MOMENTS_FACTOR_H
#define PALI_QUANTIZE_MOMENTS_FACTOR_H

#include "quantize/second_moments.h"

struct pali__moments_factor {
    int64_t n_in, width, n_blocks; /* as in struct pali__second_moments */
    int64_t block_size;            /* floats of a block's panels */
    float *panels;     /* u of each block: for each PALI__MOMENTS_PANEL columns, their rows from the first to the last
                          that the diagonal crosses, without gaps */
    float *importance; /* [n_in] the diagonal of H + damping */
};

/* The damping: this part of the mean of H's diagonal, added to all of it, as in GPTQ, and this part of each element
 * itself, which keeps the factor from breaking down in float32, however large the largest is. */
#define PALI__MOMENTS_DAMPING 0.01f
#define PALI__MOMENTS_OWN_DAMPING 1e-4f

/* Overwrites the moments. Inputs that were always 0, or no inputs at all, are damped like the others: they ask nothing of
 * each other. PALI_ERROR_FORMAT if H is not finite; PALI_ERROR_MEMORY. */
pali_status pali__moments_factor_init(struct pali__moments_factor *factor, const struct pali__compute *compute,
                                      struct pali__second_moments *moments, pali_error **error);
void pali__moments_factor_clear(struct pali__moments_factor *factor); /* of a zeroed one: nothing */

/* Rows 0…PALI__MOMENTS_PANEL·(panel+1)-1 of u for the columns of a panel of a block, PALI__MOMENTS_PANEL apart. */
static inline const float *pali__moments_factor_panel(const struct pali__moments_factor *factor, int64_t block,
                                                      int64_t panel)
{
    return factor->panels + block * factor->block_size +
           (int64_t)PALI__MOMENTS_PANEL * PALI__MOMENTS_PANEL * (panel * (panel + 1) / 2);
}

#endif
