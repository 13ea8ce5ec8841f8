/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/checkpoint/lora_config.c and lora_file.c: what is taken, what is refused, and with which words. */
#include <stdbool.h>

#include "checkpoint/lora_config.h"
#include "checkpoint/lora_file.h"
#include "checkpoint/tensors.h"
#include "test.h"

#define MODULE "base_model.model.model.language_model.layers.0.self_attn.q_proj"

/* ---- adapter_config.json ---- */

static pali_status parse(struct pali__lora_config *config, const char *text, pali_error **error)
{
    return pali__lora_config_parse(config, text, strlen(text), error);
}

static void refused_configs(void)
{
    static const struct {
        const char *text;
        pali_status status;
        const char *fragment;
    } cases[] = {
        { "{}", PALI_ERROR_FORMAT, "peft_type is missing" },
        { "[]", PALI_ERROR_FORMAT, "an object was expected" },
        { "{\"peft_type\":\"IA3\"}", PALI_ERROR_UNSUPPORTED, "\"IA3\"" },
        { "{\"peft_type\":\"LORA\"}", PALI_ERROR_FORMAT, "r should be" },
        { "{\"peft_type\":\"LORA\",\"r\":0}", PALI_ERROR_FORMAT, "r should be" },
        { "{\"peft_type\":\"LORA\",\"r\":1.5}", PALI_ERROR_FORMAT, "r should be" },
        { "{\"peft_type\":\"LORA\",\"r\":99999999999}", PALI_ERROR_FORMAT, "r should be" },
        { "{\"peft_type\":\"LORA\",\"r\":4}", PALI_ERROR_FORMAT, "lora_alpha should be" },
        { "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":\"8\"}", PALI_ERROR_FORMAT, "lora_alpha should be" },
        { "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8,\"bias\":\"all\"}", PALI_ERROR_UNSUPPORTED, "bias is" },
        { "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8,\"use_dora\":true}", PALI_ERROR_UNSUPPORTED, "use_dora" },
        { "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8,\"modules_to_save\":[\"lm_head\"]}",
          PALI_ERROR_UNSUPPORTED, "modules_to_save" },
        { "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8,\"fan_in_fan_out\":true}", PALI_ERROR_UNSUPPORTED,
          "fan_in_fan_out" },
        { "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8,\"init_lora_weights\":\"pissa\"}",
          PALI_ERROR_UNSUPPORTED, "init_lora_weights is \"pissa\"" },
        { "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8,\"use_rslora\":1}", PALI_ERROR_FORMAT, "use_rslora" },
        { "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8,\"rank_pattern\":[1]}", PALI_ERROR_FORMAT,
          "rank_pattern is an array" },
        { "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8,\"alpha_pattern\":{\".*q\":1}}", PALI_ERROR_UNSUPPORTED,
          "is a regular expression" },
        { "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8,\"rank_pattern\":{\"\":1}}", PALI_ERROR_UNSUPPORTED,
          "is a regular expression" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pali__lora_config config;
        pali_error *error = NULL;
        CHECK_FAILS(parse(&config, cases[i].text, &error), error, cases[i].status, cases[i].fragment);
        CHECK(config.root == NULL && config.path == NULL);
    }
}

static void patterns(void)
{
    static const char text[] =
        "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8,\"bias\":null,\"init_lora_weights\":\"gaussian\","
        "\"rank_pattern\":{\"layers.1.q_proj\":2,\"q_proj\":16,\"^a.v\":1,\"bad\":\"x\"},"
        "\"alpha_pattern\":{\"q_proj\":4,\"layers.1.q_proj\":100}}";
    static const struct {
        const char *module;
        int64_t rank;
        double scale;
    } cases[] = {
        { "model.layers.0.k_proj", 4, 2.0 },
        { "model.layers.0.q_proj", 16, 0.25 },
        { "q_proj", 16, 0.25 },
        { "model.layers.1.q_proj", 2, 2.0 }, /* the first key that matches counts, in either pattern */
        { "model.layers.11.q_proj", 16, 0.25 },
        { "model.seq_proj", 4, 2.0 },
        { "a.v", 1, 8.0 },
        { "b.a.v", 4, 2.0 },
        { "a_v", 1, 8.0 }, /* a dot stands for any character, as in PEFT */
        { "", 4, 2.0 },
    };
    struct pali__lora_config config;
    pali_error *error = NULL;
    int64_t rank = 0;
    double scale = 0.0;
    CHECK_OK(parse(&config, text, &error), error);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_OK(pali__lora_config_module(&config, cases[i].module, &rank, &scale, &error), error);
        CHECK_MSG(rank == cases[i].rank && scale == cases[i].scale, "%s: rank %d, scale %g", cases[i].module, (int)rank,
                  scale);
    }
    CHECK_FAILS(pali__lora_config_module(&config, "so.bad", &rank, &scale, &error), error, PALI_ERROR_FORMAT, "bad");
    pali__lora_config_clear(&config);

    CHECK_OK(parse(&config, "{\"peft_type\":\"LORA\",\"r\":16,\"lora_alpha\":8,\"use_rslora\":true}", &error), error);
    CHECK_OK(pali__lora_config_module(&config, "x", &rank, &scale, &error), error);
    CHECK(rank == 16 && scale == 2.0);
    pali__lora_config_clear(&config);
}

/* ---- adapter_model.safetensors ---- */

struct half {
    const char *name;
    int64_t rows, columns;
};

/* A safetensors file in a static buffer. */
static const unsigned char *weights(const struct half *halves, size_t count, size_t *size)
{
    static unsigned char file[8192];
    char header[4096] = "{";
    size_t used = 1, begin = 0;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = (size_t)(halves[i].rows * halves[i].columns) * 4;
        used += (size_t)snprintf(header + used, sizeof header - used,
                                 "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[%zu,%zu]}",
                                 i ? "," : "", halves[i].name, (int)halves[i].rows, (int)halves[i].columns, begin, begin + bytes);
        begin += bytes;
    }
    header[used++] = '}';
    memset(file, 0, sizeof file);
    for (int i = 0; i < 8; i++)
        file[i] = (unsigned char)(used >> (8 * i));
    memcpy(file + 8, header, used);
    *size = 8 + used + begin;
    return file;
}

static pali_status open_halves(struct pali__lora_file *file, const struct half *halves, size_t count,
                               pali_error **error)
{
    static const char config[] = "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":8}";
    size_t size = 0;
    const unsigned char *bytes = weights(halves, count, &size);
    return pali__lora_file_parse(file, config, sizeof config - 1, bytes, size, error);
}

static void pairs(void)
{
    static const struct half halves[] = {
        { "base_model.model.vision_tower.vision_model.encoder.layers.1.mlp.fc1.lora_B.weight", 5, 2 },
        { MODULE ".lora_A.default.weight", 2, 3 },
        { "base_model.model.vision_tower.vision_model.encoder.layers.1.mlp.fc1.lora_A.weight", 2, 4 },
        { MODULE ".lora_B.default.weight", 6, 2 },
        { "lm_head.lora_B.weight", 2, 2 },
        { "lm_head.base_layer.weight", 1, 1 },
        { "lm_head.lora_A.weight", 2, 1 },
    };
    struct pali__lora_file file;
    pali_error *error = NULL;
    CHECK_OK(open_halves(&file, halves, sizeof halves / sizeof halves[0], &error), error);
    CHECK(file.count == 3 && file.n_copies == 1);
    const struct pali__lora_pair *q = pali__lora_file_find(&file, "language_model.layers.0.self_attn.q_proj.weight");
    const struct pali__lora_pair *fc1 = pali__lora_file_find(&file, "vision_tower.encoder.layers.1.mlp.fc1.weight");
    CHECK(q && q->a->shape[1] == 3 && q->b->shape[0] == 6 && q->rank == 2 && q->scale == 4.0);
    CHECK(fc1 && fc1->a->shape[1] == 4 && fc1->b->shape[0] == 5);
    CHECK(pali__lora_file_find(&file, "lm_head.weight") && pali__lora_file_copy(&file, "lm_head.weight"));
    CHECK(!pali__lora_file_find(&file, "lm_head") && !pali__lora_file_copy(&file, "x"));
    pali__lora_file_close(&file);
}

static void refused_weights(void)
{
    static const struct {
        struct half halves[3];
        size_t count;
        pali_status status;
        const char *fragment;
    } cases[] = {
        { { { "", 0, 0 } }, 0, PALI_ERROR_FORMAT, "has no tensors" },
        { { { MODULE ".lora_A.weight", 2, 3 } }, 1, PALI_ERROR_FORMAT, "lacks its other half, lora_B" },
        { { { MODULE ".lora_B.weight", 6, 2 } }, 1, PALI_ERROR_FORMAT, "lacks its other half, lora_A" },
        { { { MODULE ".lora_A.weight", 2, 3 }, { MODULE ".lora_A.default.weight", 2, 3 } }, 2, PALI_ERROR_FORMAT,
          "the same half" },
        { { { MODULE ".lora_A.weight", 3, 3 }, { MODULE ".lora_B.weight", 6, 3 } }, 2, PALI_ERROR_SHAPE,
          "says rank 2" },
        { { { MODULE ".lora_A.weight", 2, 3 }, { MODULE ".lora_B.weight", 6, 3 } }, 2, PALI_ERROR_SHAPE,
          "says rank 2" },
        { { { MODULE ".lora_A.weight", 2, 0 }, { MODULE ".lora_B.weight", 6, 2 } }, 2, PALI_ERROR_UNSUPPORTED,
          "or an empty one" },
        { { { MODULE ".weight", 2, 3 } }, 1, PALI_ERROR_FORMAT, "is no half of a LoRA pair" },
        { { { ".lora_A.weight", 2, 3 } }, 1, PALI_ERROR_FORMAT, "is no half of a LoRA pair" },
        { { { "x.lora_embedding_A", 2, 3 } }, 1, PALI_ERROR_UNSUPPORTED, "an embedding" },
        { { { MODULE ".lora_magnitude_vector.weight", 2, 3 } }, 1, PALI_ERROR_UNSUPPORTED, "DoRA" },
        { { { MODULE ".lora_A.weight", 2, 3 }, { MODULE ".lora_B.weight", 6, 2 }, { "y.base_layer.weight", 1, 1 } }, 3,
          PALI_ERROR_FORMAT, "y.base_layer.weight" },
        { { { MODULE ".lora_A.weight", 2, 3 }, { MODULE ".lora_B.weight", 6, 2 },
            { "base_model.model.language_model.model.layers.0.self_attn.q_proj.lora_B.weight", 6, 2 } },
          3, PALI_ERROR_FORMAT, "lacks its other half" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pali__lora_file file;
        pali_error *error = NULL;
        CHECK_FAILS(open_halves(&file, cases[i].halves, cases[i].count, &error), error, cases[i].status,
                    cases[i].fragment);
        CHECK(file.pairs == NULL && file.path == NULL);
    }
}

int main(void)
{
    refused_configs();
    patterns();
    pairs();
    refused_weights();
    return test_report("test_lora_file");
}
