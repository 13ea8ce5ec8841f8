/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/rounded_inputs.h"

#include <string.h>

enum {
    UNIT = PALI__CODE_BLOCK / PALI__CODE_UNITS, /* inputs whose sum round_inputs gives */
    SCALES_STEP = 16                            /* kernels read scales and sums in whole vectors */
};

/* Inputs that share a scale of their own and one of the weights; 0 for groups that the vector kernels do not serve. */
static int64_t segment_of(const struct pali__quantized *w)
{
    if (w->n_groups <= 1 || w->group_size % PALI__CODE_BLOCK == 0)
        return PALI__CODE_BLOCK;
    return w->group_size == 64 || w->group_size == 32 ? w->group_size : 0;
}

const struct pali__kernels *pali__code_kernels(const struct pali__compute *compute, const struct pali__matrix *w)
{
    return segment_of(&w->quantized) ? compute->kernels : pali__kernels_get(PALI__CPU_C);
}

static int64_t blocks_of(int64_t n)
{
    return (n + PALI__CODE_BLOCK - 1) / PALI__CODE_BLOCK;
}

static int64_t scales_stride(int64_t n)
{
    return (PALI__CODE_UNITS * blocks_of(n) + SCALES_STEP - 1) / SCALES_STEP * SCALES_STEP;
}

size_t pali__rounded_inputs_size(int64_t n_rows, const struct pali__matrix *w)
{
    size_t values = (size_t)(blocks_of(w->n_in) * PALI__CODE_BLOCK) * sizeof(int16_t);
    size_t row = values + 2 * (size_t)scales_stride(w->n_in) * sizeof(float);
    return (size_t)n_rows * row;
}

/* The whole row rounded to int8 first. These bytes stand in the second half of the row's values, where no block's
 * values overwrite them before they have been read. */
static void round_to_int8(const struct pali__kernels *kernels, const struct pali__rounded *out, const float *x,
                          int64_t n, bool planes)
{
    int8_t *narrow = (int8_t *)out->values + blocks_of(n) * PALI__CODE_BLOCK;
    float scale = kernels->round_int8(narrow, x, n);
    for (int64_t block = 0; block < blocks_of(n); block++) {
        int64_t first = block * PALI__CODE_BLOCK, left = n - first;
        int64_t count = left < PALI__CODE_BLOCK ? left : PALI__CODE_BLOCK;
        float wide[PALI__CODE_BLOCK];
        kernels->dequantize_int8(wide, narrow, first, count, 1.0f, 0);
        kernels->round_inputs(out->values + first, out->scales + block, out->sums + PALI__CODE_UNITS * block, wide,
                              count, 1.0f, planes);
        out->scales[block] = scale;
    }
}

/* From a scale for each block and a sum for each unit to both for each segment; zeros behind the last. */
static void spread_scales(const struct pali__rounded *out, int64_t n)
{
    int64_t per_block = PALI__CODE_BLOCK / out->segment, units = out->segment / UNIT;
    int64_t count = blocks_of(n) * per_block;
    for (int64_t s = count - 1; s >= 0; s--)
        out->scales[s] = out->scales[s / per_block];
    for (int64_t s = 0; s < count; s++) {
        float sum = 0;
        for (int64_t i = 0; i < units; i++)
            sum += out->sums[s * units + i];
        out->sums[s] = sum;
    }
    size_t behind = (size_t)(out->scales_stride - count) * sizeof(float);
    memset(out->scales + count, 0, behind);
    memset(out->sums + count, 0, behind);
}

struct pali__rounded pali__rounded_rows(const struct pali__rounded *rounded, int64_t row)
{
    struct pali__rounded rows = *rounded;
    rows.values += row * rounded->values_stride;
    rows.scales += row * rounded->scales_stride;
    rows.sums += row * rounded->scales_stride;
    return rows;
}

struct pali__rounded pali__round_inputs(const struct pali__compute *compute, const float *x, int64_t n_rows,
                                        const struct pali__matrix *w, void *scratch)
{
    const struct pali__kernels *kernels = pali__code_kernels(compute, w);
    int64_t n = w->n_in, segment = segment_of(&w->quantized);
    bool planes = w->quantized.code == PALI__CODE_PACKED4;
    struct pali__rounded all = {.values_stride = blocks_of(n) * PALI__CODE_BLOCK, .scales_stride = scales_stride(n),
                                .segment = segment ? segment : PALI__CODE_BLOCK};
    all.scales = scratch;
    all.sums = all.scales + n_rows * all.scales_stride;
    all.values = (int16_t *)(void *)(all.sums + n_rows * all.scales_stride);
#pragma omp parallel for schedule(static) num_threads(compute->n_threads) if (n_rows > 1)
    for (int64_t r = 0; r < n_rows; r++) {
        struct pali__rounded row = pali__rounded_rows(&all, r);
        if (w->quantized.int8_inputs)
            round_to_int8(kernels, &row, x + r * n, n, planes);
        else
            kernels->round_inputs(row.values, row.scales, row.sums, x + r * n, n, 0, planes);
        spread_scales(&row, n);
    }
    return all;
}
