/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The matrix products that oneDNN does for us. Each call runs on the calling thread alone, so that several threads
 * can work on blocks of one product and the result does not depend on how many they are.
 */
#ifndef PALI_KERNELS_ONEDNN_ONEDNN_GEMM_H
#define PALI_KERNELS_ONEDNN_ONEDNN_GEMM_H

#include <stdint.h>

#include <paligemma/base.h>

/* A product of bfloat16 matrices with float32 sums, made for one shape: c = a·bᵀ, all contiguous. It belongs to the
 * thread that created it. */
struct pali__onednn_bf16 {
    void *primitive, *a, *b, *c;
    int64_t m, n, k;
};

/* PALI_ERROR_UNSUPPORTED where oneDNN would not use the processor's bfloat16 instructions; `*product` can be freed
 * whatever the outcome. */
pali_status pali__onednn_bf16_create(struct pali__onednn_bf16 *product, int64_t m, int64_t n, int64_t k);
pali_status pali__onednn_bf16_run(struct pali__onednn_bf16 *product, float *c, const uint16_t *a, const uint16_t *b);
void pali__onednn_bf16_free(struct pali__onednn_bf16 *product);

#endif
