/* SPDX-License-Identifier: BSD-2-Clause */
/* The products of pairs, multiplied and added by one instruction. */
#define PRODUCT_PAIRS pali__product_pairs_vnni
#define MULTIPLY_ADD(sum, a, b) _mm512_dpwssd_epi32(sum, a, b)

#include "kernels/x86/int8_pairs_avx512.h"
