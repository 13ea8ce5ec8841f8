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
 * Where the processor has AVX-512 VNNI, oneDNN multiplies the rounded rows with blocks of outputs instead, each on one
 * thread, straight from the codes. No sum overflows: 2¹⁴ for each input, and there are fewer than
 * PALI__INT8_INPUTS_MAX.
 */
#include "kernels/int8_product.h"

#include <assert.h>
#include <omp.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/onednn/onednn_gemm.h"

enum {
    ROWS_MAX = 512,   /* rows that are turned at a time; a multiple of PANEL_MAX */
    PANEL_MAX = 32,   /* the most columns that any kernel takes at a time */
    ROWS_STEP = 8,    /* the last panel is filled up with zeros to a multiple of this many rows */
    DEPTH_MAX = 640,  /* as many bytes as panel_product.c's */
    DEPTH_STEP = 16,
    GROUP_MAX = 96,   /* outputs */
    GROUP_STEP = 48,
    BLOCK_STEP = 64,  /* outputs of a block for oneDNN: a 16th of all, within these bounds, in steps of BLOCK_STEP */
    BLOCK_MAX = 256,
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
    unsigned char *threads; /* thread_size bytes for each thread: one of the two structs below */
    size_t thread_size;
};

struct group_scratch {
    int32_t sums[GROUP_MAX * (ROWS_MAX + EXTRA / 2)]; /* [outputs, rows], rows sums_stride apart */
    int16_t widened[GROUP_MAX * WIDENED_STRIDE];
};

struct block_scratch {
    int32_t sums[ROWS_MAX * BLOCK_MAX]; /* [rows, outputs] */
    int8_t codes[];                     /* [outputs, n_in], if those of the matrix have another form */
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t blocks_of(int64_t count, int64_t size)
{
    return (count + size - 1) / size;
}

static void round_row(const struct work *work, const float *x, int64_t row)
{
    int64_t n_in = work->w->n_in;
    work->row_scales[row] = work->compute->kernels->round_int8(work->rounded + row * n_in, x + row * n_in, n_in);
}

/* Rounds and turns the rows first…, of which the panel has room for panel_rows. */
static void turn_panel(const struct work *work, const float *x, int64_t first)
{
    const struct pali__kernels *kernels = work->compute->kernels;
    int64_t n_in = work->w->n_in, n = smaller(work->panel_rows, work->n_rows - first);
    int16_t *panel = work->panels + 2 * first * work->n_pairs;
    for (int64_t r = first; r < first + n; r++)
        round_row(work, x, r);
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

/* Stores n_rows ≤ ROWS_STEP rows of results, n outputs each, or what is to be added to y. */
static void store_rows(const struct work *work, float *results, int64_t stride, int64_t row, int64_t n_rows,
                       int64_t first, int64_t n)
{
    const struct pali__kernels *kernels = work->compute->kernels;
    for (int64_t r = 0; r < n_rows; r++) {
        float *y = work->y + (row + r) * work->w->n_out + first, *result = results + r * stride;
        if (work->bias != NULL)
            kernels->add(result, work->bias + first, n);
        if (work->store == PALI__ADD)
            kernels->add(y, result, n);
        else if (result != y)
            memcpy(y, result, (size_t)n * sizeof *y);
    }
}

/* y = sumsᵀ·scales + bias, or y += …, for outputs first…first+n-1. */
static void store_group(const struct work *work, const int32_t *sums, int64_t first, int64_t n)
{
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
        float *out = work->store == PALI__ADD ? turned : work->y + row * n_out + first;
        int64_t stride = work->store == PALI__ADD ? GROUP_MAX : n_out;
        work->compute->kernels->transpose(out, stride, part, ROWS_STEP, n, n_rows);
        store_rows(work, out, stride, row, n_rows, first, n);
    }
}

/* Outputs first…first+n-1 of all rows. */
static void multiply_group(const struct work *work, int64_t first, int64_t n, struct group_scratch *own)
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

/* The codes of outputs first…first+n-1 as int8, rows *stride apart. */
static const int8_t *int8_codes(const struct work *work, int8_t *buffer, int64_t first, int64_t n, int64_t *stride)
{
    const struct pali__quantized *q = &work->w->quantized;
    const uint8_t *codes = (const uint8_t *)work->w->data + first * q->row_size;
    *stride = q->row_size;
    if (q->code == PALI__CODE_INT8)
        return (const int8_t *)codes;
    *stride = work->w->n_in;
    for (int64_t j = 0; j < n; j++) {
        for (int64_t k = 0; k < *stride; k++)
            buffer[j * *stride + k] = (int8_t)(codes[j * q->row_size + k] - 128);
    }
    return buffer;
}

/* y = sums·scales + bias, or y += …, for outputs first…first+n-1. */
static void store_block(const struct work *work, const int32_t *sums, int64_t first, int64_t n)
{
    float scales[BLOCK_MAX], result[BLOCK_MAX];
    scales_of(work, scales, first, n);
    for (int64_t row = 0; row < work->n_rows; row++) {
        for (int64_t j = 0; j < n; j++)
            result[j] = (float)sums[row * n + j] * (work->row_scales[row] * scales[j]);
        store_rows(work, result, n, row, 1, first, n);
    }
}

/* Outputs first…first+n-1 of all rows, by oneDNN. */
static pali_status multiply_block(const struct work *work, int64_t first, int64_t n, struct block_scratch *own)
{
    int64_t stride;
    const int8_t *codes = int8_codes(work, own->codes, first, n, &stride);
    struct pali__onednn_int8 product;
    pali_status status = pali__onednn_int8_create(&product, work->n_rows, n, work->w->n_in, stride);
    if (status == PALI_OK)
        status = pali__onednn_int8_run(&product, own->sums, work->rounded, codes);
    pali__onednn_int8_free(&product);
    if (status == PALI_OK)
        store_block(work, own->sums, first, n);
    return status;
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

static int64_t block_for(int64_t n_out)
{
    return smaller(blocks_of(n_out, 16 * BLOCK_STEP) * BLOCK_STEP, BLOCK_MAX);
}

static size_t round_up(size_t size)
{
    return (size + LINE_SIZE - 1) / LINE_SIZE * LINE_SIZE;
}

/* Whether this is a processor that oneDNN is worth asking about. */
static bool may_use_onednn(const struct pali__compute *compute)
{
    enum pali__cpu level = compute->kernels->level;
    return level == PALI__CPU_AVX512 || level == PALI__CPU_AVX512_BF16;
}

/* Where the parts of the scratch stand; returns its size. */
static size_t lay_out(struct work *work, void *scratch, int64_t n_rows)
{
    const struct pali__matrix *w = work->w;
    size_t rows = (size_t)smaller(blocks_of(n_rows, PANEL_MAX) * PANEL_MAX, ROWS_MAX), n_in = (size_t)w->n_in;
    size_t panels_size = round_up(rows * (size_t)work->n_pairs * 2 * sizeof(int16_t));
    size_t scales_size = round_up(rows * sizeof(float)), rounded_size = round_up(rows * n_in);
    size_t block_size = sizeof(struct block_scratch);
    if (w->quantized.code != PALI__CODE_INT8)
        block_size += (size_t)block_for(w->n_out) * n_in;
    work->thread_size = round_up(sizeof(struct group_scratch));
    if (may_use_onednn(work->compute) && block_size > work->thread_size)
        work->thread_size = round_up(block_size);
    if (scratch != NULL) {
        unsigned char *at = scratch;
        work->panels = (int16_t *)(void *)at;
        work->row_scales = (float *)(void *)(at + panels_size);
        work->rounded = (int8_t *)(at + panels_size + scales_size);
        work->threads = at + panels_size + scales_size + rounded_size;
    }
    return panels_size + scales_size + rounded_size + (size_t)work->compute->n_threads * work->thread_size;
}

size_t pali__int8_product_scratch(const struct pali__compute *compute, int64_t n_rows, const struct pali__matrix *w)
{
    struct work work = {.compute = compute, .w = w, .n_pairs = blocks_of(w->n_in, 2)};
    return lay_out(&work, NULL, n_rows);
}

static void *scratch_of_thread(const struct work *work)
{
    return work->threads + (size_t)omp_get_thread_num() * work->thread_size;
}

static void multiply_in_groups(const struct work *work, const float *x)
{
    int64_t n_out = work->w->n_out, group = group_for(work->compute, n_out);
#pragma omp parallel num_threads(work->compute->n_threads)
    {
#pragma omp for schedule(static)
        for (int64_t row = 0; row < work->n_rows; row += work->panel_rows)
            turn_panel(work, x, row);
#pragma omp for schedule(dynamic)
        for (int64_t first = 0; first < n_out; first += group)
            multiply_group(work, first, smaller(group, n_out - first), scratch_of_thread(work));
    }
}

/* Whether oneDNN takes blocks of n outputs. */
static bool onednn_takes(const struct work *work, int64_t n)
{
    struct pali__onednn_int8 probe;
    pali_status status = pali__onednn_int8_create(&probe, work->n_rows, n, work->w->n_in, work->w->n_in);
    pali__onednn_int8_free(&probe);
    return status == PALI_OK;
}

/* Whether it takes all blocks: whole ones, and a last one that may be smaller. */
static bool onednn_works(const struct work *work)
{
    int64_t block = block_for(work->w->n_out), whole = work->w->n_out / block, left = work->w->n_out % block;
    return may_use_onednn(work->compute) && (whole == 0 || onednn_takes(work, block)) &&
           (left == 0 || onednn_takes(work, left));
}

static pali_status multiply_in_blocks(const struct work *work, const float *x)
{
    int64_t n_out = work->w->n_out, block = block_for(n_out);
    int worst = PALI_OK;
#pragma omp parallel num_threads(work->compute->n_threads)
    {
#pragma omp for schedule(static)
        for (int64_t row = 0; row < work->n_rows; row++)
            round_row(work, x, row);
#pragma omp for schedule(dynamic) reduction(min : worst)
        for (int64_t first = 0; first < n_out; first += block) {
            pali_status status = multiply_block(work, first, smaller(block, n_out - first), scratch_of_thread(work));
            worst = (int)status < worst ? (int)status : worst;
        }
    }
    return (pali_status)worst;
}

pali_status pali__int8_product(const struct pali__compute *compute, float *y, const float *x, int64_t n_rows,
                               const struct pali__matrix *w, const float *bias, enum pali__store store, void *scratch,
                               pali_error **error)
{
    struct work work = {.compute = compute, .w = w, .bias = bias, .store = store,
                        .panel_rows = compute->kernels->product_columns, .n_pairs = blocks_of(w->n_in, 2)};
    int64_t at_once = rows_at_once(compute, n_rows);
    pali_status status = PALI_OK;
    assert(w->n_in < PALI__INT8_INPUTS_MAX);
    lay_out(&work, scratch, n_rows);
    work.depth = blocks_of(blocks_of(w->n_in, blocks_of(w->n_in, DEPTH_MAX)), DEPTH_STEP) * DEPTH_STEP;
    for (int64_t first = 0; first < n_rows && status == PALI_OK; first += at_once) {
        work.n_rows = smaller(at_once, n_rows - first);
        work.padded_rows = blocks_of(work.n_rows, ROWS_STEP) * ROWS_STEP;
        work.sums_stride = work.padded_rows + EXTRA / 2;
        work.y = y + first * w->n_out;
        if (onednn_works(&work))
            status = multiply_in_blocks(&work, x + first * w->n_in);
        else
            multiply_in_groups(&work, x + first * w->n_in);
    }
    if (status != PALI_OK)
        return pali__fail(error, status, "oneDNN failed to multiply %lld rows by a [%lld, %lld] matrix in int8",
                          (long long)n_rows, (long long)w->n_out, (long long)w->n_in);
    return PALI_OK;
}
