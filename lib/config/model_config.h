/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration as the rest of the library reads it: checked numbers, defaults filled in. */
#ifndef PALI_CONFIG_MODEL_CONFIG_H
#define PALI_CONFIG_MODEL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <paligemma/config.h>

#include "config/quantization_config.h"

enum pali__text_family { PALI__GEMMA = 1, PALI__GEMMA2 = 2, PALI__LLAMA = 3, PALI__MISTRAL = 4 };
enum pali__activation { PALI__GELU_TANH, PALI__SILU };

/* Rotary embedding: the frequencies of theta as they are, divided by `factor`, or (Llama 3) only the low ones so. */
enum pali__rope_type { PALI__ROPE_DEFAULT, PALI__ROPE_LINEAR, PALI__ROPE_LLAMA3 };
struct pali__rope_config {
    enum pali__rope_type type;
    double theta;
    double factor, low_freq_factor, high_freq_factor;
    double original_length; /* Llama 3: the context that it was trained with */
};

#define PALI__MAX_EOS 8
#define PALI__MAX_IDS 1024 /* in a list of generation_config.json */
#define PALI__MAX_LAYERS 512

struct pali__text_config {
    enum pali__text_family family;
    int64_t hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads, head_dim;
    int64_t vocab_size, max_position_embeddings;
    double rms_norm_eps;
    struct pali__rope_config rope;
    enum pali__activation activation;
    float norm_offset;                 /* added to the weight of every RMSNorm: 1 for the Gemmas, else 0 */
    bool scales_embedding;             /* text rows enter times sqrt(hidden): the Gemmas */
    bool norms_outputs;                /* norms behind attention and MLP too: Gemma 2 */
    double query_pre_attn_scalar;      /* head_dim but for Gemma 2 */
    double attn_logit_softcapping;     /* 0: none (always but for Gemma 2) */
    double final_logit_softcapping;    /* 0: none */
    int64_t sliding_window;            /* 0: none */
    int64_t eos_token_id[PALI__MAX_EOS], bos_token_id; /* used where nothing else names them, for Llama and Mistral */
    int n_eos;
    bool layer_slides[PALI__MAX_LAYERS]; /* from layer_types, else Gemma 2: even layers, Mistral: all */
};

struct pali__vision_config {
    int64_t hidden_size, intermediate_size, num_hidden_layers, num_attention_heads;
    int64_t image_size, patch_size, num_channels;
    int64_t num_patches; /* (image_size / patch_size)² */
    double layer_norm_eps;
};

/* Lists of token ids: list i is ids[starts[i]…starts[i + 1]). */
struct pali__id_lists {
    int64_t ids[PALI__MAX_IDS];
    int starts[PALI__MAX_IDS + 1];
    int n_lists, n_ids;
};

enum pali__early_stopping { PALI__STOP_BY_HEURISTIC = 0, PALI__STOP_WHEN_COMPLETE = 1, PALI__STOP_NEVER = 2 };

struct pali__generation_config {
    int64_t eos_token_id[PALI__MAX_EOS];
    int n_eos;
    int64_t bos_token_id, pad_token_id, max_new_tokens /* 20 unless the file says */, top_k, num_beams;
    double temperature, top_p;
    bool do_sample;

    double min_p, typical_p, repetition_penalty, length_penalty;
    int64_t no_repeat_ngram_size, min_new_tokens, num_return_sequences;
    enum pali__early_stopping early_stopping;
    struct pali__id_lists bad_words;
    int64_t suppress_tokens[PALI__MAX_IDS], begin_suppress_tokens[PALI__MAX_IDS], forced_eos_token_id[PALI__MAX_EOS];
    int n_suppress, n_begin_suppress, n_forced_eos;
    bool has_max_new_tokens, has_max_length, has_min_length; /* in the file */
    const char *unserved; /* name of a field that would change answers and is not served; NULL: none. Static */
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
    int64_t embedding_dim; /* of a ColPali configuration; else 0 */
    bool tie_word_embeddings;
    struct pali__quantization_config quantization;
};

/* The checked numbers of `config`, borrowed. */
const struct pali__settings *pali__config_settings(const pali_config *config);

#endif
