/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma forward: one pass over tensors from a safetensors file, its outputs into another. */
#include <stdio.h>
#include <stdlib.h>

#include "arguments.h"
#include "commands.h"
#include "json_write.h"

static const struct usage usage = {
    "forward",
    "Runs the model once over the tensors of a safetensors file, such as paligemma process writes.",
    NULL
};

struct forward {
    struct common common;
    const char *input, *output, *features, *adapter;
    int64_t logits_to_keep, prefix_length;
    struct integers logits_index, layers, heads;
    bool hidden_states, vision_hidden_states, attentions, divided;
    const char *load_cache, *save_cache;
    int64_t cache_position;
};

/* What stands open while the command runs. */
struct session {
    pali_model *model;
    pali_adapter *adapter;
    pali_inputs *inputs, *feature_file;
    pali_image_features *features;
    pali_cache *cache;
    pali_outputs *outputs;
    pali_error *error;
};

static void print_tensors(const pali_outputs *outputs)
{
    putchar('{');
    for (size_t i = 0; i < pali_outputs_count(outputs); i++) {
        const char *name = pali_outputs_name(outputs, i);
        fputs(i ? ", " : "", stdout);
        json_write_tensor(name, pali_outputs_get(outputs, name));
    }
    puts("}");
}

/* The features of a file that an earlier pass, or Transformers, wrote: its tensor image_hidden_states. */
static pali_status load_features(struct session *session, const struct forward *forward)
{
    if (!forward->features)
        return PALI_OK;
    pali_status status = pali_inputs_load(&session->feature_file, forward->features, &session->error);
    if (status != PALI_OK)
        return status;
    const pali_tensor *features = pali_inputs_get(session->feature_file, "image_hidden_states");
    if (!features) {
        report_text("'%s': it has no tensor image_hidden_states", forward->features);
        return PALI_ERROR_ARGUMENT;
    }
    return pali_image_features_create(&session->features, session->model, features, forward->divided, &session->error);
}

/* The cache of a file, or an empty one for the rows of the inputs, where one is asked for. */
static pali_status open_cache(struct session *session, const struct forward *forward)
{
    pali_cache_options options = PALI_CACHE_OPTIONS_INIT;
    const pali_tensor *rows = pali_inputs_get(session->inputs, "input_ids");
    if (forward->load_cache)
        return pali_cache_load(&session->cache, session->model, forward->load_cache, &session->error);
    if (!forward->save_cache)
        return PALI_OK;
    if (!rows)
        rows = pali_inputs_get(session->inputs, "inputs_embeds");
    options.rows = rows && rows->rank > 0 ? rows->shape[0] : 1;
    return pali_cache_create(&session->cache, session->model, &options, &session->error);
}

static pali_status run_model(struct session *session, const struct forward *forward, const char *path)
{
    pali_model_options model_options = PALI_MODEL_OPTIONS_INIT;
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    set_model_options(&model_options, &forward->common);

    pali_status status = pali_inputs_load(&session->inputs, forward->input, &session->error);
    if (status == PALI_OK)
        status = pali_model_load(&session->model, path, &model_options, &session->error);
    if (status == PALI_OK)
        status = load_features(session, forward);
    if (status == PALI_OK)
        status = open_cache(session, forward);
    if (status != PALI_OK)
        return status;
    if (open_adapter(&session->adapter, &options.adapter_scale, session->model, forward->adapter) != EXIT_DONE)
        return PALI_ERROR_ARGUMENT;

    options.cache = session->cache;
    options.cache_position = forward->cache_position;
    options.adapter = session->adapter;
    options.features = session->features;
    options.logits_to_keep = forward->logits_to_keep;
    options.logits_index = forward->logits_index.items;
    options.n_logits_index = forward->logits_index.count;
    options.prefix_length = forward->prefix_length;
    options.output_hidden_states = forward->hidden_states;
    options.output_vision_hidden_states = forward->vision_hidden_states;
    options.output_attentions = forward->attentions || forward->layers.items || forward->heads.items;
    options.attention_layers = forward->layers.items;
    options.n_attention_layers = forward->layers.count;
    options.attention_heads = forward->heads.items;
    options.n_attention_heads = forward->heads.count;
    options.image_states_divided = forward->divided;
    status = pali_model_forward(&session->outputs, session->model, session->inputs, &options, &session->error);
    if (status == PALI_OK && forward->save_cache)
        status = pali_cache_save(session->cache, forward->save_cache, &session->error);
    return status;
}

static int forward_file(const struct forward *forward)
{
    struct session session = { 0 };
    int status = EXIT_DONE;
    char *path = checkpoint_path(forward->common.model);
    if (!path)
        return EXIT_FAILED;

    pali_status result = run_model(&session, forward, path);
    if (result == PALI_OK)
        result = pali_outputs_save(session.outputs, forward->output, &session.error);
    if (result != PALI_OK)
        status = session.error ? report(session.error) : EXIT_FAILED; /* without one, it has been said */
    else if (forward->common.json)
        print_tensors(session.outputs);

    pali_error_free(session.error);
    pali_outputs_free(session.outputs);
    pali_cache_free(session.cache);
    pali_image_features_free(session.features);
    pali_inputs_free(session.feature_file);
    pali_inputs_free(session.inputs);
    pali_adapter_free(session.adapter);
    pali_model_free(session.model);
    free(path);
    return status;
}

int cmd_forward(int argc, char **argv)
{
    struct forward forward = { .prefix_length = -1, .cache_position = -1 };
    struct option options[] = {
        COMMON_OPTIONS(forward.common, true),
        { NULL, "--inputs", "IN", OPTION_TEXT, true, &forward.input, 0, 0, "safetensors file to read", false },
        { "-o", "--output", "OUT", OPTION_TEXT, true, &forward.output, 0, 0, "safetensors file to write", false },
        { NULL, "--features", "FILE", OPTION_TEXT, false, &forward.features, 0, 0,
          "take image_hidden_states of this file instead of running the tower on pixel_values", false },
        { NULL, "--prefix-length", "N", OPTION_INT, false, &forward.prefix_length, 0, 1e9,
          "without token_type_ids: the first N tokens are prefix (default: all)", false },
        { NULL, "--logits-to-keep", "N", OPTION_INT, false, &forward.logits_to_keep, 0, 1e9,
          "logits of the last N positions only (default 0: of all)", false },
        { NULL, "--logits-index", "LIST", OPTION_LIST, false, &forward.logits_index, -1e9, 1e9,
          "logits of these positions, such as 0,5,-1, only; negative ones count from the end", false },
        { NULL, "--output-hidden-states", NULL, OPTION_SWITCH, false, &forward.hidden_states, 0, 0,
          "write hidden_states.N too", false },
        { NULL, "--output-vision-hidden-states", NULL, OPTION_SWITCH, false, &forward.vision_hidden_states, 0, 0,
          "write vision_hidden_states.N too", false },
        { NULL, "--output-attentions", NULL, OPTION_SWITCH, false, &forward.attentions, 0, 0,
          "write attentions.N too", false },
        { NULL, "--attention-layers", "LIST", OPTION_LIST, false, &forward.layers, -1e9, 1e9,
          "write attentions.N of these layers", false },
        { NULL, "--attention-heads", "LIST", OPTION_LIST, false, &forward.heads, -1e9, 1e9,
          "write attentions.N of these heads", false },
        { NULL, "--load-cache", "FILE", OPTION_TEXT, false, &forward.load_cache, 0, 0,
          "continue the cache in FILE", false },
        { NULL, "--save-cache", "FILE", OPTION_TEXT, false, &forward.save_cache, 0, 0,
          "write the cache as it is after the pass", false },
        { NULL, "--cache-position", "N", OPTION_INT, false, &forward.cache_position, 0, 1e9,
          "begin at slot N of the loaded cache and forget what is behind it (default: at its end)", false },
        { NULL, "--adapter", "DIR[=SCALE]", OPTION_TEXT, false, &forward.adapter, 0, 0,
          "with the PEFT LoRA adapter in DIR", false },
        { NULL, "--image-states-divided", NULL, OPTION_SWITCH, false, &forward.divided, 0, 0,
          "image_hidden_states, and those of --features, are divided by sqrt(hidden), as in Transformers < 5.4", false },
    };
    int status = options_parse(&usage, options, sizeof options / sizeof options[0], NULL, argc, argv);
    if (status == OPTIONS_GO_ON && forward.logits_index.count && forward.logits_to_keep)
        status = usage_error(&usage, "--logits-to-keep and --logits-index exclude each other");
    if (status == OPTIONS_GO_ON && forward.cache_position >= 0 && !forward.load_cache)
        status = usage_error(&usage, "--cache-position is in a cache: it needs --load-cache FILE");
    if (status == OPTIONS_GO_ON)
        status = forward_file(&forward);
    free(forward.logits_index.items);
    free(forward.layers.items);
    free(forward.heads.items);
    return status;
}
