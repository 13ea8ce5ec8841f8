/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma mask: who sees whom when the model reads a prompt. Needs no weights. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "commands.h"
#include "json_write.h"

static const struct usage usage = {
    "mask",
    "Shows the attention mask of a prompt: a line for each token, a square for each token that it may look at.",
    NULL
};

enum { TOKENS_PER_IMAGE = 5 }; /* of a picture in the text, unless another number is asked for */

struct mask {
    struct common common;
    const char *prompt, *suffix, *output;
    int64_t n_images, layer, tokens_per_image, pad_to, scale;
    bool color;
};

/* What stands open while the command runs. */
struct session {
    pali_config *config;
    pali_processor *processor;
    pali_inputs *inputs;
    pali_mask *mask;
    pali_error *error;
};

/* Pictures decide nothing about the mask but their number: a black pixel will do. */
static pali_status apply(struct session *session, const struct mask *mask)
{
    static const uint8_t pixel[3] = { 0, 0, 0 };
    pali_apply_options options = PALI_APPLY_OPTIONS_INIT;
    pali_image *image = NULL, **images = calloc((size_t)mask->n_images, sizeof *images);
    if (mask->suffix)
        options.suffixes = &mask->suffix;
    options.pad_to = mask->pad_to;
    if (!images) {
        report_text("out of memory");
        return PALI_ERROR_MEMORY;
    }
    pali_status status = pali_image_create(&image, pixel, 1, 1, 0, &session->error);
    for (int64_t i = 0; i < mask->n_images; i++)
        images[i] = image;
    if (status == PALI_OK)
        status = pali_processor_apply(&session->inputs, session->processor, images, (size_t)mask->n_images,
                                      mask->prompt, &options, &session->error);
    pali_image_free(image);
    free(images);
    return status;
}

static pali_status open_all(struct session *session, const struct mask *mask, const char *path)
{
    pali_status status = pali_config_load(&session->config, path, &session->error);
    if (status == PALI_OK)
        status = pali_processor_load(&session->processor, path, NULL, &session->error);
    if (status == PALI_OK)
        status = apply(session, mask);
    if (status == PALI_OK)
        status = pali_mask_create(&session->mask, session->config, session->inputs, NULL, &session->error);
    if (status == PALI_OK && !pali_mask_layer(session->mask, mask->layer < 0 ? 0 : mask->layer)) {
        report_text("--layer is %" PRId64 ": the model has no such layer", mask->layer);
        return PALI_ERROR_ARGUMENT;
    }
    return status;
}

/* ---- output ---- */

static pali_status print_text(struct session *session, const struct mask *mask)
{
    pali_mask_text_options options = PALI_MASK_TEXT_OPTIONS_INIT;
    char *text = NULL;
    options.layer = mask->layer;
    options.tokens_per_image = mask->tokens_per_image;
    options.color = mask->color || isatty(STDOUT_FILENO);
    pali_status status = pali_mask_text(&text, session->mask, &options, &session->error);
    if (status == PALI_OK)
        fputs(text, stdout);
    pali_free(text);
    return status;
}

/* "mask": ["110", …]: a text for each query, a digit for each key. */
static void print_matrix(const char *name, const pali_tensor *sees)
{
    const uint8_t *at = sees->data;
    printf(", \"%s\": [", name);
    for (int64_t query = 0; query < sees->shape[1]; query++) {
        fputs(query ? ", \"" : "\"", stdout);
        for (int64_t key = 0; key < sees->shape[2]; key++)
            putchar(*at++ ? '1' : '0');
        putchar('"');
    }
    putchar(']');
}

static pali_status print_tokens(struct session *session)
{
    const pali_tensor *ids = pali_inputs_get(session->inputs, "input_ids");
    fputs("{\"tokens\": [", stdout);
    for (int64_t i = 0; i < ids->shape[1]; i++) {
        char *text = NULL;
        pali_status status = pali_processor_decode(session->processor, (const int64_t *)ids->data + i, 1, 0, &text,
                                                   &session->error);
        if (status != PALI_OK)
            return status;
        fputs(i ? ", " : "", stdout);
        json_write_text(text);
        pali_free(text);
    }
    putchar(']');
    static const char *const names[] = { "input_ids", "attention_mask", "token_type_ids" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        printf(", \"%s\": ", names[i]);
        json_write_ids(pali_inputs_get(session->inputs, names[i])->data, (size_t)ids->shape[1]);
    }
    return PALI_OK;
}

/* The layers' windows, and each mask that occurs once. */
static pali_status print_json(struct session *session, const struct mask *mask)
{
    int64_t full = -1, sliding = -1;
    pali_status status = print_tokens(session);
    if (status != PALI_OK)
        return status;
    fputs(", \"windows\": [", stdout);
    for (int64_t layer = 0; pali_mask_layer(session->mask, layer); layer++) {
        int64_t window = pali_mask_window(session->mask, layer), *kind = window ? &sliding : &full;
        printf("%s%" PRId64, layer ? ", " : "", window);
        if (*kind < 0 && (mask->layer < 0 || mask->layer == layer))
            *kind = layer;
    }
    putchar(']');
    if (full >= 0)
        print_matrix("mask", pali_mask_layer(session->mask, full));
    if (sliding >= 0)
        print_matrix("sliding_mask", pali_mask_layer(session->mask, sliding));
    puts("}");
    return PALI_OK;
}

static pali_status save_picture(struct session *session, const struct mask *mask)
{
    pali_image *image = NULL;
    pali_status status = pali_mask_image(&image, session->mask, 0, mask->layer < 0 ? 0 : mask->layer,
                                         (int32_t)mask->scale, &session->error);
    if (status == PALI_OK)
        status = pali_image_save_png(image, mask->output, &session->error);
    pali_image_free(image);
    return status;
}

static int show_mask(const struct mask *mask)
{
    struct session session = { 0 };
    char *path = checkpoint_path(mask->common.model);
    if (!path)
        return EXIT_FAILED;
    pali_status result = open_all(&session, mask, path);
    if (result == PALI_OK && mask->output)
        result = save_picture(&session, mask);
    if (result == PALI_OK && mask->common.json)
        result = print_json(&session, mask);
    else if (result == PALI_OK && !mask->output)
        result = print_text(&session, mask);
    int status = result == PALI_OK ? EXIT_DONE : session.error ? report(session.error) : EXIT_FAILED;

    pali_error_free(session.error);
    pali_mask_free(session.mask);
    pali_inputs_free(session.inputs);
    pali_processor_free(session.processor);
    pali_config_free(session.config);
    free(path);
    return status;
}

int cmd_mask(int argc, char **argv)
{
    struct mask mask = { .layer = -1, .tokens_per_image = TOKENS_PER_IMAGE };
    struct option options[] = {
        MODEL_OPTION(mask.common, true),
        JSON_OPTION(mask.common),
        { "-p", "--prompt", "PROMPT", OPTION_TEXT, true, &mask.prompt, 0, 0, "what to ask", false },
        { NULL, "--suffix", "TEXT", OPTION_TEXT, false, &mask.suffix, 0, 0, "the answer: its tokens are causal", false },
        { NULL, "--images", "N", OPTION_INT, false, &mask.n_images, 1, 4096,
          "number of pictures (default: as many as the prompt says <image>, or one)", false },
        { NULL, "--pad-to", "N", OPTION_INT, false, &mask.pad_to, 1, 1e6, "pad on the left to N tokens", false },
        { NULL, "--layer", "L", OPTION_INT, false, &mask.layer, 0, 1e6,
          "of this layer of the decoder (default: layers without and with a window side by side)", false },
        { NULL, "--tokens-per-image", "N", OPTION_INT, false, &mask.tokens_per_image, 0, 1e6,
          "show N of a picture's tokens, 2 or more; 0: all (default 5)", false },
        { NULL, "--color", NULL, OPTION_SWITCH, false, &mask.color, 0, 0, "colours even if this is no terminal", false },
        { "-o", "--output", "OUT.png", OPTION_TEXT, false, &mask.output, 0, 0,
          "write a picture instead of text: all tokens, of layer L or 0", false },
        { NULL, "--scale", "N", OPTION_INT, false, &mask.scale, 1, 256,
          "pixels of a square in the picture (default: as many as fit in about 1024)", false },
    };
    int status = options_parse(&usage, options, sizeof options / sizeof options[0], NULL, argc, argv);
    if (status != OPTIONS_GO_ON)
        return status;
    if (mask.tokens_per_image == 1)
        return usage_error(&usage, "--tokens-per-image takes 0, or 2 or more");
    if (mask.scale && !mask.output)
        return usage_error(&usage, "--scale is of the picture: it needs -o OUT.png");
    if (mask.output && mask.tokens_per_image != TOKENS_PER_IMAGE)
        return usage_error(&usage, "--tokens-per-image is of the text: a picture shows all tokens");
    if (mask.n_images == 0)
        mask.n_images = count_placed(mask.prompt) ? (int64_t)count_placed(mask.prompt) : 1;
    return show_mask(&mask);
}
