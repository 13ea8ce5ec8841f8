/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cache as a safetensors file:
 *
 *   cache                 int64 [11]: version, layers, kv heads, head_dim, window, sliding, fixed, capacity, rows, dtype
 *                         (as pali_dtype), fingerprint of the model
 *   lengths, held_from    int64 [rows]: tokens, and the first that windowed layers hold
 *   row.N.real, .type     uint8 [length]
 *   row.N.positions       int64 [length]
 *   row.N.keys, .values   [layers, kv heads, length, head_dim]: of the layers that keep all tokens
 *   row.N.window_keys, .window_values   [layers, kv heads, length - held_from, head_dim]: of the others
 *
 * In int8 the last dimension of keys and values is head_dim + 4: the codes, then their scale as a float32, byte by byte.
 */
#include <stdio.h>
#include <string.h>

#include "checkpoint/safetensors.h"
#include "checkpoint/tensors.h"
#include "core/memory.h"
#include "core/tensor_set.h"
#include "model/model_cache.h"

enum {
    FILE_VERSION = 1,
    MOST_ROWS = 65536,
    MOST_TOKENS = 1 << 24,
    FLOATS_AT_ONCE = 1024
};

/* The numbers of the tensor "cache". */
enum { VERSION, LAYERS, KV_HEADS, HEAD_DIM, WINDOW, SLIDING, FIXED, CAPACITY, ROWS, DTYPE, FINGERPRINT, N_NUMBERS };

static const char *const number_names[N_NUMBERS] = {
    "version", "number of layers", "number of key/value heads", "head_dim", "window", "sliding", "fixed",
    "capacity", "number of rows", "dtype", "fingerprint"
};

/* ---- which model ---- */

/* FNV-1a. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
    return hash;
}

/* A quantized matrix: the codes, scales and zero points of the first row. */
static uint64_t hash_quantized(uint64_t hash, const struct pali__matrix *matrix)
{
    const struct pali__quantized *quantized = &matrix->quantized;
    size_t width = pali_dtype_size(quantized->scale_dtype);

    hash = hash_bytes(hash, matrix->data, (size_t)quantized->row_size);
    for (int64_t g = 0; g < quantized->n_groups; g++) {
        float scale;
        pali__to_float(&scale, (const unsigned char *)quantized->scales + (size_t)g * width, quantized->scale_dtype, 1);
        hash = hash_bytes(hash, &scale, sizeof scale);
    }
    return quantized->zero_points ? hash_bytes(hash, quantized->zero_points, (size_t)quantized->n_groups) : hash;
}

/* The first row, as float32, so that the type in which a checkpoint's exact values are held does not matter. */
static uint64_t hash_matrix(uint64_t hash, const struct pali__matrix *matrix)
{
    size_t element = matrix->dtype == PALI_FLOAT32 ? 4 : 2;
    float values[FLOATS_AT_ONCE];

    if (matrix->quantized.code != PALI__CODE_NONE)
        return hash_quantized(hash, matrix);
    for (int64_t at = 0; at < matrix->n_in; at += FLOATS_AT_ONCE) {
        int64_t n = matrix->n_in - at < FLOATS_AT_ONCE ? matrix->n_in - at : FLOATS_AT_ONCE;
        pali__to_float(values, (const unsigned char *)matrix->data + (size_t)at * element, matrix->dtype, n);
        hash = hash_bytes(hash, values, (size_t)n * sizeof *values);
    }
    return hash;
}

/* Told from the first row of every matrix of the decoder: training, and merging an adapter, changes them all. */
static int64_t fingerprint(const pali_model *model)
{
    const struct pali__decoder *decoder = &model->network.decoder;
    uint64_t hash = hash_matrix(0xcbf29ce484222325u, &decoder->embedding);
    int64_t number;

    for (int64_t i = 0; i < model->settings->text.num_hidden_layers; i++) {
        const struct pali__decoder_block *block = &decoder->blocks[i];
        const struct pali__matrix *all[] = { &block->q,    &block->k,  &block->v,   &block->o,
                                             &block->gate, &block->up, &block->down };
        for (size_t j = 0; j < sizeof all / sizeof *all; j++)
            hash = hash_matrix(hash, all[j]);
    }
    memcpy(&number, &hash, sizeof number);
    return number;
}

static void fill_numbers(int64_t *numbers, const pali_model *model, const struct pali__kv *kv, bool sliding)
{
    const struct pali__kv_layout *layout = &kv->layout;
    const int64_t all[N_NUMBERS] = {
        [VERSION] = FILE_VERSION, [LAYERS] = layout->n_layers, [KV_HEADS] = layout->n_kv_heads,
        [HEAD_DIM] = layout->head_dim, [WINDOW] = layout->window, [SLIDING] = sliding, [FIXED] = layout->fixed,
        [CAPACITY] = layout->capacity, [ROWS] = kv->n_rows, [DTYPE] = layout->dtype,
        [FINGERPRINT] = fingerprint(model)
    };
    memcpy(numbers, all, sizeof all);
}

static bool layer_slides(const struct pali__kv_layout *layout, bool sliding, int64_t layer)
{
    return sliding && layout->layer_slides[layer];
}

static int64_t count_layers(const struct pali__kv_layout *layout, bool sliding, bool windowed)
{
    int64_t count = 0;

    for (int64_t i = 0; i < layout->n_layers; i++)
        count += layer_slides(layout, sliding, i) == windowed;
    return count;
}

/* ---- writing ---- */

static pali_status add_numbers(struct pali__tensor_set *set, const char *name, const int64_t *numbers, int64_t n,
                               pali_error **error)
{
    pali_tensor *tensor;

    TRY(pali__tensor_set_add(set, name, PALI_INT64, 1, &n, &tensor, error));
    if (n > 0)
        memcpy(tensor->data, numbers, (size_t)n * sizeof *numbers);
    return PALI_OK;
}

static pali_status add_bytes(struct pali__tensor_set *set, const char *name, const uint8_t *bytes, int64_t n,
                             pali_error **error)
{
    pali_tensor *tensor;

    TRY(pali__tensor_set_add(set, name, PALI_UINT8, 1, &n, &tensor, error));
    if (n > 0)
        memcpy(tensor->data, bytes, (size_t)n);
    return PALI_OK;
}

/* Slots from `first` on of the layers that slide, or of those that do not. */
static pali_status add_layers(struct pali__tensor_set *set, const char *name, const struct pali__kv *kv, int64_t row,
                              bool sliding, bool windowed, bool values, int64_t first, pali_error **error)
{
    const struct pali__kv_layout *layout = &kv->layout;
    int64_t n = kv->rows[row].length - first;
    int64_t shape[] = { count_layers(layout, sliding, windowed), layout->n_kv_heads, n,
                        pali__kv_slot_width(layout) };
    pali_tensor *tensor;

    TRY(pali__tensor_set_add(set, name, layout->dtype, 4, shape, &tensor, error));
    unsigned char *out = tensor->data;
    for (int64_t layer = 0; n > 0 && layer < layout->n_layers; layer++) {
        if (layer_slides(layout, sliding, layer) != windowed)
            continue;
        pali__kv_read(kv, row, layer, values, first, n, out);
        out += (size_t)(layout->n_kv_heads * n * pali__kv_slot_width(layout)) * pali_dtype_size(layout->dtype);
    }
    return PALI_OK;
}

static const char *row_name(char *buffer, size_t size, int64_t row, const char *what)
{
    snprintf(buffer, size, "row.%lld.%s", (long long)row, what);
    return buffer;
}

static pali_status add_row(struct pali__tensor_set *set, const struct pali__kv *kv, int64_t row, bool sliding,
                           int64_t held_from, pali_error **error)
{
    const struct pali__kv_row *kinds = &kv->rows[row];
    char name[64];

    TRY(add_bytes(set, row_name(name, sizeof name, row, "real"), kinds->real, kinds->length, error));
    TRY(add_bytes(set, row_name(name, sizeof name, row, "type"), kinds->type, kinds->length, error));
    TRY(add_numbers(set, row_name(name, sizeof name, row, "positions"), kinds->positions, kinds->length, error));
    TRY(add_layers(set, row_name(name, sizeof name, row, "keys"), kv, row, sliding, false, false, 0, error));
    TRY(add_layers(set, row_name(name, sizeof name, row, "values"), kv, row, sliding, false, true, 0, error));
    if (!sliding)
        return PALI_OK;
    TRY(add_layers(set, row_name(name, sizeof name, row, "window_keys"), kv, row, true, true, false, held_from, error));
    return add_layers(set, row_name(name, sizeof name, row, "window_values"), kv, row, true, true, true, held_from,
                      error);
}

static pali_status add_all(struct pali__tensor_set *set, const pali_cache *cache, int64_t *lengths, int64_t *held_from,
                           pali_error **error)
{
    const struct pali__kv *kv = &cache->kv;
    int64_t numbers[N_NUMBERS];
    bool sliding = kv->layout.sliding || (cache->prefix && cache->prefix->kv.layout.sliding);

    for (int64_t row = 0; row < kv->n_rows; row++) {
        int64_t kept = kv->rows[row].length - pali__kv_window_kept(kv);
        lengths[row] = kv->rows[row].length;
        held_from[row] = sliding ? pali__kv_held_from(kv, row) : 0;
        if (sliding && held_from[row] < kept)
            held_from[row] = kept;
        TRY(add_row(set, kv, row, sliding, held_from[row], error));
    }
    fill_numbers(numbers, cache->model, kv, sliding);
    TRY(add_numbers(set, "cache", numbers, N_NUMBERS, error));
    TRY(add_numbers(set, "lengths", lengths, kv->n_rows, error));
    return add_numbers(set, "held_from", held_from, kv->n_rows, error);
}

pali_status pali_cache_save(const pali_cache *cache, const char *path, pali_error **error)
{
    struct pali__tensor_set set = { 0 };
    pali_status status;
    int64_t *numbers;

    if (!cache || !path)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_cache_save: %s is NULL", cache ? "path" : "cache");
    numbers = pali__calloc((size_t)cache->kv.n_rows, 2 * sizeof *numbers);
    status = numbers ? add_all(&set, cache, numbers, numbers + cache->kv.n_rows, error)
                     : pali__no_memory(error, (size_t)cache->kv.n_rows * 2 * sizeof *numbers);
    if (status == PALI_OK)
        status = pali__safetensors_save(&set, path, error);
    pali__tensor_set_clear(&set);
    pali__free(numbers);
    return status;
}

/* ---- reading ---- */

struct reader {
    const char *path;
    struct pali__safetensors file;
    pali_model *model;
    int64_t numbers[N_NUMBERS];
    pali_error **error;
};

/* The bytes of a tensor of exactly that type and shape. */
static pali_status find(const struct reader *reader, const char *name, pali_dtype dtype, int32_t rank,
                        const int64_t *shape, const void **data)
{
    for (size_t i = 0; i < reader->file.count; i++) {
        const pali_tensor *tensor = &reader->file.tensors[i].tensor;
        if (strcmp(reader->file.tensors[i].name, name) != 0)
            continue;
        bool fits = tensor->dtype == dtype && tensor->rank == rank;
        for (int32_t j = 0; fits && j < rank; j++)
            fits = tensor->shape[j] == shape[j];
        if (!fits)
            return pali__fail(reader->error, PALI_ERROR_FORMAT,
                              "'%s': tensor \"%s\" does not have the type and shape that the file's own numbers say",
                              reader->path, name);
        *data = tensor->data;
        return PALI_OK;
    }
    return pali__fail(reader->error, PALI_ERROR_FORMAT, "'%s' is not a saved cache: it has no tensor \"%s\"",
                      reader->path, name);
}

static pali_status check_number(const struct reader *reader, int number, int64_t expected)
{
    if (reader->numbers[number] == expected)
        return PALI_OK;
    return pali__fail(reader->error, PALI_ERROR_FORMAT,
                      "'%s' does not fit the model: its %s is %lld, %lld was expected", reader->path,
                      number_names[number], (long long)reader->numbers[number], (long long)expected);
}

static pali_status check_range(const struct reader *reader, int number, int64_t least, int64_t most)
{
    if (reader->numbers[number] >= least && reader->numbers[number] <= most)
        return PALI_OK;
    return pali__fail(reader->error, PALI_ERROR_FORMAT, "'%s': its %s is %lld, outside %lld…%lld", reader->path,
                      number_names[number], (long long)reader->numbers[number], (long long)least, (long long)most);
}

static pali_status read_numbers(struct reader *reader)
{
    const struct pali__kv_layout layout = pali__cache_layout(reader->model);
    const void *data = NULL;

    TRY(find(reader, "cache", PALI_INT64, 1, (int64_t[]){ N_NUMBERS }, &data));
    memcpy(reader->numbers, data, sizeof reader->numbers);
    if (reader->numbers[VERSION] != FILE_VERSION)
        return pali__fail(reader->error, PALI_ERROR_UNSUPPORTED, "'%s' is of version %lld, this library reads version %d",
                          reader->path, (long long)reader->numbers[VERSION], FILE_VERSION);
    TRY(check_number(reader, LAYERS, layout.n_layers));
    TRY(check_number(reader, KV_HEADS, layout.n_kv_heads));
    TRY(check_number(reader, HEAD_DIM, layout.head_dim));
    TRY(check_number(reader, WINDOW, layout.window));
    TRY(check_range(reader, SLIDING, 0, layout.window > 0));
    TRY(check_range(reader, FIXED, 0, 1));
    TRY(check_range(reader, CAPACITY, reader->numbers[FIXED], MOST_TOKENS));
    TRY(check_range(reader, ROWS, 1, MOST_ROWS));
    if (reader->numbers[DTYPE] != PALI_INT8)
        TRY(check_range(reader, DTYPE, PALI_FLOAT32, PALI_BFLOAT16));
    if (reader->numbers[FINGERPRINT] != fingerprint(reader->model))
        return pali__fail(reader->error, PALI_ERROR_FORMAT,
                          "'%s' does not fit the model: it was computed with other weights", reader->path);
    return PALI_OK;
}

static pali_status read_layers(const struct reader *reader, struct pali__kv *kv, int64_t row, const char *what,
                               bool windowed, bool values, int64_t first, int64_t length)
{
    const struct pali__kv_layout *layout = &kv->layout;
    int64_t n = length - first;
    int64_t shape[] = { kv->n_on_shelf[windowed ? PALI__KV_WINDOW : PALI__KV_ALL], layout->n_kv_heads, n,
                        pali__kv_slot_width(layout) };
    const void *data = NULL;
    char name[64];

    TRY(find(reader, row_name(name, sizeof name, row, what), layout->dtype, 4, shape, &data));
    const unsigned char *in = data;
    for (int64_t layer = 0; n > 0 && layer < layout->n_layers; layer++) {
        if ((pali__kv_shelf_of(kv, layer) == PALI__KV_WINDOW) != windowed)
            continue;
        pali__kv_write(kv, row, layer, values, first, n, in);
        in += (size_t)(layout->n_kv_heads * n * pali__kv_slot_width(layout)) * pali_dtype_size(layout->dtype);
    }
    return PALI_OK;
}

/* That the file has a row of that length, before memory is asked for. */
static pali_status check_row(const struct reader *reader, const struct pali__kv *kv, int64_t row, int64_t length,
                             int64_t held_from)
{
    const struct pali__kv_layout *layout = &kv->layout;
    int64_t width = pali__kv_slot_width(layout);
    int64_t all[] = { kv->n_on_shelf[PALI__KV_ALL], layout->n_kv_heads, length, width };
    int64_t windowed[] = { kv->n_on_shelf[PALI__KV_WINDOW], layout->n_kv_heads, length - held_from, width };
    const void *data = NULL;
    char name[64];

    TRY(find(reader, row_name(name, sizeof name, row, "real"), PALI_UINT8, 1, &length, &data));
    TRY(find(reader, row_name(name, sizeof name, row, "keys"), layout->dtype, 4, all, &data));
    if (layout->sliding)
        TRY(find(reader, row_name(name, sizeof name, row, "window_keys"), layout->dtype, 4, windowed, &data));
    return PALI_OK;
}

static pali_status read_kinds(const struct reader *reader, struct pali__kv_row *row, int64_t index, int64_t length)
{
    const void *real = NULL, *type = NULL, *positions = NULL;
    char name[64];

    TRY(find(reader, row_name(name, sizeof name, index, "real"), PALI_UINT8, 1, &length, &real));
    TRY(find(reader, row_name(name, sizeof name, index, "type"), PALI_UINT8, 1, &length, &type));
    TRY(find(reader, row_name(name, sizeof name, index, "positions"), PALI_INT64, 1, &length, &positions));
    for (int64_t i = 0; i < length; i++) {
        row->real[i] = ((const uint8_t *)real)[i] != 0;
        row->type[i] = ((const uint8_t *)type)[i] != 0;
    }
    if (length > 0)
        memcpy(row->positions, positions, (size_t)length * sizeof *row->positions);
    return PALI_OK;
}

static pali_status read_row(const struct reader *reader, struct pali__kv *kv, int64_t index, int64_t length,
                            int64_t held_from)
{
    int64_t most = kv->layout.fixed ? kv->layout.capacity : MOST_TOKENS;
    int64_t reach = kv->layout.sliding ? length - kv->layout.window + 1 : 0;
    int64_t least = kv->layout.sliding ? length - pali__kv_window_kept(kv) : 0;
    struct pali__kv_row *row = &kv->rows[index];

    if (length < 0 || length > most || held_from < 0 || held_from < least || held_from > (reach > 0 ? reach : 0))
        return pali__fail(reader->error, PALI_ERROR_FORMAT,
                          "'%s': row %lld of %lld tokens, held from %lld on, is not a row of such a cache", reader->path,
                          (long long)index, (long long)length, (long long)held_from);
    if (length == 0)
        return PALI_OK;
    TRY(check_row(reader, kv, index, length, held_from));
    TRY(pali__kv_reserve(kv, index, length, reader->error));
    TRY(read_kinds(reader, row, index, length));
    row->shelves[PALI__KV_WINDOW].first = held_from;
    TRY(read_layers(reader, kv, index, "keys", false, false, 0, length));
    TRY(read_layers(reader, kv, index, "values", false, true, 0, length));
    if (kv->layout.sliding) {
        TRY(read_layers(reader, kv, index, "window_keys", true, false, held_from, length));
        TRY(read_layers(reader, kv, index, "window_values", true, true, held_from, length));
    }
    row->length = length;
    return PALI_OK;
}

static pali_status read_rows(const struct reader *reader, struct pali__kv *kv)
{
    const void *lengths = NULL, *held_from = NULL;

    TRY(find(reader, "lengths", PALI_INT64, 1, &kv->n_rows, &lengths));
    TRY(find(reader, "held_from", PALI_INT64, 1, &kv->n_rows, &held_from));
    for (int64_t row = 0; row < kv->n_rows; row++) {
        int64_t numbers[2];
        memcpy(&numbers[0], (const unsigned char *)lengths + (size_t)row * sizeof *numbers, sizeof *numbers);
        memcpy(&numbers[1], (const unsigned char *)held_from + (size_t)row * sizeof *numbers, sizeof *numbers);
        TRY(read_row(reader, kv, row, numbers[0], numbers[1]));
    }
    return PALI_OK;
}

static pali_status read_cache(struct reader *reader, pali_cache **out)
{
    struct pali__kv_layout layout = pali__cache_layout(reader->model);
    pali_cache *cache = NULL;

    TRY(read_numbers(reader));
    layout.sliding = reader->numbers[SLIDING] != 0;
    layout.dtype = (pali_dtype)reader->numbers[DTYPE];
    TRY(pali__cache_create(&cache, reader->model, reader->numbers[ROWS], layout, NULL, reader->error));
    cache->kv.layout.fixed = reader->numbers[FIXED] != 0;
    cache->kv.layout.capacity = reader->numbers[CAPACITY];
    pali_status status = read_rows(reader, &cache->kv);
    for (int64_t row = 0; status == PALI_OK && cache->kv.layout.fixed && row < cache->kv.n_rows; row++)
        status = pali__kv_reserve(&cache->kv, row, cache->kv.layout.capacity, reader->error);
    if (status != PALI_OK) {
        pali_cache_free(cache);
        return status;
    }
    *out = cache;
    return PALI_OK;
}

pali_status pali_cache_load(pali_cache **out, pali_model *model, const char *path, pali_error **error)
{
    struct reader reader = { .path = path, .model = model, .error = error };

    if (!out || !model || !path)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_cache_load: %s is NULL",
                          !out ? "out" : !model ? "model" : "path");
    *out = NULL;
    TRY(pali__safetensors_open(&reader.file, path, error));
    pali_status status = read_cache(&reader, out);
    pali__safetensors_close(&reader.file);
    return status;
}
