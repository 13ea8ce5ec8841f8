/* SPDX-License-Identifier: BSD-2-Clause */
/* Heat maps against Transformers' eager attentions, averaged here the plain way; and their drawing over a picture. */
#include "parity/fixtures.h"

static pali_model *model;

/* Mean over the layers and heads given of the attention that `query` of `row` pays to key `key`. */
static double mean(const pali_tensor *(*attentions)(const void *from, int64_t layer), const void *from,
                   const int64_t *layers, size_t n_layers, const int64_t *heads, size_t n_heads, int64_t row,
                   int64_t query, int64_t key)
{
    double sum = 0.0;

    for (size_t l = 0; l < n_layers; l++)
        for (size_t h = 0; h < n_heads; h++) {
            const pali_tensor *p = attentions(from, layers[l]);
            const int64_t *shape = p->shape;
            sum += (double)((const float *)p->data)[((row * shape[1] + heads[h]) * shape[2] + query) * shape[3] + key];
        }
    return sum / (double)(n_layers * n_heads);
}

static const pali_tensor *of_inputs(const void *from, int64_t layer)
{
    char name[32];
    snprintf(name, sizeof name, "attentions.%d", (int)layer);
    return pali_inputs_get(from, name);
}

static const pali_tensor *of_outputs(const void *from, int64_t layer)
{
    char name[32];
    snprintf(name, sizeof name, "attentions.%d", (int)layer);
    return pali_outputs_get(from, name);
}

/* Position of image token `n` of the row. */
static int64_t image_token(const pali_inputs *inputs, int64_t row, int64_t n)
{
    const pali_tensor *ids = pali_inputs_get(inputs, "input_ids");
    int64_t image = -1;

    CHECK(pali_config_get_int(pali_model_config(model), "image_token_index", &image, NULL) == PALI_OK);
    for (int64_t i = 0; i < ids->shape[1]; i++)
        if (((const int64_t *)ids->data)[row * ids->shape[1] + i] == image && n-- == 0)
            return i;
    return -1;
}

static pali_outputs *forward(const pali_inputs *inputs, pali_cache *cache)
{
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;

    options.output_attentions = 1;
    options.cache = cache;
    CHECK_OK(pali_model_forward(&outputs, model, inputs, &options, &error), error);
    return outputs;
}

static void against_oracle(const char *fixture)
{
    static const int64_t all_layers[] = { 0, 1, 2, 3 }, all_heads[] = { 0, 1, 2, 3 }, one_layer[] = { 1 };
    static const int64_t one_head[] = { 1 };
    pali_inputs *inputs = fixture_tensors(fixture, "padded", "inputs");
    pali_inputs *expected = fixture_tensors(fixture, "padded", "expected");
    pali_outputs *outputs = forward(inputs, NULL);
    const pali_tensor *first = pali_inputs_get(expected, "attentions.0");
    size_t n_layers = of_inputs(expected, 2) ? 4 : 2, n_heads = (size_t)first->shape[1];

    for (int64_t row = 0; row < 2; row++)
        for (int some = 0; some < 2; some++)
            for (int64_t query = -1; query >= -9; query -= 4) {
                pali_heat_map_options options;
                pali_error *error = NULL;
                float *map = NULL;
                int64_t grid = 0;

                pali_heat_map_options_init(&options);
                options.row = row;
                options.query = query;
                if (some) {
                    options.layers = one_layer, options.n_layers = 1;
                    options.heads = one_head, options.n_heads = 1;
                }
                CHECK_OK(pali_heat_map(&map, &grid, pali_model_config(model), inputs, outputs, &options, &error),
                         error);
                CHECK(grid == 3);
                for (int64_t i = 0; map && i < grid * grid; i++) {
                    double want = mean(of_inputs, expected, some ? one_layer : all_layers, some ? 1 : n_layers,
                                       some ? one_head : all_heads, some ? 1 : n_heads, row, first->shape[2] + query,
                                       image_token(inputs, row, i));
                    CHECK_MSG(fabs((double)map[i] - want) < 1e-5, "%s row %d query %d: %g, not %g", fixture, (int)row,
                              (int)query, (double)map[i], want);
                }
                pali_free(map);
            }
    pali_outputs_free(outputs);
    pali_inputs_free(expected);
    pali_inputs_free(inputs);
}

/* The second picture of a row, whose tokens are elsewhere. */
static void second_picture(const char *fixture)
{
    static const int64_t layer[] = { 0 }, heads[] = { 0, 1 };
    pali_inputs *inputs = fixture_tensors(fixture, "two_images", "inputs");
    pali_outputs *outputs = forward(inputs, NULL);
    pali_heat_map_options options = PALI_HEAT_MAP_OPTIONS_INIT;
    pali_error *error = NULL;
    float *map = NULL;
    int64_t grid = 0;

    options.row = 1, options.image = 1, options.query = 4;
    options.layers = layer, options.n_layers = 1, options.heads = heads, options.n_heads = 2;
    CHECK_OK(pali_heat_map(&map, &grid, pali_model_config(model), inputs, outputs, &options, &error), error);
    for (int64_t i = 0; map && i < grid * grid; i++)
        CHECK(fabs((double)map[i] - mean(of_outputs, outputs, layer, 1, heads, 2, 1, 4,
                                         image_token(inputs, 1, grid * grid + i))) < 1e-7);
    pali_free(map);
    options.image = 2;
    CHECK_FAILS(pali_heat_map(&map, &grid, pali_model_config(model), inputs, outputs, &options, &error), error,
                PALI_ERROR_ARGUMENT, "image tokens, expected at least");
    CHECK(map == NULL && grid == 0);
    options.image = 0, options.query = 99;
    CHECK_FAILS(pali_heat_map(&map, &grid, pali_model_config(model), inputs, outputs, &options, &error), error,
                PALI_ERROR_ARGUMENT, "query 99");
    options.query = -1, options.heads = (const int64_t[]){ 7 }, options.n_heads = 1;
    CHECK_FAILS(pali_heat_map(&map, &grid, pali_model_config(model), inputs, outputs, &options, &error), error,
                PALI_ERROR_ARGUMENT, "head 7");
    options.layers = (const int64_t[]){ 9 };
    CHECK_FAILS(pali_heat_map(&map, &grid, pali_model_config(model), inputs, outputs, &options, &error), error,
                PALI_ERROR_ARGUMENT, "no attentions.9");
    options.n_layers = 0;
    CHECK_FAILS(pali_heat_map(&map, &grid, pali_model_config(model), inputs, outputs, &options, &error), error,
                PALI_ERROR_ARGUMENT, "nothing to make a heat map of");
    options.row = 2;
    CHECK_FAILS(pali_heat_map(&map, &grid, pali_model_config(model), inputs, outputs, &options, &error), error,
                PALI_ERROR_ARGUMENT, "row 2");
    pali_outputs_free(outputs);
    pali_inputs_free(inputs);
}

/* The last prompt token alone, rolled back and run again on the cache: the same map as from the whole pass. */
static void last_token_again(const char *fixture)
{
    pali_inputs *inputs = fixture_tensors(fixture, "basic", "inputs"), *last = NULL;
    const pali_tensor *ids = pali_inputs_get(inputs, "input_ids");
    int64_t length = ids->shape[1], prefix = 0, grid = 0;
    pali_tensor id = pali_tensor_view((int64_t *)ids->data + length - 1, PALI_INT64, 2, (const int64_t[]){ 1, 1 });
    pali_tensor type = pali_tensor_view(&prefix, PALI_INT64, 2, (const int64_t[]){ 1, 1 });
    pali_cache *cache = NULL;
    pali_error *error = NULL;
    float *whole = NULL, *alone = NULL;

    CHECK_OK(pali_cache_create(&cache, model, NULL, &error), error);
    pali_outputs *outputs = forward(inputs, cache);
    CHECK_OK(pali_heat_map(&whole, &grid, pali_model_config(model), inputs, outputs, NULL, &error), error);
    pali_outputs_free(outputs);
    CHECK_OK(pali_cache_truncate(cache, length - 1, &error), error);
    CHECK_OK(pali_inputs_create(&last, &error), error);
    CHECK_OK(pali_inputs_set(last, "input_ids", &id, &error), error);
    CHECK_OK(pali_inputs_set(last, "token_type_ids", &type, &error), error);
    outputs = forward(last, cache);
    CHECK_OK(pali_heat_map(&alone, &grid, pali_model_config(model), inputs, outputs, NULL, &error), error);
    for (int64_t i = 0; whole && alone && i < grid * grid; i++)
        CHECK(fabs((double)whole[i] - (double)alone[i]) < 1e-6);
    pali_free(whole);
    pali_free(alone);
    pali_outputs_free(outputs);
    pali_cache_free(cache);
    pali_inputs_free(last);
    pali_inputs_free(inputs);
}

static void drawing(void)
{
    static const float map[4] = { 0.0f, NAN, -3.0f, 0.5f }, flat[1] = { 0.0f };
    static const uint8_t gray[4 * 4 * 3] = { 0 };
    pali_image *image = NULL;
    pali_error *error = NULL;

    CHECK_OK(pali_image_create(&image, gray, 4, 4, 0, &error), error);
    CHECK_OK(pali_image_draw_map(image, flat, 1, 1, 1.0, &error), error);
    CHECK(!memcmp(pali_image_pixels(image), gray, sizeof gray));
    CHECK_OK(pali_image_draw_map(image, map, 2, 2, 1.0, &error), error);
    const uint8_t *pixels = pali_image_pixels(image);
    CHECK(pixels[0] == 0 && pixels[3 * 3] == 0 && pixels[12 * 3] == 0); /* clear where the map is 0 or no number */
    CHECK(pixels[15 * 3] == 255 && pixels[15 * 3 + 1] == 255 && pixels[15 * 3 + 2] == 255);
    CHECK(pixels[10 * 3] > 0 && pixels[10 * 3] < 255); /* a mixture near the middle */
    CHECK_FAILS(pali_image_draw_map(image, map, 0, 2, 1.0, &error), error, PALI_ERROR_ARGUMENT, "0 x 2");
    CHECK_FAILS(pali_image_draw_map(image, map, 2, 2, 1.5, &error), error, PALI_ERROR_ARGUMENT, "1.5");
    CHECK_FAILS(pali_image_draw_map(NULL, map, 2, 2, 0.5, &error), error, PALI_ERROR_ARGUMENT, "image");
    pali_image_free(image);
}

int main(void)
{
    static const char *const names[] = { "pg1", "pg2" };

    for (size_t i = 0; i < 2; i++) {
        pali_model_options options = PALI_MODEL_OPTIONS_INIT;
        pali_error *error = NULL;

        options.dtype = PALI_FLOAT32;
        CHECK_OK(pali_model_load(&model, fixture_path(names[i], NULL), &options, &error), error);
        if (!model)
            continue;
        against_oracle(names[i]);
        second_picture(names[i]);
        last_token_again(names[i]);
        pali_model_free(model);
    }
    drawing();
    return test_report("heat map");
}
