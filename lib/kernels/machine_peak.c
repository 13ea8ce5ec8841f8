/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/machine_peak.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "core/memory.h"
#include "kernels/kernels.h"
#include "kernels/onednn/onednn_peak.h"

enum {
    RUNS = 4,
    /* A product of pairs in the first cache; PAIR_COLUMNS is the most that any kernel takes at a time. */
    PAIR_ROWS = 48,
    PAIR_COLUMNS = 32,
    PAIR_DEPTH = 160,
    PAIR_PRODUCTS = 200
};
static const int64_t BLOCK_BYTES = (int64_t)256 << 20;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static uint64_t read_all(const uint64_t *words, int64_t n, int n_threads)
{
    uint64_t total = 0;

#pragma omp parallel for reduction(+ : total) num_threads(n_threads) schedule(static)
    for (int64_t i = 0; i < n; i += 8)
        total += (words[i] ^ words[i + 1] ^ words[i + 2] ^ words[i + 3]) +
                 (words[i + 4] ^ words[i + 5] ^ words[i + 6] ^ words[i + 7]);
    return total;
}

pali_status pali__machine_read(double *bytes_per_s, int n_threads, pali_error **error)
{
    int64_t n = BLOCK_BYTES / (int64_t)sizeof(uint64_t);
    uint64_t *words = pali__aligned_malloc((size_t)BLOCK_BYTES);
    _Atomic uint64_t kept = 0; /* so that the compiler has to read */
    double best = 0.0;

    if (!words)
        return pali__no_memory(error, (size_t)BLOCK_BYTES);
    memset(words, 1, (size_t)BLOCK_BYTES);
    for (int i = 0; i < RUNS; i++) {
        double begin = now();
        atomic_fetch_add(&kept, read_all(words, n, n_threads));
        double rate = (double)BLOCK_BYTES / (now() - begin);
        best = rate > best ? rate : best;
    }
    pali__aligned_free(words);
    *bytes_per_s = best;
    return PALI_OK;
}

pali_dtype pali__machine_gemm_dtype(const struct pali__compute *compute, const struct pali__matrix *w)
{
    if (w != NULL && w->quantized.code != PALI__CODE_NONE && w->quantized.int8_inputs)
        return PALI_INT8;
    bool narrow = compute->dtype == PALI_BFLOAT16 && compute->kernels->level == PALI__CPU_AVX512_BF16;

    return narrow ? PALI_BFLOAT16 : PALI_FLOAT32;
}

/* The best of a few runs, if it is better than `*best`. */
static pali_status time_runs(double *best, struct pali__onednn_peak *product,
                             pali_status (*run)(struct pali__onednn_peak *product, int n_threads), int n_threads)
{
    for (int i = 0; i < RUNS; i++) {
        double begin = now();
        pali_status status = run(product, n_threads);
        double taken = now() - begin;
        if (status != PALI_OK)
            return status;
        *best = taken < *best ? taken : *best;
    }
    return PALI_OK;
}

/* Seconds that our own kernel takes for a product of 8-bit integers of one operation, on data in the first cache, every
 * thread on its own. */
static double seconds_for_pair_operation(const struct pali__compute *compute)
{
    static const int16_t a[2 * PAIR_ROWS * PAIR_DEPTH], b[2 * PAIR_COLUMNS * PAIR_DEPTH]; /* its time knows no values */
    int64_t n = compute->kernels->product_columns;
    double best = INFINITY;

    for (int run = 0; run < RUNS; run++) {
        double begin = now();
#pragma omp parallel num_threads(compute->n_threads)
        {
            int32_t c[PAIR_ROWS * PAIR_COLUMNS];
            for (int i = 0; i < PAIR_PRODUCTS; i++)
                compute->kernels->product_pairs(c, n, a, PAIR_DEPTH, b, n, PAIR_ROWS, n, PAIR_DEPTH, i > 0);
        }
        double taken = now() - begin;
        best = taken < best ? taken : best;
    }
    return best / ((double)compute->n_threads * PAIR_PRODUCTS * 4.0 * PAIR_ROWS * (double)n * PAIR_DEPTH);
}

pali_status pali__machine_gemm(double *seconds, const struct pali__compute *compute, pali_dtype dtype, int64_t m,
                               int64_t n, int64_t k, pali_error **error)
{
    struct pali__onednn_peak product;
    pali_status status = pali__onednn_peak_create(&product, dtype, m, n, k);

    *seconds = INFINITY;
    if (status == PALI_OK)
        status = time_runs(seconds, &product, pali__onednn_peak_run, compute->n_threads);
    if (status == PALI_OK && dtype == PALI_FLOAT32)
        status = time_runs(seconds, &product, pali__onednn_peak_run_sgemm, compute->n_threads);
    pali__onednn_peak_free(&product);
    if (status != PALI_OK)
        return pali__fail(error, status, "oneDNN cannot multiply [%lld, %lld] by [%lld, %lld] in %s", (long long)m,
                          (long long)k, (long long)k, (long long)n, pali_dtype_name(dtype));
    if (dtype == PALI_INT8) {
        double own = 2.0 * (double)m * (double)n * (double)k * seconds_for_pair_operation(compute);
        *seconds = own < *seconds ? own : *seconds;
    }
    return PALI_OK;
}
