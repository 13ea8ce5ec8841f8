/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma explain: what decides an answer before the network runs, from the real objects. Loads no weights. */
#include <stdio.h>
#include <stdlib.h>

#include "arguments.h"
#include "commands.h"
#include "explain.h"

static const struct usage usage = {
    "explain",
    "Shows what the model is given and how: tokens, pictures, mask, scales, defaults, and known traps.",
    NULL
};

struct request {
    struct common common;
    struct texts images;
    const char *prompt, *suffix;
};

static pali_status open_all(struct explanation *e, const char *path)
{
    pali_apply_options options = PALI_APPLY_OPTIONS_INIT;
    if (e->suffix)
        options.suffixes = &e->suffix;
    pali_status status = pali_config_load(&e->config, path, &e->error);
    if (status == PALI_OK)
        status = pali_processor_load(&e->processor, path, NULL, &e->error);
    if (status == PALI_OK)
        status = pali_processor_apply(&e->inputs, e->processor, e->images, e->n_images, e->prompt, &options, &e->error);
    if (status == PALI_OK)
        status = pali_mask_create(&e->mask, e->config, e->inputs, NULL, &e->error);
    if (status == PALI_OK)
        pali_checkpoint_open(&e->checkpoint, path, NULL); /* without weights there is a warning */
    return status;
}

static void print(struct explanation *e, bool json)
{
    outline_begin(&e->outline, json);
    explain_tokens(e);
    explain_pictures(e);
    explain_mask(e);
    explain_numbers(e);
    explain_generation(e);
    explain_warnings(e);
    outline_end(&e->outline);
}

static int explain(const struct request *request)
{
    struct explanation e = { .prompt = request->prompt, .suffix = request->suffix, .paths = request->images.items,
                             .n_images = request->images.count, .dtype = request->common.dtype };
    char *path = checkpoint_path(request->common.model);
    if (!path)
        return EXIT_FAILED;
    int status = EXIT_FAILED;
    e.images = open_images(e.paths, e.n_images);
    if (e.images && open_all(&e, path) != PALI_OK) {
        report(e.error);
    } else if (e.images) {
        print(&e, request->common.json);
        status = EXIT_DONE;
    }

    pali_error_free(e.error);
    pali_mask_free(e.mask);
    pali_inputs_free(e.inputs);
    free_images(e.images, e.n_images);
    pali_processor_free(e.processor);
    pali_checkpoint_free(e.checkpoint);
    pali_config_free(e.config);
    free(path);
    return status;
}

int cmd_explain(int argc, char **argv)
{
    struct request request = { 0 };
    struct option options[] = {
        MODEL_OPTION(request.common, true),
        { NULL, "--dtype", "TYPE", OPTION_DTYPE, false, &request.common.dtype, 0, 0,
          "explain a run in float32 or bfloat16 (default: the checkpoint's own)", false },
        JSON_OPTION(request.common),
        { "-i", "--image", "IMG", OPTION_TEXTS, true, &request.images, 0, 0,
          "PNG, JPEG or PNM file; once for each picture", false },
        { "-p", "--prompt", "PROMPT", OPTION_TEXT, true, &request.prompt, 0, 0, "what to ask", false },
        { NULL, "--suffix", "TEXT", OPTION_TEXT, false, &request.suffix, 0, 0, "the answer, to learn from or to score",
          false },
    };
    int status = options_parse(&usage, options, sizeof options / sizeof options[0], NULL, argc, argv);
    if (status == OPTIONS_GO_ON)
        status = explain(&request);
    free(request.images.items);
    return status;
}
