/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench_work.h"

pali_status shapes_read(struct shapes *shapes, const pali_config *config, pali_error **error)
{
    const struct {
        const char *name;
        int64_t *value;
    } fields[] = {
        { "vision_config.image_size", &shapes->image_size },
        { "vision_config.patch_size", &shapes->patch_size },
        { "vision_config.num_channels", &shapes->channels },
        { "vision_config.hidden_size", &shapes->vision_hidden },
        { "vision_config.intermediate_size", &shapes->vision_mlp },
        { "vision_config.num_hidden_layers", &shapes->vision_layers },
        { "vision_config.num_attention_heads", &shapes->vision_heads },
        { "text_config.hidden_size", &shapes->hidden },
        { "text_config.intermediate_size", &shapes->mlp },
        { "text_config.num_hidden_layers", &shapes->layers },
        { "text_config.num_attention_heads", &shapes->heads },
        { "text_config.num_key_value_heads", &shapes->kv_heads },
        { "text_config.head_dim", &shapes->head_dim },
        { "text_config.vocab_size", &shapes->vocabulary },
        { "image_token_index", &shapes->image_token },
    };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        pali_status status = pali_config_get_int(config, fields[i].name, fields[i].value, error);
        if (status != PALI_OK)
            return status;
    }
    shapes->patches = (shapes->image_size / shapes->patch_size) * (shapes->image_size / shapes->patch_size);
    return PALI_OK;
}

static double patch_weights(const struct shapes *shapes)
{
    return (double)(shapes->channels * shapes->patch_size * shapes->patch_size * shapes->vision_hidden);
}

static double vision_block_weights(const struct shapes *shapes)
{
    return (double)shapes->vision_hidden * (4.0 * (double)shapes->vision_hidden + 2.0 * (double)shapes->vision_mlp);
}

static double vision_weights(const struct shapes *shapes)
{
    return patch_weights(shapes) + (double)shapes->vision_layers * vision_block_weights(shapes) +
           (double)(shapes->vision_hidden * shapes->hidden);
}

static double decoder_block_weights(const struct shapes *shapes)
{
    int64_t attention = 2 * (shapes->heads + shapes->kv_heads) * shapes->head_dim;

    return (double)shapes->hidden * (double)(attention + 3 * shapes->mlp);
}

double image_flops(const struct shapes *shapes)
{
    double n = (double)shapes->patches;
    double attention = 4.0 * n * n * (double)shapes->vision_hidden; /* q·kᵀ and ·v */

    return 2.0 * n * vision_weights(shapes) + (double)shapes->vision_layers * attention;
}

double prefill_flops(const struct shapes *shapes, int64_t n_tokens)
{
    double n = (double)n_tokens;
    double attention = 4.0 * n * n * (double)(shapes->heads * shapes->head_dim);

    return (double)shapes->layers * (2.0 * n * decoder_block_weights(shapes) + attention) +
           2.0 * (double)shapes->hidden * (double)shapes->vocabulary;
}

double cache_bytes(const struct shapes *shapes, int64_t n_tokens)
{
    return 2.0 * (double)(shapes->layers * shapes->kv_heads * shapes->head_dim * n_tokens) * (double)sizeof(float);
}
