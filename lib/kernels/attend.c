/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attention of one sequence, cut into tiles for the threads. Two ways: many queries, in tiles of queries; few queries
 * (decoding), where the keys are split as well. How the work is cut depends on the shape alone. Probabilities, for those
 * who want to see them, are computed beside, a row at a time.
 */
#include "kernels/ops.h"

#include <math.h>

#include "kernels/attention_panels.h"

enum {
    FEW_QUERIES = 4,
    FEW_TILES = 2, /* that read the same keys: turning these once for all is worth its barrier for more */
    ROWS_WORTH_TRANSPOSING = 8, /* with fewer rows, keys are read once, in place, by dot products */
    KEYS_PER_SPLIT = 256,       /* at least; a multiple of PALI__TILE_KEYS */
    PARTIAL_SIZE = 32768 /* floats on the stack for the results of the splits */
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t blocks_of(int64_t count, int64_t size)
{
    return (count + size - 1) / size;
}

/* How heads and queries are cut: tiles of up to `heads` heads that read the same key head, and `queries` queries. */
struct cut {
    int64_t group, heads, queries, n_head_chunks, n_query_blocks;
    bool by_dots;
};

static struct cut cut_for(const struct pali__attention *a)
{
    int64_t rows = a->head_dim > PALI__TILE_HEAD_DIM ? 1 : PALI__TILE_ROWS;
    /* Heads that do not divide evenly among the key heads are taken one at a time. */
    struct cut cut = {.group = a->n_heads % a->n_kv_heads == 0 ? a->n_heads / a->n_kv_heads : 1};
    cut.heads = smaller(cut.group, rows);
    cut.queries = smaller(rows / cut.heads, a->n_queries);
    cut.n_head_chunks = a->n_heads / cut.group * blocks_of(cut.group, cut.heads);
    cut.n_query_blocks = blocks_of(a->n_queries, cut.queries);
    cut.by_dots = cut.heads * cut.queries <= ROWS_WORTH_TRANSPOSING;
    return cut;
}

/* The heads of a chunk; chunks do not cross from one group into the next. */
static void choose_heads(struct pali__tile *tile, const struct cut *cut, int64_t chunk)
{
    int64_t per_group = blocks_of(cut->group, cut->heads);
    int64_t within = chunk % per_group * cut->heads;
    tile->first_head = chunk / per_group * cut->group + within;
    tile->n_heads = smaller(cut->heads, cut->group - within);
}

static void finish_row(const struct pali__kernels *kernels, const struct pali__attention *a, float *out, int64_t head,
                       float sum, bool empty)
{
    if (empty || sum == 0)
        pali__mean_value(kernels, a, out, head);
    else
        kernels->scale(out, out, a->head_dim, 1.0f / sum);
}

/* Queries `block` of the heads of `chunk`. `panels`: of all key heads, `panels_count` each, or NULL. */
static void attend_block(const struct pali__compute *compute, const struct pali__attention *a, const struct cut *cut,
                         int64_t chunk, int64_t block, const float *panels, int64_t panels_count)
{
    struct pali__tile tile = {.attention = a, .kernels = compute->kernels, .first_key = a->first_key,
                              .n_keys = a->n_keys - a->first_key, .by_dots = cut->by_dots};
    choose_heads(&tile, cut, chunk);
    tile.first_query = block * cut->queries;
    tile.n_queries = smaller(cut->queries, a->n_queries - tile.first_query);
    tile.out = a->out + tile.first_query * a->out_stride + tile.first_head * a->head_dim;
    tile.head_stride = a->head_dim;
    tile.query_stride = a->out_stride;
    if (panels != NULL)
        tile.panels = panels + pali__key_head(a, tile.first_head) * panels_count;
    pali__tile_run(&tile);
    for (int64_t h = 0; h < tile.n_heads; h++) {
        for (int64_t i = 0; i < tile.n_queries; i++)
            finish_row(compute->kernels, a, tile.out + h * tile.head_stride + i * tile.query_stride,
                       tile.first_head + h, tile.sum[h * tile.n_queries + i], tile.empty);
    }
}

size_t pali__attend_scratch(const struct pali__compute *compute, int64_t n_keys, int64_t n_kv_heads, int64_t head_dim)
{
    return (size_t)(pali__panels_count(compute->kernels, n_keys, head_dim) * n_kv_heads) * sizeof(float);
}

/* Where the keys are to be turned for all tiles, or NULL: if few tiles read them, or there is no room. */
static float *room_for_panels(const struct pali__compute *compute, const struct pali__attention *a,
                              const struct cut *cut)
{
    int64_t n_keys = a->n_keys - a->first_key, n_tiles = cut->n_head_chunks * cut->n_query_blocks;
    size_t size = pali__attend_scratch(compute, n_keys, a->n_kv_heads, a->head_dim);
    bool shared = !cut->by_dots && a->head_dim <= PALI__TILE_HEAD_DIM && n_tiles > FEW_TILES * a->n_kv_heads;
    return shared && size <= a->scratch_size ? a->scratch : NULL;
}

static void attend_many(const struct pali__compute *compute, const struct pali__attention *a)
{
    struct cut cut = cut_for(a);
    int64_t n_keys = a->n_keys - a->first_key, n_key_tiles = blocks_of(n_keys, PALI__TILE_KEYS);
    int64_t panels_count = pali__panels_count(compute->kernels, n_keys, a->head_dim);
    float *panels = room_for_panels(compute, a, &cut);
#pragma omp parallel num_threads(compute->n_threads)
    {
        if (panels != NULL) {
#pragma omp for schedule(dynamic)
            for (int64_t t = 0; t < a->n_kv_heads * n_key_tiles; t++)
                pali__panels_fill(compute->kernels, a, panels + t / n_key_tiles * panels_count, t / n_key_tiles,
                                  a->first_key + t % n_key_tiles * PALI__TILE_KEYS);
        }
#pragma omp for schedule(dynamic)
        for (int64_t t = 0; t < cut.n_head_chunks * cut.n_query_blocks; t++)
            attend_block(compute, a, &cut, t / cut.n_query_blocks, t % cut.n_query_blocks, panels, panels_count);
    }
}

/* The result of one split for one row: [head_dim] values, then max and sum. */
static float *partial_at(const struct pali__attention *a, float *partial, int64_t split, int64_t head, int64_t query)
{
    return partial + ((split * a->n_heads + head) * a->n_queries + query) * (a->head_dim + 2);
}

/* out = Σ over the splits, each brought to the largest score of all. */
static void combine(const struct pali__compute *compute, const struct pali__attention *a, float *partial,
                    int64_t n_splits, int64_t head, int64_t query)
{
    int64_t width = a->head_dim;
    float *out = a->out + query * a->out_stride + head * width;
    float largest = -INFINITY, sum = 0;
    for (int64_t s = 0; s < n_splits; s++)
        largest = fmaxf(largest, partial_at(a, partial, s, head, query)[width]);
    for (int64_t i = 0; i < width; i++)
        out[i] = 0;
    for (int64_t s = 0; s < n_splits && largest != -INFINITY; s++) {
        float *part = partial_at(a, partial, s, head, query);
        if (part[width] == -INFINITY)
            continue;
        float weight = expf(part[width] - largest);
        sum += part[width + 1] * weight;
        compute->kernels->product(out, width, &weight, 1, part, width, 1, width, 1, true);
    }
    finish_row(compute->kernels, a, out, head, sum, largest == -INFINITY);
}

/* Keys are split into parts of `keys`, counted from first_key. */
static void attend_split(const struct pali__compute *compute, const struct pali__attention *a, int64_t keys)
{
    struct cut cut = cut_for(a);
    float partial[PARTIAL_SIZE];
    int64_t n_splits = blocks_of(a->n_keys - a->first_key, keys);
    int64_t n_blocks = cut.n_head_chunks * cut.n_query_blocks, n_rows = a->n_heads * a->n_queries;
#pragma omp parallel num_threads(compute->n_threads)
    {
#pragma omp for schedule(dynamic)
        for (int64_t t = 0; t < n_blocks * n_splits; t++) {
            int64_t block = t / n_splits, split = t % n_splits;
            struct pali__tile tile = {.attention = a, .kernels = compute->kernels, .by_dots = cut.by_dots};
            choose_heads(&tile, &cut, block / cut.n_query_blocks);
            tile.first_query = block % cut.n_query_blocks * cut.queries;
            tile.n_queries = smaller(cut.queries, a->n_queries - tile.first_query);
            tile.first_key = a->first_key + split * keys;
            tile.n_keys = smaller(keys, a->n_keys - tile.first_key);
            tile.out = partial_at(a, partial, split, tile.first_head, tile.first_query);
            tile.query_stride = a->head_dim + 2;
            tile.head_stride = a->n_queries * tile.query_stride;
            pali__tile_run(&tile);
            for (int64_t h = 0; h < tile.n_heads; h++) {
                for (int64_t i = 0; i < tile.n_queries; i++) {
                    float *state = tile.out + h * tile.head_stride + i * tile.query_stride + a->head_dim;
                    state[0] = tile.max[h * tile.n_queries + i];
                    state[1] = tile.sum[h * tile.n_queries + i];
                }
            }
        }
#pragma omp for schedule(static)
        for (int64_t row = 0; row < n_rows; row++)
            combine(compute, a, partial, n_splits, row / a->n_queries, row % a->n_queries);
    }
}

/* p = q·kᵀ for all keys of one head. */
static void all_scores(const struct pali__kernels *kernels, const struct pali__attention *a, float *p, const float *q,
                       int64_t key_head)
{
    int64_t at_once = pali__keys_at_once(a), stride;
    float buffer[PALI__KEY_BUFFER];
    for (int64_t first = 0; first < a->n_keys; first += at_once) {
        int64_t n = smaller(at_once, a->n_keys - first);
        const float *k = pali__key_rows(kernels, a, false, key_head, first, n, buffer, &stride);
        kernels->dot_rows_f32(p + first, n, q, a->head_dim, 1, k, stride, n, a->head_dim);
    }
}

/* Only the heads that somebody wants to look at are computed a second time. */
void pali__attention_probabilities(const struct pali__compute *compute, const struct pali__attention *a)
{
    const struct pali__kernels *kernels = compute->kernels;
    int64_t n_rows = (a->seen_heads != NULL ? a->n_seen_heads : a->n_heads) * a->n_queries;
#pragma omp parallel for schedule(static) num_threads(compute->n_threads)
    for (int64_t row = 0; row < n_rows; row++) {
        int64_t head = a->seen_heads != NULL ? a->seen_heads[row / a->n_queries] : row / a->n_queries;
        int64_t query = row % a->n_queries;
        float *p = a->probabilities + row * a->n_keys;
        all_scores(kernels, a, p, a->q + query * a->q_stride + head * a->head_dim, pali__key_head(a, head));
        kernels->scale(p, p, a->n_keys, a->scale);
        pali__scores_finish(kernels, a, p, a->q_start + query, 0, a->n_keys, true);
        float largest = kernels->max(p, a->n_keys);
        if (largest == -INFINITY) {
            for (int64_t k = 0; k < a->n_keys; k++)
                p[k] = 1.0f / (float)a->n_keys;
        } else {
            float sum = kernels->exp_sum(p, a->n_keys, largest);
            kernels->scale(p, p, a->n_keys, 1.0f / sum);
        }
    }
}

/* Keys of a part when few queries share the work among threads by their keys: as few as PARTIAL_SIZE allows. */
static int64_t keys_of_split(const struct pali__attention *a)
{
    int64_t n = a->n_keys - a->first_key, most = PARTIAL_SIZE / (a->n_heads * a->n_queries * (a->head_dim + 2));
    int64_t keys = KEYS_PER_SPLIT;
    while (blocks_of(n, keys) > most && keys < n)
        keys *= 2;
    return keys;
}

void pali__attend(const struct pali__compute *compute, const struct pali__attention *attention)
{
    const struct pali__attention *a = attention;
    if (a->n_queries == 0 || a->n_heads == 0 || a->n_keys == 0)
        return;
    if (a->probabilities != NULL)
        pali__attention_probabilities(compute, a);
    int64_t keys = a->n_queries <= FEW_QUERIES ? keys_of_split(a) : a->n_keys;
    if (keys < a->n_keys - a->first_key)
        attend_split(compute, a, keys);
    else
        attend_many(compute, a);
}
