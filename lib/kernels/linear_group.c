/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several matrices that multiply the same rows. In panels x is turned once for all of them, and the threads go from one
 * matrix to the next without waiting for each other; any other way they are multiplied one after another. Each gets the
 * bits that it gets alone.
 */
#include "kernels/kernels.h"
#include "kernels/ops.h"
#include "kernels/panel_product.h"

/* Whether pali__linear_in_blocks would leave them all to panel_product.c. */
static bool all_in_panels(const struct pali__compute *compute, const struct pali__linear_part *parts, int n_parts)
{
    bool in_panels = !(compute->dtype == PALI_BFLOAT16 && compute->kernels->level == PALI__CPU_AVX512_BF16);
    for (int i = 0; i < n_parts; i++)
        in_panels = in_panels && parts[i].w->n_out > 0 && !parts[i].w->quantized.int8_inputs;
    return in_panels;
}

pali_status pali__linear_group_in_blocks(const struct pali__compute *compute, const struct pali__linear_part *parts,
                                         int n_parts, const float *x, int64_t n_rows, enum pali__store store,
                                         void *scratch, pali_error **error)
{
    pali_status status = PALI_OK;
    if (n_rows > 0 && all_in_panels(compute, parts, n_parts)) {
        pali__panel_product(compute, parts, n_parts, x, n_rows, store, scratch);
        return PALI_OK;
    }
    for (int i = 0; i < n_parts && status == PALI_OK; i++)
        status = pali__linear_in_blocks(compute, parts[i].y, x, n_rows, parts[i].w, parts[i].bias, store, scratch,
                                        error);
    return status;
}

pali_status pali__linear_group(const struct pali__compute *compute, const struct pali__linear_part *parts, int n_parts,
                               const float *x, int64_t n_rows, enum pali__store store, void *scratch,
                               pali_error **error)
{
    pali_status status = PALI_OK;
    bool many = true;
    for (int i = 0; i < n_parts; i++)
        many = many && n_rows > pali__few_rows(compute, parts[i].w->dtype);
    if (many)
        return pali__linear_group_in_blocks(compute, parts, n_parts, x, n_rows, store, scratch, error);
    for (int i = 0; i < n_parts && status == PALI_OK; i++)
        status = pali__linear(compute, parts[i].y, x, n_rows, parts[i].w, parts[i].bias, store, scratch, error);
    return status;
}
