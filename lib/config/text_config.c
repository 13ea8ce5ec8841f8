/* SPDX-License-Identifier: BSD-2-Clause */
/* text_config: Gemma, Gemma 2, Llama or Mistral. Defaults are those of the classes of Transformers 5.23.0. */
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
    .rope = { .theta = 10000.0 },
    .norm_offset = 1.0f,
    .scales_embedding = true,
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
    .rope = { .theta = 10000.0 },
    .norm_offset = 1.0f,
    .scales_embedding = true,
    .norms_outputs = true,
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
    .rope = { .theta = 10000.0 },
    .norm_offset = 1.0f,
    .scales_embedding = true,
};

/* head_dim 0: hidden_size / num_attention_heads; num_key_value_heads 0: as many as there are heads. */
static const struct pali__text_config llama_defaults = {
    .family = PALI__LLAMA,
    .hidden_size = 4096,
    .intermediate_size = 11008,
    .num_hidden_layers = 32,
    .num_attention_heads = 32,
    .vocab_size = 32000,
    .max_position_embeddings = 2048,
    .rms_norm_eps = 1e-6,
    .rope = { .theta = 10000.0 },
    .activation = PALI__SILU,
};

static const struct pali__text_config mistral_defaults = {
    .family = PALI__MISTRAL,
    .hidden_size = 4096,
    .intermediate_size = 14336,
    .num_hidden_layers = 32,
    .num_attention_heads = 32,
    .num_key_value_heads = 8,
    .vocab_size = 32000,
    .max_position_embeddings = 131072,
    .rms_norm_eps = 1e-6,
    .rope = { .theta = 10000.0 },
    .activation = PALI__SILU,
    .sliding_window = 4096,
};

static bool is_gemma(const struct pali__text_config *config)
{
    return config->family == PALI__GEMMA || config->family == PALI__GEMMA2;
}

static pali_status read_family(struct pali__text_config *out, const struct pali__section *section)
{
    const char *model_type = "gemma";
    TRY(pali__read_string(section, "model_type", NULL, &model_type));
    if (strcmp(model_type, "gemma") == 0)
        *out = section->object ? gemma_defaults : paligemma_defaults;
    else if (strcmp(model_type, "gemma2") == 0)
        *out = gemma2_defaults;
    else if (strcmp(model_type, "llama") == 0)
        *out = llama_defaults;
    else if (strcmp(model_type, "mistral") == 0)
        *out = mistral_defaults;
    else
        return pali__fail(section->error, PALI_ERROR_UNSUPPORTED,
                          "'%s': text_config.model_type is \"%.100s\", \"gemma\", \"gemma2\", \"llama\" or "
                          "\"mistral\" was expected",
                          section->path, model_type);
    return PALI_OK;
}

static pali_status read_sizes(struct pali__text_config *out, const struct pali__section *section)
{
    TRY(pali__read_int(section, "hidden_size", NULL, 1, PALI__MAX_HIDDEN, &out->hidden_size));
    TRY(pali__read_int(section, "intermediate_size", NULL, 1, PALI__MAX_INTERMEDIATE, &out->intermediate_size));
    TRY(pali__read_int(section, "num_hidden_layers", NULL, 1, PALI__MAX_LAYERS, &out->num_hidden_layers));
    TRY(pali__read_int(section, "num_attention_heads", NULL, 1, PALI__MAX_HEADS, &out->num_attention_heads));
    if (!is_gemma(out) && (!out->num_key_value_heads || (pali__json_has(section->object, "num_key_value_heads") &&
                                                         !pali__section_get(section, "num_key_value_heads"))))
        out->num_key_value_heads = out->num_attention_heads;
    TRY(pali__read_int(section, "num_key_value_heads", NULL, 1, PALI__MAX_HEADS, &out->num_key_value_heads));
    if (!is_gemma(out))
        out->head_dim = out->hidden_size / out->num_attention_heads;
    TRY(pali__read_int(section, "head_dim", NULL, 2, 4096, &out->head_dim));
    TRY(pali__read_int(section, "vocab_size", NULL, 1, PALI__MAX_VOCABULARY, &out->vocab_size));
    TRY(pali__read_int(section, "max_position_embeddings", NULL, 1, PALI__MAX_LENGTH, &out->max_position_embeddings));
    TRY(pali__read_float(section, "rms_norm_eps", 1e-30, 1.0, &out->rms_norm_eps));
    if (out->num_attention_heads % out->num_key_value_heads != 0)
        return pali__fail(section->error, PALI_ERROR_FORMAT,
                          "'%s': text_config.num_attention_heads is %lld, a multiple of "
                          "text_config.num_key_value_heads (%lld) was expected",
                          section->path, (long long)out->num_attention_heads, (long long)out->num_key_value_heads);
    if (out->head_dim < 2 || out->head_dim > 4096 || out->head_dim % 2 != 0)
        return pali__fail(section->error, PALI_ERROR_FORMAT,
                          "'%s': text_config.head_dim is %lld, an even number from 2 to 4096 was expected (rotary embedding pairs)",
                          section->path, (long long)out->head_dim);
    return PALI_OK;
}

static bool is_one_of(const char *name, const char *const *names, int count)
{
    bool found = false;
    for (int i = 0; i < count; i++)
        found = found || strcmp(name, names[i]) == 0;
    return found;
}

/*
 * Gemma's value must mean the tanh approximation. Gemma 1 files say "gelu" and mean it (Transformers PR 29402); Gemma 2
 * reads hidden_activation only, and there "gelu" would be the exact one, which is not built in. Llama and Mistral read
 * hidden_act.
 */
static const char *const tanh_names[] = { "gelu_pytorch_tanh", "gelu_new", "gelu_fast", "gelu_accurate", "gelu" };

static pali_status read_gemma_activation(const struct pali__text_config *config, const struct pali__section *section)
{
    const bool is_first = config->family == PALI__GEMMA;
    const char *const fields[] = { "hidden_activation", "hidden_act" };
    for (int i = 0; i < (is_first ? 2 : 1); i++) {
        const char *activation = "gelu_pytorch_tanh";
        TRY(pali__read_string(section, fields[i], NULL, &activation));
        if (!is_one_of(activation, tanh_names, is_first ? 5 : 4))
            return pali__fail(section->error, PALI_ERROR_UNSUPPORTED,
                              "'%s': text_config.%s is \"%.100s\", \"gelu_pytorch_tanh\" was expected", section->path,
                              fields[i], activation);
    }
    return PALI_OK;
}

static pali_status read_activation(struct pali__text_config *config, const struct pali__section *section)
{
    static const char *const silu_names[] = { "silu", "swish" };
    const char *activation = "silu";
    if (is_gemma(config))
        return read_gemma_activation(config, section);
    TRY(pali__read_string(section, "hidden_act", NULL, &activation));
    if (is_one_of(activation, tanh_names, 4))
        config->activation = PALI__GELU_TANH;
    else if (!is_one_of(activation, silu_names, 2))
        return pali__fail(section->error, PALI_ERROR_UNSUPPORTED,
                          "'%s': text_config.hidden_act is \"%.100s\", \"silu\" was expected", section->path,
                          activation);
    return PALI_OK;
}

static pali_status read_rope(struct pali__text_config *out, const struct pali__section *section)
{
    out->rope.original_length = (double)out->max_position_embeddings;
    return pali__rope_config_read(&out->rope, section);
}

/* Without layer_types, even layers of Gemma 2 see the window only, and all of Mistral. */
static pali_status read_layer_types(struct pali__text_config *out, const struct pali__section *section)
{
    struct json_object *types = pali__section_get(section, "layer_types");
    if (types && (pali__json_kind(types) != PALI__JSON_ARRAY ||
                  pali__json_count(types) != (size_t)out->num_hidden_layers))
        return pali__fail(section->error, PALI_ERROR_FORMAT,
                          "'%s': text_config.layer_types has %zu entries, num_hidden_layers (%lld) were expected",
                          section->path, pali__json_count(types), (long long)out->num_hidden_layers);
    for (int64_t i = 0; i < out->num_hidden_layers; i++) {
        const bool slides = out->family == PALI__MISTRAL || i % 2 == 0;
        const char *type = slides ? "sliding_attention" : "full_attention";
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

/* Gemma and Llama have none of these, Mistral only the window: their files may carry them (Transformers ignores unknown
 * members), and they mean nothing. */
static pali_status read_attention(struct pali__text_config *out, const struct pali__section *section)
{
    if (out->family != PALI__GEMMA2)
        out->query_pre_attn_scalar = (double)out->head_dim;
    if (out->family == PALI__MISTRAL) {
        TRY(pali__read_int_or_none(section, "sliding_window", 0, PALI__MAX_LENGTH, &out->sliding_window));
        return read_layer_types(out, section);
    }
    if (out->family != PALI__GEMMA2)
        return PALI_OK;
    TRY(pali__read_float(section, "query_pre_attn_scalar", 1e-6, 1e9, &out->query_pre_attn_scalar));
    TRY(pali__read_float_or_none(section, "attn_logit_softcapping", 0.0, 1e9, &out->attn_logit_softcapping));
    TRY(pali__read_float_or_none(section, "final_logit_softcapping", 0.0, 1e9, &out->final_logit_softcapping));
    TRY(pali__read_int_or_none(section, "sliding_window", 0, PALI__MAX_LENGTH, &out->sliding_window));
    return read_layer_types(out, section);
}

/* Dropout and initialisation are for training. The special ids of the top level go before these here (PaliGemma 2 files
 * inherited eos_token_id [1, 107] from gemma-2-it, and 107 must not end an answer). */
static pali_status read_others(struct pali__text_config *out, const struct pali__section *section)
{
    double dropout = 0.0, initializer_range = 0.02;
    bool use_cache = true;
    int64_t pad = is_gemma(out) ? 0 : PALI__UNSET;
    out->eos_token_id[0] = is_gemma(out) ? 1 : 2;
    out->n_eos = 1;
    out->bos_token_id = is_gemma(out) ? 2 : 1;
    TRY(pali__read_float(section, "attention_dropout", 0.0, 1.0, &dropout));
    TRY(pali__read_float(section, "initializer_range", 0.0, 1e6, &initializer_range));
    TRY(pali__read_bool(section, "use_cache", &use_cache));
    TRY(pali__read_int(section, "bos_token_id", NULL, -1, PALI__MAX_VOCABULARY - 1, &out->bos_token_id));
    TRY(pali__read_int(section, "pad_token_id", NULL, -1, PALI__MAX_VOCABULARY - 1, &pad));
    return pali__read_ids(section, "eos_token_id", out->eos_token_id, PALI__MAX_EOS, &out->n_eos);
}

static pali_status read_switches(const struct pali__text_config *config, const struct pali__section *section)
{
    static const char *const biases[] = { "attention_bias", "mlp_bias" };
    bool bidirectional = true;
    for (int i = 0; i < (config->family == PALI__LLAMA ? 2 : 1); i++) {
        bool bias = false;
        TRY(pali__read_bool(section, biases[i], &bias));
        if (bias)
            return pali__fail(section->error, PALI_ERROR_UNSUPPORTED,
                              "'%s': text_config.%s is true, layers without bias were expected", section->path,
                              biases[i]);
    }
    return pali__read_bool(section, "use_bidirectional_attention", &bidirectional);
}

pali_status pali__text_config_read(struct pali__text_config *out, const struct pali__section *section)
{
    TRY(read_family(out, section));
    TRY(read_sizes(out, section));
    TRY(read_activation(out, section));
    TRY(read_rope(out, section));
    TRY(read_attention(out, section));
    TRY(read_switches(out, section));
    return read_others(out, section);
}
