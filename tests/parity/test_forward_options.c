/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a pass takes and returns beyond tensors of the fixtures: attentions of chosen layers and heads, image features
 * in both conventions of scale and from a tensor, and that looking inside changes nothing. The values themselves are
 * held against Transformers in test_forward.c.
 */
#include "parity/fixtures.h"

static pali_model *model;

static pali_model *load(const char *name)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_model *loaded = NULL;
    pali_error *error = NULL;

    options.dtype = PALI_FLOAT32;
    CHECK_OK(pali_model_load(&loaded, fixture_path(name, NULL), &options, &error), error);
    return loaded;
}

static pali_outputs *forward(const pali_inputs *inputs, const pali_forward_options *options)
{
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_model_forward(&outputs, model, inputs, options, &error), error);
    return outputs;
}

static void refused(const pali_inputs *inputs, const pali_forward_options *options, pali_status status,
                    const char *fragment)
{
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;
    CHECK_FAILS(pali_model_forward(&outputs, model, inputs, options, &error), error, status, fragment);
    CHECK(outputs == NULL);
}

static bool same(const pali_outputs *a, const pali_outputs *b, const char *name)
{
    const pali_tensor *x = pali_outputs_get(a, name), *y = pali_outputs_get(b, name);
    return x && y && pali_tensor_count(x) == pali_tensor_count(y) &&
           !memcmp(x->data, y->data, (size_t)pali_tensor_count(x) * sizeof(float));
}

/* Head `head` of row `row`: [length, keys]. */
static const float *head_of(const pali_tensor *attentions, int64_t row, int64_t head)
{
    const int64_t *shape = attentions->shape;
    return (const float *)attentions->data + (row * shape[1] + head) * shape[2] * shape[3];
}

static void chosen_attentions(const pali_inputs *inputs, const pali_outputs *all)
{
    int64_t n_layers = 0, n_heads = pali_outputs_get(all, "attentions.0")->shape[1];
    const int64_t layers[] = { -1, 0, -1 }, heads[] = { n_heads - 1, 0 };
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    char name[32];

    for (snprintf(name, sizeof name, "attentions.0"); pali_outputs_get(all, name); n_layers++)
        snprintf(name, sizeof name, "attentions.%d", (int)n_layers + 1);
    options.output_attentions = 1;
    options.attention_layers = layers;
    options.n_attention_layers = n_layers < 3 ? 2 : 3;
    options.attention_heads = heads;
    options.n_attention_heads = 2;
    pali_outputs *few = forward(inputs, &options);
    for (int64_t layer = 0; layer < n_layers; layer++) {
        snprintf(name, sizeof name, "attentions.%d", (int)layer);
        const pali_tensor *got = pali_outputs_get(few, name), *want = pali_outputs_get(all, name);
        CHECK((got != NULL) == (layer == 0 || layer == n_layers - 1));
        if (!got)
            continue;
        CHECK(got->rank == 4 && got->shape[1] == 2 && got->shape[2] == want->shape[2] &&
              got->shape[3] == want->shape[3]);
        for (int64_t row = 0; row < got->shape[0]; row++)
            for (int64_t i = 0; i < 2; i++)
                CHECK(!memcmp(head_of(got, row, i), head_of(want, row, heads[i]),
                              (size_t)(got->shape[2] * got->shape[3]) * sizeof(float)));
    }
    pali_outputs_free(few);

    options.n_attention_heads = 0;
    refused(inputs, &options, PALI_ERROR_ARGUMENT, "attention_heads names 0 heads");
    options.attention_heads = NULL;
    options.attention_layers = (const int64_t[]){ n_layers };
    options.n_attention_layers = 1;
    refused(inputs, &options, PALI_ERROR_ARGUMENT, "attention_layers[0]");
    options.attention_layers = (const int64_t[]){ -n_layers - 1 };
    refused(inputs, &options, PALI_ERROR_ARGUMENT, "attention_layers[0]");
    options.n_attention_layers = (size_t)n_layers + 1;
    refused(inputs, &options, PALI_ERROR_ARGUMENT, "attention_layers names");
}

/* A pass with everything switched on gives the bits of one with nothing. */
static void looking_changes_nothing(const pali_inputs *inputs)
{
    static const char *const names[] = { "logits", "last_hidden_state", "image_hidden_states", "loss", "token_loss" };
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_outputs *plain = forward(inputs, &options);

    options.output_hidden_states = options.output_attentions = options.output_vision_hidden_states = 1;
    pali_outputs *all = forward(inputs, &options);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK_MSG(same(plain, all, names[i]), "%s", names[i]);
    CHECK(pali_outputs_count(plain) == 5);
    chosen_attentions(inputs, all);
    pali_outputs_free(plain);
    pali_outputs_free(all);
}

/* Pixels, features from a tensor, and divided features from a tensor: one answer. */
static void features(const pali_inputs *inputs)
{
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_image_features *computed = NULL, *given = NULL, *divided = NULL, *none = NULL;
    pali_error *error = NULL;
    pali_outputs *by_pixels = forward(inputs, &options);

    CHECK_OK(pali_model_image_features(&computed, model, pali_inputs_get(inputs, "pixel_values"), NULL, &error),
             error);
    CHECK_OK(pali_image_features_create(&given, model, pali_image_features_tensor(computed), 0, &error), error);
    options.features = given;
    options.image_states_divided = 1;
    pali_outputs *by_features = forward(inputs, &options);
    CHECK(same(by_pixels, by_features, "logits"));

    const pali_tensor *small = pali_outputs_get(by_features, "image_hidden_states");
    const pali_tensor *large = pali_outputs_get(by_pixels, "image_hidden_states");
    double scale = sqrt((double)large->shape[2]), worst = 0.0;
    for (int64_t i = 0; i < pali_tensor_count(large); i++)
        worst = fmax(worst, fabs((double)((const float *)small->data)[i] * scale - (double)((const float *)large->data)[i]));
    CHECK_MSG(worst < 1e-5, "divided by something else: %g", worst);

    CHECK_OK(pali_image_features_create(&divided, model, small, 1, &error), error);
    options.features = divided;
    pali_outputs *by_divided = forward(inputs, &options);
    const float *a = pali_outputs_get(by_pixels, "logits")->data, *b = pali_outputs_get(by_divided, "logits")->data;
    for (int64_t i = 0; i < pali_tensor_count(pali_outputs_get(by_pixels, "logits")); i++)
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    CHECK_MSG(worst < 1e-4, "%g", worst);

    pali_tensor wrong = *small;
    wrong.shape[1]--;
    CHECK_FAILS(pali_image_features_create(&none, model, &wrong, 0, &error), error, PALI_ERROR_SHAPE,
                "image features should be float32");
    CHECK_FAILS(pali_image_features_create(&none, model, NULL, 0, &error), error, PALI_ERROR_ARGUMENT, "NULL");
    pali_outputs_free(by_pixels);
    pali_outputs_free(by_features);
    pali_outputs_free(by_divided);
    pali_image_features_free(computed);
    pali_image_features_free(given);
    pali_image_features_free(divided);
}

/* The message counts both: image tokens and features. */
static void counted_mismatch(const pali_inputs *inputs)
{
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_inputs *changed = NULL;
    pali_error *error = NULL;
    const pali_tensor *pixels = pali_inputs_get(inputs, "pixel_values"), *ids = pali_inputs_get(inputs, "input_ids");
    pali_tensor one = *pixels;
    char expected[64];

    one.shape[0] = 1;
    CHECK_OK(pali_inputs_create(&changed, &error), error);
    CHECK_OK(pali_inputs_set(changed, "input_ids", ids, &error), error);
    CHECK_OK(pali_inputs_set(changed, "pixel_values", &one, &error), error);
    pali_image_features *features_of_one = NULL;
    CHECK_OK(pali_model_image_features(&features_of_one, model, &one, NULL, &error), error);
    int64_t tokens = pali_image_features_tensor(features_of_one)->shape[1];
    snprintf(expected, sizeof expected, "%d image tokens, %d features", (int)(tokens * pixels->shape[0]), (int)tokens);
    refused(changed, &options, PALI_ERROR_SHAPE, expected);
    options.features = features_of_one;
    refused(changed, &options, PALI_ERROR_SHAPE, expected);
    pali_image_features_free(features_of_one);
    pali_inputs_free(changed);
}

static void logits_index_limits(const pali_inputs *inputs)
{
    int64_t length = pali_inputs_get(inputs, "input_ids")->shape[1], at = -length;
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;

    options.logits_index = &at;
    options.n_logits_index = 1;
    pali_outputs_free(forward(inputs, &options));
    at = -length - 1;
    refused(inputs, &options, PALI_ERROR_ARGUMENT, "logits_index[0]");
    at = length;
    refused(inputs, &options, PALI_ERROR_ARGUMENT, "logits_index[0]");
}

int main(void)
{
    static const char *const names[] = { "pg1", "pg2" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pali_inputs *inputs = fixture_tensors(names[i], "padded", "inputs");
        model = load(names[i]);
        if (model && inputs) {
            looking_changes_nothing(inputs);
            features(inputs);
            counted_mismatch(inputs);
            logits_index_limits(inputs);
        }
        pali_inputs_free(inputs);
        pali_model_free(model);
    }
    return test_report("forward options");
}
