/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma process: what the model would be given, as a safetensors file. */
#include <stdio.h>
#include <stdlib.h>

#include "arguments.h"
#include "commands.h"
#include "json_write.h"

static const struct usage usage = {
    "process",
    "Writes input_ids, attention_mask, token_type_ids, labels and pixel_values to a safetensors file.",
    NULL
};

struct process {
    struct common common;
    struct texts images;
    const char *prompt, *messages, *suffix, *output;
};

static void print_tensors(const pali_inputs *inputs)
{
    putchar('{');
    for (size_t i = 0; i < pali_inputs_count(inputs); i++) {
        const char *name = pali_inputs_name(inputs, i);
        fputs(i ? ", " : "", stdout);
        json_write_tensor(name, pali_inputs_get(inputs, name));
    }
    puts("}");
}

static int process_images(const struct process *process, const char *path, pali_image **images)
{
    pali_processor *processor = NULL;
    pali_inputs *inputs = NULL;
    pali_error *error = NULL;
    pali_apply_options options = PALI_APPLY_OPTIONS_INIT;
    char *rendered = NULL;
    int status = EXIT_DONE;
    if (process->suffix)
        options.suffixes = &process->suffix;

    if (pali_processor_load(&processor, path, NULL, &error) != PALI_OK)
        status = report(error);
    else if (process->messages && !(rendered = render_prompt(processor, process->messages)))
        status = EXIT_FAILED;
    else if (pali_processor_apply(&inputs, processor, images, process->images.count, rendered ? rendered : process->prompt,
                                  &options, &error) != PALI_OK ||
             pali_inputs_save(inputs, process->output, &error) != PALI_OK)
        status = report(error);
    else if (process->common.json)
        print_tensors(inputs);

    pali_error_free(error);
    pali_inputs_free(inputs);
    pali_free(rendered);
    pali_processor_free(processor);
    return status;
}

static int process_files(const struct process *process)
{
    char *path = checkpoint_path(process->common.model);
    if (!path)
        return EXIT_FAILED;
    pali_image **images = open_images(process->images.items, process->images.count);
    int status = images ? process_images(process, path, images) : EXIT_FAILED;
    free_images(images, process->images.count);
    free(path);
    return status;
}

int cmd_process(int argc, char **argv)
{
    struct process process = { 0 };
    struct option options[] = {
        MODEL_OPTION(process.common, true),
        JSON_OPTION(process.common),
        { "-i", "--image", "IMG", OPTION_TEXTS, true, &process.images, 0, 0,
          "PNG, JPEG or PNM file; once for each picture", false },
        { "-p", "--prompt", "PROMPT", OPTION_TEXT, false, &process.prompt, 0, 0, "what to ask", false },
        { NULL, "--messages", "FILE", OPTION_TEXT, false, &process.messages, 0, 0,
          "instead of -p: JSON list of messages for the chat template, - for standard input", false },
        { NULL, "--suffix", "TEXT", OPTION_TEXT, false, &process.suffix, 0, 0,
          "the answer, to learn from or to score: its tokens get labels, all others -100", false },
        { "-o", "--output", "OUT", OPTION_TEXT, true, &process.output, 0, 0, "safetensors file to write", false },
    };
    int status = options_parse(&usage, options, sizeof options / sizeof options[0], NULL, argc, argv);
    if (status == OPTIONS_GO_ON && !process.prompt == !process.messages)
        status = usage_error(&usage, process.prompt ? "-p and --messages exclude each other"
                                                    : "-p PROMPT is missing, or --messages FILE");
    if (status == OPTIONS_GO_ON)
        status = process_files(&process);
    free(process.images.items);
    return status;
}
