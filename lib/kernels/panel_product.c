/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of x are turned once, into panels of as many rows as the kernel has columns: panel[k, row]. The threads then
 * take groups of outputs, and of their weights DEPTH inputs at a time, widened to float32 where they are narrower. A
 * panel's part of that depth stays in the first cache while all the group's weights go past it, and these stay in the
 * second while panel after panel comes. The sums stand transposed, [outputs, rows], until they are complete.
 *
 *   for each group of outputs                          one thread
 *     for each part of the depth                       widen the weights
 *       for each panel of rows                         sums[outputs, rows] += w[outputs, part] · panel[part, rows]
 *     y[rows, outputs] = sumsᵀ + bias
 *
 * A sum runs over the inputs in their order, in parts of equal depth: neither the other rows nor how the outputs are
 * grouped show in it.
 */
#include "kernels/panel_product.h"

#include <omp.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/widen_rows.h"

enum {
    ROWS_MAX = 512,   /* rows that are turned at a time; a multiple of PANEL_MAX */
    PANEL_MAX = 32,   /* the most columns that any kernel takes at a time */
    ROWS_STEP = 8,    /* the last panel is filled up with zeros to a multiple of this many rows */
    DEPTH_MAX = 320,  /* so much of a panel of 16 rows, and the weights of six outputs, fit in a first cache of 32 KiB */
    DEPTH_STEP = 8,
    GROUP_MAX = 96,   /* outputs; both are multiples of the rows that any kernel takes at a time */
    GROUP_STEP = 48,
    STRIDE_EXTRA = 8, /* floats, so that rows do not stand a power of two apart, where they would drive each other out of
                         the first cache */
    WIDENED_STRIDE = DEPTH_MAX + STRIDE_EXTRA,
    ROWS_AHEAD = 4,   /* the weights' next rows are asked for while one is widened: they are too short for the processor
                         to guess where the next begins */
    LINE_SIZE = 64
};

struct work {
    const struct pali__compute *compute;
    const struct pali__matrix *w;
    const float *bias;
    enum pali__store store;
    float *y; /* of the rows that are turned now */
    int64_t n_rows, padded_rows, panel_rows, sums_stride;
    int64_t depth;
    float *panels; /* [panels, n_in, panel_rows] */
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t blocks_of(int64_t count, int64_t size)
{
    return (count + size - 1) / size;
}

/* Rows first…, of which the panel has room for panel_rows, to panel[k, row]. */
static void turn_panel(const struct work *work, const float *x, int64_t first)
{
    int64_t n_in = work->w->n_in, n = smaller(work->panel_rows, work->n_rows - first);
    float *panel = work->panels + first * n_in;
    work->compute->kernels->transpose(panel, work->panel_rows, x + first * n_in, n_in, n, n_in);
    for (int64_t k = 0; k < n_in && n < work->panel_rows; k++)
        memset(panel + k * work->panel_rows + n, 0, (size_t)(work->panel_rows - n) * sizeof *panel);
}

/* The weights of n outputs for a part of the depth, in float32, rows *stride apart. */
static const float *weights_of(const struct work *work, int64_t first, int64_t n, int64_t k, int64_t depth,
                               float *buffer, int64_t *stride)
{
    const struct pali__matrix *w = work->w;
    *stride = WIDENED_STRIDE;
    if (w->dtype == PALI_FLOAT32) {
        *stride = w->n_in;
        return pali__weights_at(w, first, k);
    }
    for (int64_t j = 0; j < n; j++) {
        const char *ahead = j + ROWS_AHEAD < n ? pali__weights_at(w, first + j + ROWS_AHEAD, k) : NULL;
        for (int64_t at = 0; at < pali__weights_size(w, depth) && ahead != NULL; at += LINE_SIZE)
            __builtin_prefetch(ahead + at);
        pali__widen_row(work->compute->kernels, buffer + j * *stride, w, first + j, k, depth);
    }
    return buffer;
}

/* y = sumsᵀ + bias, or y += …, for outputs first…first+n-1. */
static void store_group(const struct work *work, const float *sums, int64_t first, int64_t n)
{
    const struct pali__kernels *kernels = work->compute->kernels;
    float turned[ROWS_STEP * GROUP_MAX];
    for (int64_t row = 0; row < work->n_rows; row += ROWS_STEP) {
        int64_t n_rows = smaller(ROWS_STEP, work->n_rows - row);
        float *y = work->y + row * work->w->n_out + first;
        float *out = work->store == PALI__ADD ? turned : y;
        int64_t stride = work->store == PALI__ADD ? GROUP_MAX : work->w->n_out;
        kernels->transpose(out, stride, sums + row, work->sums_stride, n, n_rows);
        for (int64_t r = 0; r < n_rows; r++) {
            if (work->bias != NULL)
                kernels->add(out + r * stride, work->bias + first, n);
            if (work->store == PALI__ADD)
                kernels->add(y + r * work->w->n_out, out + r * stride, n);
        }
    }
}

/* Outputs first…first+n-1 of all rows. */
static void multiply_group(const struct work *work, int64_t first, int64_t n, float *scratch)
{
    int64_t n_in = work->w->n_in, stride;
    float *widened = scratch, *sums = scratch + GROUP_MAX * WIDENED_STRIDE;
    for (int64_t k = 0; k < n_in; k += work->depth) {
        int64_t depth = smaller(work->depth, n_in - k);
        const float *w = weights_of(work, first, n, k, depth, widened, &stride);
        for (int64_t row = 0; row < work->padded_rows; row += work->panel_rows)
            work->compute->kernels->product(sums + row, work->sums_stride, w, stride,
                                            work->panels + row * n_in + k * work->panel_rows, work->panel_rows, n,
                                            smaller(work->panel_rows, work->padded_rows - row), depth, k > 0);
    }
    store_group(work, sums, first, n);
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

/* Floats of the panels, and of what each thread has for itself. */
static int64_t panels_count(int64_t n_rows, int64_t n_in)
{
    return smaller(blocks_of(n_rows, PANEL_MAX) * PANEL_MAX, ROWS_MAX) * n_in;
}

static int64_t thread_count(int64_t n_rows)
{
    int64_t sums_stride = smaller(blocks_of(n_rows, PANEL_MAX) * PANEL_MAX, ROWS_MAX) + STRIDE_EXTRA;
    return GROUP_MAX * (WIDENED_STRIDE + sums_stride);
}

size_t pali__panel_product_scratch(const struct pali__compute *compute, int64_t n_rows, const struct pali__matrix *w)
{
    return (size_t)(panels_count(n_rows, w->n_in) + compute->n_threads * thread_count(n_rows)) * sizeof(float);
}

void pali__panel_product(const struct pali__compute *compute, float *y, const float *x, int64_t n_rows,
                         const struct pali__matrix *w, const float *bias, enum pali__store store, void *scratch)
{
    struct work work = {.compute = compute, .w = w, .bias = bias, .store = store, .panels = scratch,
                        .panel_rows = compute->kernels->product_columns};
    int64_t at_once = rows_at_once(compute, n_rows), group = group_for(compute, w->n_out);
    float *threads = work.panels + panels_count(n_rows, w->n_in);
    work.depth = blocks_of(blocks_of(w->n_in, blocks_of(w->n_in, DEPTH_MAX)), DEPTH_STEP) * DEPTH_STEP;
    for (int64_t first = 0; first < n_rows; first += at_once) {
        work.n_rows = smaller(at_once, n_rows - first);
        work.padded_rows = blocks_of(work.n_rows, ROWS_STEP) * ROWS_STEP;
        work.sums_stride = work.padded_rows + STRIDE_EXTRA;
        work.y = y + first * w->n_out;
#pragma omp parallel num_threads(compute->n_threads)
        {
#pragma omp for schedule(static)
            for (int64_t row = 0; row < work.n_rows; row += work.panel_rows)
                turn_panel(&work, x + first * w->n_in, row);
#pragma omp for schedule(dynamic)
            for (int64_t out = 0; out < w->n_out; out += group)
                multiply_group(&work, out, smaller(group, w->n_out - out),
                               threads + omp_get_thread_num() * thread_count(n_rows));
        }
    }
}
