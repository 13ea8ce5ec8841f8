/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma batch: lines of pictures and prompts in, answered together, a line of JSON for each out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "batch_lines.h"
#include "cache_choice.h"
#include "commands.h"
#include "json_write.h"

static const struct usage usage = {
    "batch",
    "Answers lines {\"image\": \"cat.jpg\", \"prompt\": \"caption en\"} (or \"image\": [\"a.png\", \"b.png\"]) together, and "
    "prints a line of JSON for each, in their order. FILE may be - for standard input.",
    "FILE"
};

struct batch {
    struct common common;
    struct cache_choice cache;
    int64_t rows;
    pali_generate_options options;
    pali_model *model;
    pali_processor *processor;
    pali_error *error;
};

/* The rows of one batch, as the processor takes them. */
struct rows {
    const char **prompts, **paths;
    char **placed; /* the prompts, each with its <image>s */
    size_t *lines; /* of each path, where in the file */
    size_t n, n_paths;
};

/* A prompt that places its pictures must place all of them. */
static bool check_line(const struct batch_line *line)
{
    size_t n = count_placed(line->prompt);
    if (line->suffix) {
        report_text("line %zu: a \"suffix\" is for a calibration; here the model answers", line->number);
        return false;
    }
    if (n > 0 && n != line->n_images)
        report_text("line %zu: %zu <image> in the prompt and %zu pictures", line->number, n, line->n_images);
    return n == 0 || n == line->n_images;
}

/* The prompt with its pictures in front, said in so many words: the layout is the same, and other lines may place
 * theirs elsewhere. A new string, or NULL. */
static char *place_pictures(const char *prompt, size_t n_images)
{
    static const char image[] = "<image>";
    size_t n = count_placed(prompt) ? 0 : n_images, size = n * (sizeof image - 1) + strlen(prompt) + 1;
    char *text = malloc(size), *end = text;
    for (size_t i = 0; text && i < n; i++, end += sizeof image - 1)
        memcpy(end, image, sizeof image - 1);
    if (text)
        memcpy(end, prompt, strlen(prompt) + 1);
    return text;
}

static bool gather(struct rows *rows, const struct batch_line *lines, size_t n)
{
    size_t n_paths = 0;
    for (size_t i = 0; i < n; i++)
        n_paths += lines[i].n_images;
    rows->prompts = calloc(n, sizeof *rows->prompts);
    rows->placed = calloc(n, sizeof *rows->placed);
    rows->paths = calloc(n_paths, sizeof *rows->paths);
    rows->lines = calloc(n_paths, sizeof *rows->lines);
    if (!rows->prompts || !rows->placed || !rows->paths || !rows->lines)
        return false;
    for (size_t i = 0; i < n; i++) {
        rows->prompts[i] = lines[i].prompt;
        if (!(rows->placed[rows->n++] = place_pictures(lines[i].prompt, lines[i].n_images)))
            return false;
        for (size_t j = 0; j < lines[i].n_images; j++) {
            rows->lines[rows->n_paths] = lines[i].number;
            rows->paths[rows->n_paths++] = lines[i].images[j];
        }
    }
    return true;
}

static void print_rows(const pali_generation *generation, const struct rows *rows)
{
    for (int64_t row = 0; row < pali_generation_rows(generation); row++) {
        size_t n_ids = 0;
        const int64_t *ids = pali_generation_token_ids(generation, row, &n_ids);
        fputs("{\"prompt\": ", stdout);
        json_write_text(rows->prompts[row]);
        fputs(", \"text\": ", stdout);
        json_write_text(pali_generation_text(generation, row));
        fputs(", \"token_ids\": ", stdout);
        json_write_ids(ids, n_ids);
        fputs(", \"finish_reason\": ", stdout);
        json_write_text(finish_reason_name(pali_generation_finish_reason(generation, row)));
        puts("}");
    }
    fflush(stdout);
}

static pali_status answer(struct batch *batch, const struct rows *rows, pali_image *const *images)
{
    pali_generate_options options = batch->options;
    pali_inputs *inputs = NULL;
    pali_cache *cache = NULL;
    pali_generation *generation = NULL;
    pali_status status = pali_processor_apply_batch(&inputs, batch->processor, images, rows->n_paths,
                                                    (const char *const *)rows->placed, rows->n, NULL, &batch->error);
    if (status == PALI_OK)
        status = cache_choice_open(&batch->cache, &cache, batch->model, inputs, options.max_new_tokens, &batch->error);
    options.cache = cache;
    if (status == PALI_OK)
        status = pali_generate(&generation, batch->model, inputs, &options, &batch->error);
    if (status == PALI_OK)
        print_rows(generation, rows);
    pali_generation_free(generation);
    pali_cache_free(cache);
    pali_inputs_free(inputs);
    return status;
}

static int answer_lines(struct batch *batch, const struct batch_line *lines, size_t n)
{
    struct rows rows = { 0 };
    int status = EXIT_FAILED;
    for (size_t i = 0; i < n; i++)
        if (!check_line(&lines[i]))
            return EXIT_FAILED;
    if (!gather(&rows, lines, n)) {
        report_text("out of memory");
    } else {
        pali_image **images = open_images_of_lines(rows.paths, rows.lines, rows.n_paths);
        if (images)
            status = answer(batch, &rows, images) == PALI_OK ? EXIT_DONE : report(batch->error);
        free_images(images, rows.n_paths);
    }
    free(rows.prompts);
    for (size_t i = 0; rows.placed && i < rows.n; i++)
        free(rows.placed[i]);
    free(rows.placed);
    free(rows.paths);
    free(rows.lines);
    return status;
}

static int answer_file(struct batch *batch, FILE *file, const char *name)
{
    struct batch_line *lines = calloc((size_t)batch->rows, sizeof *lines);
    size_t n_lines = 0, number = 0;
    int status = lines ? EXIT_DONE : report_text("out of memory");
    while (status == EXIT_DONE) {
        status = batch_lines_read(file, name, lines, (size_t)batch->rows, &n_lines, &number);
        if (status == EXIT_DONE && n_lines == 0)
            break;
        if (status == EXIT_DONE)
            status = answer_lines(batch, lines, n_lines);
        batch_lines_free(lines, n_lines);
    }
    free(lines);
    return status;
}

static int run(struct batch *batch, const char *name)
{
    bool standard = strcmp(name, "-") == 0;
    FILE *file = standard ? stdin : fopen(name, "r");
    if (!file)
        return report_text("cannot open %s: %s", name, strerror(errno));
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    set_model_options(&options, &batch->common);
    char *path = checkpoint_path(batch->common.model);
    int status = EXIT_FAILED;
    if (path && (pali_processor_load(&batch->processor, path, NULL, &batch->error) != PALI_OK ||
                 pali_model_load(&batch->model, path, &options, &batch->error) != PALI_OK))
        report(batch->error);
    else if (path)
        status = answer_file(batch, file, standard ? "standard input" : name);
    if (!standard)
        fclose(file);
    free(path);
    return status;
}

int cmd_batch(int argc, char **argv)
{
    struct batch batch = { .options = PALI_GENERATE_OPTIONS_INIT, .rows = 16 };
    const char *name = NULL;
    struct option options[] = {
        COMMON_OPTIONS(batch.common, true),
        { NULL, "--batch-size", "N", OPTION_INT, false, &batch.rows, 1, 4096,
          "lines that are answered together (default 16)", false },
        { NULL, "--max-new-tokens", "N", OPTION_INT, false, &batch.options.max_new_tokens, 1, 1e9,
          "end an answer after N tokens (default: the checkpoint's, or 20)", false },
        CACHE_KIND_OPTIONS(batch.cache),
    };
    int status = options_parse(&usage, options, sizeof options / sizeof options[0], &name, argc, argv);
    if (status == OPTIONS_GO_ON && !name)
        status = usage_error(&usage, "FILE is missing");
    if (status == OPTIONS_GO_ON)
        status = cache_choice_check(&batch.cache, &usage);
    if (status == OPTIONS_GO_ON)
        status = run(&batch, name);
    pali_error_free(batch.error);
    pali_processor_free(batch.processor);
    pali_model_free(batch.model);
    return status;
}
