/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a quantized matrix stands in memory, as compressed-tensors writes it into the checkpoint: used in place.
 *
 *   W[j, k] = scale[j, g] · (q[j, k] - zero_point[j, g]),   g = ⌊k / group_size⌋
 *
 * with integers q of 8 or 4 bits. Source: compressed-tensors' compressors/pack_quantized and naive_quantized.
 */
#ifndef PALI_KERNELS_QUANTIZED_H
#define PALI_KERNELS_QUANTIZED_H

#include <stdbool.h>
#include <stdint.h>

#include <paligemma/base.h>

/* The values stored for q. Packed rows are filled up to whole 32-bit words; any byte order but little-endian is not
 * served. */
enum pali__code {
    PALI__CODE_NONE = 0,    /* the matrix is not quantized */
    PALI__CODE_INT8 = 1,    /* int8: q (int-quantized) */
    PALI__CODE_PACKED8 = 2, /* uint8: q + 128 (pack-quantized with 8 bits) */
    PALI__CODE_PACKED4 = 3  /* half a byte: q + 8, the even k in the low half (pack-quantized with 4 bits) */
};

struct pali__quantized {
    enum pali__code code;
    bool int8_inputs;         /* x is rounded to int8 before the product, with a scale for each row:
                                 int8_dynamic_activation_int8_weight */
    int64_t row_size;         /* bytes from the codes of one row to those of the next */
    int64_t group_size;       /* inputs that share a scale; n_in: one scale for each output */
    int64_t n_groups;         /* ⌈n_in / group_size⌉ */
    const void *scales;       /* [n_out, n_groups] */
    pali_dtype scale_dtype;   /* float32, bfloat16 or float16 */
    const int8_t *zero_points; /* [n_out, n_groups], or NULL: all 0 */
};

/* Bytes of a row of n_in codes. */
static inline int64_t pali__code_row_size(enum pali__code code, int64_t n_in)
{
    return code == PALI__CODE_INT8 ? n_in : code == PALI__CODE_PACKED8 ? (n_in + 3) / 4 * 4 : (n_in + 7) / 8 * 4;
}

#endif
