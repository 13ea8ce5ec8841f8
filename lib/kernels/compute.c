/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/ops.h"

#include <omp.h>

#include "kernels/kernels.h"

void pali__compute_init(struct pali__compute *compute, pali_dtype dtype, int n_threads)
{
    *compute = (struct pali__compute){
        .kernels = pali__kernels_get(pali__cpu_level()),
        .n_threads = n_threads > 0 ? n_threads : omp_get_max_threads(),
        .dtype = dtype,
    };
}
