/* SPDX-License-Identifier: BSD-2-Clause */
/* What this processor can do, as far as our kernels care. */
#ifndef PALI_CPU_CPU_H
#define PALI_CPU_CPU_H

/* Each level includes the ones before it. */
enum pali__cpu {
    PALI__CPU_C = 0,           /* plain C only */
    PALI__CPU_AVX2 = 1,        /* AVX2, FMA, F16C */
    PALI__CPU_AVX512 = 2,      /* AVX-512 F, BW, DQ, VL */
    PALI__CPU_AVX512_BF16 = 3, /* AVX-512 BF16 (and VNNI) */
    PALI__CPU_NEON = 16        /* aarch64 */
};

/* The processor's level, lowered to what the environment variable PALIGEMMA_CPU names ("c", "avx2", "avx512",
 * "avx512_bf16", "neon"); an unknown or unavailable name changes nothing. Reads the environment at each call. */
enum pali__cpu pali__cpu_level(void);

const char *pali__cpu_name(enum pali__cpu level);

#endif
