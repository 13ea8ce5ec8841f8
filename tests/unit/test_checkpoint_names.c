/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/checkpoint/names.c: the published name styles (PARITY §1.5). */
#include "checkpoint/tensors.h"
#include "test.h"

/* Styles A, B, C, D in the order of the table. */
static const struct {
    const char *canonical;
    const char *styles[4];
} names[] = {
    { "language_model.embed_tokens.weight",
      { "language_model.model.embed_tokens.weight", "model.language_model.embed_tokens.weight",
        "language_model.model.embed_tokens.weight", "model.language_model.embed_tokens.weight" } },
    { "language_model.layers.17.self_attn.q_proj.weight",
      { "language_model.model.layers.17.self_attn.q_proj.weight",
        "model.language_model.layers.17.self_attn.q_proj.weight",
        "language_model.model.layers.17.self_attn.q_proj.weight",
        "model.language_model.layers.17.self_attn.q_proj.weight" } },
    { "language_model.layers.3.mlp.down_proj.weight_packed",
      { "language_model.model.layers.3.mlp.down_proj.weight_packed",
        "model.language_model.layers.3.mlp.down_proj.weight_packed",
        "language_model.model.layers.3.mlp.down_proj.weight_packed",
        "model.language_model.layers.3.mlp.down_proj.weight_packed" } },
    { "language_model.norm.weight",
      { "language_model.model.norm.weight", "model.language_model.norm.weight", "language_model.model.norm.weight",
        "model.language_model.norm.weight" } },
    { "vision_tower.embeddings.patch_embedding.weight",
      { "vision_tower.vision_model.embeddings.patch_embedding.weight",
        "model.vision_tower.vision_model.embeddings.patch_embedding.weight",
        "vision_tower.embeddings.patch_embedding.weight", "model.vision_tower.embeddings.patch_embedding.weight" } },
    { "vision_tower.encoder.layers.0.mlp.fc1.bias",
      { "vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias",
        "model.vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias", "vision_tower.encoder.layers.0.mlp.fc1.bias",
        "model.vision_tower.encoder.layers.0.mlp.fc1.bias" } },
    { "multi_modal_projector.linear.bias",
      { "multi_modal_projector.linear.bias", "model.multi_modal_projector.linear.bias",
        "multi_modal_projector.linear.bias", "model.multi_modal_projector.linear.bias" } },
    { "vision_tower.encoder.layers.0.mlp.fc1.weight_scale",
      { "vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight_scale",
        "model.vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight_scale",
        "vision_tower.encoder.layers.0.mlp.fc1.weight_scale",
        "model.vision_tower.encoder.layers.0.mlp.fc1.weight_scale" } },
    { "lm_head.weight_zero_point",
      { "language_model.lm_head.weight_zero_point", "lm_head.weight_zero_point", "lm_head.weight_zero_point",
        "lm_head.weight_zero_point" } },
    { "lm_head.weight", { "language_model.lm_head.weight", "lm_head.weight", "lm_head.weight", "lm_head.weight" } },
};

static void check_name(const char *file_name, const char *canonical)
{
    char out[256];
    CHECK(pali__canonical_name(out, sizeof out, file_name));
    CHECK_MSG(strcmp(out, canonical) == 0, "%s became %s, not %s", file_name, out, canonical);
}

static void test_styles(void)
{
    static const char *const wrappers[] = { "", "base_model.model.", "model.", "vlm.", "base_model.model.model.",
                                            "paligemma_with_expert.paligemma." };
    char wrapped[256];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        check_name(names[i].canonical, names[i].canonical);
        for (int style = 0; style < 4; style++) {
            for (size_t j = 0; j < sizeof wrappers / sizeof wrappers[0]; j++) {
                snprintf(wrapped, sizeof wrapped, "%s%s", wrappers[j], names[i].styles[style]);
                check_name(wrapped, names[i].canonical);
            }
        }
    }
}

/* The reverse; enum pali_name_style has them in the order A, C, B, D. */
static void test_styled(void)
{
    static const int columns[] = { 0, 2, 1, 3 };
    char out[256];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (int style = PALI_NAMES_TRANSFORMERS_4; style <= PALI_NAMES_MODULES_5; style++) {
            const char *expected = names[i].styles[columns[style - 1]];
            CHECK(pali__styled_name(out, sizeof out, names[i].canonical, (pali_name_style)style));
            CHECK_MSG(strcmp(out, expected) == 0, "%s became %s, not %s", names[i].canonical, out, expected);
            CHECK(!pali__styled_name(out, strlen(expected), names[i].canonical, (pali_name_style)style));
        }
    }
    CHECK(pali__styled_name(out, sizeof out, "custom.weight", PALI_NAMES_MODULES_4) && !strcmp(out, "custom.weight"));
}

static void test_others(void)
{
    /* A buffer of old files keeps a name by which the caller knows it. */
    check_name("vision_tower.vision_model.embeddings.position_ids", "vision_tower.embeddings.position_ids");
    /* No known style: as it is. */
    check_name("model.embed_tokens.weight", "model.embed_tokens.weight");
    check_name("base_model.model.other", "base_model.model.other");
    check_name("custom_text_proj.weight", "embedding_proj_layer.weight");
    check_name("model.custom_text_proj.bias", "embedding_proj_layer.bias");
    check_name("vlm.embedding_proj_layer.bias", "embedding_proj_layer.bias");
    check_name("other_proj.weight", "other_proj.weight");
    check_name("language_modeling.x", "language_modeling.x");
    check_name("", "");
}

static void test_room(void)
{
    char out[16] = "untouched";
    CHECK(!pali__canonical_name(out, 0, "lm_head.weight"));
    CHECK(!pali__canonical_name(out, 14, "lm_head.weight"));
    CHECK(strcmp(out, "untouched") == 0);
    CHECK(pali__canonical_name(out, 15, "model.lm_head.weight"));
    CHECK(strcmp(out, "lm_head.weight") == 0);
}

int main(void)
{
    test_styles();
    test_styled();
    test_others();
    test_room();
    return test_report("checkpoint_names");
}
