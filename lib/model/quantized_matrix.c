/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/quantized_matrix.h"

#include <string.h>

#include "core/memory.h"

size_t pali__codes_size(const struct pali__matrix *matrix)
{
    return (size_t)matrix->n_out * (size_t)matrix->quantized.row_size;
}

size_t pali__scales_size(const struct pali__matrix *matrix)
{
    return (size_t)(matrix->n_out * matrix->quantized.n_groups) * pali_dtype_size(matrix->quantized.scale_dtype);
}

static void describe(struct pali__matrix *out, const struct pali__quantized_tensors *tensors,
                     const struct pali__tensor_spec *spec)
{
    const struct pali__quantization_group *group = tensors->group;
    const pali_tensor *scales = tensors->parts[PALI__PART_SCALES];
    struct pali__quantized *quantized = &out->quantized;

    *out = (struct pali__matrix){ .data = tensors->parts[PALI__PART_CODES]->data, .dtype = PALI_INT8,
                                  .n_out = spec->shape[0], .n_in = spec->shape[1] };
    quantized->code = !group->packed ? PALI__CODE_INT8 : group->num_bits == 8 ? PALI__CODE_PACKED8 : PALI__CODE_PACKED4;
    quantized->int8_inputs = group->int8_inputs;
    quantized->row_size = pali__code_row_size(quantized->code, out->n_in);
    quantized->group_size = group->group_size > 0 ? group->group_size : out->n_in;
    quantized->n_groups = out->n_in / quantized->group_size;
    quantized->scales = scales->data;
    quantized->scale_dtype = scales->dtype;
}

/* `count` times the same value of `size` bytes. */
static void fill(void *out, const void *value, size_t size, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        memcpy((char *)out + (size_t)i * size, value, size);
}

/* Zero points [n_out, n_groups] from words [⌈n_out / per word⌉, n_groups], each of which has those of the outputs that
 * follow one another, the first in the lowest bits. */
static void unpack(int8_t *out, const uint32_t *words, const struct pali__matrix *matrix, int num_bits)
{
    int64_t n_groups = matrix->quantized.n_groups, per_word = 32 / num_bits;
    int offset = 1 << (num_bits - 1);

    for (int64_t j = 0; j < matrix->n_out; j++)
        for (int64_t g = 0; g < n_groups; g++) {
            uint32_t word = words[j / per_word * n_groups + g];
            int stored = (int)(word >> (j % per_word * num_bits)) & ((1 << num_bits) - 1);
            out[j * n_groups + g] = (int8_t)(stored - offset);
        }
}

pali_status pali__quantized_matrix(struct pali__matrix *out, void **block, size_t *block_size,
                                   const struct pali__quantized_tensors *tensors, const struct pali__tensor_spec *spec,
                                   pali_error **error)
{
    const pali_tensor *zero_points = tensors->parts[PALI__PART_ZERO_POINTS];
    bool one_for_all = tensors->group->group_size < 0;

    describe(out, tensors, spec);
    bool unpacks = zero_points && (zero_points->dtype == PALI_INT32 || one_for_all);
    size_t scales_size = one_for_all ? pali__scales_size(out) : 0;
    size_t zero_points_size = unpacks ? (size_t)(out->n_out * out->quantized.n_groups) : 0;

    *block = NULL;
    *block_size = scales_size + zero_points_size;
    if (zero_points)
        out->quantized.zero_points = zero_points->data;
    if (*block_size == 0)
        return PALI_OK;
    *block = pali__aligned_malloc(*block_size);
    if (!*block)
        return pali__no_memory(error, *block_size);
    if (one_for_all) {
        fill(*block, out->quantized.scales, pali_dtype_size(out->quantized.scale_dtype), out->n_out);
        out->quantized.scales = *block;
    }
    if (unpacks) {
        int8_t *unpacked = (int8_t *)*block + scales_size;
        if (one_for_all)
            fill(unpacked, zero_points->data, 1, out->n_out);
        else
            unpack(unpacked, zero_points->data, out, tensors->group->num_bits);
        out->quantized.zero_points = unpacked;
    }
    return PALI_OK;
}
