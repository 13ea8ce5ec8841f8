/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mask that pali_mask_create gives is the one that the kernels apply: 1 exactly where the probabilities of a pass
 * are positive, in every layer, row and head, for every way to pad, a window smaller than the prompt, several pictures
 * and a pass that continues a cache. Its text is that of Transformers' AttentionMaskVisualizer.
 */
#include "parity/fixtures.h"

static pali_model *model;

static pali_outputs *forward(const pali_inputs *inputs, pali_cache *cache)
{
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;

    options.output_attentions = 1;
    options.logits_to_keep = 1;
    options.cache = cache;
    CHECK_OK(pali_model_forward(&outputs, model, inputs, &options, &error), error);
    return outputs;
}

static pali_mask *mask_of(const pali_inputs *inputs, int64_t past)
{
    pali_mask_options options;
    pali_mask *mask = NULL;
    pali_error *error = NULL;

    pali_mask_options_init(&options);
    options.past_length = past;
    CHECK_OK(pali_mask_create(&mask, pali_model_config(model), inputs, &options, &error), error);
    return mask;
}

/* A query that sees nothing looks at everything alike. */
static bool agrees(const uint8_t *sees, const float *p, int64_t n)
{
    bool any = false, positive = true, exact = true;

    for (int64_t k = 0; k < n; k++) {
        any = any || sees[k];
        positive = positive && p[k] == p[0] && p[k] > 0.0f;
        exact = exact && sees[k] == (p[k] > 0.0f);
    }
    return any ? exact : positive;
}

static void compare(const char *fixture, const char *name, const pali_mask *mask, const pali_outputs *outputs)
{
    char tensor[32] = "attentions.0";

    for (int64_t layer = 0; pali_outputs_get(outputs, tensor); layer++) {
        const pali_tensor *p = pali_outputs_get(outputs, tensor), *m = pali_mask_layer(mask, layer);
        CHECK(m && m->dtype == PALI_UINT8 && m->rank == 3 && m->shape[0] == p->shape[0] && m->shape[1] == p->shape[2] &&
              m->shape[2] == p->shape[3]);
        if (!m)
            return;
        for (int64_t i = 0; i < p->shape[0] * p->shape[1] * p->shape[2]; i++) {
            int64_t row = i / p->shape[2] / p->shape[1], query = i % p->shape[2];
            CHECK_MSG(agrees((const uint8_t *)m->data + (row * m->shape[1] + query) * m->shape[2],
                             (const float *)p->data + i * p->shape[3], p->shape[3]),
                      "%s %s: layer %d, row %d, query %d", fixture, name, (int)layer, (int)row, (int)query);
        }
        snprintf(tensor, sizeof tensor, "attentions.%d", (int)layer + 1);
    }
}

static void whole_pass(const char *fixture, const char *name)
{
    pali_inputs *inputs = fixture_tensors(fixture, name, "inputs");
    pali_outputs *outputs = forward(inputs, NULL);
    pali_mask *mask = mask_of(inputs, 0);

    compare(fixture, name, mask, outputs);
    pali_mask_free(mask);
    pali_outputs_free(outputs);
    pali_inputs_free(inputs);
}

/* Columns first…last-1 of an int64 tensor of one row. */
static void set_columns(pali_inputs *to, const pali_inputs *from, const char *name, int64_t first, int64_t last)
{
    const pali_tensor *tensor = pali_inputs_get(from, name);
    pali_tensor view = pali_tensor_view((int64_t *)tensor->data + first, PALI_INT64, 2,
                                        (const int64_t[]){ 1, last - first });
    pali_error *error = NULL;
    CHECK_OK(pali_inputs_set(to, name, &view, &error), error);
}

/* The prefix with a cache, then the suffix in two passes: the mask's last rows. */
static void cached_pass(const char *fixture)
{
    static const char *const names[] = { "input_ids", "token_type_ids" };
    pali_inputs *whole = fixture_tensors(fixture, "split", "inputs");
    const pali_tensor *types = pali_inputs_get(whole, "token_type_ids");
    int64_t length = types->shape[1], prefix = 0, bounds[4];
    pali_cache *cache = NULL;
    pali_error *error = NULL;

    while (prefix < length && ((const int64_t *)types->data)[prefix] == 0)
        prefix++;
    bounds[0] = 0, bounds[1] = prefix, bounds[2] = prefix + 2, bounds[3] = length;
    CHECK_OK(pali_cache_create(&cache, model, NULL, &error), error);
    for (int i = 0; i < 3; i++) {
        pali_inputs *part = NULL, *so_far = NULL;
        CHECK_OK(pali_inputs_create(&part, &error), error);
        CHECK_OK(pali_inputs_create(&so_far, &error), error);
        for (size_t n = 0; n < 2; n++) {
            set_columns(part, whole, names[n], bounds[i], bounds[i + 1]);
            set_columns(so_far, whole, names[n], 0, bounds[i + 1]);
        }
        if (i == 0)
            CHECK_OK(pali_inputs_set(part, "pixel_values", pali_inputs_get(whole, "pixel_values"), &error), error);
        pali_outputs *outputs = forward(part, cache);
        pali_mask *mask = mask_of(so_far, bounds[i]);
        compare(fixture, "split", mask, outputs);
        pali_mask_free(mask);
        pali_outputs_free(outputs);
        pali_inputs_free(part);
        pali_inputs_free(so_far);
    }
    pali_cache_free(cache);
    pali_inputs_free(whole);
}

/* ---- as text ---- */

static char *read_text(const char *path)
{
    static char text[1 << 16];
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;

    CHECK_MSG(size > 0, "no %s", path);
    text[size] = '\0';
    if (file)
        fclose(file);
    return text;
}

static pali_inputs *prompt_inputs(const char *fixture)
{
    static const uint8_t pixel[3] = { 0, 0, 0 };
    const char *suffix = "the red cat";
    pali_processor *processor = NULL;
    pali_image *image = NULL;
    pali_inputs *inputs = NULL;
    pali_apply_options options = PALI_APPLY_OPTIONS_INIT;
    pali_error *error = NULL;

    options.suffixes = &suffix;
    CHECK_OK(pali_processor_load(&processor, fixture_path(fixture, NULL), NULL, &error), error);
    CHECK_OK(pali_image_create(&image, pixel, 1, 1, 0, &error), error);
    CHECK_OK(pali_processor_apply(&inputs, processor, &image, 1, "is it \"red\" or the cat's\t?", &options, &error),
             error);
    pali_image_free(image);
    pali_processor_free(processor);
    return inputs;
}

static int count_lines(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void text(const char *fixture)
{
    pali_inputs *inputs = prompt_inputs(fixture);
    pali_mask *mask = mask_of(inputs, 0);
    pali_mask_text_options options;
    pali_error *error = NULL;
    char *drawn = NULL, *expected = read_text(fixture_path(fixture, "mask.txt"));
    int length = (int)pali_inputs_get(inputs, "input_ids")->shape[1], full = pali_mask_window(mask, 0) > 0;

    pali_mask_text_options_init(&options);
    options.tokens_per_image = 0;
    options.color = 1;
    options.layer = full; /* PaliGemma 2: layer 1 has no window */
    CHECK_OK(pali_mask_text(&drawn, mask, &options, &error), error);
    const char *rows = drawn ? strstr(drawn, "'<image>'") : NULL; /* behind the head; the escape before it is left off */
    CHECK(rows && !strcmp(rows, strstr(expected, "'<image>'")));
    CHECK_MSG(count_lines(drawn) == length + 4, "%d lines", count_lines(drawn));
    pali_free(drawn);

    /* Without colour no escapes; with five tokens a picture as many lines less; both kinds of layers side by side. */
    pali_mask_text_options_init(&options);
    CHECK_OK(pali_mask_text(&drawn, mask, &options, &error), error);
    CHECK(drawn && !strchr(drawn, '\033') && count_lines(drawn) == length + 4 - 4);
    static const int shown[] = { 0, 2, 4, 6, 8 }; /* of the nine tokens of the first picture, first and last among them */
    for (int i = 0, next = 0; i < 9; i++) {
        char line[32];
        snprintf(line, sizeof line, "'<image>': %2d ", i);
        bool is_shown = next < 5 && shown[next] == i;
        next += is_shown;
        CHECK_MSG((strstr(drawn, line) != NULL) == is_shown, "image token %d", i);
    }
    CHECK((strstr(drawn, "Sliding Window Mask (6)") != NULL) == full && strstr(drawn, "Attention Matrix") != NULL);
    pali_free(drawn);
    options.row = 1;
    CHECK_FAILS(pali_mask_text(&drawn, mask, &options, &error), error, PALI_ERROR_ARGUMENT, "row 1");
    options.row = 0;
    options.layer = 99;
    CHECK_FAILS(pali_mask_text(&drawn, mask, &options, &error), error, PALI_ERROR_ARGUMENT, "layer 99");
    CHECK(drawn == NULL);
    pali_mask_free(mask);

    /* Without a processor the words are ids. */
    pali_inputs *bare = fixture_tensors(fixture, "basic", "inputs");
    mask = mask_of(bare, 0);
    CHECK_OK(pali_mask_text(&drawn, mask, NULL, &error), error);
    CHECK(drawn && strstr(drawn, "'2'") && !strstr(drawn, "<image>"));
    pali_free(drawn);
    pali_mask_free(mask);
    pali_inputs_free(bare);
    pali_inputs_free(inputs);
}

/* ---- as a picture ---- */

static const uint8_t *cell(const pali_image *image, int64_t query, int64_t key, int32_t scale)
{
    return pali_image_pixels(image) + ((size_t)(query * scale) * (size_t)pali_image_width(image) + (size_t)(key * scale)) * 3;
}

static void picture(const char *fixture)
{
    pali_inputs *inputs = fixture_tensors(fixture, "padded", "inputs");
    pali_mask *mask = mask_of(inputs, 0);
    const pali_tensor *ids = pali_inputs_get(inputs, "input_ids");
    pali_image *image = NULL;
    pali_error *error = NULL;

    CHECK_OK(pali_mask_image(&image, mask, 0, 0, 7, &error), error);
    const pali_tensor *sees = pali_mask_layer(mask, 0);
    int64_t n = ids->shape[1];
    CHECK(pali_image_width(image) == 7 * n && pali_image_height(image) == 7 * n);
    for (int64_t i = 0; image && i < n * n; i++) {
        const uint8_t *color = cell(image, i / n, i % n, 7);
        bool dark = color[0] == 40, green = color[0] == 60, yellow = color[0] == 235;
        CHECK((dark || green || yellow) == ((const uint8_t *)sees->data)[i]);
        CHECK(!green || i / n == i % n);
        CHECK(cell(image, i / n, i % n, 7)[6 * 3] == 255);
    }
    pali_image_free(image);
    CHECK_OK(pali_mask_image(&image, mask, 1, 0, 0, &error), error);
    CHECK(pali_image_width(image) == 24 * n);
    pali_image_free(image);
    CHECK_FAILS(pali_mask_image(&image, mask, 2, 0, 0, &error), error, PALI_ERROR_ARGUMENT, "row 2");
    CHECK_FAILS(pali_mask_image(&image, mask, 0, -1, 0, &error), error, PALI_ERROR_ARGUMENT, "layer -1");
    CHECK(image == NULL);
    pali_mask_free(mask);
    pali_inputs_free(inputs);
}

static void mistakes(void)
{
    pali_inputs *inputs = NULL;
    pali_mask *mask = NULL;
    pali_mask_options options = PALI_MASK_OPTIONS_INIT;
    pali_error *error = NULL;
    int64_t ids[3] = { 2, 5, 6 };
    pali_tensor three = pali_tensor_view(ids, PALI_INT64, 2, (const int64_t[]){ 1, 3 });
    pali_tensor two = pali_tensor_view(ids, PALI_INT64, 2, (const int64_t[]){ 1, 2 });
    const pali_config *config = pali_model_config(model);

    CHECK_OK(pali_inputs_create(&inputs, &error), error);
    CHECK_FAILS(pali_mask_create(&mask, config, inputs, NULL, &error), error, PALI_ERROR_SHAPE, "input_ids");
    CHECK_FAILS(pali_mask_create(&mask, NULL, inputs, NULL, &error), error, PALI_ERROR_ARGUMENT, "config");
    CHECK_OK(pali_inputs_set(inputs, "input_ids", &three, &error), error);
    options.past_length = 3;
    CHECK_FAILS(pali_mask_create(&mask, config, inputs, &options, &error), error, PALI_ERROR_ARGUMENT, "past_length");
    options.past_length = 0;
    options.prefix_length = 1; /* the first sees itself only, the rest is causal */
    CHECK_OK(pali_mask_create(&mask, config, inputs, &options, &error), error);
    const pali_tensor *sees = pali_mask_layer(mask, 1);
    CHECK(sees && !memcmp(sees->data, "\1\0\0\1\1\0\1\1\1", 9));
    CHECK(!pali_mask_layer(mask, -1) && !pali_mask_layer(mask, 99) && pali_mask_window(mask, 99) == 0);
    pali_mask_free(mask);

    /* Rows of no elements may claim any shape. */
    pali_inputs *empty = NULL;
    pali_tensor rows = pali_tensor_view(NULL, PALI_FLOAT32, 3, (const int64_t[]){ (int64_t)1 << 50, 16384, 0 });
    CHECK_OK(pali_inputs_create(&empty, &error), error);
    if (pali_inputs_set(empty, "inputs_embeds", &rows, NULL) == PALI_OK)
        CHECK_FAILS(pali_mask_create(&mask, config, empty, NULL, &error), error, PALI_ERROR_LIMIT, "too large");
    pali_inputs_free(empty);
    CHECK_OK(pali_inputs_set(inputs, "token_type_ids", &two, &error), error);
    CHECK_FAILS(pali_mask_create(&mask, config, inputs, NULL, &error), error, PALI_ERROR_SHAPE, "token_type_ids");
    CHECK(mask == NULL);
    pali_inputs_free(inputs);
}

int main(void)
{
    static const char *const names[] = { "pg1", "pg2" };
    static const char *const cases[] = { "basic", "suffix", "two_images", "padded", "right_pad_suffix", "text_only",
                                         "blind", "generate_pad", "placeholders" };

    for (size_t i = 0; i < 2; i++) {
        pali_model_options options = PALI_MODEL_OPTIONS_INIT;
        pali_error *error = NULL;

        options.dtype = PALI_FLOAT32;
        CHECK_OK(pali_model_load(&model, fixture_path(names[i], NULL), &options, &error), error);
        if (!model)
            continue;
        for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
            whole_pass(names[i], cases[c]);
        cached_pass(names[i]);
        text(names[i]);
        picture(names[i]);
        mistakes();
        pali_model_free(model);
    }
    return test_report("mask");
}
