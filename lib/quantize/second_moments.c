/* SPDX-License-Identifier: BSD-2-Clause */
#include "quantize/second_moments.h"

#include <omp.h>
#include <string.h>

#include "core/memory.h"
#include "kernels/kernels.h"

enum {
    PANEL = PALI__MOMENTS_PANEL,
    ROWS_AT_ONCE = 256, /* x that are summed up before the sums go to memory */
    BAND = 128          /* rows of H that a thread takes at a time; a multiple of PANEL that divides a block's step */
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t blocks_of(int64_t count, int64_t size)
{
    return (count + size - 1) / size;
}

pali_status pali__second_moments_init(struct pali__second_moments *moments, int64_t n_in, int64_t width_max,
                                      pali_error **error)
{
    int64_t n_blocks = blocks_of(n_in, width_max);
    int64_t width = n_blocks == 1 ? n_in : blocks_of(blocks_of(n_in, n_blocks), PALI__MOMENTS_STEP) * PALI__MOMENTS_STEP;
    /* Rows end with a whole panel, and another keeps them from standing a power of two apart. */
    int64_t stride = (blocks_of(width, PANEL) + 1) * PANEL;
    size_t size, panels_size;

    *moments = (struct pali__second_moments){
        .n_in = n_in, .width = width, .n_blocks = blocks_of(n_in, width), .stride = stride };
    if (!pali__size_product(&size, 4, (int64_t[]){ moments->n_blocks, width, stride, sizeof(float) }) ||
        !pali__size_product(&panels_size, 4, (int64_t[]){ blocks_of(n_in, PANEL), PANEL, ROWS_AT_ONCE, sizeof(float) }))
        return pali__fail(error, PALI_ERROR_LIMIT, "a matrix of %lld inputs is too wide to calibrate", (long long)n_in);
    moments->blocks = pali__aligned_malloc(size);
    moments->panels = pali__aligned_malloc(panels_size);
    if (!moments->blocks || !moments->panels) {
        pali__second_moments_clear(moments);
        return pali__no_memory(error, size);
    }
    memset(moments->blocks, 0, size);
    return PALI_OK;
}

void pali__second_moments_clear(struct pali__second_moments *moments)
{
    pali__aligned_free(moments->blocks);
    pali__aligned_free(moments->panels);
    *moments = (struct pali__second_moments){ 0 };
}

/* Columns of panel `panel` of up to ROWS_AT_ONCE real rows from x on, of `n_rows`: [taken, PANEL], zeros behind the last
 * column. Returns how many rows were taken; *seen of x are done with. */
static int64_t fill_panel(const struct pali__second_moments *moments, const float *x, int64_t n_rows,
                          const uint8_t *real, int64_t panel, int64_t *seen)
{
    int64_t first = panel * PANEL, n = smaller(PANEL, moments->n_in - first), taken = 0, row = 0;
    float *out = moments->panels + panel * ROWS_AT_ONCE * PANEL;

    for (; row < n_rows && taken < ROWS_AT_ONCE; row++) {
        if (real && !real[row])
            continue;
        memcpy(out + taken * PANEL, x + row * moments->n_in + first, (size_t)n * sizeof *out);
        memset(out + taken * PANEL + n, 0, (size_t)(PANEL - n) * sizeof *out);
        taken++;
    }
    *seen = row;
    return taken;
}

/* Rows first…first+BAND-1 of a block, from their diagonal on: H += xᵀ·x. `turned`: [BAND, n_rows]. */
static void add_band(const struct pali__compute *compute, const struct pali__second_moments *moments, int64_t block,
                     int64_t first, int64_t n_rows, float *turned)
{
    int64_t count = pali__moments_count(moments, block), n = smaller(BAND, count - first);
    const float *panels = moments->panels + pali__moments_first(moments, block) * ROWS_AT_ONCE;
    float *out = pali__moments_block(moments, block) + first * moments->stride;

    for (int64_t i = 0; i < n; i += PANEL)
        compute->kernels->transpose(turned + i * n_rows, n_rows, panels + (first + i) * ROWS_AT_ONCE, PANEL, n_rows,
                                    smaller(PANEL, n - i));
    for (int64_t j = first; j < count; j += PANEL)
        compute->kernels->product(out + j, moments->stride, turned, n_rows, panels + j * ROWS_AT_ONCE, PANEL, n, PANEL,
                                  n_rows, true);
}

pali_status pali__second_moments_add(const struct pali__compute *compute, struct pali__second_moments *moments,
                                     const float *x, int64_t n_rows, const uint8_t *real, pali_error **error)
{
    int64_t n_panels = blocks_of(moments->n_in, PANEL), bands = blocks_of(moments->width, BAND);
    size_t turned_size = (size_t)BAND * ROWS_AT_ONCE * sizeof(float);
    char *turned = pali__aligned_malloc((size_t)compute->n_threads * turned_size);

    if (!turned)
        return pali__no_memory(error, (size_t)compute->n_threads * turned_size);
    for (int64_t seen = 0; n_rows > 0; x += seen * moments->n_in, real = real ? real + seen : NULL, n_rows -= seen) {
        int64_t taken = 0;
#pragma omp parallel for schedule(static) num_threads(compute->n_threads)
        for (int64_t panel = 0; panel < n_panels; panel++) {
            int64_t done, count = fill_panel(moments, x, n_rows, real, panel, &done);
            if (panel == 0) {
                taken = count;
                seen = done;
            }
        }
#pragma omp parallel for schedule(dynamic) num_threads(compute->n_threads)
        for (int64_t i = 0; i < moments->n_blocks * bands; i++) {
            int64_t block = i / bands, first = i % bands * BAND;
            if (first < pali__moments_count(moments, block) && taken > 0)
                add_band(compute, moments, block, first, taken,
                         (float *)(void *)(turned + (size_t)omp_get_thread_num() * turned_size));
        }
        moments->n_rows += taken;
    }
    pali__aligned_free(turned);
    return PALI_OK;
}
