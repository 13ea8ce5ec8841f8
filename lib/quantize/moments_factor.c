/* SPDX-License-Identifier: BSD-2-Clause */
/* Right-looking, STEP columns at a time from the last to the first: the block on the diagonal is factored, what stands
 * above it divided by that, and its product taken from all that is left, which is nearly all of the work. */
#include "quantize/moments_factor.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "kernels/kernels.h"

enum {
    PANEL = PALI__MOMENTS_PANEL,
    STEP = 64,  /* a multiple of PANEL */
    BAND = 128, /* rows that a thread takes at a time; a multiple of PANEL */
    ROWS = 16   /* of a column that a thread divides at a time */
};

struct factoring {
    const struct pali__compute *compute;
    float *h; /* the block of H that becomes U */
    int64_t count, stride;
    float turned[STEP][STEP]; /* the factor of the block on the diagonal: [k][j] is U[j, k] */
    float *panels;            /* -U[·, begin…end-1]ᵀ: [panels, STEP, PANEL] */
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Columns and rows begin…end-1. The sums are in float64: there are few. A pivot that rounding has eaten up is as large
 * as its own damping. */
static void factor_diagonal(struct factoring *f, int64_t begin, int64_t end)
{
    for (int64_t k = end - 1; k >= begin; k--) {
        const float *row_k = f->h + k * f->stride;
        double own = row_k[k], rest = own;
        for (int64_t j = k + 1; j < end; j++)
            rest -= (double)row_k[j] * row_k[j];
        double least = own * PALI__MOMENTS_OWN_DAMPING;
        float pivot = (float)sqrt(rest > least ? rest : least);
        f->h[k * f->stride + k] = pivot;
        f->turned[k - begin][k - begin] = pivot;
        for (int64_t i = begin; i < k; i++) {
            float *row = f->h + i * f->stride;
            double sum = row[k];
            for (int64_t j = k + 1; j < end; j++)
                sum -= (double)row[j] * row_k[j];
            row[k] = f->turned[k - begin][i - begin] = (float)(sum / pivot);
        }
    }
}

/* U[row, begin…end-1] of a row above: H · U⁻ᵀ of the block on the diagonal. */
static void divide_row(const struct factoring *f, int64_t row, int64_t begin, int64_t end)
{
    float *at = f->h + row * f->stride + begin;

    for (int64_t k = end - begin - 1; k >= 0; k--) {
        float value = at[k] / f->turned[k][k];
        at[k] = value;
        for (int64_t j = 0; j < k; j++)
            at[j] -= value * f->turned[k][j];
    }
}

/* Rows first…first+ROWS-1 above the diagonal's block are divided, and turned for the products. */
static void divide_rows(const struct factoring *f, int64_t first, int64_t begin, int64_t end)
{
    const struct pali__kernels *kernels = f->compute->kernels;
    float *panel = f->panels + first / PANEL * PANEL * STEP + first % PANEL;

    for (int64_t row = first; row < first + ROWS; row++)
        divide_row(f, row, begin, end);
    kernels->transpose(panel, PANEL, f->h + first * f->stride + begin, f->stride, ROWS, end - begin);
    for (int64_t k = 0; k < end - begin; k++)
        kernels->scale(panel + k * PANEL, panel + k * PANEL, ROWS, -1.0f);
}

/* H -= U·Uᵀ for rows first…first+BAND-1 and all columns left of `begin`, from the diagonal on. */
static void subtract_band(const struct factoring *f, int64_t first, int64_t begin, int64_t end)
{
    float *rows = f->h + first * f->stride;

    for (int64_t j = first; j < begin; j += PANEL)
        f->compute->kernels->product(rows + j, f->stride, rows + begin, f->stride, f->panels + j * STEP, PANEL,
                                     smaller(BAND, begin - first), PANEL, end - begin, true);
}

static void factor_block(struct factoring *f)
{
    for (int64_t begin = (f->count - 1) / STEP * STEP; begin >= 0; begin -= STEP) {
        int64_t end = smaller(begin + STEP, f->count);
        factor_diagonal(f, begin, end);
#pragma omp parallel num_threads(f->compute->n_threads)
        {
#pragma omp for schedule(static)
            for (int64_t row = 0; row < begin; row += ROWS)
                divide_rows(f, row, begin, end);
#pragma omp for schedule(dynamic)
            for (int64_t row = 0; row < begin; row += BAND)
                subtract_band(f, row, begin, end);
        }
    }
}

/* u from U, panel after panel. Below the diagonal the panels hold zeros. */
static void pack_block(const struct factoring *f, float *out)
{
    for (int64_t first = 0; first < f->count; first += PANEL) {
        int64_t n = smaller(PANEL, f->count - first);
        for (int64_t row = 0; row < first + PANEL; row++, out += PANEL) {
            memset(out, 0, PANEL * sizeof *out);
            for (int64_t j = row > first ? row - first : 0; j < n && row < f->count; j++)
                out[j] = f->h[row * f->stride + first + j] / f->h[(first + j) * f->stride + first + j];
        }
    }
}

/* Adds the damping to the diagonal, which is noted as the inputs' importance. */
static pali_status damp(struct pali__moments_factor *factor, const struct pali__second_moments *moments,
                        pali_error **error)
{
    double sum = 0;

    for (int64_t block = 0; block < moments->n_blocks; block++)
        for (int64_t i = 0; i < pali__moments_count(moments, block); i++)
            sum += pali__moments_block(moments, block)[i * moments->stride + i];
    if (!isfinite((float)sum))
        return pali__fail(error, PALI_ERROR_FORMAT, "the model's activations for the calibration are not finite");
    float mean = (float)(sum / (double)moments->n_in), added = mean > 0 ? mean * PALI__MOMENTS_DAMPING : 1.0f;
    for (int64_t block = 0; block < moments->n_blocks; block++) {
        for (int64_t i = 0; i < pali__moments_count(moments, block); i++) {
            float *own = pali__moments_block(moments, block) + i * moments->stride + i;
            *own += added + *own * PALI__MOMENTS_OWN_DAMPING;
            factor->importance[pali__moments_first(moments, block) + i] = *own;
        }
    }
    return PALI_OK;
}

pali_status pali__moments_factor_init(struct pali__moments_factor *factor, const struct pali__compute *compute,
                                      struct pali__second_moments *moments, pali_error **error)
{
    int64_t n_panels = (moments->width + PANEL - 1) / PANEL;
    struct factoring f = { .compute = compute, .stride = moments->stride };
    pali_status status;

    *factor = (struct pali__moments_factor){
        .n_in = moments->n_in, .width = moments->width, .n_blocks = moments->n_blocks,
        .block_size = (int64_t)PANEL * PANEL * (n_panels * (n_panels + 1) / 2) };
    size_t size = (size_t)(moments->n_blocks * factor->block_size) * sizeof(float);
    factor->panels = pali__aligned_malloc(size);
    factor->importance = pali__aligned_malloc((size_t)moments->n_in * sizeof(float));
    f.panels = pali__aligned_malloc((size_t)(n_panels * PANEL * STEP) * sizeof(float));
    status = factor->panels && factor->importance && f.panels ? damp(factor, moments, error)
                                                              : pali__no_memory(error, size);
    for (int64_t block = 0; status == PALI_OK && block < moments->n_blocks; block++) {
        f.h = pali__moments_block(moments, block);
        f.count = pali__moments_count(moments, block);
        factor_block(&f);
        pack_block(&f, factor->panels + block * factor->block_size);
    }
    pali__aligned_free(f.panels);
    if (status != PALI_OK)
        pali__moments_factor_clear(factor);
    return status;
}

void pali__moments_factor_clear(struct pali__moments_factor *factor)
{
    pali__aligned_free(factor->panels);
    pali__aligned_free(factor->importance);
    *factor = (struct pali__moments_factor){ 0 };
}
