/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration as the rest of the library reads it: checked numbers, defaults filled in. */
#ifndef PALI_CONFIG_MODEL_CONFIG_H
#define PALI_CONFIG_MODEL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <paligemma/config.h>

enum pali__text_family { PALI__GEMMA = 1, PALI__GEMMA2 = 2 };

#define PALI__MAX_EOS 8
#define PALI__MAX_LAYERS 512

struct pali__text_config {
    enum pali__text_family family;
    int64_t hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads, head_dim;
    int64_t vocab_size, max_position_embeddings;
    double rms_norm_eps, rope_theta;
    double query_pre_attn_scalar;      /* Gemma: head_dim */
    double attn_logit_softcapping;     /* 0: none (always for Gemma) */
    double final_logit_softcapping;    /* 0: none */
    int64_t sliding_window;            /* 0: none */
    bool layer_slides[PALI__MAX_LAYERS]; /* from layer_types, else Gemma 2: even layers */
};

struct pali__vision_config {
    int64_t hidden_size, intermediate_size, num_hidden_layers, num_attention_heads;
    int64_t image_size, patch_size, num_channels;
    int64_t num_patches; /* (image_size / patch_size)² */
    double layer_norm_eps;
};

struct pali__generation_config {
    int64_t eos_token_id[PALI__MAX_EOS];
    int n_eos;
    int64_t bos_token_id, pad_token_id, max_new_tokens /* 20 unless the file says */, top_k, num_beams;
    double temperature, top_p;
    bool do_sample;
};

struct pali__preprocessor_config {
    int64_t height, width, image_seq_length;
    int resample;
    bool do_resize, do_rescale, do_normalize;
    double rescale_factor, image_mean[3], image_std[3];
};

struct pali__settings {
    struct pali__text_config text;
    struct pali__vision_config vision;
    struct pali__generation_config generation;
    struct pali__preprocessor_config preprocessor;
    int64_t image_token_id, projection_dim, ignore_index;
    bool tie_word_embeddings;
};

/* The checked numbers of `config`, borrowed. */
const struct pali__settings *pali__config_settings(const pali_config *config);

#endif
