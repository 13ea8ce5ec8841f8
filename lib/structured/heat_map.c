/* SPDX-License-Identifier: BSD-2-Clause */
/* Which part of a picture a token looks at: attention over the picture's tokens, averaged over layers and heads. */
#include <paligemma/attention.h>

#include <stdio.h>

#include "config/model_config.h"
#include "core/memory.h"
#include "core/options.h"

void pali_heat_map_options_init(pali_heat_map_options *options)
{
    *options = (pali_heat_map_options)PALI_HEAT_MAP_OPTIONS_INIT;
}

struct heat_map {
    const struct pali__settings *settings;
    const pali_outputs *outputs;
    pali_heat_map_options options;
    int64_t side;  /* of the picture's grid of patches */
    int64_t *keys; /* [side · side]: where the picture's tokens stand in the row */
    double *sum;   /* [side · side] */
    int64_t count; /* heads that are in the sum */
};

/* Positions of the tokens of picture number options.image in the row. */
static pali_status find_picture(struct heat_map *map, const pali_inputs *inputs, pali_error **error)
{
    const pali_tensor *ids = pali_inputs_get(inputs, "input_ids");
    int64_t patches = map->side * map->side, row = map->options.row, n = 0, first;

    if (!ids || ids->dtype != PALI_INT64 || ids->rank != 2)
        return pali__fail(error, PALI_ERROR_SHAPE, "a heat map needs input_ids, int64 [batch, length]");
    if (row < 0 || row >= ids->shape[0] || map->options.image < 0 || map->options.image > ids->shape[1])
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_heat_map_options: row %lld of %lld, picture %lld",
                          (long long)row, (long long)ids->shape[0], (long long)map->options.image);
    first = map->options.image * patches;
    for (int64_t i = 0; i < ids->shape[1]; i++) {
        if (((const int64_t *)ids->data)[row * ids->shape[1] + i] != map->settings->image_token_id)
            continue;
        if (n >= first && n < first + patches)
            map->keys[n - first] = i;
        n++;
    }
    if (n < first + patches)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "row %lld has %lld image tokens, expected at least %lld for picture %lld", (long long)row,
                          (long long)n, (long long)(first + patches), (long long)map->options.image);
    return PALI_OK;
}

/* Adds what one head of one layer gives. */
static pali_status add_head(struct heat_map *map, const pali_tensor *attentions, int64_t head, pali_error **error)
{
    const int64_t *shape = attentions->shape;
    int64_t query = map->options.query < 0 ? map->options.query + shape[2] : map->options.query;

    if (head < 0 || head >= shape[1])
        return pali__fail(error, PALI_ERROR_ARGUMENT, "head %lld is not among the %lld of the attentions",
                          (long long)head, (long long)shape[1]);
    if (query < 0 || query >= shape[2] || map->options.row >= shape[0])
        return pali__fail(error, PALI_ERROR_ARGUMENT, "query %lld of row %lld is outside the %lld queries of %lld rows",
                          (long long)map->options.query, (long long)map->options.row, (long long)shape[2],
                          (long long)shape[0]);
    const float *p = (const float *)attentions->data +
                     ((map->options.row * shape[1] + head) * shape[2] + query) * shape[3];
    for (int64_t i = 0; i < map->side * map->side; i++) {
        if (map->keys[i] >= shape[3])
            return pali__fail(error, PALI_ERROR_SHAPE,
                              "the attentions have %lld keys, but token %lld of the row belongs to the picture",
                              (long long)shape[3], (long long)map->keys[i]);
        map->sum[i] += (double)p[map->keys[i]];
    }
    map->count++;
    return PALI_OK;
}

static pali_status add_layer(struct heat_map *map, int64_t layer, bool must_be_there, pali_error **error)
{
    char name[40];

    snprintf(name, sizeof name, "attentions.%lld", (long long)layer);
    const pali_tensor *attentions = pali_outputs_get(map->outputs, name);
    if (!attentions && !must_be_there)
        return PALI_OK;
    if (!attentions)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "the outputs have no %s", name);
    int64_t n = map->options.heads ? (int64_t)map->options.n_heads : attentions->shape[1];
    for (int64_t i = 0; i < n; i++)
        TRY(add_head(map, attentions, map->options.heads ? map->options.heads[i] : i, error));
    return PALI_OK;
}

static pali_status compute(struct heat_map *map, const pali_inputs *inputs, pali_error **error)
{
    size_t patches = (size_t)(map->side * map->side);

    map->keys = pali__calloc(patches, sizeof *map->keys);
    map->sum = pali__calloc(patches, sizeof *map->sum);
    if (!map->keys || !map->sum)
        return pali__no_memory(error, patches * sizeof *map->sum);
    TRY(find_picture(map, inputs, error));
    for (size_t i = 0; map->options.layers && i < map->options.n_layers; i++)
        TRY(add_layer(map, map->options.layers[i], true, error));
    for (int64_t i = 0; !map->options.layers && i < map->settings->text.num_hidden_layers; i++)
        TRY(add_layer(map, i, false, error));
    if (map->count == 0)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "there is nothing to make a heat map of: no attentions in the outputs, or no layer or head named");
    return PALI_OK;
}

pali_status pali_heat_map(float **map, int64_t *grid, const pali_config *config, const pali_inputs *inputs,
                          const pali_outputs *outputs, const pali_heat_map_options *options, pali_error **error)
{
    struct heat_map work = { .outputs = outputs, .options = PALI_HEAT_MAP_OPTIONS_INIT };

    if (map)
        *map = NULL;
    if (!map || !grid || !config || !inputs || !outputs)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_heat_map: an argument is NULL");
    TRY(pali__options_take(&work.options, sizeof work.options, options, "pali_heat_map_options", error));
    work.settings = pali__config_settings(config);
    work.side = work.settings->vision.image_size / work.settings->vision.patch_size;
    pali_status status = compute(&work, inputs, error);
    float *out = NULL;
    if (status == PALI_OK) {
        out = pali__malloc((size_t)(work.side * work.side) * sizeof *out);
        if (!out)
            status = pali__no_memory(error, (size_t)(work.side * work.side) * sizeof *out);
    }
    for (int64_t i = 0; out && i < work.side * work.side; i++)
        out[i] = (float)(work.sum[i] / (double)work.count);
    pali__free(work.keys);
    pali__free(work.sum);
    *map = out;
    *grid = out ? work.side : 0;
    return status;
}
