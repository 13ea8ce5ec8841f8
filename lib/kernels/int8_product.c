/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of x are rounded to integers once, each with a scale of its own, and turned into panels as panel_product.c
 * does it, with the inputs in pairs: panel[k / 2, row, k mod 2], 16 bits each. Of the weights a group of outputs is
 * widened to 16 bits, DEPTH inputs at a time, and multiplied with panel after panel. Sums are exact integers, so that
 * neither the order in which they are added nor the instruction set shows in the result.
 *
 *   for each group of outputs                          one thread
 *     for each part of the depth                       widen the weights
 *       for each panel of rows                         sums[outputs, rows] += w[outputs, part] · panel[part, rows]
 *     y[rows, outputs] = sumsᵀ · (scale of the row · scale of the output) + bias
 *
 * No sum overflows: 2¹⁴ for each input, and there are fewer than N_IN_MAX.
 */
#include "kernels/int8_product.h"

#include <assert.h>
#include <omp.h>
#include <string.h>

#include "kernels/kernels.h"

enum {
    N_IN_MAX = 1 << 17,
    ROWS_MAX = 512,   /* rows that are turned at a time; a multiple of PANEL_MAX */
    PANEL_MAX = 32,   /* the most columns that any kernel takes at a time */
    ROWS_STEP = 8,    /* the last panel is filled up with zeros to a multiple of this many rows */
    DEPTH_MAX = 640,  /* as many bytes as panel_product.c's */
    DEPTH_STEP = 16,
    GROUP_MAX = 96,   /* outputs */
    GROUP_STEP = 48,
    EXTRA = 16,       /* numbers of 16 bits, so that rows do not stand a power of two apart */
    WIDENED_STRIDE = DEPTH_MAX + EXTRA,
    ROWS_AHEAD = 4,   /* as in panel_product.c */
    LINE_SIZE = 64
};

struct work {
    const struct pali__compute *compute;
    const struct pali__matrix *w;
    const float *bias;
    enum pali__store store;
    float *y; /* of the rows that are turned now */
    int64_t n_rows, padded_rows, panel_rows, sums_stride;
    int64_t depth, n_pairs;
    int8_t *rounded;     /* [rows, n_in] */
    float *row_scales;   /* [rows] */
    int16_t *panels;     /* [panels, n_pairs, panel_rows, 2] */
};

/* What each thread has for itself. */
struct private {
    int32_t sums[GROUP_MAX * (ROWS_MAX + EXTRA / 2)];
    int16_t widened[GROUP_MAX * WIDENED_STRIDE];
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t blocks_of(int64_t count, int64_t size)
{
    return (count + size - 1) / size;
}

/* Rounds and turns the rows first…, of which the panel has room for panel_rows. */
static void turn_panel(const struct work *work, const float *x, int64_t first)
{
    const struct pali__kernels *kernels = work->compute->kernels;
    int64_t n_in = work->w->n_in, n = smaller(work->panel_rows, work->n_rows - first);
    int16_t *panel = work->panels + 2 * first * work->n_pairs;
    for (int64_t r = first; r < first + n; r++)
        work->row_scales[r] = kernels->round_int8(work->rounded + r * n_in, x + r * n_in, n_in);
    kernels->turn_pairs(panel, work->panel_rows, work->rounded + first * n_in, n_in, n, n_in);
    for (int64_t l = 0; l < work->n_pairs && n < work->panel_rows; l++)
        memset(panel + 2 * (l * work->panel_rows + n), 0, (size_t)(work->panel_rows - n) * 2 * sizeof *panel);
}

/* Inputs k…k+depth-1 of the weights of outputs first…first+n-1, an odd depth filled up with a 0. */
static void widen_group(const struct work *work, int16_t *widened, int64_t first, int64_t n, int64_t k, int64_t depth)
{
    const struct pali__quantized *q = &work->w->quantized;
    uint8_t flip = q->code == PALI__CODE_PACKED8 ? 0x80 : 0; /* q + 128 without a sign is q with its sign bit flipped */
    const uint8_t *codes = (const uint8_t *)work->w->data + first * q->row_size + k;
    for (int64_t j = 0; j < n; j++) {
        const uint8_t *row = codes + j * q->row_size;
        for (int64_t at = 0; at < depth && j + ROWS_AHEAD < n; at += LINE_SIZE)
            __builtin_prefetch(row + ROWS_AHEAD * q->row_size + at);
        work->compute->kernels->widen_int8(widened + j * WIDENED_STRIDE, row, flip, depth);
        if (depth % 2 != 0)
            widened[j * WIDENED_STRIDE + depth] = 0;
    }
}

static void scales_of(const struct work *work, float *scales, int64_t first, int64_t n)
{
    const struct pali__quantized *q = &work->w->quantized;
    const float *f32 = q->scales;
    const uint16_t *u16 = q->scales;
    if (q->scale_dtype == PALI_FLOAT32)
        memcpy(scales, f32 + first, (size_t)n * sizeof *scales);
    else if (q->scale_dtype == PALI_BFLOAT16)
        work->compute->kernels->widen_bf16(scales, u16 + first, n);
    else
        work->compute->kernels->widen_f16(scales, u16 + first, n);
}

/* y = sumsᵀ·scales + bias, or y += …, for outputs first…first+n-1. */
static void store_group(const struct work *work, const int32_t *sums, int64_t first, int64_t n)
{
    const struct pali__kernels *kernels = work->compute->kernels;
    int64_t n_out = work->w->n_out;
    float scales[GROUP_MAX], part[GROUP_MAX * ROWS_STEP], turned[ROWS_STEP * GROUP_MAX];
    scales_of(work, scales, first, n);
    for (int64_t row = 0; row < work->n_rows; row += ROWS_STEP) {
        const float *row_scales = work->row_scales + row;
        for (int64_t j = 0; j < n; j++) {
            for (int64_t r = 0; r < ROWS_STEP; r++)
                part[j * ROWS_STEP + r] = (float)sums[j * work->sums_stride + row + r] * (row_scales[r] * scales[j]);
        }
        int64_t n_rows = smaller(ROWS_STEP, work->n_rows - row);
        float *y = work->y + row * n_out + first;
        float *out = work->store == PALI__ADD ? turned : y;
        int64_t stride = work->store == PALI__ADD ? GROUP_MAX : n_out;
        kernels->transpose(out, stride, part, ROWS_STEP, n, n_rows);
        for (int64_t r = 0; r < n_rows; r++) {
            if (work->bias != NULL)
                kernels->add(out + r * stride, work->bias + first, n);
            if (work->store == PALI__ADD)
                kernels->add(y + r * n_out, out + r * stride, n);
        }
    }
}

/* Outputs first…first+n-1 of all rows. */
static void multiply_group(const struct work *work, int64_t first, int64_t n, struct private *own)
{
    for (int64_t k = 0; k < work->w->n_in; k += work->depth) {
        int64_t depth = smaller(work->depth, work->w->n_in - k);
        widen_group(work, own->widened, first, n, k, depth);
        for (int64_t row = 0; row < work->padded_rows; row += work->panel_rows) {
            const int16_t *panel = work->panels + 2 * (row * work->n_pairs + k / 2 * work->panel_rows);
            work->compute->kernels->product_pairs(own->sums + row, work->sums_stride, own->widened, WIDENED_STRIDE / 2,
                                                  panel, work->panel_rows, n,
                                                  smaller(work->panel_rows, work->padded_rows - row),
                                                  blocks_of(depth, 2), k > 0);
        }
    }
    store_group(work, own->sums, first, n);
}

/* Rows that are worked on at a time: all, or equal parts of them. */
static int64_t rows_at_once(const struct pali__compute *compute, int64_t n_rows)
{
    int64_t n_parts = blocks_of(n_rows, ROWS_MAX), panel_rows = compute->kernels->product_columns;
    return blocks_of(blocks_of(n_rows, n_parts), panel_rows) * panel_rows;
}

/* As many outputs as leave every thread a few groups. */
static int64_t group_for(const struct pali__compute *compute, int64_t n_out)
{
    int64_t steps = n_out / (4 * compute->n_threads * GROUP_STEP);
    return steps < 1 ? GROUP_STEP : smaller(steps * GROUP_STEP, GROUP_MAX);
}

static size_t round_up(size_t size)
{
    return (size + LINE_SIZE - 1) / LINE_SIZE * LINE_SIZE;
}

/* Where the parts of the scratch stand, `own` last; returns its size. */
static size_t lay_out(struct work *work, struct private **own, void *scratch, int64_t n_rows)
{
    size_t rows = (size_t)smaller(blocks_of(n_rows, PANEL_MAX) * PANEL_MAX, ROWS_MAX), n_in = (size_t)work->w->n_in;
    size_t panels_size = round_up(rows * (size_t)work->n_pairs * 2 * sizeof(int16_t));
    size_t scales_size = round_up(rows * sizeof(float)), rounded_size = round_up(rows * n_in);
    unsigned char *at = scratch;
    if (scratch != NULL) {
        work->panels = (int16_t *)(void *)at;
        work->row_scales = (float *)(void *)(at + panels_size);
        work->rounded = (int8_t *)(at + panels_size + scales_size);
        *own = (struct private *)(void *)(at + panels_size + scales_size + rounded_size);
    }
    return panels_size + scales_size + rounded_size + (size_t)work->compute->n_threads * sizeof(struct private);
}

size_t pali__int8_product_scratch(const struct pali__compute *compute, int64_t n_rows, const struct pali__matrix *w)
{
    struct work work = {.compute = compute, .w = w, .n_pairs = blocks_of(w->n_in, 2)};
    return lay_out(&work, NULL, NULL, n_rows);
}

pali_status pali__int8_product(const struct pali__compute *compute, float *y, const float *x, int64_t n_rows,
                               const struct pali__matrix *w, const float *bias, enum pali__store store, void *scratch,
                               pali_error **error)
{
    struct work work = {.compute = compute, .w = w, .bias = bias, .store = store,
                        .panel_rows = compute->kernels->product_columns, .n_pairs = blocks_of(w->n_in, 2)};
    struct private *own = NULL;
    int64_t at_once = rows_at_once(compute, n_rows), group = group_for(compute, w->n_out);
    assert(w->n_in < N_IN_MAX);
    (void)error;
    lay_out(&work, &own, scratch, n_rows);
    work.depth = blocks_of(blocks_of(w->n_in, blocks_of(w->n_in, DEPTH_MAX)), DEPTH_STEP) * DEPTH_STEP;
    for (int64_t first = 0; first < n_rows; first += at_once) {
        work.n_rows = smaller(at_once, n_rows - first);
        work.padded_rows = blocks_of(work.n_rows, ROWS_STEP) * ROWS_STEP;
        work.sums_stride = work.padded_rows + EXTRA / 2;
        work.y = y + first * w->n_out;
#pragma omp parallel num_threads(compute->n_threads)
        {
#pragma omp for schedule(static)
            for (int64_t row = 0; row < work.n_rows; row += work.panel_rows)
                turn_panel(&work, x + first * w->n_in, row);
#pragma omp for schedule(dynamic)
            for (int64_t out = 0; out < w->n_out; out += group)
                multiply_group(&work, out, smaller(group, w->n_out - out), own + omp_get_thread_num());
        }
    }
    return PALI_OK;
}
