/* SPDX-License-Identifier: BSD-2-Clause */
/* The product of two thin matrices added to a large one: what merges a LoRA update into a weight. */
#include "kernels/ops.h"

#include "kernels/kernels.h"

enum { ROWS_PER_TASK = 64 };

void pali__add_low_rank(const struct pali__compute *compute, float *w, float *b, const float *a, int64_t n_out,
                        int64_t n_in, int64_t rank, float scale)
{
    const struct pali__kernels *kernels = compute->kernels;
    kernels->scale(b, b, n_out * rank, scale);
#pragma omp parallel for schedule(static) num_threads(compute->n_threads)
    for (int64_t first = 0; first < n_out; first += ROWS_PER_TASK) {
        int64_t n = n_out - first < ROWS_PER_TASK ? n_out - first : ROWS_PER_TASK;
        kernels->product(w + first * n_in, n_in, b + first * rank, rank, a, n_in, n, n_in, rank, true);
    }
}
