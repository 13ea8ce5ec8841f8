/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The grid that fits a group's largest weight, or, of several narrower and wider ones, the one with the least squared
 * error. Source of the first: compressed-tensors' calculate_qparams, on float32 weights.
 */
#include "kernels/weight_grid.h"

#include <math.h>

#include "core/dtype.h"
#include "kernels/kernels.h"

enum { PIECE = 256 /* weights whose errors are summed in float32 */ };

struct group {
    const struct pali__kernels *kernels;
    const struct pali__rounding *rounding;
    const float *w, *importance;
    int64_t n;
    float smallest, largest; /* of 0 and w */
    float lowest, highest;   /* of q */
    float upper, lower;      /* what the scale has of the largest and of the smallest weight */
};

void pali__code_limits(enum pali__code code, float *lowest, float *highest)
{
    *lowest = code == PALI__CODE_PACKED4 ? -8.0f : -128.0f;
    *highest = -*lowest - 1.0f;
}

/* The scale as it will be stored: the type's largest number instead of infinity, its epsilon instead of 0. */
static float stored_scale(float scale, pali_dtype dtype)
{
    float limit = dtype == PALI_FLOAT16 ? 65504.0f : dtype == PALI_BFLOAT16 ? 0x1.fep127f : 0x1.fffffep127f;
    float epsilon = dtype == PALI_FLOAT16 ? 0x1p-10f : dtype == PALI_BFLOAT16 ? 0x1p-7f : 0x1p-23f;

    scale = scale < -limit ? -limit : scale > limit ? limit : scale;
    if (dtype == PALI_BFLOAT16)
        scale = pali__float_from_bf16(pali__bf16_from_float(scale));
    else if (dtype == PALI_FLOAT16)
        scale = pali__float_from_f16(pali__f16_from_float(scale));
    return scale == 0.0f ? epsilon : scale;
}

/* Where 0 stands if `smallest` is to be q = lowest. A group of zeros has no scale: any point will do. */
static int zero_point_for(const struct group *group, float smallest, float scale)
{
    float zero = scale > 0.0f ? group->lowest - smallest / scale : 0.0f;

    zero = zero > group->lowest ? zero : group->lowest;
    return (int)rintf(zero < group->highest ? zero : group->highest);
}

static struct pali__weight_grid fitting_grid(const struct group *group)
{
    float range = group->highest - group->lowest, scale = (group->largest - group->smallest) / range;
    pali_dtype dtype = group->rounding->scale_dtype;

    if (!group->rounding->symmetric)
        return (struct pali__weight_grid){ stored_scale(scale, dtype), zero_point_for(group, group->smallest, scale) };
    return (struct pali__weight_grid){ stored_scale(group->upper, dtype), 0 };
}

/* ---- the least error ---- */

/* A candidate is made by two factors: what the largest weight is multiplied with before a grid is fitted to it, and the
 * same of the smallest, which counts where there are zero points. Without them a negative factor turns the grid round,
 * so that the one number that it has more below 0 than above serves the larger weights. */
struct candidate {
    float upper, lower;
    struct pali__weight_grid grid;
    double error;
};

/* What is tried first, and then around the best. All together stay within PALI__GRIDS_MAX. */
struct search {
    int n_steps; /* factors first, first - step, … */
    float first, step;
    bool turns;      /* each with either sign */
    float fine_step; /* four on each side of the best; with zero points its eight neighbours */
};

static const struct search search_4 = { .n_steps = 15, .first = 1.08f, .step = 0.025f, .turns = true,
                                        .fine_step = 0.005f };
static const struct search search_8 = { .n_steps = 15, .first = 0.98f, .step = 0.02f, .fine_step = 0.004f };
static const struct search search_zero_points = { .n_steps = 5, .first = 1.0f, .step = 0.06f, .fine_step = 0.03f };

static struct candidate candidate_of(const struct group *group, float upper, float lower)
{
    struct candidate candidate = { .upper = upper, .lower = lower };
    pali_dtype dtype = group->rounding->scale_dtype;

    candidate.grid.scale = stored_scale(group->upper * upper + group->lower * lower, dtype);
    if (!group->rounding->symmetric)
        candidate.grid.zero_point = zero_point_for(group, group->smallest * lower, candidate.grid.scale);
    return candidate;
}

static int coarse_candidates(struct candidate *out, const struct group *group, const struct search *search)
{
    int n = 0;

    for (int i = 0; i < search->n_steps; i++) {
        float upper = search->first - search->step * (float)i;
        if (group->rounding->symmetric) {
            out[n++] = candidate_of(group, upper, upper);
            if (search->turns)
                out[n++] = candidate_of(group, -upper, -upper);
            continue;
        }
        for (int j = 0; j < search->n_steps; j++)
            out[n++] = candidate_of(group, upper, search->first - search->step * (float)j);
    }
    return n;
}

static int fine_candidates(struct candidate *out, const struct group *group, const struct search *search,
                           const struct candidate *about)
{
    float step = search->fine_step;
    int n = 0;

    for (int i = -4; i <= 4 && group->rounding->symmetric; i++)
        if (i != 0)
            out[n++] = candidate_of(group, about->upper + step * (float)i, about->lower);
    for (int i = -1; i <= 1 && !group->rounding->symmetric; i++)
        for (int j = -1; j <= 1; j++)
            if (i != 0 || j != 0)
                out[n++] = candidate_of(group, about->upper + step * (float)i, about->lower + step * (float)j);
    return n;
}

static void measure(const struct group *group, struct candidate *candidates, int n)
{
    struct pali__grids grids;
    int n_grids = (n + 7) / 8 * 8;

    for (int c = 0; c < n_grids; c++) {
        const struct pali__weight_grid *grid = &candidates[c < n ? c : 0].grid;
        grids.scale[c] = grid->scale;
        grids.inverse[c] = 1.0f / grid->scale;
        grids.lowest[c] = group->lowest - (float)grid->zero_point;
        grids.highest[c] = group->highest - (float)grid->zero_point;
    }
    for (int64_t first = 0; first < group->n; first += PIECE) {
        int64_t count = group->n - first < PIECE ? group->n - first : PIECE;
        float errors[PALI__GRIDS_MAX];
        group->kernels->rounding_errors(errors, &grids, n_grids, group->w + first,
                                        group->importance ? group->importance + first : NULL, count);
        for (int c = 0; c < n; c++)
            candidates[c].error += (double)errors[c];
    }
}

static struct candidate best_of(const struct candidate *candidates, int n)
{
    struct candidate best = candidates[0];

    for (int c = 1; c < n; c++)
        if (candidates[c].error < best.error)
            best = candidates[c];
    return best;
}

static struct pali__weight_grid best_grid(const struct group *group, struct pali__weight_grid fitting)
{
    const struct search *search = !group->rounding->symmetric                   ? &search_zero_points
                                  : group->rounding->code == PALI__CODE_PACKED4 ? &search_4
                                                                                : &search_8;
    struct candidate candidates[PALI__GRIDS_MAX] = { { .upper = 1.0f, .lower = 1.0f, .grid = fitting } };
    int n = coarse_candidates(candidates + 1, group, search);

    measure(group, candidates, 1 + n);
    candidates[0] = best_of(candidates, 1 + n);
    n = fine_candidates(candidates + 1, group, search, &candidates[0]);
    measure(group, candidates + 1, n);
    return best_of(candidates, 1 + n).grid;
}

struct pali__weight_grid pali__weight_grid_choose(const struct pali__kernels *kernels,
                                                  const struct pali__rounding *rounding, const float *w,
                                                  const float *importance, int64_t n)
{
    struct group group = { .kernels = kernels, .rounding = rounding, .w = w, .importance = importance, .n = n };

    pali__code_limits(rounding->code, &group.lowest, &group.highest);
    kernels->extremes(&group.smallest, &group.largest, w, n);
    float range = group.highest - group.lowest;
    float magnitude = -group.smallest > group.largest ? -group.smallest : group.largest;
    group.upper = rounding->symmetric ? magnitude / (range / 2.0f) : group.largest / range;
    group.lower = rounding->symmetric ? 0.0f : -group.smallest / range;
    struct pali__weight_grid grid = fitting_grid(&group);
    return rounding->searches && group.smallest < group.largest ? best_grid(&group, grid) : grid;
}
