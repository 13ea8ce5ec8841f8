/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel tests share: random values, and arrays between guard bytes. */
#ifndef PALI_TESTS_KERNELS_KERNEL_TEST_H
#define PALI_TESTS_KERNELS_KERNEL_TEST_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/kernels.h"

static uint64_t random_state = 0x9e3779b97f4a7c15u;

/* xorshift64*: the same sequence in every run. */
static inline uint32_t random_bits(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * 0x2545f4914f6cdd1du) >> 32);
}

/* Evenly between -size and size. */
static inline float random_float(float size)
{
    return ((float)(random_bits() >> 8) / 8388608.0f - 1.0f) * size;
}

static inline void random_floats(void *out, int64_t n, float size)
{
    float *values = out;
    for (int64_t i = 0; i < n; i++)
        values[i] = random_float(size);
}

static inline int64_t random_below(int64_t n)
{
    return (int64_t)(random_bits() % (uint32_t)n);
}

/* Between -2 and 2, subnormal ones among them. */
static inline uint16_t random_f16(void)
{
    return (uint16_t)(random_bits() % 0x4000u) | (uint16_t)(random_bits() & 0x8000u);
}

/* The larger error of the two; a NaN among them stays. */
static inline double larger(double worst, double error)
{
    return isnan(worst) || error <= worst ? worst : error;
}

/* `size` bytes, 64-byte aligned, between canaries. */
struct guarded {
    void *data;
    int64_t size;
    unsigned char *block;
};

enum { GUARD = 64 };

static inline void guarded_make(struct guarded *guarded, int64_t size)
{
    unsigned char *block = malloc((size_t)size + 3 * GUARD);
    if (block == NULL)
        abort();
    unsigned char *data = block + GUARD;
    data += (64 - (uintptr_t)data % 64) % 64;
    *guarded = (struct guarded){.data = data, .size = size, .block = block};
    memset(data - GUARD, 0xa5, GUARD);
    memset(data, 0xff, (size_t)size);
    memset(data + size, 0xa5, GUARD);
}

static inline bool guarded_intact(const struct guarded *guarded)
{
    const unsigned char *data = guarded->data;
    for (int64_t i = 0; i < GUARD; i++) {
        if (data[i - GUARD] != 0xa5 || data[guarded->size + i] != 0xa5)
            return false;
    }
    return true;
}

static inline void guarded_free(struct guarded *guarded)
{
    free(guarded->block);
}

/* The tables to be held against plain C: every level that this processor has, or PALIGEMMA_CPU leaves, weakest
 * first. Returns how many. */
static inline int variants(const struct pali__kernels *tables[4])
{
    static const enum pali__cpu levels[] = {PALI__CPU_AVX2, PALI__CPU_AVX512, PALI__CPU_AVX512_BF16, PALI__CPU_NEON};
    enum pali__cpu best = pali__cpu_level();
    int n = 0;
    for (int i = 0; i < 4; i++) {
        if (levels[i] <= best && (levels[i] == PALI__CPU_NEON) == (best == PALI__CPU_NEON))
            tables[n++] = pali__kernels_get(levels[i]);
    }
    return n;
}

static inline double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static inline bool wants_bench(int argc, char **argv)
{
    return argc > 1 && strcmp(argv[1], "--bench") == 0;
}

/* The best time, in seconds, of `statement` in a quarter of a second or five runs. */
#define BEST_TIME(best, statement)                                                                                     \
    do {                                                                                                               \
        double begin_ = seconds();                                                                                     \
        (best) = 1e9;                                                                                                  \
        for (int run_ = 0; run_ < 5 || seconds() - begin_ < 0.25; run_++) {                                            \
            double start_ = seconds();                                                                                 \
            statement;                                                                                                 \
            double taken_ = seconds() - start_;                                                                        \
            (best) = taken_ < (best) ? taken_ : (best);                                                                \
        }                                                                                                              \
    } while (0)

#endif
