/* SPDX-License-Identifier: BSD-2-Clause */
/* One product as oneDNN does it best: weights in the layout it chooses, its own threads. Only for measuring. */
#ifndef PALI_KERNELS_ONEDNN_ONEDNN_PEAK_H
#define PALI_KERNELS_ONEDNN_ONEDNN_PEAK_H

#include <stdint.h>

#include <paligemma/base.h>

struct pali__onednn_peak {
    void *primitive, *a, *b, *c; /* a: [m, k], b: [k, n], c: [m, n]; oneDNN owns their memory */
    int64_t m, n, k;
};

/* float32 or bfloat16 factors with float32 sums, or int8 with int32. `*product` can be freed whatever the outcome. */
pali_status pali__onednn_peak_create(struct pali__onednn_peak *product, pali_dtype dtype, int64_t m, int64_t n,
                                     int64_t k);
pali_status pali__onednn_peak_run(struct pali__onednn_peak *product, int n_threads);
/* The same float32 product by dnnl_sgemm, from plain matrices: sometimes the faster of the two. */
pali_status pali__onednn_peak_run_sgemm(struct pali__onednn_peak *product, int n_threads);
void pali__onednn_peak_free(struct pali__onednn_peak *product);

#endif
