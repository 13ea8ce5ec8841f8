/* SPDX-License-Identifier: BSD-2-Clause */
/* quantization_config of config.json: what llm-compressor writes, defaults, the names of modules, and what is refused. */
#include <sys/stat.h>

#include <paligemma/config.h>

#include "config/model_config.h"
#include "config/name_pattern.h"
#include "test.h"

static char directory[512];

/* A config.json with that quantization_config. */
static pali_status load(pali_config **config, const char *quantization, pali_error **error)
{
    FILE *file = fopen(test_path(directory, "config.json"), "wb");
    CHECK(file != NULL);
    fprintf(file, "{\"model_type\": \"paligemma\", \"quantization_config\": %s}", quantization);
    fclose(file);
    return pali_config_load(config, directory, error);
}

static void refused(const char *quantization, pali_status status, const char *fragment)
{
    pali_config *config = NULL;
    pali_error *error = NULL;
    CHECK_FAILS(load(&config, quantization, &error), error, status, fragment);
    CHECK(config == NULL);
}

/* Of one group, whose weights and other members are given. */
static void refused_group(const char *weights, const char *more, pali_status status, const char *fragment)
{
    char text[2048];
    snprintf(text, sizeof text,
             "{\"quant_method\": \"compressed-tensors\", \"config_groups\": {\"group_0\": {\"targets\": [\"Linear\"], "
             "\"weights\": %s%s}}}",
             weights, more);
    refused(text, status, fragment);
}

/* ---- patterns ---- */

static void test_patterns(void)
{
    static const char name[] = "model.language_model.layers.12.mlp.gate_proj";
    static const struct {
        const char *pattern;
        bool matches;
    } cases[] = {
        { "", true },
        { "model", true },
        { "language_model", false }, /* from the beginning on, as re.match */
        { ".*language_model", true },
        { ".*gate_proj$", true },
        { ".*gate$", false },
        { "^model\\.language_model\\.layers\\.\\d+\\.mlp\\..*", true },
        { "model\\.language_model\\.layers\\.\\d\\.mlp", false },
        { ".*layers\\.(1[0-9]|2[0-5])\\.", true },
        { ".*layers\\.(?:2|3)[0-9]?\\.", false },
        { ".*(q|k|v|gate|up)_proj", true },
        { ".*(q|k|v)_proj", false },
        { ".*layers\\.[0-9]{2}\\.", true },
        { ".*layers\\.[0-9]{3,}\\.", false },
        { ".*layers\\.[^.]{1,2}\\.mlp", true },
        { "(?!.*vision_tower).*_proj$", true },
        { "(?!.*language_model).*_proj$", false },
        { "(?=.*mlp).*gate", true },
        { ".*?mlp", true },
        { "(model\\.)?language_model", true },
        { "(m|mo|mod)*el", true },
        { "\\w+\\.\\w+\\.layers", true },
        { "\\W", false },
        { ".*\\bmlp\\b", true },
        { ".*\\bml\\b", false },
        { ".*[a-z_]+$", true },
        { ".*[\\d]\\.mlp", true },
        { ".*[]x-]$", false },
        { "a||model", true },
        { "(a|)model", true },
        { "()*model", true },
        { "model{", false },
        { "(?P<part>model)", true },
        { "\\Amodel.*proj\\Z", true },
        { "(((((((((((((((((((.*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*x", false }, /* in no exponential time */
        { "(a?){200}model", true },
        { "(.?){100}proj", true },
    };
    static const char *const wrong[] = { "(", ")", "(a", "a)", "[a", "*a", "a**", "\\", "(?<=a)b", "(?i)a", "(a)\\1",
                                         "a{300}", "a{3,2}", "[z-a]", "((((.{9}){9}){9}){9})", "(?=(?!a))", "\\k", "[\xc3\xa4]" };
    static struct pali__name_pattern pattern;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *why = pali__name_pattern_parse(&pattern, cases[i].pattern);
        CHECK_MSG(!why, "%s: %s", cases[i].pattern, why);
        if (!why)
            CHECK_MSG(pali__name_pattern_matches(&pattern, name) == cases[i].matches, "%s", cases[i].pattern);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_MSG(pali__name_pattern_parse(&pattern, wrong[i]) != NULL, "%s was understood", wrong[i]);
}

/* ---- what is read ---- */

/* As llm-compressor 0.9 writes it. */
static const char written[] =
    "{\"config_groups\": {"
    " \"group_0\": {\"format\": \"pack-quantized\", \"input_activations\": null, \"output_activations\": null,"
    "  \"targets\": [\"Linear\"], \"weights\": {\"actorder\": null, \"block_structure\": null, \"dynamic\": false,"
    "  \"group_size\": 128, \"num_bits\": 4, \"observer\": \"minmax\", \"observer_kwargs\": {}, \"strategy\": \"group\","
    "  \"symmetric\": false, \"type\": \"int\"}},"
    " \"group_1\": {\"format\": \"int-quantized\", \"input_activations\": {\"actorder\": null, \"block_structure\": null,"
    "  \"dynamic\": true, \"group_size\": null, \"num_bits\": 8, \"observer\": null, \"observer_kwargs\": {},"
    "  \"strategy\": \"token\", \"symmetric\": true, \"type\": \"int\"}, \"output_activations\": null,"
    "  \"targets\": [\"re:.*self_attn.*\", \"model.language_model.layers.3.mlp.up_proj\"],"
    "  \"weights\": {\"actorder\": \"static\", \"dynamic\": false, \"group_size\": -1, \"num_bits\": 8,"
    "  \"strategy\": \"channel\", \"symmetric\": true, \"type\": \"int\"}}},"
    " \"format\": \"mixed-precision\", \"global_compression_ratio\": null, \"ignore\": [\"lm_head\","
    "  \"re:.*vision_tower.*\"], \"kv_cache_scheme\": null, \"quant_method\": \"compressed-tensors\","
    " \"quantization_status\": \"compressed\", \"sparsity_config\": {}, \"transform_config\": {}, \"version\": \"0.14.0\"}";

static void test_written(void)
{
    pali_config *config = NULL;
    pali_error *error = NULL;
    int64_t number = 0;
    const char *text = "";

    CHECK_OK(load(&config, written, &error), error);
    if (!config)
        return;
    const struct pali__quantization_config *q = &pali__config_settings(config)->quantization;
    CHECK(q->n_groups == 2 && q->n_ignore == 2 && !strcmp(q->ignore[0], "lm_head"));
    CHECK(q->groups[0].n_targets == 1 && q->groups[0].num_bits == 4 && !q->groups[0].symmetric);
    CHECK(q->groups[0].group_size == 128 && q->groups[0].packed && !q->groups[0].int8_inputs);
    CHECK(q->groups[1].n_targets == 2 && q->groups[1].num_bits == 8 && q->groups[1].symmetric);
    CHECK(q->groups[1].group_size == 0 && !q->groups[1].packed && q->groups[1].int8_inputs);
    CHECK_OK(pali_config_get_int(config, "quantization_config.config_groups.group_0.weights.num_bits", &number, &error),
             error);
    CHECK(number == 4);
    CHECK_OK(pali_config_get_string(config, "quantization_config.config_groups.group_1.targets.0", &text, &error), error);
    CHECK(!strcmp(text, "re:.*self_attn.*"));
    CHECK_OK(pali_config_get_string(config, "quantization_config.ignore.1", &text, &error), error);
    CHECK(!strcmp(text, "re:.*vision_tower.*"));

    CHECK(pali__quantization_group_of(q, "model.language_model.layers.3.mlp.down_proj", "Linear") == &q->groups[0]);
    CHECK(pali__quantization_group_of(q, "model.language_model.layers.3.mlp.up_proj", "Linear") == &q->groups[1]);
    CHECK(pali__quantization_group_of(q, "model.language_model.layers.3.self_attn.q_proj", "Linear") == &q->groups[1]);
    CHECK(pali__quantization_group_of(q, "lm_head", "Linear") == NULL);
    CHECK(pali__quantization_group_of(q, "model.vision_tower.encoder.layers.0.self_attn.q_proj", "Linear") == NULL);
    CHECK(pali__quantization_group_of(q, "model.language_model.embed_tokens", "Embedding") == NULL);
    pali_config_free(config);
}

static void test_defaults(void)
{
    pali_config *config = NULL;
    pali_error *error = NULL;

    CHECK_OK(load(&config, "null", &error), error);
    CHECK(config && pali__config_settings(config)->quantization.n_groups == 0);
    pali_config_free(config);
    CHECK_OK(load(&config, "{\"quant_method\": \"compressed-tensors\"}", &error), error);
    CHECK(config && pali__config_settings(config)->quantization.n_groups == 0);
    pali_config_free(config);
    /* Absent fields mean int, 8 bits, symmetric, one scale for the tensor; packed, for inputs are not rounded. */
    CHECK_OK(load(&config,
                  "{\"quant_method\": \"compressed-tensors\", \"config_groups\": {"
                  "\"a\": {\"targets\": [\"Linear\"], \"weights\": {}}, "
                  "\"b\": {\"targets\": [\"x\"], \"weights\": {\"group_size\": -1}, "
                  " \"input_activations\": {\"dynamic\": true, \"strategy\": \"token\"}}, "
                  "\"c\": {\"targets\": [\"y\"], \"weights\": {\"group_size\": 32, \"type\": \"INT\", "
                  " \"symmetric\": null, \"actorder\": false}, \"format\": \"naive-quantized\"}}, \"ignore\": null}",
                  &error),
             error);
    if (!config)
        return;
    const struct pali__quantization_group *groups = pali__config_settings(config)->quantization.groups;
    CHECK(groups[0].num_bits == 8 && groups[0].symmetric && groups[0].group_size == -1 && groups[0].packed);
    CHECK(groups[1].group_size == 0 && groups[1].int8_inputs && !groups[1].packed);
    CHECK(groups[2].group_size == 32 && groups[2].symmetric && !groups[2].packed && !groups[2].int8_inputs);
    pali_config_free(config);
}

/* ---- what is refused ---- */

static void test_refused_methods(void)
{
    static const char *const methods[] = { "bitsandbytes", "gptq", "awq", "torchao", "fp8" };
    char text[256], fragment[256];

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        snprintf(text, sizeof text, "{\"quant_method\": \"%s\", \"bits\": 4}", methods[i]);
        snprintf(fragment, sizeof fragment, "quantization_config.quant_method is \"%s\", only \"compressed-tensors\"",
                 methods[i]);
        refused(text, PALI_ERROR_UNSUPPORTED, fragment);
    }
    refused("{\"load_in_8bit\": true}", PALI_ERROR_UNSUPPORTED, "quant_method is missing");
    refused("[]", PALI_ERROR_FORMAT, "quantization_config is an array");
    refused("null, \"compression_config\": {\"quant_method\": \"compressed-tensors\"}", PALI_ERROR_UNSUPPORTED,
            "compression_config");
#define TOP(more) "{\"quant_method\": \"compressed-tensors\", " more "}"
    refused(TOP("\"quantization_status\": \"frozen\""), PALI_ERROR_UNSUPPORTED, "quantization_status is \"frozen\"");
    refused(TOP("\"format\": \"float-quantized\""), PALI_ERROR_UNSUPPORTED, "format is \"float-quantized\"");
    refused(TOP("\"format\": \"marlin-24\""), PALI_ERROR_UNSUPPORTED, "format is \"marlin-24\"");
    refused(TOP("\"kv_cache_scheme\": {\"num_bits\": 8}"), PALI_ERROR_UNSUPPORTED, "kv_cache_scheme");
    refused(TOP("\"sparsity_config\": {\"format\": \"sparse-bitmask\"}"), PALI_ERROR_UNSUPPORTED, "sparsity_config");
    refused(TOP("\"transform_config\": {\"config_groups\": {\"R1\": {}}}"), PALI_ERROR_UNSUPPORTED, "transform_config");
    refused(TOP("\"config_groups\": []"), PALI_ERROR_FORMAT, "config_groups is an array");
    refused(TOP("\"config_groups\": {\"W4A16\": [\"Linear\"]}"), PALI_ERROR_UNSUPPORTED, "config_groups.W4A16 is an array");
    refused(TOP("\"config_groups\": {\"a\": {\"targets\": [\"Linear\"]}}"), PALI_ERROR_UNSUPPORTED,
            "config_groups.a.weights is missing");
    refused(TOP("\"config_groups\": {\"a\": {\"targets\": \"Linear\", \"weights\": {}}}"), PALI_ERROR_FORMAT,
            "config_groups.a.targets is a string");
    refused(TOP("\"config_groups\": {\"a\": {\"targets\": [4], \"weights\": {}}}"), PALI_ERROR_FORMAT,
            "config_groups.a.targets has an element");
    refused(TOP("\"ignore\": [\"re:(?<=a)b\"]"), PALI_ERROR_UNSUPPORTED, "ignore has the pattern \"re:(?<=a)b\"");
}

static void test_refused_groups(void)
{
    refused_group("{\"type\": \"float\"}", "", PALI_ERROR_UNSUPPORTED, "group_0.weights.type is \"float\"");
    refused_group("{\"num_bits\": 2}", "", PALI_ERROR_UNSUPPORTED, "group_0.weights.num_bits is 2");
    refused_group("{\"num_bits\": 1e30}", "", PALI_ERROR_FORMAT, "num_bits");
    refused_group("{\"dynamic\": true}", "", PALI_ERROR_UNSUPPORTED, "weights.dynamic is true");
    refused_group("{\"dynamic\": \"local\"}", "", PALI_ERROR_UNSUPPORTED, "weights.dynamic is \"local\"");
    refused_group("{\"actorder\": \"group\"}", "", PALI_ERROR_UNSUPPORTED, "weights.actorder is \"group\"");
    refused_group("{\"actorder\": true}", "", PALI_ERROR_UNSUPPORTED, "weights.actorder is true");
    refused_group("{\"strategy\": \"block\", \"block_structure\": [128, 128]}", "", PALI_ERROR_UNSUPPORTED,
                  "block_structure");
    refused_group("{\"strategy\": \"tensor_group\", \"group_size\": null}", "", PALI_ERROR_UNSUPPORTED,
                  "weights.strategy is \"tensor_group\"");
    refused_group("{\"strategy\": \"group\"}", "", PALI_ERROR_FORMAT, "weights.group_size should be positive");
    refused_group("{\"strategy\": \"channel\", \"group_size\": 32}", "", PALI_ERROR_FORMAT, "group_size is 32");
    refused_group("{\"group_size\": -2}", "", PALI_ERROR_FORMAT, "group_size is -2");
    refused_group("[]", "", PALI_ERROR_FORMAT, "group_0.weights is an array");
    refused_group("{}", ", \"format\": \"nvfp4-pack-quantized\"", PALI_ERROR_UNSUPPORTED,
                  "group_0.format is \"nvfp4-pack-quantized\"");
    refused_group("{}", ", \"output_activations\": {}", PALI_ERROR_UNSUPPORTED, "output_activations");
#define INPUTS(text) ", \"input_activations\": " text
    refused_group("{\"strategy\": \"channel\"}", INPUTS("{\"dynamic\": false, \"strategy\": \"tensor\"}"),
                  PALI_ERROR_UNSUPPORTED, "input_activations.dynamic is false");
    refused_group("{\"strategy\": \"channel\"}", INPUTS("{\"dynamic\": \"local\"}"), PALI_ERROR_UNSUPPORTED,
                  "input_activations.dynamic is \"local\"");
    refused_group("{\"strategy\": \"channel\"}", INPUTS("{\"dynamic\": true}"), PALI_ERROR_UNSUPPORTED,
                  "input_activations.strategy is missing");
    refused_group("{\"strategy\": \"channel\"}", INPUTS("{\"dynamic\": true, \"type\": \"float\"}"),
                  PALI_ERROR_UNSUPPORTED, "input_activations.type is \"float\"");
    refused_group("{\"strategy\": \"channel\"}", INPUTS("{\"dynamic\": true, \"symmetric\": false}"),
                  PALI_ERROR_UNSUPPORTED, "input_activations.symmetric is false");
    refused_group("{\"strategy\": \"channel\"}", INPUTS("{\"dynamic\": true, \"num_bits\": 4}"), PALI_ERROR_UNSUPPORTED,
                  "input_activations.num_bits is 4");
    refused_group("{\"num_bits\": 4, \"group_size\": 128}", INPUTS("{\"dynamic\": true, \"strategy\": \"token\"}"),
                  PALI_ERROR_UNSUPPORTED, "input_activations are served for symmetric weights of 8 bits");
}

int main(void)
{
    snprintf(directory, sizeof directory, "%s/quantization", test_scratch());
    mkdir(directory, 0777);
    test_patterns();
    test_written();
    test_defaults();
    test_refused_methods();
    test_refused_groups();
    return test_report("quantization_config");
}
