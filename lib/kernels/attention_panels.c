/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/attention_panels.h"

#include <string.h>

enum { COPIED = 8 /* a divisor of the columns of all kernels */ };

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t blocks_of(int64_t count, int64_t size)
{
    return (count + size - 1) / size;
}

void pali__turn_keys(const struct pali__kernels *kernels, float *panel, const float *keys, int64_t stride, int64_t n,
                     int64_t head_dim)
{
    kernels->transpose(panel, kernels->product_columns, keys, stride, n, head_dim);
}

void pali__cut_values(const struct pali__kernels *kernels, float *panel, const float *values, int64_t stride, int64_t n,
                      int64_t width)
{
    int64_t columns = kernels->product_columns;
    for (int64_t i = 0; i < n; i++) {
        const float *in = values + i * stride;
        float *out = panel + i * columns;
        int64_t j = 0;
        for (; j + COPIED <= width; j += COPIED)
            memcpy(out + j, in + j, COPIED * sizeof *out);
        for (; j < width; j++)
            out[j] = in[j];
    }
}

/* Floats of the panels of a tile's keys, and of its values. */
static int64_t keys_count(int64_t head_dim)
{
    return PALI__TILE_KEYS * head_dim;
}

static int64_t values_count(const struct pali__kernels *kernels, int64_t head_dim)
{
    return blocks_of(head_dim, kernels->product_columns) * kernels->product_columns * PALI__TILE_KEYS;
}

int64_t pali__panels_count(const struct pali__kernels *kernels, int64_t n_keys, int64_t head_dim)
{
    return blocks_of(n_keys, PALI__TILE_KEYS) * (keys_count(head_dim) + values_count(kernels, head_dim));
}

static int64_t tile_at(const struct pali__kernels *kernels, const struct pali__attention *attention, int64_t first)
{
    return (first - attention->first_key) / PALI__TILE_KEYS * pali__panels_count(kernels, 1, attention->head_dim);
}

const float *pali__key_panel(const struct pali__kernels *kernels, const struct pali__attention *attention,
                             const float *panels, int64_t first, int64_t key)
{
    return panels + tile_at(kernels, attention, first) + key * attention->head_dim;
}

const float *pali__value_panel(const struct pali__kernels *kernels, const struct pali__attention *attention,
                               const float *panels, int64_t first, int64_t column)
{
    return panels + tile_at(kernels, attention, first) + keys_count(attention->head_dim) + column * PALI__TILE_KEYS;
}

void pali__panels_fill(const struct pali__kernels *kernels, const struct pali__attention *attention, float *panels,
                       int64_t head, int64_t first)
{
    int64_t width = attention->head_dim, columns = kernels->product_columns, stride;
    int64_t n = smaller(PALI__TILE_KEYS, attention->n_keys - first);
    float buffer[PALI__KEY_BUFFER], *keys = panels + tile_at(kernels, attention, first);
    float *values = keys + keys_count(width);
    const float *k = pali__key_rows(kernels, attention, false, head, first, n, buffer, &stride);
    for (int64_t j = 0; j < n; j += columns)
        pali__turn_keys(kernels, keys + j * width, k + j * stride, stride, smaller(columns, n - j), width);
    const float *v = pali__key_rows(kernels, attention, true, head, first, n, buffer, &stride);
    for (int64_t d = 0; d < width; d += columns)
        pali__cut_values(kernels, values + d * PALI__TILE_KEYS, v + d, stride, n, smaller(columns, width - d));
}
