/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/attention_tile.h"

#include <string.h>

static const unsigned char *slot_at(const struct pali__key_run *run, bool values, int64_t head, int64_t slot)
{
    const unsigned char *base = values ? run->v : run->k;
    int64_t at = head * run->head_stride + (slot - run->first) * run->slot_stride;
    return base + (size_t)at * pali_dtype_size(run->dtype);
}

/* How many of slots first…first+n-1 are in `run`, from *from on. */
static int64_t overlap(const struct pali__key_run *run, int64_t first, int64_t n, int64_t *from)
{
    int64_t end = first + n < run->first + run->count ? first + n : run->first + run->count;
    *from = first > run->first ? first : run->first;
    return end > *from ? end - *from : 0;
}

static void gather_run(const struct pali__kernels *kernels, const struct pali__key_run *run, bool values, int64_t head,
                       int64_t first, int64_t n, float *out, int64_t width)
{
    int64_t from, count = overlap(run, first, n, &from);
    for (int64_t slot = from; slot < from + count; slot++) {
        const void *in = slot_at(run, values, head, slot);
        float *row = out + (slot - first) * width;
        if (run->dtype == PALI_FLOAT32)
            memcpy(row, in, (size_t)width * sizeof *row);
        else if (run->dtype == PALI_BFLOAT16)
            kernels->widen_bf16(row, in, width);
        else
            kernels->widen_int8_row(row, in, width);
    }
}

const void *pali__keys_in_place(const struct pali__attention *attention, bool values, int64_t head, int64_t first,
                                int64_t n, pali_dtype dtype, int64_t *stride)
{
    int64_t from;
    for (int i = 0; i < attention->n_runs; i++) {
        const struct pali__key_run *run = &attention->runs[i];
        if (run->dtype == dtype && overlap(run, first, n, &from) == n) {
            *stride = run->slot_stride;
            return slot_at(run, values, head, first);
        }
    }
    return NULL;
}

const float *pali__key_rows(const struct pali__kernels *kernels, const struct pali__attention *attention, bool values,
                            int64_t head, int64_t first, int64_t n, float *buffer, int64_t *stride)
{
    int64_t width = attention->head_dim, found = 0, from;
    const float *in_place = pali__keys_in_place(attention, values, head, first, n, PALI_FLOAT32, stride);
    if (in_place != NULL)
        return in_place;
    for (int i = 0; i < attention->n_runs; i++)
        found += overlap(&attention->runs[i], first, n, &from);
    if (found < n)
        memset(buffer, 0, (size_t)(n * width) * sizeof *buffer);
    for (int i = 0; i < attention->n_runs; i++)
        gather_run(kernels, &attention->runs[i], values, head, first, n, buffer, width);
    *stride = width;
    return buffer;
}
