/* SPDX-License-Identifier: BSD-2-Clause */
/* Compiled without any instruction set's flags: these functions run on every processor. */
#include "kernels/kernels.h"
#include "kernels/variants.h"

void pali__kernels_init_avx2(struct pali__kernels *kernels)
{
    kernels->level = PALI__CPU_AVX2;
    kernels->product_columns = 16;
    PALI__SET_KERNELS(kernels, avx2);
    PALI__SET_ROUNDING_KERNELS(kernels, avx2);
    kernels->transpose = pali__transpose_avx2;
}

void pali__kernels_init_avx512(struct pali__kernels *kernels)
{
    kernels->level = PALI__CPU_AVX512;
    kernels->product_columns = 32;
    PALI__SET_KERNELS(kernels, avx512);
}
