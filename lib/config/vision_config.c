/* SPDX-License-Identifier: BSD-2-Clause */
/* vision_config: the SigLIP tower. Defaults are those of SiglipVisionConfig (Transformers 5.23.0). */
#include <string.h>

#include "config/config_sections.h"

enum { MAX_IMAGE_SIZE = 8192, MAX_PATCHES = 1 << 16 };

static const struct pali__vision_config siglip_defaults = {
    .hidden_size = 768,
    .intermediate_size = 3072,
    .num_hidden_layers = 12,
    .num_attention_heads = 12,
    .image_size = 224,
    .patch_size = 16,
    .num_channels = 3,
    .layer_norm_eps = 1e-6,
};

/* What PaliGemmaConfig puts in when there is no vision_config at all. */
static const struct pali__vision_config paligemma_defaults = {
    .hidden_size = 1152,
    .intermediate_size = 4096,
    .num_hidden_layers = 27,
    .num_attention_heads = 16,
    .image_size = 224,
    .patch_size = 14,
    .num_channels = 3,
    .layer_norm_eps = 1e-6,
};

static pali_status read_sizes(struct pali__vision_config *out, const struct pali__section *section)
{
    TRY(pali__read_int(section, "hidden_size", NULL, 1, PALI__MAX_HIDDEN, &out->hidden_size));
    TRY(pali__read_int(section, "intermediate_size", NULL, 1, PALI__MAX_INTERMEDIATE, &out->intermediate_size));
    TRY(pali__read_int(section, "num_hidden_layers", NULL, 1, PALI__MAX_LAYERS, &out->num_hidden_layers));
    TRY(pali__read_int(section, "num_attention_heads", NULL, 1, PALI__MAX_HEADS, &out->num_attention_heads));
    TRY(pali__read_int(section, "image_size", NULL, 1, MAX_IMAGE_SIZE, &out->image_size));
    TRY(pali__read_int(section, "patch_size", NULL, 1, MAX_IMAGE_SIZE, &out->patch_size));
    TRY(pali__read_int(section, "num_channels", NULL, 1, 1024, &out->num_channels));
    TRY(pali__read_float(section, "layer_norm_eps", 1e-30, 1.0, &out->layer_norm_eps));
    return PALI_OK;
}

static pali_status check_sizes(struct pali__vision_config *out, const struct pali__section *section)
{
    if (out->hidden_size % out->num_attention_heads != 0)
        return pali__fail(section->error, PALI_ERROR_FORMAT,
                          "'%s': vision_config.hidden_size is %lld, a multiple of vision_config.num_attention_heads "
                          "(%lld) was expected",
                          section->path, (long long)out->hidden_size, (long long)out->num_attention_heads);
    if (out->image_size % out->patch_size != 0)
        return pali__fail(section->error, PALI_ERROR_FORMAT,
                          "'%s': vision_config.image_size is %lld, a multiple of vision_config.patch_size (%lld) was "
                          "expected",
                          section->path, (long long)out->image_size, (long long)out->patch_size);
    int64_t side = out->image_size / out->patch_size;
    out->num_patches = side * side;
    if (out->num_patches > MAX_PATCHES)
        return pali__fail(section->error, PALI_ERROR_FORMAT,
                          "'%s': vision_config.image_size %lld and vision_config.patch_size %lld make %lld patches, at "
                          "most %d were expected",
                          section->path, (long long)out->image_size, (long long)out->patch_size,
                          (long long)out->num_patches, MAX_PATCHES);
    if (out->num_channels != 3)
        return pali__fail(section->error, PALI_ERROR_UNSUPPORTED,
                          "'%s': vision_config.num_channels is %lld, 3 was expected", section->path,
                          (long long)out->num_channels);
    return PALI_OK;
}

/* Neither has an effect: there is no dropout outside training, and the projector is linear. */
static pali_status note_others(const struct pali__section *section)
{
    double dropout = 0.0;
    const char *activation = NULL;
    TRY(pali__read_float(section, "attention_dropout", 0.0, 1.0, &dropout));
    return pali__read_string(section, "projector_hidden_act", NULL, &activation);
}

static pali_status read_kind(const struct pali__section *section)
{
    const char *model_type = "siglip_vision_model", *activation = "gelu_pytorch_tanh";
    TRY(pali__read_string(section, "model_type", NULL, &model_type));
    if (strcmp(model_type, "siglip_vision_model") != 0)
        return pali__fail(section->error, PALI_ERROR_UNSUPPORTED,
                          "'%s': vision_config.model_type is \"%.100s\", \"siglip_vision_model\" was expected",
                          section->path, model_type);

    TRY(pali__read_string(section, "hidden_act", NULL, &activation));
    static const char *const tanh_names[] = { "gelu_pytorch_tanh", "gelu_new", "gelu_fast", "gelu_accurate" };
    bool is_known = false;
    for (int i = 0; i < 4; i++)
        is_known = is_known || strcmp(activation, tanh_names[i]) == 0;
    if (!is_known)
        return pali__fail(section->error, PALI_ERROR_UNSUPPORTED,
                          "'%s': vision_config.hidden_act is \"%.100s\", \"gelu_pytorch_tanh\" was expected",
                          section->path, activation);

    /* PaliGemma takes the last hidden state; a pooling head would only bring tensors that nothing uses. */
    bool has_head = false;
    TRY(pali__read_bool(section, "vision_use_head", &has_head));
    if (has_head)
        return pali__fail(section->error, PALI_ERROR_UNSUPPORTED,
                          "'%s': vision_config.vision_use_head is true, a tower without pooling head was expected",
                          section->path);
    return PALI_OK;
}

pali_status pali__vision_config_read(struct pali__vision_config *out, const struct pali__section *section)
{
    *out = section->object ? siglip_defaults : paligemma_defaults;
    TRY(read_kind(section));
    TRY(read_sizes(out, section));
    TRY(check_sizes(out, section));
    return note_others(section);
}
