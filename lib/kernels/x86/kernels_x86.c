/* SPDX-License-Identifier: BSD-2-Clause */
/* Compiled without any instruction set's flags: these functions run on every processor. */
#include "kernels/kernels.h"
#include "kernels/variants.h"

void pali__kernels_init_avx2(struct pali__kernels *kernels)
{
    kernels->level = PALI__CPU_AVX2;
    kernels->product_columns = 16;
    PALI__SET_KERNELS(kernels, avx2);
    PALI__SET_CODE_KERNELS(kernels, avx2);
    kernels->dequantize_int8 = pali__dequantize_int8_avx2;
    kernels->dequantize_packed8 = pali__dequantize_packed8_avx2;
    kernels->dequantize_packed4 = pali__dequantize_packed4_avx2;
    kernels->transpose = pali__transpose_avx2;
    kernels->turn_pairs = pali__turn_pairs_avx2;
}

void pali__kernels_init_avx512(struct pali__kernels *kernels)
{
    kernels->level = PALI__CPU_AVX512;
    kernels->product_columns = 32;
    PALI__SET_KERNELS(kernels, avx512);
    PALI__SET_CODE_KERNELS(kernels, avx512);
}

/* Of bfloat16 instructions only oneDNN makes use: our own kernels do not round their inputs. */
void pali__kernels_init_avx512_bf16(struct pali__kernels *kernels)
{
    kernels->level = PALI__CPU_AVX512_BF16;
    kernels->product_pairs = pali__product_pairs_vnni;
}
