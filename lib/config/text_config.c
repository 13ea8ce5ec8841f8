/* SPDX-License-Identifier: BSD-2-Clause */
/* text_config: Gemma or Gemma 2. Defaults are those of GemmaConfig and Gemma2Config (Transformers 5.23.0). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "config/config_sections.h"

static const struct pali__text_config gemma_defaults = {
    .family = PALI__GEMMA,
    .hidden_size = 3072,
    .intermediate_size = 24576,
    .num_hidden_layers = 28,
    .num_attention_heads = 16,
    .num_key_value_heads = 16,
    .head_dim = 256,
    .vocab_size = 256000,
    .max_position_embeddings = 8192,
    .rms_norm_eps = 1e-6,
    .rope_theta = 10000.0,
};

static const struct pali__text_config gemma2_defaults = {
    .family = PALI__GEMMA2,
    .hidden_size = 2304,
    .intermediate_size = 9216,
    .num_hidden_layers = 26,
    .num_attention_heads = 8,
    .num_key_value_heads = 4,
    .head_dim = 256,
    .vocab_size = 256000,
    .max_position_embeddings = 8192,
    .rms_norm_eps = 1e-6,
    .rope_theta = 10000.0,
    .query_pre_attn_scalar = 256.0,
    .attn_logit_softcapping = 50.0,
    .final_logit_softcapping = 30.0,
    .sliding_window = 4096,
};

/* What PaliGemmaConfig puts in when there is no text_config at all. */
static const struct pali__text_config paligemma_defaults = {
    .family = PALI__GEMMA,
    .hidden_size = 2048,
    .intermediate_size = 16384,
    .num_hidden_layers = 18,
    .num_attention_heads = 8,
    .num_key_value_heads = 1,
    .head_dim = 256,
    .vocab_size = 257152,
    .max_position_embeddings = 8192,
    .rms_norm_eps = 1e-6,
    .rope_theta = 10000.0,
};

static pali_status read_family(struct pali__text_config *out, const struct pali__section *section)
{
    const char *model_type = "gemma";
    TRY(pali__read_string(section, "model_type", NULL, &model_type));
    if (strcmp(model_type, "gemma") == 0)
        *out = section->object ? gemma_defaults : paligemma_defaults;
    else if (strcmp(model_type, "gemma2") == 0)
        *out = gemma2_defaults;
    else
        return pali__fail(section->error, PALI_ERROR_UNSUPPORTED,
                          "'%s': text_config.model_type is \"%.100s\", \"gemma\" or \"gemma2\" was expected",
                          section->path, model_type);
    return PALI_OK;
}

static pali_status read_sizes(struct pali__text_config *out, const struct pali__section *section)
{
    TRY(pali__read_int(section, "hidden_size", NULL, 1, PALI__MAX_HIDDEN, &out->hidden_size));
    TRY(pali__read_int(section, "intermediate_size", NULL, 1, PALI__MAX_INTERMEDIATE, &out->intermediate_size));
    TRY(pali__read_int(section, "num_hidden_layers", NULL, 1, PALI__MAX_LAYERS, &out->num_hidden_layers));
    TRY(pali__read_int(section, "num_attention_heads", NULL, 1, PALI__MAX_HEADS, &out->num_attention_heads));
    TRY(pali__read_int(section, "num_key_value_heads", NULL, 1, PALI__MAX_HEADS, &out->num_key_value_heads));
    TRY(pali__read_int(section, "head_dim", NULL, 2, 4096, &out->head_dim));
    TRY(pali__read_int(section, "vocab_size", NULL, 1, PALI__MAX_VOCABULARY, &out->vocab_size));
    TRY(pali__read_int(section, "max_position_embeddings", NULL, 1, PALI__MAX_LENGTH, &out->max_position_embeddings));
    TRY(pali__read_float(section, "rms_norm_eps", 1e-30, 1.0, &out->rms_norm_eps));
    if (out->num_attention_heads % out->num_key_value_heads != 0)
        return pali__fail(section->error, PALI_ERROR_FORMAT,
                          "'%s': text_config.num_attention_heads is %lld, a multiple of "
                          "text_config.num_key_value_heads (%lld) was expected",
                          section->path, (long long)out->num_attention_heads, (long long)out->num_key_value_heads);
    if (out->head_dim % 2 != 0)
        return pali__fail(section->error, PALI_ERROR_FORMAT,
                          "'%s': text_config.head_dim is %lld, an even number was expected (rotary embedding pairs)",
                          section->path, (long long)out->head_dim);
    return PALI_OK;
}

/*
 * Every value must mean the tanh approximation, the only one built in. Gemma 1 files say "gelu" and mean it
 * (Transformers PR 29402); Gemma 2 reads hidden_activation only, and there "gelu" would be the exact one.
 */
static pali_status read_activation(const struct pali__text_config *config, const struct pali__section *section)
{
    static const char *const tanh_names[] = { "gelu_pytorch_tanh", "gelu_new", "gelu_fast", "gelu_accurate", "gelu" };
    const bool is_gemma = config->family == PALI__GEMMA;
    const char *const fields[] = { "hidden_activation", "hidden_act" };
    for (int i = 0; i < (is_gemma ? 2 : 1); i++) {
        const char *activation = "gelu_pytorch_tanh";
        TRY(pali__read_string(section, fields[i], NULL, &activation));
        bool is_known = false;
        for (int j = 0; j < (is_gemma ? 5 : 4); j++)
            is_known = is_known || strcmp(activation, tanh_names[j]) == 0;
        if (!is_known)
            return pali__fail(section->error, PALI_ERROR_UNSUPPORTED,
                              "'%s': text_config.%s is \"%.100s\", \"gelu_pytorch_tanh\" was expected", section->path,
                              fields[i], activation);
    }
    return PALI_OK;
}

/* `object` is rope_scaling (4.x) or rope_parameters (5.x): either must describe plain rotary embedding. */
static pali_status check_rope(const struct pali__section *section, const char *name, struct json_object *object)
{
    if (pali__json_kind(object) != PALI__JSON_OBJECT)
        return pali__fail(section->error, PALI_ERROR_FORMAT, "'%s': text_config.%s is %s, an object was expected",
                          section->path, name, pali__json_kind_name(pali__json_kind(object)));
    struct json_object *type = pali__json_get(object, "rope_type");
    if (!type)
        type = pali__json_get(object, "type");
    const char *text = type ? pali__json_string(type) : "default";
    double rotated = 1.0;
    struct json_object *partial = pali__json_get(object, "partial_rotary_factor");
    if (!text || strcmp(text, "default") != 0 || (partial && !pali__json_float(partial, &rotated)) || rotated != 1.0)
        return pali__fail(section->error, PALI_ERROR_UNSUPPORTED,
                          "'%s': text_config.%s asks for rotary embedding of type \"%.100s\", only \"default\" over "
                          "the whole head is supported",
                          section->path, name, text ? text : "?");
    return PALI_OK;
}

static pali_status read_rope(struct pali__text_config *out, const struct pali__section *section)
{
    struct json_object *scaling = pali__section_get(section, "rope_scaling");
    struct json_object *parameters = pali__section_get(section, "rope_parameters");
    struct pali__section source = *section;
    if (scaling)
        TRY(check_rope(section, "rope_scaling", scaling));
    if (parameters) {
        TRY(check_rope(section, "rope_parameters", parameters));
        if (pali__json_get(parameters, "rope_theta"))
            source.object = parameters;
    }
    return pali__read_float(&source, "rope_theta", 1.0, 1e12, &out->rope_theta);
}

/* Without layer_types, even layers of Gemma 2 see the window only. */
static pali_status read_layer_types(struct pali__text_config *out, const struct pali__section *section)
{
    struct json_object *types = pali__section_get(section, "layer_types");
    if (types && (pali__json_kind(types) != PALI__JSON_ARRAY ||
                  pali__json_count(types) != (size_t)out->num_hidden_layers))
        return pali__fail(section->error, PALI_ERROR_FORMAT,
                          "'%s': text_config.layer_types has %zu entries, num_hidden_layers (%lld) were expected",
                          section->path, pali__json_count(types), (long long)out->num_hidden_layers);
    for (int64_t i = 0; i < out->num_hidden_layers; i++) {
        const char *type = i % 2 == 0 ? "sliding_attention" : "full_attention";
        if (types)
            type = pali__json_string(pali__json_at(types, (size_t)i));
        if (!type || (strcmp(type, "sliding_attention") != 0 && strcmp(type, "full_attention") != 0))
            return pali__fail(section->error, PALI_ERROR_UNSUPPORTED,
                              "'%s': text_config.layer_types[%lld] is %.100s, \"sliding_attention\" or "
                              "\"full_attention\" was expected",
                              section->path, (long long)i, type ? type : "no string");
        out->layer_slides[i] = out->sliding_window > 0 && type[0] == 's';
        char name[40];
        snprintf(name, sizeof name, "layer_types.%lld", (long long)i);
        TRY(pali__note_string(section, name, type));
    }
    return PALI_OK;
}

/* Gemma has none of these: its files may carry them (Transformers ignores unknown members), and they mean nothing. */
static pali_status read_gemma2(struct pali__text_config *out, const struct pali__section *section)
{
    if (out->family == PALI__GEMMA) {
        out->query_pre_attn_scalar = (double)out->head_dim;
        return PALI_OK;
    }
    TRY(pali__read_float(section, "query_pre_attn_scalar", 1e-6, 1e9, &out->query_pre_attn_scalar));
    TRY(pali__read_float_or_none(section, "attn_logit_softcapping", 0.0, 1e9, &out->attn_logit_softcapping));
    TRY(pali__read_float_or_none(section, "final_logit_softcapping", 0.0, 1e9, &out->final_logit_softcapping));
    TRY(pali__read_int_or_none(section, "sliding_window", 0, PALI__MAX_LENGTH, &out->sliding_window));
    return read_layer_types(out, section);
}

/* What nothing here depends on: dropout and initialisation are for training, and the special ids are those of the top
 * level (PaliGemma 2 files inherited eos_token_id [1, 107] from gemma-2-it, and 107 must not end an answer). */
static pali_status note_others(const struct pali__section *section)
{
    double dropout = 0.0, initializer_range = 0.02;
    bool use_cache = true;
    int64_t eos[PALI__MAX_EOS] = { 1 }, bos = 2, pad = 0;
    int n_eos = 1;
    TRY(pali__read_float(section, "attention_dropout", 0.0, 1.0, &dropout));
    TRY(pali__read_float(section, "initializer_range", 0.0, 1e6, &initializer_range));
    TRY(pali__read_bool(section, "use_cache", &use_cache));
    TRY(pali__read_int(section, "bos_token_id", NULL, -1, PALI__MAX_VOCABULARY - 1, &bos));
    TRY(pali__read_int(section, "pad_token_id", NULL, -1, PALI__MAX_VOCABULARY - 1, &pad));
    return pali__read_ids(section, "eos_token_id", eos, PALI__MAX_EOS, &n_eos);
}

static pali_status read_switches(const struct pali__section *section)
{
    bool bias = false, bidirectional = true;
    TRY(pali__read_bool(section, "attention_bias", &bias));
    if (bias)
        return pali__fail(section->error, PALI_ERROR_UNSUPPORTED,
                          "'%s': text_config.attention_bias is true, attention without bias was expected",
                          section->path);
    return pali__read_bool(section, "use_bidirectional_attention", &bidirectional);
}

pali_status pali__text_config_read(struct pali__text_config *out, const struct pali__section *section)
{
    TRY(read_family(out, section));
    TRY(read_sizes(out, section));
    TRY(read_activation(out, section));
    TRY(read_rope(out, section));
    TRY(read_gemma2(out, section));
    TRY(read_switches(section));
    return note_others(section);
}
