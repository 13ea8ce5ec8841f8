/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quantized_gemv [ROWS [THREADS]]: how fast quantized matrices of a 3B decoder are read by products of ROWS rows (1), in
 * bytes of codes and scales a second, beside what the machine reads at the most. Each figure is the best of three walks
 * over a gigabyte of codes, as one decode step after another walks over the layers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/memory.h"
#include "kernels/machine_peak.h"
#include "kernels/ops.h"

enum { RUNS = 3, ROWS_MAX = 64 };
static const int64_t CODES_SIZE = (int64_t)1 << 30;

struct shape {
    const char *name;
    int64_t n_out, n_in;
};

struct scheme {
    const char *name;
    enum pali__code code;
    int64_t group_size; /* 0: n_in */
    bool has_zero_points, int8_inputs;
};

struct buffers {
    unsigned char *codes, *scales, *zero_points;
    float *x, *y;
    void *scratch;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Bytes a second of as many matrices of a shape as fit. */
static double read_rate(const struct pali__compute *compute, const struct buffers *b, const struct shape *shape,
                        const struct scheme *scheme, int64_t n_rows)
{
    int64_t group_size = scheme->group_size ? scheme->group_size : shape->n_in;
    int64_t row_size = pali__code_row_size(scheme->code, shape->n_in);
    int64_t n_groups = (shape->n_in + group_size - 1) / group_size, scales = shape->n_out * n_groups;
    int64_t codes = shape->n_out * row_size, count = CODES_SIZE / codes > 0 ? CODES_SIZE / codes : 1;
    int64_t bytes = count * (codes + scales * (scheme->has_zero_points ? 3 : 2));
    double best = 0.0;

    for (int run = 0; run < RUNS; run++) {
        double begin = now();
        for (int64_t i = 0; i < count; i++) {
            struct pali__matrix w = {
                .data = b->codes + i * codes,
                .dtype = PALI_INT8,
                .n_out = shape->n_out,
                .n_in = shape->n_in,
                .quantized = {.code = scheme->code, .int8_inputs = scheme->int8_inputs, .row_size = row_size,
                              .group_size = group_size, .n_groups = n_groups, .scales = b->scales + i * scales * 2,
                              .scale_dtype = PALI_BFLOAT16,
                              .zero_points = scheme->has_zero_points ? (int8_t *)b->zero_points + i * scales : NULL},
            };
            pali__linear_by_row(compute, b->y, b->x, n_rows, &w, NULL, PALI__STORE, b->scratch);
        }
        double rate = (double)bytes / (now() - begin);
        best = rate > best ? rate : best;
    }
    return best;
}

/* All matrices and all there is beside them. */
static bool make_buffers(struct buffers *b)
{
    /* One matrix may be as large as all codes together. Groups of 32 codes of 4 bits: a scale for each 16 bytes. */
    b->codes = pali__aligned_malloc((size_t)CODES_SIZE);
    b->scales = pali__aligned_malloc((size_t)CODES_SIZE / 8);
    b->zero_points = pali__aligned_malloc((size_t)CODES_SIZE / 16);
    b->x = pali__aligned_malloc(ROWS_MAX * 16384 * sizeof(float));
    b->y = pali__aligned_malloc(ROWS_MAX * (size_t)257216 * sizeof(float));
    b->scratch = pali__aligned_malloc(ROWS_MAX * 16384 * sizeof(float));
    if (!b->codes || !b->scales || !b->zero_points || !b->x || !b->y || !b->scratch)
        return false;
    for (int64_t i = 0; i < CODES_SIZE; i++)
        b->codes[i] = (unsigned char)(i * 37 + (i >> 9));
    for (int64_t i = 0; i < CODES_SIZE / 16; i++) {
        uint16_t scale = 0x3c00; /* 1/128 in bfloat16 */
        memcpy(b->scales + 2 * i, &scale, sizeof scale);
        b->zero_points[i] = (unsigned char)(i % 7);
    }
    for (int64_t i = 0; i < (int64_t)ROWS_MAX * 16384; i++)
        b->x[i] = (float)(i % 101) - 50.0f;
    return true;
}

static void print_table(const struct pali__compute *compute, const struct buffers *b, int64_t n_rows)
{
    static const struct shape shapes[] = {
        {"gate, up", 16384, 2048}, {"down", 2048, 16384}, {"head", 257216, 2048}};
    static const struct scheme schemes[] = {
        {"int8", PALI__CODE_INT8, 0, false, false},
        {"int8, int8 inputs", PALI__CODE_INT8, 0, false, true},
        {"packed8", PALI__CODE_PACKED8, 0, false, false},
        {"int4 g128", PALI__CODE_PACKED4, 128, false, false},
        {"int4 g128 zero points", PALI__CODE_PACKED4, 128, true, false},
        {"int4 g64", PALI__CODE_PACKED4, 64, false, false},
        {"int4 g32", PALI__CODE_PACKED4, 32, false, false},
    };

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        for (size_t j = 0; j < sizeof shapes / sizeof *shapes; j++) {
            double peak = 0.0, rate = read_rate(compute, b, &shapes[j], &schemes[i], n_rows);
            if (pali__machine_read(&peak, compute->n_threads, NULL) != PALI_OK)
                return;
            printf("%-22s %-9s %6.1f GB/s of %5.1f, %5.1f %%\n", schemes[i].name, shapes[j].name, rate * 1e-9,
                   peak * 1e-9, 100.0 * rate / peak);
        }
    }
}

int main(int argc, char **argv)
{
    int64_t n_rows = argc > 1 ? atoi(argv[1]) : 1;
    int n_threads = argc > 2 ? atoi(argv[2]) : 0;
    struct pali__compute compute;
    struct buffers buffers = {0};

    if (n_rows < 1 || n_rows > ROWS_MAX || n_threads < 0 || !make_buffers(&buffers)) {
        fprintf(stderr, "usage: quantized_gemv [ROWS [THREADS]], 1 to %d rows; 1.3 GB of memory\n", ROWS_MAX);
        return 2;
    }
    pali__compute_init(&compute, PALI_FLOAT32, n_threads);
    printf("%lld rows, %d threads\n", (long long)n_rows, compute.n_threads);
    print_table(&compute, &buffers, n_rows);
    pali__aligned_free(buffers.codes);
    pali__aligned_free(buffers.scales);
    pali__aligned_free(buffers.zero_points);
    pali__aligned_free(buffers.x);
    pali__aligned_free(buffers.y);
    pali__aligned_free(buffers.scratch);
    return 0;
}
