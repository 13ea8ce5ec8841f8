/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Column k of W takes the code nearest to w[k] + Σ_{i<k} d[i]·u[i,k], where d[i] = w[i] - ŵ[i] are the errors that
 * columns to its left were left with and u the factor of the inputs' moments (quantize/moments_factor.h).
 *
 * Rows know nothing of each other, so each thread takes a band of them. Columns go a span at a time: what all columns to
 * the left ask of a span is one product, and only within it errors are handed on one by one.
 */
#include "quantize/gptq.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "core/dtype.h"
#include "core/memory.h"
#include "kernels/kernels.h"
#include "kernels/weight_grid.h"

enum {
    PANEL = PALI__MOMENTS_PANEL,
    SPAN_MAX = PALI__MOMENTS_STEP,
    BAND = 64 /* rows */
};

struct gptq {
    const struct pali__rounding *rounding;
    const struct pali__moments_factor *factor;
    const struct pali__kernels *kernels;
    float *w;
    int64_t n_rows, n_in, group_size, n_groups, row_size, span;
    float lowest, highest; /* of a code */
    unsigned char *codes, *scales;
    int8_t *zero_points;
};

/* What a thread works on. */
struct band {
    float *errors;         /* [BAND, width] of a block's columns so far */
    float *asked;          /* [BAND, span] the weights that the span's columns would like to have */
    struct pali__weight_grid grids[BAND]; /* of the group at work */
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void store_code(const struct gptq *gptq, int64_t row, int64_t column, int code)
{
    unsigned char *codes = gptq->codes + row * gptq->row_size;

    switch (gptq->rounding->code) {
    case PALI__CODE_PACKED4:
        codes[column / 2] |= (unsigned char)((unsigned)(code + 8) << (column % 2 * 4));
        break;
    case PALI__CODE_PACKED8:
        codes[column] = (unsigned char)(code + 128);
        break;
    default:
        codes[column] = (unsigned char)code;
    }
}

/* The grids of a group of `count` columns that begins at `column`, for rows first…first+n-1 of weights w, rows w_stride
 * apart. */
static void choose_grids(const struct gptq *gptq, struct band *band, int64_t first, int64_t n, const float *w,
                         int64_t w_stride, int64_t column, int64_t count)
{
    size_t size = pali_dtype_size(gptq->rounding->scale_dtype);

    for (int64_t r = 0; r < n; r++) {
        int64_t at = (first + r) * gptq->n_groups + column / gptq->group_size;
        band->grids[r] = pali__weight_grid_choose(gptq->kernels, gptq->rounding, w + r * w_stride,
                                                  gptq->factor->importance + column, count);
        pali__from_float(gptq->scales + (size_t)at * size, gptq->rounding->scale_dtype, &band->grids[r].scale, 1);
        if (!gptq->rounding->symmetric)
            gptq->zero_points[at] = (int8_t)band->grids[r].zero_point;
    }
}

/* The code nearest to `asked`; its weight in *rounded. */
static int round_one(const struct gptq *gptq, const struct pali__weight_grid *grid, float asked, float *rounded)
{
    float zero = (float)grid->zero_point, code = rintf(asked / grid->scale) + zero;

    code = code >= gptq->highest ? gptq->highest : code >= gptq->lowest ? code : gptq->lowest; /* so is a NaN */
    *rounded = grid->scale * (code - zero);
    return (int)code;
}

/* Columns in_span…in_span+n_columns-1 of a span, which belong to one group, and what they ask of the others up to
 * span_end. `in_block` is the span's first column, counted from the block's. */
static void round_columns(const struct gptq *gptq, struct band *band, int64_t block, int64_t first, int64_t n,
                          int64_t in_block, int64_t in_span, int64_t n_columns, int64_t span_end)
{
    int64_t block_first = block * gptq->factor->width, width = gptq->factor->width;

    for (int64_t r = 0; r < n; r++) {
        float *asked = band->asked + r * gptq->span, *errors = band->errors + r * width + in_block;
        float *w = gptq->w + (first + r) * gptq->n_in + block_first + in_block;
        for (int64_t k = in_span; k < in_span + n_columns; k++) {
            float rounded;
            store_code(gptq, first + r, block_first + in_block + k, round_one(gptq, &band->grids[r], asked[k], &rounded));
            float left = errors[k] = w[k] - rounded;
            w[k] = rounded;
            for (int64_t j = k + 1; j < span_end; j = (j / PANEL + 1) * PANEL) {
                int64_t column = in_block + j, end = smaller((j / PANEL + 1) * PANEL, span_end);
                const float *u = pali__moments_factor_panel(gptq->factor, block, column / PANEL) +
                                 (in_block + k) * PANEL + column % PANEL;
                for (int64_t i = 0; i < end - j; i++)
                    asked[j + i] += left * u[i];
            }
        }
    }
}

/* Columns in_block…in_block+n_columns-1 of a block, for rows first…first+n-1. */
static void round_span(const struct gptq *gptq, struct band *band, int64_t block, int64_t first, int64_t n,
                       int64_t in_block, int64_t n_columns)
{
    int64_t width = gptq->factor->width, column = block * width + in_block;

    for (int64_t r = 0; r < n; r++) {
        memset(band->asked + r * gptq->span, 0, (size_t)gptq->span * sizeof(float));
        memcpy(band->asked + r * gptq->span, gptq->w + (first + r) * gptq->n_in + column,
               (size_t)n_columns * sizeof(float));
    }
    for (int64_t j = 0; j < n_columns && in_block > 0; j += PANEL)
        gptq->kernels->product(band->asked + j, gptq->span, band->errors, width,
                                     pali__moments_factor_panel(gptq->factor, block, (in_block + j) / PANEL), PANEL, n,
                                     PANEL, in_block, true);
    for (int64_t j = 0; j < n_columns;) {
        int64_t in_group = (column + j) % gptq->group_size, count = smaller(gptq->group_size - in_group, n_columns - j);
        if (in_group == 0 && gptq->group_size < gptq->n_in)
            choose_grids(gptq, band, first, n, band->asked + j, gptq->span, column + j, count);
        round_columns(gptq, band, block, first, n, in_block, j, count, n_columns);
        j += count;
    }
}

static void round_band(const struct gptq *gptq, struct band *band, int64_t first, int64_t n)
{
    if (gptq->group_size == gptq->n_in)
        choose_grids(gptq, band, first, n, gptq->w + first * gptq->n_in, gptq->n_in, 0, gptq->n_in);
    memset(gptq->codes + first * gptq->row_size, 0, (size_t)(n * gptq->row_size));
    for (int64_t block = 0; block < gptq->factor->n_blocks; block++) {
        int64_t count = smaller(gptq->factor->width, gptq->n_in - block * gptq->factor->width);
        for (int64_t at = 0; at < count; at += gptq->span)
            round_span(gptq, band, block, first, n, at, smaller(gptq->span, count - at));
    }
}

static bool band_init(struct band *band, const struct gptq *gptq)
{
    band->errors = pali__aligned_malloc((size_t)(BAND * gptq->factor->width) * sizeof(float));
    band->asked = pali__aligned_malloc((size_t)(BAND * gptq->span) * sizeof(float));
    return band->errors && band->asked;
}

static void band_clear(struct band *band)
{
    pali__aligned_free(band->errors);
    pali__aligned_free(band->asked);
}

pali_status pali__gptq_round(const struct pali__compute *compute, const struct pali__rounding *rounding,
                             const struct pali__moments_factor *factor, float *w, int64_t n_rows, void *codes,
                             void *scales, int8_t *zero_points, pali_error **error)
{
    int64_t n_in = factor->n_in, group_size = smaller(rounding->group_size, n_in);
    struct gptq gptq = {
        .rounding = rounding, .factor = factor, .kernels = compute->kernels, .w = w, .n_rows = n_rows, .n_in = n_in,
        .group_size = group_size, .n_groups = (n_in + group_size - 1) / group_size,
        .row_size = pali__code_row_size(rounding->code, n_in), .span = smaller(group_size, SPAN_MAX),
        .codes = codes, .scales = scales, .zero_points = zero_points,
    };
    struct band *bands = pali__calloc((size_t)compute->n_threads, sizeof *bands);
    bool have_all = bands != NULL;

    gptq.span = (gptq.span + PANEL - 1) / PANEL * PANEL;
    pali__code_limits(rounding->code, &gptq.lowest, &gptq.highest);
    for (int i = 0; have_all && i < compute->n_threads; i++)
        have_all = band_init(&bands[i], &gptq);
    if (have_all) {
#pragma omp parallel for schedule(dynamic) num_threads(compute->n_threads)
        for (int64_t first = 0; first < n_rows; first += BAND)
            round_band(&gptq, &bands[omp_get_thread_num()], first, smaller(BAND, n_rows - first));
    }
    for (int i = 0; bands && i < compute->n_threads; i++)
        band_clear(&bands[i]);
    pali__free(bands);
    return have_all ? PALI_OK : pali__no_memory(error, (size_t)(BAND * factor->width) * sizeof(float));
}
