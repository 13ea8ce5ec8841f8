/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the C interfaces of oneDNN 2 and 3 differ: one of onednn_v2.c and onednn_v3.c is compiled to something. */
#ifndef PALI_KERNELS_ONEDNN_ONEDNN_INTERNAL_H
#define PALI_KERNELS_ONEDNN_ONEDNN_INTERNAL_H

#include <dnnl.h>

#include "kernels/onednn/onednn_gemm.h"
#include "kernels/onednn/onednn_peak.h"

/* The engine that all of the program shares, and a status in our own terms: onednn_gemm.c. */
dnnl_status_t pali__onednn_engine(dnnl_engine_t *engine);
pali_status pali__onednn_status(dnnl_status_t status);

/* Makes the primitive and the three memory objects, without data, of matmul->m, n and k, rows of b b_stride values
 * apart. What was made before a failure stands in `matmul`. */
dnnl_status_t pali__onednn_matmul_make(struct pali__onednn_matmul *matmul, dnnl_engine_t engine,
                                       dnnl_data_type_t factors, dnnl_data_type_t sums, int64_t b_stride);

/* The same for a product whose weights have the layout that oneDNN chooses and whose memory oneDNN allocates. */
dnnl_status_t pali__onednn_peak_make(struct pali__onednn_peak *product, dnnl_engine_t engine, dnnl_data_type_t factors,
                                     dnnl_data_type_t sums);

/* Bytes of a memory object's data. */
dnnl_status_t pali__onednn_memory_size(dnnl_memory_t memory, size_t *size);

#endif
