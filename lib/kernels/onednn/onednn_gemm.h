/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The matrix products that oneDNN does for us. Each call runs on the calling thread alone, so that several threads
 * can work on blocks of one product and the result does not depend on how many they are.
 */
#ifndef PALI_KERNELS_ONEDNN_ONEDNN_GEMM_H
#define PALI_KERNELS_ONEDNN_ONEDNN_GEMM_H

#include <stdint.h>

#include <paligemma/base.h>

/* A product made for one shape: c = a·bᵀ. It belongs to the thread that created it. */
struct pali__onednn_matmul {
    void *primitive, *a, *b, *c;
    int64_t m, n, k;
};

/* bfloat16 matrices, float32 sums, all contiguous. _create: PALI_ERROR_UNSUPPORTED where oneDNN would not use the
 * processor's bfloat16 instructions; `*product` can be freed whatever the outcome. */
struct pali__onednn_bf16 {
    struct pali__onednn_matmul matmul;
};
pali_status pali__onednn_bf16_create(struct pali__onednn_bf16 *product, int64_t m, int64_t n, int64_t k);
pali_status pali__onednn_bf16_run(struct pali__onednn_bf16 *product, float *c, const uint16_t *a, const uint16_t *b);
void pali__onednn_bf16_free(struct pali__onednn_bf16 *product);

/* int8 matrices, int32 sums, rows of b b_stride bytes apart. _create: PALI_ERROR_UNSUPPORTED where oneDNN would not use
 * AVX-512 VNNI: without it, it adds pairs in 16 bits, where they do not fit. */
struct pali__onednn_int8 {
    struct pali__onednn_matmul matmul;
};
pali_status pali__onednn_int8_create(struct pali__onednn_int8 *product, int64_t m, int64_t n, int64_t k,
                                     int64_t b_stride);
pali_status pali__onednn_int8_run(struct pali__onednn_int8 *product, int32_t *c, const int8_t *a, const int8_t *b);
void pali__onednn_int8_free(struct pali__onednn_int8 *product);

#endif
