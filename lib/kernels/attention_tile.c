/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Softmax over a stream of tiles of keys: with each tile the largest score so far may grow, and what was summed before
 * shrinks by exp(old - new). After Dao et al., FlashAttention (2022), and Milakov & Gimelshein, Online normalizer
 * calculation for softmax (2018).
 */
#include "kernels/attention_tile.h"

#include <math.h>

#include "kernels/attention_panels.h"

enum {
    PANEL_MAX = 32, /* the most columns that any kernel takes at a time */
    FEW_ROWS = 2    /* so many share what is widened of keys in int8; for more, keys are widened once, before */
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

enum visibility { NOTHING, SOMETHING, EVERYTHING };

/* What the tile's queries see of keys first…first+n-1. SOMETHING is always a safe answer. */
static enum visibility visibility_of(const struct pali__tile *tile, int64_t first, int64_t n)
{
    const struct pali__attention *a = tile->attention;
    int64_t first_query = a->q_start + tile->first_query, last_query = first_query + tile->n_queries - 1;
    int64_t n_real = n, n_prefix_keys = n, n_prefix_queries = tile->n_queries;
    bool all_past = first + n - 1 <= first_query, no_past = first > last_query;
    bool all_near = a->window == 0 || first > last_query - a->window;
    bool none_near = a->window != 0 && first + n - 1 <= first_query - a->window;
    if (a->type != NULL) {
        n_prefix_queries = 0;
        for (int64_t q = first_query; q <= last_query; q++)
            n_prefix_queries += a->type[q] == 0;
    }
    if ((no_past || none_near) && n_prefix_queries == 0)
        return NOTHING;
    if (a->key_is_real != NULL) {
        n_real = 0;
        for (int64_t k = first; k < first + n; k++)
            n_real += a->key_is_real[k] != 0;
    }
    if (n_real == 0)
        return NOTHING;
    if (a->type != NULL) {
        n_prefix_keys = 0;
        for (int64_t k = first; k < first + n; k++)
            n_prefix_keys += a->type[k] == 0;
    }
    if ((no_past || none_near) && n_prefix_keys == 0)
        return NOTHING;
    bool all_prefix = n_prefix_keys == n && n_prefix_queries == tile->n_queries;
    return n_real == n && (all_prefix || (all_past && all_near)) ? EVERYTHING : SOMETHING;
}

void pali__scores_finish(const struct pali__kernels *kernels, const struct pali__attention *attention, float *scores,
                         int64_t query, int64_t first, int64_t n, bool masked)
{
    if (attention->soft_cap != 0)
        kernels->soft_cap(scores, n, attention->soft_cap);
    if (!masked)
        return;
    const uint8_t *real = attention->key_is_real, *type = attention->type;
    bool prefix_query = type == NULL || type[query] == 0;
    for (int64_t j = 0; j < n; j++) {
        int64_t key = first + j;
        bool past = key <= query && (attention->window == 0 || key > query - attention->window);
        bool both_prefix = prefix_query && (type == NULL || type[key] == 0);
        if ((real != NULL && !real[key]) || !(past || both_prefix))
            scores[j] = -INFINITY;
    }
}

/* Turns the scores of one row into exponentials and brings its earlier sums to the same scale. */
static void softmax_step(struct pali__tile *tile, int64_t row, float *scores, int64_t n, float *out)
{
    const struct pali__kernels *kernels = tile->kernels;
    float old = tile->max[row], largest = kernels->max(scores, n);
    if (largest > old) {
        if (old != -INFINITY) {
            float shrink = expf(old - largest);
            tile->sum[row] *= shrink;
            kernels->scale(out, out, tile->attention->head_dim, shrink);
        }
        tile->max[row] = largest;
    } else {
        largest = old;
    }
    if (largest == -INFINITY) {
        for (int64_t j = 0; j < n; j++)
            scores[j] = 0;
        return;
    }
    tile->sum[row] += kernels->exp_sum(scores, n, largest);
}

static const float *query_at(const struct pali__tile *tile, int64_t h, int64_t i)
{
    const struct pali__attention *a = tile->attention;
    return a->q + (tile->first_query + i) * a->q_stride + (tile->first_head + h) * a->head_dim;
}

static float *out_at(const struct pali__tile *tile, int64_t h, int64_t i)
{
    return tile->out + h * tile->head_stride + i * tile->query_stride;
}

/* out += p·v for keys first…first+n-1, whose weights p are [rows, PALI__TILE_KEYS], the values as they stand. */
static void add_values(struct pali__tile *tile, const float *p, int64_t first, int64_t n, float *buffer)
{
    const struct pali__attention *a = tile->attention;
    int64_t key_head = pali__key_head(a, tile->first_head), at_once = pali__keys_at_once(a), stride;
    for (int64_t at = 0; at < n; at += at_once) {
        int64_t taken = n - at < at_once ? n - at : at_once;
        const float *v = pali__key_rows(tile->kernels, a, true, key_head, first + at, taken, buffer, &stride);
        for (int64_t h = 0; h < tile->n_heads; h++)
            tile->kernels->product(out_at(tile, h, 0), tile->query_stride,
                                   p + h * tile->n_queries * PALI__TILE_KEYS + at, PALI__TILE_KEYS, v, stride,
                                   tile->n_queries, a->head_dim, taken, !tile->empty || at > 0);
    }
    tile->empty = false;
}

/* The same as add_values for many rows, by panels. */
static void add_values_by_panels(struct pali__tile *tile, const float *p, int64_t first, int64_t n, float *buffer)
{
    const struct pali__attention *a = tile->attention;
    const struct pali__kernels *kernels = tile->kernels;
    int64_t columns = kernels->product_columns, stride = 0;
    float own[PANEL_MAX * PALI__TILE_KEYS];
    const float *v = NULL;
    if (tile->panels == NULL)
        v = pali__key_rows(kernels, a, true, pali__key_head(a, tile->first_head), first, n, buffer, &stride);
    for (int64_t d = 0; d < a->head_dim; d += columns) {
        int64_t width = smaller(columns, a->head_dim - d);
        const float *panel = own;
        if (tile->panels != NULL)
            panel = pali__value_panel(kernels, a, tile->panels, first, d);
        else
            pali__cut_values(kernels, own, v + d, stride, n, width);
        for (int64_t h = 0; h < tile->n_heads; h++)
            kernels->product(out_at(tile, h, 0) + d, tile->query_stride, p + h * tile->n_queries * PALI__TILE_KEYS,
                             PALI__TILE_KEYS, panel, columns, tile->n_queries, width, n, !tile->empty);
    }
    tile->empty = false;
}

/* From scaled scores of keys first…first+n-1, [rows, PALI__TILE_KEYS], to the tile's share of the sums. */
static void add_keys(struct pali__tile *tile, float *scores, int64_t first, int64_t n, bool masked, float *buffer)
{
    const struct pali__attention *a = tile->attention;
    for (int64_t r = 0; r < tile->n_heads * tile->n_queries; r++) {
        float *row = scores + r * PALI__TILE_KEYS;
        int64_t i = r % tile->n_queries;
        pali__scores_finish(tile->kernels, a, row, a->q_start + tile->first_query + i, first, n, masked);
        softmax_step(tile, r, row, n, out_at(tile, r / tile->n_queries, i));
    }
    if (tile->by_dots)
        add_values(tile, scores, first, n, buffer);
    else
        add_values_by_panels(tile, scores, first, n, buffer);
}

/* scores = q·kᵀ for keys first…first+n-1 by dot products. q: [n_rows, head_dim], rows q_stride apart. */
static void score_by_dots(const struct pali__tile *tile, float *scores, const float *q, int64_t q_stride,
                          int64_t n_rows, int64_t first, int64_t n, float *buffer)
{
    const struct pali__attention *a = tile->attention;
    int64_t key_head = pali__key_head(a, tile->first_head), at_once = pali__keys_at_once(a), stride;
    for (int64_t at = 0; at < n; at += at_once) {
        int64_t taken = n - at < at_once ? n - at : at_once;
        pali__dot_rows_fn *dot_rows = tile->kernels->dot_rows_bf16; /* which widens as it goes */
        const void *k = pali__keys_in_place(a, false, key_head, first + at, taken, PALI_BFLOAT16, &stride);
        if (k == NULL && n_rows <= FEW_ROWS) {
            k = pali__keys_in_place(a, false, key_head, first + at, taken, PALI_INT8, &stride);
            dot_rows = tile->kernels->dot_int8_rows;
        }
        if (k == NULL) {
            k = pali__key_rows(tile->kernels, a, false, key_head, first + at, taken, buffer, &stride);
            dot_rows = tile->kernels->dot_rows_f32;
        }
        for (int64_t r = 0; r < n_rows; r += PALI__DOT_ROWS_MAX) {
            int64_t n_x = n_rows - r < PALI__DOT_ROWS_MAX ? n_rows - r : PALI__DOT_ROWS_MAX;
            dot_rows(scores + r * PALI__TILE_KEYS + at, PALI__TILE_KEYS, q + r * q_stride, q_stride, n_x, k, stride,
                     taken, a->head_dim);
        }
    }
}

/* The same by products with panels of keys. */
static void score_by_product(const struct pali__tile *tile, float *scores, const float *q, int64_t n_rows,
                             int64_t first, int64_t n, float *buffer)
{
    const struct pali__attention *a = tile->attention;
    const struct pali__kernels *kernels = tile->kernels;
    int64_t columns = kernels->product_columns, width = a->head_dim, stride = 0;
    float own[PANEL_MAX * PALI__TILE_HEAD_DIM];
    const float *k = NULL;
    if (tile->panels == NULL)
        k = pali__key_rows(kernels, a, false, pali__key_head(a, tile->first_head), first, n, buffer, &stride);
    for (int64_t j = 0; j < n; j += columns) {
        int64_t taken = smaller(columns, n - j);
        const float *panel = own;
        if (tile->panels != NULL)
            panel = pali__key_panel(kernels, a, tile->panels, first, j);
        else
            pali__turn_keys(kernels, own, k + j * stride, stride, taken, width);
        kernels->product(scores + j, PALI__TILE_KEYS, q, width, panel, columns, n_rows, taken, width, false);
    }
}

/* A head wider than a tile: one row, whose query is not copied. */
static void run_wide(struct pali__tile *tile)
{
    float scores[PALI__TILE_KEYS], buffer[PALI__KEY_BUFFER];
    for (int64_t at = 0; at < tile->n_keys; at += PALI__TILE_KEYS) {
        int64_t first = tile->first_key + at, left = tile->n_keys - at;
        int64_t n = left < PALI__TILE_KEYS ? left : PALI__TILE_KEYS;
        enum visibility visible = visibility_of(tile, first, n);
        if (visible == NOTHING)
            continue;
        score_by_dots(tile, scores, query_at(tile, 0, 0), tile->attention->q_stride, 1, first, n, buffer);
        tile->kernels->scale(scores, scores, n, tile->attention->scale);
        add_keys(tile, scores, first, n, visible != EVERYTHING, buffer);
    }
}

static void run_tiled(struct pali__tile *tile)
{
    int64_t n_rows = tile->n_heads * tile->n_queries, width = tile->attention->head_dim;
    float q[PALI__TILE_ROWS * PALI__TILE_HEAD_DIM], buffer[PALI__KEY_BUFFER];
    float scores[PALI__TILE_ROWS * PALI__TILE_KEYS];
    for (int64_t h = 0; h < tile->n_heads; h++) {
        for (int64_t i = 0; i < tile->n_queries; i++)
            tile->kernels->scale(q + (h * tile->n_queries + i) * width, query_at(tile, h, i), width,
                                 tile->attention->scale);
    }
    for (int64_t at = 0; at < tile->n_keys; at += PALI__TILE_KEYS) {
        int64_t first = tile->first_key + at, left = tile->n_keys - at;
        int64_t n = left < PALI__TILE_KEYS ? left : PALI__TILE_KEYS;
        enum visibility visible = visibility_of(tile, first, n);
        if (visible == NOTHING)
            continue;
        if (tile->by_dots)
            score_by_dots(tile, scores, q, width, n_rows, first, n, buffer);
        else
            score_by_product(tile, scores, q, n_rows, first, n, buffer);
        add_keys(tile, scores, first, n, visible != EVERYTHING, buffer);
    }
}

void pali__tile_run(struct pali__tile *tile)
{
    for (int64_t r = 0; r < tile->n_heads * tile->n_queries; r++) {
        tile->max[r] = -INFINITY;
        tile->sum[r] = 0;
    }
    tile->empty = true;
    if (tile->attention->head_dim > PALI__TILE_HEAD_DIM)
        run_wide(tile);
    else
        run_tiled(tile);
}

void pali__mean_value(const struct pali__kernels *kernels, const struct pali__attention *attention, float *out,
                      int64_t head)
{
    int64_t at_once = pali__keys_at_once(attention), width = attention->head_dim, stride;
    float buffer[PALI__KEY_BUFFER];
    for (int64_t i = 0; i < width; i++)
        out[i] = 0;
    for (int64_t first = 0; first < attention->n_keys; first += at_once) {
        int64_t n = attention->n_keys - first < at_once ? attention->n_keys - first : at_once;
        const float *v = pali__key_rows(kernels, attention, true, pali__key_head(attention, head), first, n, buffer,
                                        &stride);
        for (int64_t k = 0; k < n; k++)
            kernels->add(out, v + k * stride, width);
    }
    kernels->scale(out, out, width, 1.0f / (float)attention->n_keys);
}
