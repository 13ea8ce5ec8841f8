/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pali_model_forward against Transformers in float32 (1e-4 on every tensor at every real position), and its bfloat16
 * against PyTorch's own bfloat16: no further from the float32 oracle. Prints a table of the latter for docs/.
 */
#include <json-c/json.h>

#include "parity/fixtures.h"

#define TOLERANCE 1e-4

static pali_model *model;      /* float32 */
static pali_model *model_bf16; /* bfloat16 */

static bool is_real(const pali_inputs *inputs, int64_t row, int64_t position)
{
    const pali_tensor *mask = pali_inputs_get(inputs, "attention_mask");
    return !mask || ((const int64_t *)mask->data)[row * mask->shape[1] + position] != 0;
}

struct error_sum {
    double max, sum, squares;
    int64_t count;
};

static void add_errors(struct error_sum *errors, const float *a, const float *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double difference = fabs((double)a[i] - (double)b[i]);
        if (!(difference <= errors->max)) /* NaN counts as the largest */
            errors->max = difference;
        errors->sum += difference;
        errors->squares += difference * difference;
    }
    errors->count += n;
}

/* Over real positions, or over all in the case "blind", which is about padding. A tensor of the batch has [batch, length, …], or for attentions [batch, heads, length, keys];
 * logits of chosen positions have no padding among them. */
static struct error_sum compare(const char *name, const pali_tensor *got, const pali_tensor *expected,
                                const pali_inputs *inputs, bool everywhere)
{
    struct error_sum errors = { 0 };
    const float *a = got->data, *b = expected->data;
    const pali_tensor *ids = pali_inputs_get(inputs, "input_ids");
    int64_t length = ids ? ids->shape[1] : pali_inputs_get(inputs, "inputs_embeds")->shape[1];
    bool attentions = !strncmp(name, "attentions.", 11);
    bool per_position = expected->rank >= 3 && expected->shape[attentions ? 2 : 1] == length &&
                        strncmp(name, "image_", 6) != 0 && strncmp(name, "vision_", 7) != 0;

    if (!per_position) {
        add_errors(&errors, a, b, pali_tensor_count(expected));
        return errors;
    }
    int64_t width = expected->shape[expected->rank - 1], heads = attentions ? expected->shape[1] : 1;
    for (int64_t row = 0; row < expected->shape[0]; row++)
        for (int64_t head = 0; head < heads; head++)
            for (int64_t position = 0; position < length; position++) {
                int64_t at = ((row * heads + head) * length + position) * width;
                if (everywhere || is_real(inputs, row, position))
                    add_errors(&errors, a + at, b + at, width);
            }
    return errors;
}

static pali_forward_options options_for(const char *name, const pali_inputs *expected)
{
    static const int64_t keep_list[] = { 2, 0, 11 }, keep_negative[] = { -1, 0, -5 };
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;

    if (!strcmp(name, "keep_last") || !strcmp(name, "placeholders"))
        options.logits_to_keep = 3;
    if (!strcmp(name, "blind") || !strcmp(name, "tower"))
        options.logits_to_keep = !strcmp(name, "blind") ? 2 : 1;
    if (!strcmp(name, "keep_list") || !strcmp(name, "keep_negative")) {
        options.logits_index = !strcmp(name, "keep_list") ? keep_list : keep_negative;
        options.n_logits_index = 3;
    }
    options.output_hidden_states = pali_inputs_get(expected, "hidden_states.0") != NULL;
    options.output_attentions = pali_inputs_get(expected, "attentions.0") != NULL;
    options.output_vision_hidden_states = pali_inputs_get(expected, "vision_hidden_states.0") != NULL;
    return options;
}

static void forward_float32(const char *fixture, const char *name)
{
    pali_inputs *inputs = fixture_tensors(fixture, name, "inputs");
    pali_inputs *expected = fixture_tensors(fixture, name, "expected");
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;
    double worst = 0.0;

    if (!inputs || !expected)
        return;
    pali_forward_options options = options_for(name, expected);
    CHECK_OK(pali_model_forward(&outputs, model, inputs, &options, &error), error);
    for (size_t i = 0; outputs && i < pali_inputs_count(expected); i++) {
        const char *tensor = pali_inputs_name(expected, i);
        const pali_tensor *want = pali_inputs_get(expected, tensor), *got = pali_outputs_get(outputs, tensor);
        if (!strcmp(tensor, "kept")) /* which positions the expected logits belong to */
            continue;
        CHECK_MSG(got != NULL, "%s %s: no %s", fixture, name, tensor);
        if (!got)
            continue;
        CHECK_MSG(pali_tensor_count(got) == pali_tensor_count(want), "%s %s: %s has another size", fixture, name, tensor);
        if (pali_tensor_count(got) != pali_tensor_count(want))
            continue;
        struct error_sum errors = compare(tensor, got, want, inputs, !strcmp(name, "blind"));
        CHECK_MSG(errors.max <= TOLERANCE, "%s %s: %s differs by %g", fixture, name, tensor, errors.max);
        worst = errors.max > worst ? errors.max : worst;
    }
    printf("float32  %-14s %-18s largest difference %.1e\n", fixture, name, worst);
    pali_outputs_free(outputs);
    pali_inputs_free(inputs);
    pali_inputs_free(expected);
}

static double json_number(const struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    bool found = json_object_object_get_ex(object, key, &value);
    CHECK_MSG(found, "no %s", key);
    return found ? json_object_get_double(value) : 0.0;
}

static void forward_bfloat16(const char *fixture, const char *name)
{
    char file[256];
    snprintf(file, sizeof file, "%.200s.bf16.json", name);
    struct json_object *peer = json_object_from_file(fixture_path(fixture, file));
    pali_inputs *inputs = fixture_tensors(fixture, name, "inputs");
    pali_inputs *expected = fixture_tensors(fixture, name, "expected");
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;

    if (!inputs || !expected || !peer)
        return;
    pali_forward_options options = options_for(name, expected);
    CHECK_OK(pali_model_forward(&outputs, model_bf16, inputs, &options, &error), error);
    const pali_tensor *got = pali_outputs_get(outputs, "logits"), *want = pali_inputs_get(expected, "logits");
    if (got && want) {
        struct error_sum ours = compare("logits", got, want, inputs, false);
        double max = json_number(peer, "max_abs"), rms = json_number(peer, "rms");
        double our_rms = sqrt(ours.squares / (double)ours.count);
        CHECK_MSG(ours.max <= max, "%s %s: bfloat16 error %g, PyTorch's %g", fixture, name, ours.max, max);
        CHECK_MSG(our_rms <= rms, "%s %s: bfloat16 rms %g, PyTorch's %g", fixture, name, our_rms, rms);
        printf("bfloat16 %-14s %-18s max %.5f (PyTorch %.5f)  rms %.5f (PyTorch %.5f)\n", fixture, name, ours.max, max,
               our_rms, rms);
    }
    json_object_put(peer);
    pali_outputs_free(outputs);
    pali_inputs_free(inputs);
    pali_inputs_free(expected);
}

int main(void)
{
    for (size_t i = 0; i < N_FIXTURE_MODELS; i++) {
        pali_model_options options = PALI_MODEL_OPTIONS_INIT;
        pali_error *error = NULL;

        options.dtype = PALI_FLOAT32;
        CHECK_OK(pali_model_load(&model, fixture_path(fixture_models[i], NULL), &options, &error), error);
        options.dtype = PALI_BFLOAT16;
        CHECK_OK(pali_model_load(&model_bf16, fixture_path(fixture_models[i], NULL), &options, &error), error);
        if (model && model_bf16) {
            CHECK(fixture_cases(fixture_models[i], ".expected.safetensors", forward_float32) > 0);
            CHECK(fixture_cases(fixture_models[i], ".bf16.json", forward_bfloat16) > 0);
        }
        pali_model_free(model);
        pali_model_free(model_bf16);
        model = model_bf16 = NULL;
    }
    return test_report("forward");
}
