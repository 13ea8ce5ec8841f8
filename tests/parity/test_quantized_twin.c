/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A quantized checkpoint computes what the plain one of equal numbers does, in float32: all logits of a prompt with a
 * picture, and those of a text token by token. Also an adapter beside quantized matrices, and caches that know their
 * weights.
 *
 * Rows in blocks are multiplied with the very numbers, so the logits agree like any other's. One by one, as the four
 * patches of these towers too, the kernels round inputs to 16 bits in blocks of 128 (ops.h). PyTorch's bfloat16, which
 * rounds to 8, is off by 0.15 in the plain fixtures' logits (basic.bf16.json): a hundredth of that is allowed.
 */
#include "parity/fixtures.h"
#include "quantized_checkpoint.h"

#define TOLERANCE 1e-4
#define TOLERANCE_BY_ROW 1.5e-3

#define CONFIG(groups)                                                                                                 \
    "\"quantization_config\": {\"quant_method\": \"compressed-tensors\", \"quantization_status\": \"compressed\", "    \
    "\"config_groups\": {" groups "}, \"ignore\": [\"lm_head\"]},"
#define GROUP(name, targets, weights) "\"" name "\": {\"targets\": [" targets "], \"weights\": {" weights "}}"

/* Inputs of the fixtures' matrices: 32 and 48, 88 and 76, and 512 (o_proj of pg1). */
static const struct scheme {
    const char *name, *fixture;
    struct rule rules[4];
    size_t n_rules;
    bool tower; /* is quantized too */
    const char *config;
} schemes[] = {
    { "int8, a scale for each output", "pg1", { { "_proj.weight", 8, 0, true, false, PALI_FLOAT32 },
                                               { "fc", 8, 0, true, false, PALI_FLOAT32 } }, 2, true,
      CONFIG(GROUP("a", "\"re:.*(_proj|fc.)$\"", "\"strategy\": \"channel\"")) },
    { "int8 not packed, zero points", "pg2", { { "language_model", 8, 0, false, true, PALI_BFLOAT16 } }, 1, false,
      "\"quantization_config\": {\"quant_method\": \"compressed-tensors\", \"format\": \"int-quantized\", "
      "\"config_groups\": {" GROUP("a", "\"re:.*language_model.*\"", "\"strategy\": \"channel\", \"symmetric\": false")
      "}}," },
    { "int4, groups of 32 to 128", "pg1", { { "o_proj", 4, 128, true, false, PALI_BFLOAT16 },
                                           { "language_model.model.layers.0.mlp.down_proj", 4, 44, true, false, PALI_FLOAT32 },
                                           { "down_proj", 4, 0, true, false, PALI_FLOAT32 },
                                           { "language_model.model.layers", 4, 32, true, false, PALI_FLOAT16 } }, 4, false,
      CONFIG(GROUP("a", "\"re:.*o_proj\"", "\"num_bits\": 4, \"group_size\": 128") ","
             GROUP("b", "\"re:.*layers.0.*down_proj\"", "\"num_bits\": 4, \"group_size\": 44") ","
             GROUP("c", "\"re:.*layers.1.*down_proj\"", "\"num_bits\": 4, \"strategy\": \"channel\"") ","
             GROUP("d", "\"re:.*language_model.*(q|k|v|gate|up)_proj\"", "\"num_bits\": 4, \"group_size\": 32")) },
    { "int4 and int8 with zero points", "pg1", { { "o_proj", 4, 64, true, true, PALI_BFLOAT16 },
                                                { "down_proj", 8, 88, true, true, PALI_FLOAT32 },
                                                { "vision_tower", 4, 0, true, true, PALI_FLOAT32 },
                                                { "language_model.model.layers", 4, 32, true, true, PALI_FLOAT16 } }, 4, true,
      CONFIG(GROUP("a", "\"re:.*o_proj\"", "\"num_bits\": 4, \"group_size\": 64, \"symmetric\": false") ","
             GROUP("b", "\"re:.*down_proj\"", "\"num_bits\": 8, \"group_size\": 88, \"symmetric\": false") ","
             GROUP("c", "\"re:.*vision_tower.*\"", "\"num_bits\": 4, \"strategy\": \"channel\", \"symmetric\": false") ","
             GROUP("d", "\"re:.*language_model.*(q|k|v|gate|up)_proj\"",
                   "\"num_bits\": 4, \"group_size\": 32, \"symmetric\": false")) },
};

static char quantized[600], twin[600];

static pali_model *load(const char *path, int32_t int8_head)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_error *error = NULL;

    options.dtype = PALI_FLOAT32;
    options.int8_head = int8_head;
    CHECK_OK(pali_model_load(&model, path, &options, &error), error);
    return model;
}

static double difference(const pali_outputs *a, const pali_outputs *b)
{
    const pali_tensor *x = pali_outputs_get(a, "logits"), *y = pali_outputs_get(b, "logits");
    double worst = x && y && pali_tensor_count(x) == pali_tensor_count(y) ? 0.0 : INFINITY;

    for (int64_t i = 0; worst < INFINITY && i < pali_tensor_count(x); i++) {
        double one = fabs((double)((const float *)x->data)[i] - (double)((const float *)y->data)[i]);
        worst = one <= worst ? worst : one;
    }
    return worst;
}

static double forward_difference(pali_model *a, pali_model *b, const pali_inputs *inputs,
                                 const pali_forward_options *a_options, const pali_forward_options *b_options)
{
    pali_outputs *x = NULL, *y = NULL;
    pali_error *error = NULL;

    CHECK_OK(pali_model_forward(&x, a, inputs, a_options, &error), error);
    CHECK_OK(pali_model_forward(&y, b, inputs, b_options, &error), error);
    double worst = difference(x, y);
    pali_outputs_free(x);
    pali_outputs_free(y);
    return worst;
}

/* A text, one token a pass. */
static double step_difference(pali_model *a, pali_model *b)
{
    pali_cache *a_cache = NULL, *b_cache = NULL;
    pali_forward_options a_options = PALI_FORWARD_OPTIONS_INIT, b_options = PALI_FORWARD_OPTIONS_INIT;
    pali_error *error = NULL;
    double worst = 0.0;

    CHECK_OK(pali_cache_create(&a_cache, a, NULL, &error), error);
    CHECK_OK(pali_cache_create(&b_cache, b, NULL, &error), error);
    a_options.cache = a_cache;
    b_options.cache = b_cache;
    for (int64_t i = 0; i < 12; i++) {
        int64_t id = 20 + 31 * i;
        pali_tensor ids = pali_tensor_view(&id, PALI_INT64, 2, (int64_t[]){ 1, 1 });
        pali_inputs *inputs = NULL;
        CHECK_OK(pali_inputs_create(&inputs, &error), error);
        CHECK_OK(pali_inputs_set(inputs, "input_ids", &ids, &error), error);
        double one = forward_difference(a, b, inputs, &a_options, &b_options);
        worst = one <= worst ? worst : one;
        pali_inputs_free(inputs);
    }
    pali_cache_free(a_cache);
    pali_cache_free(b_cache);
    return worst;
}

static void write_pair(const struct scheme *scheme)
{
    char source[600], command[1400];

    /* One file: pg1 has two. */
    snprintf(source, sizeof source, "%.500s/source", test_scratch());
    snprintf(quantized, sizeof quantized, "%.500s/quantized", test_scratch());
    snprintf(twin, sizeof twin, "%.500s/twin", test_scratch());
    snprintf(command, sizeof command, "rm -rf '%s'", source);
    CHECK(system(command) == 0);
    pali_error *error = NULL;
    CHECK_OK(pali_checkpoint_save(fixture_path(scheme->fixture, NULL), source, NULL, &error), error);
    write_quantized(source, quantized, scheme->rules, scheme->n_rules, scheme->config, false, NULL);
    write_quantized(source, twin, scheme->rules, scheme->n_rules, "", true, NULL);
}

static void check_scheme(const struct scheme *scheme)
{
    write_pair(scheme);
    pali_model *a = load(quantized, -1), *b = load(twin, -1);
    pali_inputs *inputs = fixture_tensors(scheme->fixture, "basic", "inputs");
    if (a && b && inputs) {
        double whole = forward_difference(a, b, inputs, NULL, NULL), steps = step_difference(a, b);
        printf("%-32s %.1e at once, %.1e token by token\n", scheme->name, whole, steps);
        CHECK_MSG(whole <= (scheme->tower ? TOLERANCE_BY_ROW : TOLERANCE), "%s: %g", scheme->name, whole);
        CHECK_MSG(steps <= TOLERANCE_BY_ROW, "%s: %g", scheme->name, steps);
    }
    pali_inputs_free(inputs);
    pali_model_free(a);
    pali_model_free(b);
}

/* The same adapter beside both. */
static void check_adapter(void)
{
    pali_model *a, *b;
    pali_adapter *a_adapter = NULL, *b_adapter = NULL;
    pali_forward_options a_options = PALI_FORWARD_OPTIONS_INIT, b_options = PALI_FORWARD_OPTIONS_INIT;
    pali_error *error = NULL;
    char path[600];

    write_pair(&schemes[2]);
    a = load(quantized, -1);
    b = load(twin, -1);
    snprintf(path, sizeof path, "%.500s/adapters/pg1-all", test_data());
    CHECK_OK(pali_adapter_load(&a_adapter, a, path, &error), error);
    CHECK_OK(pali_adapter_load(&b_adapter, b, path, &error), error);
    pali_inputs *inputs = fixture_tensors("pg1", "basic", "inputs");
    double plain = forward_difference(a, b, inputs, NULL, NULL);
    a_options.adapter = a_adapter;
    CHECK(forward_difference(a, b, inputs, &a_options, NULL) > 0.01);
    b_options.adapter = b_adapter;
    double adapted = forward_difference(a, b, inputs, &a_options, &b_options);
    CHECK_MSG(plain <= TOLERANCE && adapted <= TOLERANCE, "%g, adapted %g", plain, adapted);
    pali_inputs_free(inputs);
    pali_adapter_free(a_adapter);
    pali_adapter_free(b_adapter);
    pali_model_free(a);
    pali_model_free(b);
}

/* The head in int8 moves the logits by its rounding only; a copy of the head in an adapter is held against the file. */
static void check_int8_head(void)
{
    pali_model *a = load(fixture_path("pg1", NULL), 1), *b = load(fixture_path("pg1", NULL), 0);
    pali_adapter *adapter = NULL;
    pali_error *error = NULL;
    pali_inputs *inputs = fixture_tensors("pg1", "basic", "inputs");
    double moved = forward_difference(a, b, inputs, NULL, NULL);
    char path[600];

    CHECK_MSG(moved > 1e-4 && moved < 0.2, "the logits move by %g", moved);
    snprintf(path, sizeof path, "%.500s/adapters/pg1-head", test_data());
    CHECK_OK(pali_adapter_load(&adapter, a, path, &error), error);
    pali_adapter_free(adapter);
    pali_inputs_free(inputs);
    pali_model_free(a);
    pali_model_free(b);
}

/* A saved cache belongs to these codes and scales, whatever becomes of the head. */
static void check_fingerprint(void)
{
    pali_cache *cache = NULL, *loaded = NULL;
    pali_error *error = NULL;
    char path[600];

    snprintf(path, sizeof path, "%.500s/cache.safetensors", test_scratch());
    write_pair(&schemes[2]);
    pali_model *model = load(quantized, 0), *other_head = load(quantized, -1), *plain = load(twin, 0);
    CHECK_OK(pali_cache_create(&cache, model, NULL, &error), error);
    CHECK_OK(pali_cache_save(cache, path, &error), error);
    CHECK_OK(pali_cache_load(&loaded, other_head, path, &error), error);
    pali_cache_free(loaded);
    CHECK_FAILS(pali_cache_load(&loaded, plain, path, &error), error, PALI_ERROR_FORMAT, "other weights");
    write_pair(&schemes[3]);
    pali_model *other = load(quantized, 0);
    CHECK_FAILS(pali_cache_load(&loaded, other, path, &error), error, PALI_ERROR_FORMAT, "other weights");
    pali_cache_free(cache);
    pali_model_free(other);
    pali_model_free(plain);
    pali_model_free(other_head);
    pali_model_free(model);
}

int main(void)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        check_scheme(&schemes[i]);
    check_adapter();
    check_int8_head();
    check_fingerprint();
    return test_report("quantized_twin");
}
