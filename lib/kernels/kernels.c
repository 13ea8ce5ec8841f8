/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/kernels.h"

#include <pthread.h>

#include "kernels/variants.h"

void pali__kernels_init_c(struct pali__kernels *kernels)
{
    kernels->level = PALI__CPU_C;
    kernels->product_columns = 16;
    PALI__SET_KERNELS(kernels, c);
    PALI__SET_CODE_KERNELS(kernels, c);
    kernels->dequantize_int8 = pali__dequantize_int8_c;
    kernels->dequantize_packed8 = pali__dequantize_packed8_c;
    kernels->dequantize_packed4 = pali__dequantize_packed4_c;
    kernels->transpose = pali__transpose_c;
    kernels->turn_pairs = pali__turn_pairs_c;
}

/* One table a level, filled in the order of the levels: each starts as a copy of the one before. */
static struct pali__kernels table_c;
#if defined(__x86_64__)
static struct pali__kernels table_avx2, table_avx512, table_avx512_bf16;
#elif defined(__aarch64__)
static struct pali__kernels table_neon;
#endif

static void fill_tables(void)
{
    pali__kernels_init_c(&table_c);
#if defined(__x86_64__)
    table_avx2 = table_c;
    pali__kernels_init_avx2(&table_avx2);
    table_avx512 = table_avx2;
    pali__kernels_init_avx512(&table_avx512);
    table_avx512_bf16 = table_avx512;
    pali__kernels_init_avx512_bf16(&table_avx512_bf16);
#elif defined(__aarch64__)
    table_neon = table_c;
    pali__kernels_init_neon(&table_neon);
#endif
}

const struct pali__kernels *pali__kernels_get(enum pali__cpu level)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_tables);
    switch (level) {
#if defined(__x86_64__)
    case PALI__CPU_AVX2:
        return &table_avx2;
    case PALI__CPU_AVX512:
        return &table_avx512;
    case PALI__CPU_AVX512_BF16:
        return &table_avx512_bf16;
#elif defined(__aarch64__)
    case PALI__CPU_NEON:
        return &table_neon;
#endif
    default:
        return &table_c;
    }
}
