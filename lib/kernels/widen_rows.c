/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/widen_rows.h"

#include <string.h>

#include "core/dtype.h"

static float scale_at(const struct pali__quantized *w, int64_t i)
{
    const float *f32 = w->scales;
    const uint16_t *u16 = w->scales;
    if (w->scale_dtype == PALI_FLOAT32)
        return f32[i];
    return w->scale_dtype == PALI_BFLOAT16 ? pali__float_from_bf16(u16[i]) : pali__float_from_f16(u16[i]);
}

/* Group by group. */
static void dequantize_row(const struct pali__kernels *kernels, float *y, const struct pali__matrix *w, int64_t row,
                           int64_t first, int64_t n)
{
    const struct pali__quantized *q = &w->quantized;
    const void *codes = (const unsigned char *)w->data + row * q->row_size;
    pali__dequantize_fn *dequantize = q->code == PALI__CODE_INT8      ? kernels->dequantize_int8
                                      : q->code == PALI__CODE_PACKED8 ? kernels->dequantize_packed8
                                                                      : kernels->dequantize_packed4;
    int offset = q->code == PALI__CODE_INT8 ? 0 : q->code == PALI__CODE_PACKED8 ? 128 : 8;
    for (int64_t k = first; k < first + n;) {
        int64_t group = q->n_groups <= 1 ? 0 : k / q->group_size, at = row * q->n_groups + group;
        int64_t end = q->n_groups <= 1 ? first + n : (group + 1) * q->group_size;
        if (end > first + n)
            end = first + n;
        dequantize(y + (k - first), codes, k, end - k, scale_at(q, at),
                   offset + (q->zero_points != NULL ? q->zero_points[at] : 0));
        k = end;
    }
}

void pali__widen_row(const struct pali__kernels *kernels, float *y, const struct pali__matrix *w, int64_t row,
                     int64_t first, int64_t n)
{
    if (w->quantized.code != PALI__CODE_NONE)
        dequantize_row(kernels, y, w, row, first, n);
    else if (w->dtype == PALI_FLOAT32)
        memcpy(y, pali__weights_at(w, row, first), (size_t)n * sizeof *y);
    else if (w->dtype == PALI_BFLOAT16)
        kernels->widen_bf16(y, pali__weights_at(w, row, first), n);
    else
        kernels->widen_f16(y, pali__weights_at(w, row, first), n);
}
