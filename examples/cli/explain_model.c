/* SPDX-License-Identifier: BSD-2-Clause */
/* explain: who sees whom, the numbers that the network is scaled by, and how an answer would be made. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "explain.h"

int64_t explain_integer(const struct explanation *e, const char *name, int64_t otherwise)
{
    pali_config_get_int(e->config, name, &otherwise, NULL);
    return otherwise;
}

double explain_number(const struct explanation *e, const char *name, double otherwise)
{
    pali_config_get_float(e->config, name, &otherwise, NULL);
    return otherwise;
}

/* As pali_model_load decides: bfloat16 where the embedding (or a lone head) is. */
pali_dtype explain_dtype(const struct explanation *e)
{
    pali_dtype found = PALI_FLOAT32;
    if (e->dtype)
        return e->dtype;
    for (size_t i = 0; i < pali_checkpoint_count(e->checkpoint); i++) {
        const char *name = pali_checkpoint_name(e->checkpoint, i);
        pali_tensor tensor;
        if ((strstr(name, "embed_tokens.weight") || strstr(name, "lm_head.weight")) &&
            pali_checkpoint_tensor(e->checkpoint, i, &tensor, NULL) == PALI_OK && tensor.dtype == PALI_BFLOAT16)
            found = PALI_BFLOAT16;
    }
    return found;
}

/* ---- the mask ---- */

static int64_t count_seen(const pali_tensor *sees, int64_t query)
{
    const uint8_t *row = (const uint8_t *)sees->data + query * sees->shape[2];
    int64_t n = 0;
    for (int64_t key = 0; key < sees->shape[2]; key++)
        n += row[key];
    return n;
}

void explain_mask(struct explanation *e)
{
    int64_t length, n_real = 0, n_prefix = 0, n_layers = 0, n_sliding = 0, window = 0, sliding = 0, full = -1;
    const int64_t *types = explain_ids(e, "token_type_ids", &length);
    const int64_t *real = explain_ids(e, "attention_mask", &length);

    for (int64_t i = 0; i < length; i++) {
        n_real += real[i] != 0;
        n_prefix += real[i] && types[i] == 0;
    }
    for (; pali_mask_layer(e->mask, n_layers); n_layers++) {
        int64_t one = pali_mask_window(e->mask, n_layers);
        n_sliding += one > 0;
        window = one ? one : window;
        sliding = one ? n_layers : sliding;
        full = one ? full : n_layers;
    }
    outline_open(&e->outline, "mask");
    outline_integer(&e->outline, "tokens", n_real);
    outline_integer(&e->outline, "prefix", n_prefix);
    outline_integer(&e->outline, "suffix", n_real - n_prefix);
    outline_integer(&e->outline, "padding", length - n_real);
    outline_text(&e->outline, "rule", "the prefix sees all of itself, the suffix what is before it");
    outline_integer(&e->outline, "layers", n_layers);
    outline_integer(&e->outline, "layers_with_window", n_sliding);
    outline_integer(&e->outline, "window", window);
    outline_flag(&e->outline, "longer_than_window", window && n_real > window);
    if (full >= 0)
        outline_integer(&e->outline, "last_token_sees", count_seen(pali_mask_layer(e->mask, full), length - 1));
    if (n_sliding)
        outline_integer(&e->outline, "last_token_sees_in_window",
                        count_seen(pali_mask_layer(e->mask, sliding), length - 1));
    outline_close(&e->outline);
}

/* ---- scales and types ---- */

/* What Transformers multiplies embeddings with in a bfloat16 model: rounded to 8 bits of mantissa, ties to even. */
static double round_to_bfloat16(double value)
{
    int exponent;
    double mantissa = frexp(value, &exponent);
    return ldexp(nearbyint(mantissa * 256.0) / 256.0, exponent);
}

static void explain_file_types(struct explanation *e)
{
    int64_t n[16] = { 0 };
    char name[48];
    for (size_t i = 0; i < pali_checkpoint_count(e->checkpoint); i++) {
        pali_tensor tensor;
        if (pali_checkpoint_tensor(e->checkpoint, i, &tensor, NULL) == PALI_OK && (unsigned)tensor.dtype < 16u)
            n[tensor.dtype]++;
    }
    for (int i = 0; i < 16; i++)
        if (n[i]) {
            snprintf(name, sizeof name, "%s_tensors", pali_dtype_name((pali_dtype)i));
            outline_integer(&e->outline, name, n[i]);
        }
}

void explain_numbers(struct explanation *e)
{
    const char *family = "gemma";
    int64_t hidden = explain_integer(e, "text_config.hidden_size", 1);
    pali_config_get_string(e->config, "text_config.model_type", &family, NULL);
    double head_dim = (double)explain_integer(e, "text_config.head_dim", 256);
    double scalar = explain_number(e, "text_config.query_pre_attn_scalar", head_dim);
    double scale = strncmp(family, "gemma", 5) == 0 ? sqrt((double)hidden) : 1.0;
    pali_dtype dtype = explain_dtype(e);

    outline_open(&e->outline, "numbers");
    outline_text(&e->outline, "decoder", "%s", family);
    outline_number(&e->outline, "embedding_scale", (double)(float)scale);
    if (dtype == PALI_BFLOAT16)
        outline_number(&e->outline, "embedding_scale_bfloat16", round_to_bfloat16(scale));
    outline_number(&e->outline, "image_row_scale", 1.0);
    outline_number(&e->outline, "query_scale", 1.0 / sqrt(scalar));
    outline_number(&e->outline, "attention_soft_cap", explain_number(e, "text_config.attn_logit_softcapping", 0.0));
    outline_number(&e->outline, "final_soft_cap", explain_number(e, "text_config.final_logit_softcapping", 0.0));
    outline_number(&e->outline, "rope_theta", explain_number(e, "text_config.rope_theta", 10000.0));
    outline_integer(&e->outline, "first_position", 1);
    outline_text(&e->outline, "computes_in", "%s",
                 dtype == PALI_BFLOAT16 ? "bfloat16 weights, float32 activations and sums" : "float32");
    explain_file_types(e);
    outline_close(&e->outline);
}

/* ---- generation ---- */

static size_t eos_ids(const struct explanation *e, int64_t ids[8])
{
    size_t n = 0;
    char name[64];
    if (pali_config_get_int(e->config, "generation_config.eos_token_id", &ids[0], NULL) == PALI_OK)
        return 1;
    for (; n < 8; n++) {
        snprintf(name, sizeof name, "generation_config.eos_token_id.%zu", n);
        if (pali_config_get_int(e->config, name, &ids[n], NULL) != PALI_OK)
            break;
    }
    return n;
}

void explain_generation(struct explanation *e)
{
    int64_t eos[8];
    size_t n_eos = eos_ids(e, eos);
    outline_open(&e->outline, "generation");
    outline_ids(&e->outline, "eos_token_ids", eos, n_eos);
    outline_integer(&e->outline, "max_new_tokens", explain_integer(e, "generation_config.max_new_tokens", 20));
    outline_flag(&e->outline, "do_sample", explain_integer(e, "generation_config.do_sample", 0) != 0);
    outline_integer(&e->outline, "num_beams", explain_integer(e, "generation_config.num_beams", 1));
    outline_number(&e->outline, "temperature", explain_number(e, "generation_config.temperature", 1.0));
    outline_integer(&e->outline, "top_k", explain_integer(e, "generation_config.top_k", 50));
    outline_number(&e->outline, "top_p", explain_number(e, "generation_config.top_p", 1.0));
    outline_integer(&e->outline, "max_position_embeddings",
                    explain_integer(e, "text_config.max_position_embeddings", 8192));
    outline_close(&e->outline);
}
