/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checkpoints that compressed-tensors wrote (tests/oracle/make_quantized_fixtures.py), in float32: logits against
 * Transformers with the package's own dequantized weights, and greedy answers token for token.
 *
 * Rows in blocks are multiplied with the very numbers; one by one the kernels round inputs to 16 bits (ops.h), which
 * costs a hundredth of what PyTorch's bfloat16 costs. Where the scheme rounds inputs to 8 bits, two orders of summation
 * can round an input that lies between two integers to either of them, which moves everything behind it: the logits
 * may then be as far off as PyTorch's bfloat16 run of the same weights is on average (rms), and the answer, whose
 * choices are clear, is the same.
 */
#include <json-c/json.h>

#include "parity/fixtures.h"

static pali_model *model;
static char folder[600];
static bool int8_inputs;

static const char *in_folder(const char *file)
{
    return test_path(folder, file);
}

static double bfloat16_error(const char *name, const char *kind)
{
    char file[256];
    struct json_object *value = NULL;
    double error = NAN;

    snprintf(file, sizeof file, "%s.bf16.json", name);
    struct json_object *object = json_object_from_file(in_folder(file));
    if (json_object_object_get_ex(object, kind, &value))
        error = json_object_get_double(value);
    json_object_put(object);
    return error;
}

static pali_inputs *tensors_of(const char *name, const char *kind)
{
    char file[256];
    pali_inputs *tensors = NULL;
    pali_error *error = NULL;

    snprintf(file, sizeof file, "%s.%s.safetensors", name, kind);
    CHECK_OK(pali_inputs_load(&tensors, in_folder(file), &error), error);
    return tensors;
}

static void check_logits(const char *fixture, const char *name)
{
    pali_inputs *inputs = tensors_of(name, "inputs"), *expected = tensors_of(name, "expected");
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;
    double worst = 0.0;

    CHECK_OK(pali_model_forward(&outputs, model, inputs, NULL, &error), error);
    const pali_tensor *got = pali_outputs_get(outputs, "logits"), *want = pali_inputs_get(expected, "logits");
    CHECK(got && want && pali_tensor_count(got) == pali_tensor_count(want));
    for (int64_t i = 0; got && want && i < pali_tensor_count(want); i++) {
        double one = fabs((double)((const float *)got->data)[i] - (double)((const float *)want->data)[i]);
        worst = one <= worst ? worst : one;
    }
    double allowed = bfloat16_error(name, int8_inputs ? "rms" : "max_abs") / (int8_inputs ? 1.0 : 100.0);
    allowed = allowed > 1e-4 ? allowed : 1e-4;
    printf("%-24s %-8s %.1e of %.1e; PyTorch in bfloat16 %.1e\n", fixture, name, worst, allowed,
           bfloat16_error(name, "max_abs"));
    CHECK_MSG(worst <= allowed, "%s %s: %g", fixture, name, worst);
    pali_outputs_free(outputs);
    pali_inputs_free(expected);
    pali_inputs_free(inputs);
}

static struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    CHECK_MSG(json_object_object_get_ex(object, key, &value), "no %s", key);
    return value;
}

static void check_answer(const char *fixture)
{
    struct json_object *expected = json_object_from_file(in_folder("generate.generate.json"));
    pali_inputs *inputs = tensors_of("generate", "inputs");
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_generation *generation = NULL;
    pali_error *error = NULL;
    size_t count = 0;

    CHECK(expected != NULL);
    options.max_new_tokens = json_object_get_int64(member(expected, "max_new_tokens"));
    CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
    const int64_t *ids = pali_generation_token_ids(generation, 0, &count);
    struct json_object *want = json_object_array_get_idx(member(expected, "token_ids"), 0);
    CHECK_MSG(count == json_object_array_length(want), "%s: %zu tokens", fixture, count);
    for (size_t i = 0; i < count && i < json_object_array_length(want); i++)
        CHECK_MSG(ids[i] == json_object_get_int64(json_object_array_get_idx(want, i)), "%s: token %zu", fixture, i);
    pali_generation_free(generation);
    pali_inputs_free(inputs);
    json_object_put(expected);
}

static bool rounds_inputs(const pali_config *config)
{
    for (size_t i = 0; i < pali_config_count(config); i++)
        if (strstr(pali_config_name(config, i), ".input_activations.num_bits"))
            return true;
    return false;
}

/* The package's files have all tensors that the configuration asks for, and no others. */
static void check_inventory(void)
{
    pali_config *config = NULL;
    pali_checkpoint *checkpoint = NULL;
    pali_error *error = NULL;
    char *missing = NULL, *unexpected = NULL;

    CHECK_OK(pali_config_load(&config, folder, &error), error);
    CHECK_OK(pali_checkpoint_open(&checkpoint, folder, &error), error);
    CHECK_OK(pali_checkpoint_compare(checkpoint, config, &missing, &unexpected, &error), error);
    CHECK_MSG(missing && !*missing && unexpected && !*unexpected, "%s: missing %s, unexpected %s", folder, missing,
              unexpected);
    int8_inputs = rounds_inputs(config);
    pali_free(missing);
    pali_free(unexpected);
    pali_checkpoint_free(checkpoint);
    pali_config_free(config);
}

static void check_fixture(const char *fixture)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_error *error = NULL;

    snprintf(folder, sizeof folder, "%.300s/quantized/%.200s", test_data(), fixture);
    check_inventory();
    options.dtype = PALI_FLOAT32;
    options.int8_head = -1; /* the oracle's is as the file has it */
    CHECK_OK(pali_model_load(&model, folder, &options, &error), error);
    if (model) {
        check_logits(fixture, "basic");
        check_logits(fixture, "split");
        check_answer(fixture);
    }
    pali_model_free(model);
    model = NULL;
}

int main(void)
{
    static const char *const fixtures[] = { "pg1-int4-g32",    "pg2-int4-g64", "pg2-int4-zero-points", "pg1-int8",
                                            "pg2-w8a8",        "pg1-all",      "pg1-w8a8-vision" };

    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++)
        check_fixture(fixtures[i]);
    return test_report("quantized");
}
