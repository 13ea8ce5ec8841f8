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
    const char *input, *output;
    int64_t logits_to_keep;
    bool hidden_states, attentions;
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

static int forward_file(const struct forward *forward)
{
    pali_model *model = NULL;
    pali_inputs *inputs = NULL;
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;
    pali_model_options model_options = PALI_MODEL_OPTIONS_INIT;
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    int status = EXIT_DONE;

    char *path = checkpoint_path(forward->common.model);
    if (!path)
        return EXIT_FAILED;
    model_options.dtype = forward->common.dtype;
    model_options.threads = (int32_t)forward->common.threads;
    options.logits_to_keep = forward->logits_to_keep;
    options.output_hidden_states = forward->hidden_states;
    options.output_attentions = forward->attentions;

    if (pali_inputs_load(&inputs, forward->input, &error) != PALI_OK ||
        pali_model_load(&model, path, &model_options, &error) != PALI_OK ||
        pali_model_forward(&outputs, model, inputs, &options, &error) != PALI_OK ||
        pali_outputs_save(outputs, forward->output, &error) != PALI_OK)
        status = report(error);
    else if (forward->common.json)
        print_tensors(outputs);

    pali_error_free(error);
    pali_outputs_free(outputs);
    pali_inputs_free(inputs);
    pali_model_free(model);
    free(path);
    return status;
}

int cmd_forward(int argc, char **argv)
{
    struct forward forward = { 0 };
    struct option options[] = {
        COMMON_OPTIONS(forward.common, true),
        { NULL, "--inputs", "IN", OPTION_TEXT, true, &forward.input, 0, 0, "safetensors file to read", false },
        { "-o", "--output", "OUT", OPTION_TEXT, true, &forward.output, 0, 0, "safetensors file to write", false },
        { NULL, "--logits-to-keep", "N", OPTION_INT, false, &forward.logits_to_keep, 0, 1e9,
          "logits of the last N positions only (default 0: of all)", false },
        { NULL, "--output-hidden-states", NULL, OPTION_SWITCH, false, &forward.hidden_states, 0, 0,
          "write hidden_states.N too", false },
        { NULL, "--output-attentions", NULL, OPTION_SWITCH, false, &forward.attentions, 0, 0,
          "write attentions.N too", false },
    };
    int status = options_parse(&usage, options, sizeof options / sizeof options[0], NULL, argc, argv);
    return status == OPTIONS_GO_ON ? forward_file(&forward) : status;
}
