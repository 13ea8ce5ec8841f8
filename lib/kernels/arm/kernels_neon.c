/* SPDX-License-Identifier: BSD-2-Clause */
/* NEON is part of every aarch64: this file needs no flags. What is not here stays plain C, which the compiler turns
 * into vectors where that is easy. */
#include "kernels/variants.h"

void pali__kernels_init_neon(struct pali__kernels *kernels)
{
    kernels->level = PALI__CPU_NEON;
    kernels->product_columns = 8;
    kernels->dot_rows_f32 = pali__dot_rows_f32_neon;
    kernels->dot_rows_bf16 = pali__dot_rows_bf16_neon;
    kernels->dot_rows_f16 = pali__dot_rows_f16_neon;
    PALI__SET_CODE_KERNELS(kernels, neon);
    kernels->product = pali__product_neon;
    kernels->product_pairs = pali__product_pairs_neon;
}
