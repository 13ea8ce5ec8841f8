/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/int8_head.h"

#include <math.h>

#include "core/memory.h"
#include "kernels/round_weights.h"

enum { ROWS_AT_ONCE = 512, ALIGNMENT = 64 };

static const struct pali__rounding rounding = {
    .code = PALI__CODE_INT8, .symmetric = true, .scale_dtype = PALI_FLOAT32
};

static void widen_rows(const struct pali__compute *compute, float *values, const struct pali__matrix *head,
                       int64_t first, int64_t n_rows)
{
    size_t row_size = (size_t)head->n_in * pali_dtype_size(head->dtype);

#pragma omp parallel for schedule(static) num_threads(compute->n_threads)
    for (int64_t i = 0; i < n_rows; i++)
        pali__to_float(values + i * head->n_in, (const char *)head->data + (size_t)(first + i) * row_size, head->dtype,
                       head->n_in);
}

/* A row that has a value which is no number, or infinite, gives what is no number, as it would unrounded. */
static void mark_broken_rows(const struct pali__compute *compute, float *scales, const float *values, int64_t n_rows,
                             int64_t n)
{
#pragma omp parallel for schedule(static) num_threads(compute->n_threads)
    for (int64_t i = 0; i < n_rows; i++)
        if (!pali__all_finite(values + i * n, n))
            scales[i] = NAN;
}

static pali_status quantize(const struct pali__compute *compute, const struct pali__matrix *head, int8_t *codes,
                            float *scales, float *values, pali__rows_done rows_done, void *user, pali_error **error)
{
    struct pali__rounding chosen = rounding;

    chosen.group_size = head->n_in;
    for (int64_t first = 0; first < head->n_out; first += ROWS_AT_ONCE) {
        int64_t n_rows = head->n_out - first < ROWS_AT_ONCE ? head->n_out - first : ROWS_AT_ONCE;
        widen_rows(compute, values, head, first, n_rows);
        pali__round_weights(compute, &chosen, values, n_rows, head->n_in, codes + first * head->n_in, scales + first,
                            NULL);
        mark_broken_rows(compute, scales + first, values, n_rows, head->n_in);
        TRY(rows_done(user, n_rows, error));
    }
    return PALI_OK;
}

pali_status pali__int8_head(struct pali__matrix *out, void **block, const struct pali__compute *compute,
                            const struct pali__matrix *head, pali__rows_done rows_done, void *user, pali_error **error)
{
    size_t codes_size = ((size_t)(head->n_out * head->n_in) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    size_t size = codes_size + (size_t)head->n_out * sizeof(float);
    size_t values_size = (size_t)(ROWS_AT_ONCE * head->n_in) * sizeof(float);
    char *made = pali__aligned_malloc(size);
    float *values = pali__aligned_malloc(values_size);
    pali_status status;

    *block = NULL;
    if (made && values) {
        pali__prefer_huge_pages(made, size);
        status = quantize(compute, head, (int8_t *)made, (float *)(void *)(made + codes_size), values, rows_done, user,
                          error);
    } else {
        status = pali__no_memory(error, size + values_size);
    }
    pali__aligned_free(values);
    if (status != PALI_OK) {
        pali__aligned_free(made);
        return status;
    }
    *out = (struct pali__matrix){
        .data = made, .dtype = PALI_INT8, .n_out = head->n_out, .n_in = head->n_in,
        .quantized = { .code = PALI__CODE_INT8, .row_size = head->n_in, .group_size = head->n_in, .n_groups = 1,
                       .scales = made + codes_size, .scale_dtype = PALI_FLOAT32 }
    };
    *block = made;
    return PALI_OK;
}
