/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the C interfaces of oneDNN 2 and 3 differ: one of onednn_v2.c and onednn_v3.c is compiled to something. */
#ifndef PALI_KERNELS_ONEDNN_ONEDNN_INTERNAL_H
#define PALI_KERNELS_ONEDNN_ONEDNN_INTERNAL_H

#include <dnnl.h>

#include "kernels/onednn/onednn_gemm.h"

/* Makes the primitive and the three memory objects, without data, of product->m, n and k. What was made before a
 * failure stands in `product`. */
dnnl_status_t pali__onednn_bf16_make(struct pali__onednn_bf16 *product, dnnl_engine_t engine);

#endif
