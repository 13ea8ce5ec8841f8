/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma detections: an answer's text to JSON and to a picture, without a model; and JSON to the text to train on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer_objects.h"
#include "arguments.h"
#include "commands.h"

static const struct usage usage = {
    "detections",
    "Prints the objects in an answer's text (-t, or standard input) as JSON in COCO's form; with --encode the reverse.",
    NULL
};

enum { READ_LIMIT = 1 << 30 };

struct detections {
    struct answer_objects objects;
    const char *text, *image, *encode, *size;
    int32_t width, height; /* 0: not known */
    bool list_counts;
};

/* Without a line end that only ends the last line. */
static char *read_answer(const struct detections *detections)
{
    char *text = detections->text ? strdup(detections->text) : read_text_file("-");
    if (!text && detections->text)
        report_text("out of memory");
    if (text && !detections->text && *text && text[strlen(text) - 1] == '\n')
        text[strlen(text) - 1] = '\0';
    return text;
}

static pali_detections_options parse_options(const struct detections *detections)
{
    pali_detections_options options = PALI_DETECTIONS_OPTIONS_INIT;
    if (detections->objects.scale)
        options.scale = (int32_t)detections->objects.scale;
    return options;
}

static pali_status print_json(const struct detections *detections, const char *text, pali_error **error)
{
    pali_detections_options parse = parse_options(detections);
    pali_coco_options options = PALI_COCO_OPTIONS_INIT;
    pali_detections *found = NULL;
    char *json = NULL;
    options.mask_decoder = detections->objects.mask_decoder;
    options.file_name = detections->image;
    options.uncompressed_rle = detections->list_counts;
    pali_status status = pali_detections_parse(&found, text, &parse, error);
    if (status == PALI_OK)
        status = pali_detections_to_coco(&json, found, detections->width, detections->height, &options, error);
    if (status == PALI_OK && !detections->objects.json)
        puts(json);
    else if (status == PALI_OK && !write_json_file(detections->objects.json, json))
        status = PALI_ERROR_IO;
    pali_free(json);
    pali_detections_free(found);
    return status;
}

static pali_status print_text(const struct detections *detections, const char *json, pali_error **error)
{
    pali_detections_options encode = parse_options(detections);
    pali_coco_options options = PALI_COCO_OPTIONS_INIT;
    pali_detections *found = NULL;
    char *text = NULL;
    options.mask_decoder = detections->objects.mask_decoder;
    pali_status status =
        pali_detections_from_coco(&found, json, detections->width, detections->height, &options, error);
    if (status == PALI_OK)
        status = pali_detections_encode(&text, pali_detections_get(found, 0), pali_detections_count(found), &encode,
                                        error);
    if (status == PALI_OK)
        puts(text);
    pali_free(text);
    pali_detections_free(found);
    return status;
}

static int work(const struct detections *detections, pali_image *image)
{
    pali_error *error = NULL;
    char *text = detections->encode ? read_text_file(detections->encode) : read_answer(detections);
    if (!text)
        return EXIT_FAILED;
    pali_status status = detections->encode ? print_text(detections, text, &error) : print_json(detections, text,
                                                                                                &error);
    if (status == PALI_OK && detections->objects.draw) {
        struct answer_objects picture = detections->objects;
        picture.json = NULL; /* written already */
        status = answer_objects_write(&picture, image, detections->image, text, NULL, &error);
    }
    int exit_status = status == PALI_OK ? EXIT_DONE : error ? report(error) : EXIT_FAILED;
    pali_error_free(error);
    free(text);
    return exit_status;
}

static int run(struct detections *detections)
{
    pali_image **images = NULL;
    if (detections->image && !(images = open_images(&detections->image, 1)))
        return EXIT_FAILED;
    if (images) {
        detections->width = pali_image_width(images[0]);
        detections->height = pali_image_height(images[0]);
    }
    int status = work(detections, images ? images[0] : NULL);
    free_images(images, 1);
    return status;
}

/* OPTIONS_GO_ON, or the exit status after having said which options do not go together. */
static int check(struct detections *detections)
{
    char rest;
    int width = 0, height = 0;
    if (detections->size) {
        if (sscanf(detections->size, "%5dx%5d%c", &width, &height, &rest) != 2 || width < 1 || height < 1)
            return usage_error(&usage, "--size takes WIDTHxHEIGHT, not \"%s\"", detections->size);
        detections->width = width;
        detections->height = height;
    }
    if (detections->image && detections->size)
        return usage_error(&usage, "-i and --size exclude each other");
    if (detections->encode && (detections->text || detections->objects.draw || detections->objects.json))
        return usage_error(&usage, "--encode prints text: -t, -o and --draw make no sense with it");
    if (!detections->encode && !detections->image && !detections->size)
        return usage_error(&usage, "-i IMG or --size WxH is missing: boxes are in pixels");
    if (detections->objects.draw && !detections->image)
        return usage_error(&usage, "--draw needs -i IMG");
    return OPTIONS_GO_ON;
}

int cmd_detections(int argc, char **argv)
{
    struct detections detections = { 0 };
    struct option options[] = {
        { "-t", "--text", "TEXT", OPTION_TEXT, false, &detections.text, 0, 0,
          "the answer (default: standard input)", false },
        { "-i", "--image", "IMG", OPTION_TEXT, false, &detections.image, 0, 0,
          "the picture: PNG, JPEG or PNM file", false },
        { NULL, "--size", "WxH", OPTION_TEXT, false, &detections.size, 0, 0, "the picture's size, instead of -i",
         false },
        ANSWER_OBJECTS_OPTIONS(detections.objects, "-o", "--output"),
        { NULL, "--rle-list", NULL, OPTION_SWITCH, false, &detections.list_counts, 0, 0,
          "masks as lists of run lengths instead of COCO's text", false },
        { NULL, "--encode", "FILE.json", OPTION_TEXT, false, &detections.encode, 0, 0,
          "print the text of the objects in this file (- for standard input); --vae makes <seg> tokens of masks", false },
    };
    int status = options_parse(&usage, options, sizeof options / sizeof options[0], NULL, argc, argv);
    if (status == OPTIONS_GO_ON)
        status = check(&detections);
    if (status == OPTIONS_GO_ON)
        status = answer_objects_begin(&detections.objects) ? run(&detections) : EXIT_FAILED;
    answer_objects_end(&detections.objects);
    return status;
}
