/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast this machine reads and multiplies at the most, whatever our own kernels make of it. */
#ifndef PALI_KERNELS_MACHINE_PEAK_H
#define PALI_KERNELS_MACHINE_PEAK_H

#include "core/error.h"
#include "kernels/ops.h"

/* Bytes a second that `n_threads` read from a block too large for any cache. */
pali_status pali__machine_read(double *bytes_per_s, int n_threads, pali_error **error);

/* The type in which large products with this matrix run; with NULL, with one that is not quantized, in bfloat16. */
pali_dtype pali__machine_gemm_dtype(const struct pali__compute *compute, const struct pali__matrix *w);

/* The best time, in seconds, in which oneDNN multiplies [m, k] by [k, n] in that type with compute->n_threads. In int8,
 * where oneDNN may be slower than it could be, our own kernel's rate in the first cache counts if it is better. */
pali_status pali__machine_gemm(double *seconds, const struct pali__compute *compute, pali_dtype dtype, int64_t m,
                               int64_t n, int64_t k, pali_error **error);

#endif
