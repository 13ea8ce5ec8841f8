/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Softmax over a stream of tiles of keys: with each tile the largest score so far may grow, and what was summed before
 * shrinks by exp(old - new). After Dao et al., FlashAttention (2022), and Milakov & Gimelshein, Online normalizer
 * calculation for softmax (2018).
 */
#include "kernels/attention_tile.h"

#include <math.h>

enum { ROWS_WORTH_TRANSPOSING = 8 }; /* with fewer rows, keys are read once, in place, by dot products */

enum visibility { NOTHING, SOMETHING, EVERYTHING };

/* What the tile's queries see of keys first…first+n-1. SOMETHING is always a safe answer. */
static enum visibility visibility_of(const struct pali__tile *tile, int64_t first, int64_t n)
{
    const struct pali__attention *a = tile->attention;
    int64_t first_query = a->q_start + tile->first_query, last_query = first_query + tile->n_queries - 1;
    int64_t n_real = n, n_prefix_keys = n, n_prefix_queries = tile->n_queries;
    if (a->key_is_real != NULL) {
        n_real = 0;
        for (int64_t k = first; k < first + n; k++)
            n_real += a->key_is_real[k] != 0;
    }
    if (n_real == 0)
        return NOTHING;
    if (a->type != NULL) {
        n_prefix_keys = n_prefix_queries = 0;
        for (int64_t k = first; k < first + n; k++)
            n_prefix_keys += a->type[k] == 0;
        for (int64_t q = first_query; q <= last_query; q++)
            n_prefix_queries += a->type[q] == 0;
    }

    bool all_past = first + n - 1 <= first_query, no_past = first > last_query;
    bool all_near = a->window == 0 || first > last_query - a->window;
    bool none_near = a->window != 0 && first + n - 1 <= first_query - a->window;
    if ((no_past || none_near) && (n_prefix_keys == 0 || n_prefix_queries == 0))
        return NOTHING;
    bool all_prefix = n_prefix_keys == n && n_prefix_queries == tile->n_queries;
    return n_real == n && (all_prefix || (all_past && all_near)) ? EVERYTHING : SOMETHING;
}

void pali__scores_finish(const struct pali__kernels *kernels, const struct pali__attention *attention, float *scores,
                         int64_t query, int64_t first, int64_t n, bool masked)
{
    kernels->scale(scores, scores, n, attention->scale);
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

/* From raw scores of keys first…first+n-1, [rows, PALI__TILE_KEYS], to the tile's share of the sums. */
static void add_keys(struct pali__tile *tile, float *scores, int64_t first, int64_t n, bool masked)
{
    const struct pali__attention *a = tile->attention;
    const float *v = a->v + pali__key_head(a, tile->first_head) * a->head_stride + first * a->slot_stride;
    for (int64_t h = 0; h < tile->n_heads; h++) {
        float *head_scores = scores + h * tile->n_queries * PALI__TILE_KEYS;
        for (int64_t i = 0; i < tile->n_queries; i++) {
            float *row = head_scores + i * PALI__TILE_KEYS;
            int64_t query = a->q_start + tile->first_query + i;
            pali__scores_finish(tile->kernels, a, row, query, first, n, masked);
            softmax_step(tile, h * tile->n_queries + i, row, n, out_at(tile, h, i));
        }
        tile->kernels->product(out_at(tile, h, 0), tile->query_stride, head_scores, PALI__TILE_KEYS, v,
                               a->slot_stride, tile->n_queries, a->head_dim, n, !tile->empty);
    }
    tile->empty = false;
}

/* scores = q·kᵀ for keys first…first+n-1 by dot products. q: [n_rows, head_dim], rows q_stride apart. */
static void score_by_dots(const struct pali__tile *tile, float *scores, const float *q, int64_t q_stride,
                          int64_t n_rows, const float *k, int64_t n)
{
    const struct pali__attention *a = tile->attention;
    for (int64_t r = 0; r < n_rows; r += PALI__DOT_ROWS_MAX) {
        int64_t taken = n_rows - r < PALI__DOT_ROWS_MAX ? n_rows - r : PALI__DOT_ROWS_MAX;
        tile->kernels->dot_rows_f32(scores + r * PALI__TILE_KEYS, PALI__TILE_KEYS, q + r * q_stride, q_stride, taken,
                                    k, a->slot_stride, n, a->head_dim);
    }
}

/* A head wider than a tile: one row, nothing copied. */
static void run_wide(struct pali__tile *tile)
{
    const struct pali__attention *a = tile->attention;
    const float *k = a->k + pali__key_head(a, tile->first_head) * a->head_stride;
    float scores[PALI__TILE_KEYS];
    for (int64_t at = 0; at < tile->n_keys; at += PALI__TILE_KEYS) {
        int64_t first = tile->first_key + at, left = tile->n_keys - at;
        int64_t n = left < PALI__TILE_KEYS ? left : PALI__TILE_KEYS;
        enum visibility visible = visibility_of(tile, first, n);
        if (visible == NOTHING)
            continue;
        score_by_dots(tile, scores, query_at(tile, 0, 0), a->q_stride, 1, k + first * a->slot_stride, n);
        add_keys(tile, scores, first, n, visible != EVERYTHING);
    }
}

static void run_tiled(struct pali__tile *tile)
{
    const struct pali__attention *a = tile->attention;
    const float *k = a->k + pali__key_head(a, tile->first_head) * a->head_stride;
    int64_t n_rows = tile->n_heads * tile->n_queries, width = a->head_dim;
    float q[PALI__TILE_ROWS * PALI__TILE_HEAD_DIM], turned[PALI__TILE_HEAD_DIM * PALI__TILE_KEYS];
    float scores[PALI__TILE_ROWS * PALI__TILE_KEYS];
    for (int64_t h = 0; h < tile->n_heads; h++) {
        for (int64_t i = 0; i < tile->n_queries; i++)
            tile->kernels->scale(q + (h * tile->n_queries + i) * width, query_at(tile, h, i), width, 1.0f);
    }
    for (int64_t at = 0; at < tile->n_keys; at += PALI__TILE_KEYS) {
        int64_t first = tile->first_key + at, left = tile->n_keys - at;
        int64_t n = left < PALI__TILE_KEYS ? left : PALI__TILE_KEYS;
        enum visibility visible = visibility_of(tile, first, n);
        if (visible == NOTHING)
            continue;
        const float *keys = k + first * a->slot_stride;
        if (n_rows <= ROWS_WORTH_TRANSPOSING) {
            score_by_dots(tile, scores, q, width, n_rows, keys, n);
        } else {
            tile->kernels->transpose(turned, PALI__TILE_KEYS, keys, a->slot_stride, n, width);
            tile->kernels->product(scores, PALI__TILE_KEYS, q, width, turned, PALI__TILE_KEYS, n_rows, n, width,
                                   false);
        }
        add_keys(tile, scores, first, n, visible != EVERYTHING);
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
    const float *v = attention->v + pali__key_head(attention, head) * attention->head_stride;
    for (int64_t i = 0; i < attention->head_dim; i++)
        out[i] = 0;
    for (int64_t k = 0; k < attention->n_keys; k++)
        kernels->add(out, v + k * attention->slot_stride, attention->head_dim);
    kernels->scale(out, out, attention->head_dim, 1.0f / (float)attention->n_keys);
}
