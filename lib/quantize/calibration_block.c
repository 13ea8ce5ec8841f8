/* SPDX-License-Identifier: BSD-2-Clause */
#include "quantize/calibration_block.h"

#include "core/dtype.h"
#include "core/memory.h"
#include "quantize/gptq.h"

void pali__calibration_block_add(struct pali__calibration_block *block, const struct pali__calibration *calibration,
                                 struct pali__matrix *const *matrices, int n)
{
    struct pali__calibration_share *share = &block->shares[block->n_shares];

    *share = (struct pali__calibration_share){ .seen = matrices[0] };
    for (int i = 0; i < n; i++)
        for (size_t j = 0; j < calibration->count; j++)
            if (calibration->targets[j].matrix == matrices[i])
                share->targets[share->n_targets++] = &calibration->targets[j];
    block->n_shares += share->n_targets > 0;
}

static pali_status see(void *user, const struct pali__matrix *w, const float *x, int64_t n_rows, const uint8_t *real,
                       pali_error **error)
{
    struct pali__calibration_block *block = user;

    for (int i = 0; i < block->n_shares; i++)
        if (block->shares[i].seen == w)
            return pali__second_moments_add(block->compute, &block->shares[i].moments, x, n_rows, real, error);
    return PALI_OK;
}

pali_status pali__calibration_block_begin(struct pali__calibration_block *block, const struct pali__compute *compute,
                                          pali_error **error)
{
    block->compute = compute;
    block->observer = (struct pali__observer){ see, block };
    for (int i = 0; i < block->n_shares; i++)
        TRY(pali__second_moments_init(&block->shares[i].moments, block->shares[i].seen->n_in, PALI__MOMENTS_WIDTH,
                                      error));
    return PALI_OK;
}

static pali_status make_room(struct pali__rounded_matrix *rounded, float **values, pali_error **error)
{
    int64_t group = rounded->rounding.group_size;
    int64_t n_groups = rounded->n_out * ((rounded->n_in + group - 1) / group);
    size_t size = (size_t)(rounded->n_out * rounded->n_in) * sizeof(float);

    rounded->codes = pali__aligned_malloc(
        (size_t)(rounded->n_out * pali__code_row_size(rounded->rounding.code, rounded->n_in)));
    rounded->scales = pali__aligned_malloc((size_t)n_groups * pali_dtype_size(rounded->rounding.scale_dtype));
    if (!rounded->rounding.symmetric)
        rounded->zero_points = pali__malloc((size_t)n_groups);
    *values = pali__aligned_malloc(size);
    if (!rounded->codes || !rounded->scales || !*values || (!rounded->rounding.symmetric && !rounded->zero_points))
        return pali__no_memory(error, size);
    return PALI_OK;
}

static pali_status round_target(const struct pali__calibration_block *block, struct pali__calibration_target *target,
                                const struct pali__moments_factor *factor, pali_error **error)
{
    struct pali__rounded_matrix *rounded = &target->rounded;

    TRY(make_room(rounded, &target->values, error));
    pali__to_float(target->values, target->matrix->data, target->matrix->dtype, rounded->n_out * rounded->n_in);
    if (!pali__all_finite(target->values, rounded->n_out * rounded->n_in))
        return pali__fail(error, PALI_ERROR_FORMAT,
                          "tensor %s has an infinite value or one that is no number, which has no place among integers",
                          target->name);
    TRY(pali__gptq_round(block->compute, &rounded->rounding, factor, target->values, rounded->n_out, rounded->codes,
                         rounded->scales, rounded->zero_points, error));
    target->original = *target->matrix;
    *target->matrix = (struct pali__matrix){ .data = target->values, .dtype = PALI_FLOAT32, .n_out = rounded->n_out,
                                             .n_in = rounded->n_in };
    return PALI_OK;
}

static pali_status round_share(const struct pali__calibration_block *block, struct pali__calibration_share *share,
                               const struct pali__watch *watch, double fraction, pali_error **error)
{
    struct pali__moments_factor factor;
    pali_status status = pali__moments_factor_init(&factor, block->compute, &share->moments, error);

    pali__second_moments_clear(&share->moments);
    for (int i = 0; status == PALI_OK && i < share->n_targets; i++) {
        if (watch->progress && watch->progress(watch->user, "calibrate", fraction))
            status = pali__fail(error, PALI_ERROR_CANCELLED, "the calibration was cancelled");
        else
            status = round_target(block, share->targets[i], &factor, error);
    }
    pali__moments_factor_clear(&factor);
    return status;
}

pali_status pali__calibration_block_round(struct pali__calibration_block *block, const struct pali__watch *watch,
                                          double fraction, pali_error **error)
{
    for (int i = 0; i < block->n_shares; i++)
        TRY(round_share(block, &block->shares[i], watch, fraction, error));
    return PALI_OK;
}

void pali__calibration_block_end(struct pali__calibration_block *block)
{
    for (int i = 0; i < block->n_shares; i++) {
        struct pali__calibration_share *share = &block->shares[i];
        pali__second_moments_clear(&share->moments);
        for (int j = 0; j < share->n_targets; j++) {
            struct pali__calibration_target *target = share->targets[j];
            if (target->original.data)
                *target->matrix = target->original;
            target->original.data = NULL;
            pali__aligned_free(target->values);
            target->values = NULL;
        }
    }
    block->n_shares = 0;
}
