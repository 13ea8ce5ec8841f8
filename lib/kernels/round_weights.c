/* SPDX-License-Identifier: BSD-2-Clause */
/* Each group of weights gets its grid; then each weight goes to the nearest point of it, and all go into their bytes.
 * Source: compressed-tensors' quantize and pack_to_int32. */
#include "kernels/round_weights.h"

#include <string.h>

#include "core/dtype.h"
#include "kernels/kernels.h"
#include "kernels/weight_grid.h"

enum { PIECE = 256 /* weights that are rounded before they are stored; even */ };

/* A matrix, and where its scales go. */
struct job {
    const struct pali__kernels *kernels;
    const struct pali__rounding *rounding;
    float lowest, highest; /* of q */
    int64_t n_in, n_groups;
    void *scales;
    int8_t *zero_points; /* NULL: symmetric */
};

static void store_scale(void *scales, int64_t index, float scale, pali_dtype dtype)
{
    if (dtype == PALI_FLOAT32)
        ((float *)scales)[index] = scale;
    else
        ((uint16_t *)scales)[index] = dtype == PALI_BFLOAT16 ? pali__bf16_from_float(scale)
                                                             : pali__f16_from_float(scale);
}

static float load_scale(const void *scales, int64_t index, pali_dtype dtype)
{
    if (dtype == PALI_FLOAT32)
        return ((const float *)scales)[index];
    uint16_t bits = ((const uint16_t *)scales)[index];
    return dtype == PALI_BFLOAT16 ? pali__float_from_bf16(bits) : pali__float_from_f16(bits);
}

static void choose_grids(const struct job *job, const float *w, int64_t row)
{
    const struct pali__rounding *rounding = job->rounding;

    for (int64_t g = 0; g < job->n_groups; g++) {
        int64_t first = g * rounding->group_size, left = job->n_in - first, index = row * job->n_groups + g;
        struct pali__weight_grid grid = pali__weight_grid_choose(
            job->kernels, rounding, w + first, rounding->importance ? rounding->importance + first : NULL,
            left < rounding->group_size ? left : rounding->group_size);
        store_scale(job->scales, index, grid.scale, rounding->scale_dtype);
        if (job->zero_points)
            job->zero_points[index] = (int8_t)grid.zero_point;
    }
}

/* Weights first…end-1 of a row, whatever groups they belong to. */
static void round_piece(const struct job *job, int8_t *q, const float *w, int64_t row, int64_t first, int64_t end)
{
    int64_t group_size = job->rounding->group_size;

    for (int64_t k = first, next; k < end; k = next) {
        int64_t index = row * job->n_groups + k / group_size, group_end = (k / group_size + 1) * group_size;
        float scale = load_scale(job->scales, index, job->rounding->scale_dtype);
        float zero_point = job->zero_points ? (float)job->zero_points[index] : 0.0f;

        next = group_end < end ? group_end : end;
        job->kernels->round_to_grid(q + (k - first), w + k, next - k, scale, zero_point, job->lowest, job->highest);
    }
}

/* The bytes of n weights, the first of which stands at an even place of its row. */
static void store_codes(uint8_t *codes, enum pali__code code, const int8_t *q, int64_t n)
{
    if (code == PALI__CODE_INT8) {
        memcpy(codes, q, (size_t)n);
    } else if (code == PALI__CODE_PACKED8) {
        for (int64_t k = 0; k < n; k++)
            codes[k] = (uint8_t)(q[k] + 128);
    } else {
        for (int64_t k = 0; k + 1 < n; k += 2)
            codes[k / 2] = (uint8_t)((q[k] + 8) | (q[k + 1] + 8) << 4);
        if (n % 2 == 1)
            codes[n / 2] = (uint8_t)(q[n - 1] + 8);
    }
}

static void round_row(const struct job *job, const float *w, int64_t row, uint8_t *codes)
{
    enum pali__code code = job->rounding->code;
    int64_t per_byte = code == PALI__CODE_PACKED4 ? 2 : 1, used = (job->n_in + per_byte - 1) / per_byte;
    int8_t q[PIECE];

    for (int64_t first = 0; first < job->n_in; first += PIECE) {
        int64_t end = first + PIECE < job->n_in ? first + PIECE : job->n_in;
        round_piece(job, q, w, row, first, end);
        store_codes(codes + first / per_byte, code, q, end - first);
    }
    memset(codes + used, 0, (size_t)(pali__code_row_size(code, job->n_in) - used));
}

void pali__round_weights(const struct pali__compute *compute, const struct pali__rounding *rounding, const float *w,
                         int64_t n_rows, int64_t n_in, void *codes, void *scales, int8_t *zero_points)
{
    int64_t row_size = pali__code_row_size(rounding->code, n_in);
    struct job job = {
        .kernels = compute->kernels,
        .rounding = rounding,
        .n_in = n_in,
        .n_groups = (n_in + rounding->group_size - 1) / rounding->group_size,
        .scales = scales,
        .zero_points = rounding->symmetric ? NULL : zero_points,
    };

    pali__code_limits(rounding->code, &job.lowest, &job.highest);
#pragma omp parallel for schedule(static) num_threads(compute->n_threads)
    for (int64_t row = 0; row < n_rows; row++) {
        choose_grids(&job, w + row * n_in, row);
        round_row(&job, w + row * n_in, row, (uint8_t *)codes + row * row_size);
    }
}

bool pali__all_finite(const float *x, int64_t n)
{
    const uint32_t exponent = 0x7f800000u;
    uint32_t found = 0; /* without a way out of the loop, which the compiler then turns into vectors */

    for (int64_t i = 0; i < n; i++)
        found |= (pali__bits_from_float(x[i]) & exponent) == exponent;
    return !found;
}
