/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checkpoints that compressed-tensors wrote (tests/oracle/make_quantized_fixtures.py), in float32: logits against
 * Transformers with the package's own dequantized weights, and greedy answers token for token.
 *
 * Rows in blocks are multiplied with the very numbers: 1e-4, as everywhere. Few rows, the four of these towers and the
 * twelve of `basic` too, have their inputs rounded to 16 bits in blocks of 128 (rounded_inputs.h); the same rounding
 * put into PyTorch's forward moves the logits just as far. That may cost a fiftieth of what PyTorch's bfloat16 costs;
 * a hundredth was seen.
 *
 * Where the scheme rounds inputs to 8 bits, an input that lies between two integers goes to either, as float32 sums
 * happen to fall, and moves everything behind it. CASE.noise.json says how far PyTorch's own logits move when what it
 * rounds moves by some steps of float32. Ours, one more such run, may differ by NOISE times the largest of its 16. The
 * answer, whose choices are clear, is the same.
 */
#include <json-c/json.h>

#include "parity/fixtures.h"

#define NOISE 1.5

static pali_model *model;
static char folder[600];
static bool int8_inputs;

static const char *in_folder(const char *file)
{
    return test_path(folder, file);
}

/* Of CASE.KIND.json, one of its numbers. */
static double recorded(const char *name, const char *kind, const char *key)
{
    char file[256];
    struct json_object *value = NULL;
    double number = NAN;

    snprintf(file, sizeof file, "%s.%s.json", name, kind);
    struct json_object *object = json_object_from_file(in_folder(file));
    if (json_object_object_get_ex(object, key, &value))
        number = json_object_get_double(value);
    json_object_put(object);
    return number;
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

/* One of the two measures of the logits' error: its largest and its rms. Not a number is never within a limit. */
static void check_error(const char *fixture, const char *name, const char *measure, double error, bool in_blocks)
{
    double bfloat16 = recorded(name, "bf16", measure);
    double allowed = int8_inputs ? NOISE * recorded(name, "noise", measure) : in_blocks ? 1e-4 : bfloat16 / 50.0;

    printf("%-22s %-6s %-8s %.1e of %.1e; PyTorch in bfloat16 %.1e\n", fixture, name, measure, error, allowed, bfloat16);
    CHECK_MSG(error <= allowed, "%s %s: %g", fixture, name, error);
}

static void check_logits(const char *fixture, const char *name, bool in_blocks)
{
    pali_inputs *inputs = tensors_of(name, "inputs"), *expected = tensors_of(name, "expected");
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;
    double worst = 0.0, squares = 0.0;

    CHECK_OK(pali_model_forward(&outputs, model, inputs, NULL, &error), error);
    const pali_tensor *got = pali_outputs_get(outputs, "logits"), *want = pali_inputs_get(expected, "logits");
    bool same_size = got && want && pali_tensor_count(got) == pali_tensor_count(want);
    CHECK(same_size);
    for (int64_t i = 0; same_size && i < pali_tensor_count(want); i++) {
        double one = fabs((double)((const float *)got->data)[i] - (double)((const float *)want->data)[i]);
        worst = one <= worst ? worst : one;
        squares += one * one;
    }
    if (same_size) {
        check_error(fixture, name, "max_abs", worst, in_blocks);
        check_error(fixture, name, "rms", sqrt(squares / (double)pali_tensor_count(want)), in_blocks);
    }
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
        check_logits(fixture, "basic", false);
        check_logits(fixture, "split", strcmp(fixture, "pg1-all") != 0); /* its tower's four rows are not */
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
