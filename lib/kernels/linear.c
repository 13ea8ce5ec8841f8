/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * y = x·Wᵀ. A few rows are memory-bound: kernels of our own stream the weights. Many rows are multiplied in float32 by
 * panel_product.c, where a row's result depends on no other row. A model in bfloat16, on a processor that multiplies
 * that type, goes to oneDNN in blocks of y, each computed by one thread. How y is cut into them depends on the shape
 * alone, so the number of threads never shows in the result. Quantized weights go the same ways: their codes are streamed
 * past rounded inputs, or widened to float32, or to bfloat16 for oneDNN; with inputs rounded to int8 they go to
 * int8_product.c.
 */
#include "kernels/ops.h"

#include <omp.h>
#include <string.h>

#include "kernels/int8_product.h"
#include "kernels/kernels.h"
#include "kernels/onednn/onednn_gemm.h"
#include "kernels/panel_product.h"
#include "kernels/rounded_inputs.h"
#include "kernels/widen_rows.h"

enum {
    OUTPUTS_PER_DOT = 32,  /* outputs that a thread takes at a time when there are few rows */
    FEW_ROWS = 12,         /* one by one they keep the bits that each gets alone, and cost hardly more: a step of a 3B
                              decoder with 8 rows takes 0.57 s one by one and 0.54 in blocks, on two cores with AVX2 */
    FEW_ROWS_BF16 = 4,     /* where blocks are multiplied in bfloat16 */
    ROWS_MAX = 512,        /* rows of a block */
    PANEL_MIN = 64,        /* columns of a block: a 16th of all, within these bounds, in steps of PANEL_MIN */
    PANEL_MAX = 256
};

struct product {
    const struct pali__compute *compute;
    float *y;
    const float *x;
    int64_t n_rows;
    const struct pali__matrix *w;
    const float *bias;
    enum pali__store store;

    /* Of few rows of a quantized matrix. */
    pali__dot_codes_fn *dot_codes;
    struct pali__rounded rounded;

    /* Of blocks for oneDNN. */
    int64_t block_rows, n_row_blocks, block_columns, n_panels;
    uint16_t *narrowed;       /* x in bfloat16 */
    unsigned char *threads;   /* thread_size bytes of scratch for each thread: a block's results, and its weights if they
                                 have to be turned to bfloat16 */
    size_t narrowed_size, part_size, thread_size;
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t blocks_of(int64_t count, int64_t size)
{
    return (count + size - 1) / size;
}

static size_t round_up(size_t size)
{
    return (size + 63) / 64 * 64;
}

static bool is_quantized(const struct pali__matrix *w)
{
    return w->quantized.code != PALI__CODE_NONE;
}

static pali__dot_rows_fn *dot_rows_for(const struct pali__compute *compute, pali_dtype dtype)
{
    switch (dtype) {
    case PALI_BFLOAT16:
        return compute->kernels->dot_rows_bf16;
    case PALI_FLOAT16:
        return compute->kernels->dot_rows_f16;
    default:
        return compute->kernels->dot_rows_f32;
    }
}

/* y = part + bias, or y += part + bias, for a block of outputs; part may be y itself when it is stored. */
static void store_block(const struct product *product, const float *part, int64_t part_stride, int64_t first_row,
                        int64_t n_rows, int64_t first_column, int64_t n_columns)
{
    const float *bias = product->bias ? product->bias + first_column : NULL;
    for (int64_t r = 0; r < n_rows; r++) {
        float *y = product->y + (first_row + r) * product->w->n_out + first_column;
        const float *in = part + r * part_stride;
        if (product->store == PALI__ADD && bias != NULL) {
            for (int64_t j = 0; j < n_columns; j++)
                y[j] += in[j] + bias[j];
        } else if (product->store == PALI__ADD) {
            for (int64_t j = 0; j < n_columns; j++)
                y[j] += in[j];
        } else if (bias != NULL) {
            for (int64_t j = 0; j < n_columns; j++)
                y[j] = in[j] + bias[j];
        } else if (y != in) {
            for (int64_t j = 0; j < n_columns; j++)
                y[j] = in[j];
        }
    }
}

static pali__dot_codes_fn *dot_codes_for(const struct pali__compute *compute, const struct pali__matrix *w)
{
    const struct pali__kernels *kernels = pali__code_kernels(compute, w);
    switch (w->quantized.code) {
    case PALI__CODE_INT8:
        return kernels->dot_int8;
    case PALI__CODE_PACKED8:
        return kernels->dot_packed8;
    default:
        return kernels->dot_packed4;
    }
}

/* Whether x is rounded to int8 before the product, however many rows it has. */
static bool rounds_to_int8(const struct pali__matrix *w)
{
    return is_quantized(w) && w->quantized.int8_inputs;
}

/* Whether int8_product.c takes many of its rows. */
static bool multiplies_int8(const struct pali__matrix *w)
{
    const struct pali__quantized *q = &w->quantized;
    return rounds_to_int8(w) && q->code != PALI__CODE_PACKED4 && q->n_groups == 1 && q->zero_points == NULL &&
           w->n_in < PALI__INT8_INPUTS_MAX;
}

/* Has to come before the first dot_rows. */
static void prepare_rows(struct product *product, void *scratch)
{
    if (!is_quantized(product->w))
        return;
    product->dot_codes = dot_codes_for(product->compute, product->w);
    product->rounded = pali__round_inputs(product->compute, product->x, product->n_rows, product->w, scratch);
}

/* Outputs first…first+n-1 of n_rows ≤ PALI__DOT_ROWS_MAX rows. */
static void dot_rows(const struct product *product, float *y, int64_t y_stride, int64_t first_row, int64_t n_rows,
                     int64_t first, int64_t n)
{
    const struct pali__matrix *w = product->w;
    if (is_quantized(w)) {
        struct pali__rounded rows = pali__rounded_rows(&product->rounded, first_row);
        product->dot_codes(y, y_stride, &rows, n_rows, &w->quantized, w->data, first, n, w->n_in);
    } else {
        dot_rows_for(product->compute, w->dtype)(y, y_stride, product->x + first_row * w->n_in, w->n_in, n_rows,
                                                 pali__weights_at(w, first, 0), w->n_in, n, w->n_in);
    }
}

/* Outputs first…first+n-1 of rows first_row…, PALI__DOT_ROWS_MAX rows at a time, straight from the weights. */
static void dot_block(const struct product *product, int64_t first_row, int64_t n_rows, int64_t first, int64_t n)
{
    float part[PALI__DOT_ROWS_MAX * OUTPUTS_PER_DOT];
    for (int64_t r = first_row; r < first_row + n_rows; r += PALI__DOT_ROWS_MAX) {
        int64_t taken = smaller(PALI__DOT_ROWS_MAX, first_row + n_rows - r);
        dot_rows(product, part, n, r, taken, first, n);
        store_block(product, part, n, r, taken, first, n);
    }
}

static void multiply_by_dots(const struct product *product)
{
    int64_t n_out = product->w->n_out, n_chunks = blocks_of(n_out, OUTPUTS_PER_DOT);
#pragma omp parallel for schedule(static) num_threads(product->compute->n_threads)
    for (int64_t chunk = 0; chunk < n_chunks; chunk++) {
        int64_t first = chunk * OUTPUTS_PER_DOT;
        dot_block(product, 0, product->n_rows, first, smaller(OUTPUTS_PER_DOT, n_out - first));
    }
}

static bool multiplies_bf16(const struct pali__compute *compute, pali_dtype dtype)
{
    bool narrows = dtype == PALI_BFLOAT16 || dtype == PALI_INT8;
    return compute->dtype == PALI_BFLOAT16 && narrows && compute->kernels->level == PALI__CPU_AVX512_BF16;
}

int64_t pali__few_rows(const struct pali__compute *compute, pali_dtype dtype)
{
    return multiplies_bf16(compute, dtype) && dtype == PALI_BFLOAT16 ? FEW_ROWS_BF16 : FEW_ROWS;
}

/* Cuts y into blocks for oneDNN and says how much scratch that needs. */
static void plan(struct product *product)
{
    const struct pali__matrix *w = product->w;
    product->n_row_blocks = blocks_of(product->n_rows, ROWS_MAX);
    product->block_rows = blocks_of(product->n_rows, product->n_row_blocks);
    int64_t columns = blocks_of(w->n_out, 16 * PANEL_MIN) * PANEL_MIN;
    product->block_columns = smaller(columns, PANEL_MAX);
    product->n_panels = blocks_of(w->n_out, product->block_columns);
    /* Scratch that was measured for many rows serves fewer, whose blocks may be higher. */
    int64_t part_rows = smaller(product->n_rows, ROWS_MAX);
    product->narrowed_size = round_up((size_t)(product->n_rows * w->n_in) * sizeof(uint16_t));
    product->part_size = round_up((size_t)(part_rows * product->block_columns) * sizeof(float));
    product->thread_size = product->part_size;
    if (is_quantized(w)) /* a block's weights, and one row of them in float32 */
        product->thread_size += round_up((size_t)(product->block_columns * w->n_in) * sizeof(uint16_t)) +
                                round_up((size_t)w->n_in * sizeof(float));
}

/* One block that oneDNN does not take; of a quantized matrix, row by row through `scratch`. */
static void own_block(const struct product *product, unsigned char *scratch, int64_t first_row, int64_t n_rows,
                      int64_t first, int64_t n)
{
    const struct pali__matrix *w = product->w;
    const struct pali__kernels *kernels = product->compute->kernels;
    float *row = (float *)(void *)scratch, part[PALI__DOT_ROWS_MAX];
    for (int64_t j = 0; j < n && !is_quantized(w); j += OUTPUTS_PER_DOT)
        dot_block(product, first_row, n_rows, first + j, smaller(OUTPUTS_PER_DOT, n - j));
    for (int64_t j = 0; j < n && is_quantized(w); j++) {
        pali__widen_row(kernels, row, w, first + j, 0, w->n_in);
        for (int64_t r = first_row; r < first_row + n_rows; r += PALI__DOT_ROWS_MAX) {
            int64_t taken = smaller(PALI__DOT_ROWS_MAX, first_row + n_rows - r);
            kernels->dot_rows_f32(part, 1, product->x + r * w->n_in, w->n_in, taken, row, w->n_in, 1, w->n_in);
            store_block(product, part, 1, r, taken, first + j, 1);
        }
    }
}

/* The weights of outputs first…first+n-1 in bfloat16; of a quantized matrix, through `scratch`. */
static const uint16_t *bf16_weights(const struct product *product, unsigned char *scratch, int64_t first, int64_t n)
{
    const struct pali__matrix *w = product->w;
    const struct pali__kernels *kernels = product->compute->kernels;
    if (!is_quantized(w))
        return pali__weights_at(w, first, 0);
    float *row = (float *)(void *)scratch;
    uint16_t *weights = (uint16_t *)(void *)(scratch + round_up((size_t)w->n_in * sizeof(float)));
    for (int64_t j = 0; j < n; j++) {
        pali__widen_row(kernels, row, w, first + j, 0, w->n_in);
        kernels->narrow_bf16(weights + j * w->n_in, row, w->n_in);
    }
    return weights;
}

/* One block from bfloat16 inputs and weights, through `part`. */
static pali_status bf16_block(const struct product *product, unsigned char *scratch, int64_t first_row, int64_t n_rows,
                              int64_t first, int64_t n)
{
    const struct pali__matrix *w = product->w;
    float *part = (float *)(void *)scratch;
    struct pali__onednn_bf16 multiply;
    pali_status status = pali__onednn_bf16_create(&multiply, n_rows, n, w->n_in);
    if (status == PALI_OK)
        status = pali__onednn_bf16_run(&multiply, part, product->narrowed + first_row * w->n_in,
                                       bf16_weights(product, scratch + product->part_size, first, n));
    pali__onednn_bf16_free(&multiply);
    if (status == PALI_OK)
        store_block(product, part, n, first_row, n_rows, first, n);
    return status;
}

static void narrow_inputs(const struct product *product)
{
    int64_t n_in = product->w->n_in;
#pragma omp parallel for schedule(static) num_threads(product->compute->n_threads)
    for (int64_t r = 0; r < product->n_rows; r++)
        product->compute->kernels->narrow_bf16(product->narrowed + r * n_in, product->x + r * n_in, n_in);
}

/* Whether oneDNN takes the bfloat16 product of a whole block; it then takes all of them. */
static bool bf16_works(const struct product *product)
{
    struct pali__onednn_bf16 probe;
    pali_status status =
        pali__onednn_bf16_create(&probe, product->block_rows, product->block_columns, product->w->n_in);
    pali__onednn_bf16_free(&probe);
    return status == PALI_OK;
}

static pali_status multiply_in_bf16(const struct product *product)
{
    narrow_inputs(product);
    int64_t n_out = product->w->n_out, n_blocks = product->n_row_blocks * product->n_panels;
    int worst = PALI_OK;
#pragma omp parallel for schedule(dynamic) reduction(min : worst) num_threads(product->compute->n_threads)
    for (int64_t block = 0; block < n_blocks; block++) {
        int64_t first_row = block / product->n_panels * product->block_rows;
        int64_t first = block % product->n_panels * product->block_columns;
        int64_t n_rows = smaller(product->block_rows, product->n_rows - first_row);
        int64_t n = smaller(product->block_columns, n_out - first);
        if (n_rows <= 0)
            continue; /* rounding up the size of a block can leave the last one empty */
        unsigned char *scratch = product->threads + (size_t)omp_get_thread_num() * product->thread_size;
        pali_status status = bf16_block(product, scratch, first_row, n_rows, first, n);
        if (status == PALI_ERROR_UNSUPPORTED) {
            own_block(product, scratch + product->part_size, first_row, n_rows, first, n);
            status = PALI_OK;
        }
        if ((int)status < worst)
            worst = (int)status;
    }
    return (pali_status)worst;
}

void pali__linear_by_row(const struct pali__compute *compute, float *y, const float *x, int64_t n_rows,
                         const struct pali__matrix *w, const float *bias, enum pali__store store, void *scratch)
{
    struct product product = {
        .compute = compute, .y = y, .x = x, .n_rows = n_rows, .w = w, .bias = bias, .store = store};
    if (n_rows == 0 || w->n_out == 0)
        return;
    prepare_rows(&product, scratch);
    multiply_by_dots(&product);
}

pali_status pali__linear_in_blocks(const struct pali__compute *compute, float *y, const float *x, int64_t n_rows,
                                   const struct pali__matrix *w, const float *bias, enum pali__store store,
                                   void *scratch, pali_error **error)
{
    struct product product = {
        .compute = compute, .y = y, .x = x, .n_rows = n_rows, .w = w, .bias = bias, .store = store};
    if (n_rows == 0 || w->n_out == 0)
        return PALI_OK;
    if (multiplies_int8(w))
        return pali__int8_product(compute, y, x, n_rows, w, bias, store, scratch, error);
    if (rounds_to_int8(w)) {
        pali__linear_by_row(compute, y, x, n_rows, w, bias, store, scratch);
        return PALI_OK;
    }
    plan(&product);
    product.narrowed = scratch;
    product.threads = (unsigned char *)scratch + product.narrowed_size;
    if (!multiplies_bf16(compute, w->dtype) || !bf16_works(&product)) {
        pali__panel_product(compute, &(struct pali__linear_part){y, w, bias}, 1, x, n_rows, store, scratch);
        return PALI_OK;
    }
    pali_status status = multiply_in_bf16(&product);
    if (status != PALI_OK)
        return pali__fail(error, status, "oneDNN failed to multiply %lld rows by a [%lld, %lld] matrix",
                          (long long)n_rows, (long long)w->n_out, (long long)w->n_in);
    return PALI_OK;
}

pali_status pali__linear(const struct pali__compute *compute, float *y, const float *x, int64_t n_rows,
                         const struct pali__matrix *w, const float *bias, enum pali__store store, void *scratch,
                         pali_error **error)
{
    if (n_rows > pali__few_rows(compute, w->dtype))
        return pali__linear_in_blocks(compute, y, x, n_rows, w, bias, store, scratch, error);
    pali__linear_by_row(compute, y, x, n_rows, w, bias, store, scratch);
    return PALI_OK;
}

void pali__linear_spans(const struct pali__compute *compute, float *y, const float *x, const struct pali__matrix *w,
                        const struct pali__span *spans, int64_t n_spans, void *scratch)
{
    struct product product = {.compute = compute, .y = y, .x = x, .n_rows = 1, .w = w};
    prepare_rows(&product, scratch);
#pragma omp parallel num_threads(compute->n_threads)
    {
        /* Every thread walks all the spans and computes each n_threads-th of their chunks. */
        int64_t n_threads = omp_get_num_threads(), turn = omp_get_thread_num(), at = 0;
        for (int64_t i = 0; i < n_spans; at += spans[i++].count) {
            for (int64_t first = 0; first < spans[i].count; first += OUTPUTS_PER_DOT) {
                int64_t n = smaller(OUTPUTS_PER_DOT, spans[i].count - first);
                if (turn == 0)
                    dot_rows(&product, y + at + first, n, 0, 1, spans[i].first + first, n);
                turn = turn == 0 ? n_threads - 1 : turn - 1;
            }
        }
    }
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t pali__linear_scratch(const struct pali__compute *compute, int64_t n_rows, const struct pali__matrix *w)
{
    struct product product = {.compute = compute, .n_rows = n_rows, .w = w};
    if (w->n_out == 0)
        return 0;
    size_t size = is_quantized(w) ? pali__rounded_inputs_size(n_rows, w) : 0;
    if (n_rows > pali__few_rows(compute, w->dtype) && multiplies_int8(w))
        return larger(size, pali__int8_product_scratch(compute, n_rows, w));
    if (n_rows <= pali__few_rows(compute, w->dtype) || rounds_to_int8(w))
        return size;
    size = larger(size, pali__panel_product_scratch(compute, n_rows, w));
    if (!multiplies_bf16(compute, w->dtype))
        return size;
    plan(&product);
    return larger(size, product.narrowed_size + (size_t)compute->n_threads * product.thread_size);
}
