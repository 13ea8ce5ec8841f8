/* SPDX-License-Identifier: BSD-2-Clause */
#include "calibration_lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch_lines.h"
#include "commands.h"

static bool make_room(struct calibration *calibration)
{
    size_t capacity = calibration->capacity ? 2 * calibration->capacity : 64;
    pali_inputs **grown;

    if (calibration->count < calibration->capacity)
        return true;
    grown = realloc(calibration->inputs, capacity * sizeof *grown);
    if (grown) {
        calibration->inputs = grown;
        calibration->capacity = capacity;
    }
    return grown != NULL;
}

static int add_line(struct calibration *calibration, const struct batch_line *line, pali_processor *processor)
{
    pali_apply_options options = PALI_APPLY_OPTIONS_INIT;
    pali_error *error = NULL;
    size_t *numbers = calloc(line->n_images, sizeof *numbers);
    pali_image **images = NULL;
    int status = EXIT_FAILED;

    if (!numbers || !make_room(calibration)) {
        free(numbers);
        return report_text("out of memory");
    }
    for (size_t i = 0; i < line->n_images; i++)
        numbers[i] = line->number;
    if (line->suffix)
        options.suffixes = &line->suffix;
    images = open_images_of_lines(line->images, numbers, line->n_images);
    if (images) {
        if (pali_processor_apply(&calibration->inputs[calibration->count], processor, images, line->n_images,
                                 line->prompt, &options, &error) == PALI_OK) {
            calibration->count++;
            status = EXIT_DONE;
        } else {
            status = report_text("line %zu: %s", line->number, pali_error_message(error));
        }
    }
    pali_error_free(error);
    free_images(images, line->n_images);
    free(numbers);
    return status;
}

static int add_lines(struct calibration *calibration, FILE *file, const char *name, pali_processor *processor)
{
    struct batch_line line = { 0 };
    size_t n_lines = 0, number = 0;
    int status;

    do {
        status = batch_lines_read(file, name, &line, 1, &n_lines, &number);
        if (status == EXIT_DONE && n_lines > 0)
            status = add_line(calibration, &line, processor);
        batch_lines_free(&line, n_lines);
    } while (status == EXIT_DONE && n_lines > 0);
    return status == EXIT_DONE && calibration->count == 0 ? report_text("%s has no line", name) : status;
}

int calibration_read(struct calibration *calibration, const char *name, const char *model)
{
    bool standard = strcmp(name, "-") == 0;
    FILE *file = standard ? stdin : fopen(name, "r");
    pali_processor *processor = NULL;
    pali_error *error = NULL;
    int status;

    if (!file)
        return report_text("cannot open %s: %s", name, strerror(errno));
    if (pali_processor_load(&processor, model, NULL, &error) == PALI_OK)
        status = add_lines(calibration, file, standard ? "standard input" : name, processor);
    else
        status = report(error);
    pali_error_free(error);
    pali_processor_free(processor);
    if (!standard)
        fclose(file);
    return status;
}

void calibration_free(struct calibration *calibration)
{
    for (size_t i = 0; i < calibration->count; i++)
        pali_inputs_free(calibration->inputs[i]);
    free(calibration->inputs);
    *calibration = (struct calibration){ 0 };
}
