/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * steady_memory CHECKPOINT_DIR PICTURE GENERATIONS LIMIT_KIB: everything that a caption takes, made and ended again and
 * again on one model; three of ten are stopped or fail. The resident memory at the end is compared with that after a
 * quarter of them: it fails when LIMIT_KIB more are in use.
 */
#include <paligemma/paligemma.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum kind { WHOLE, STOPPED_BY_TOKEN, STOPPED_BY_PROGRESS, NO_PICTURE };

static int stop_at_token(void *user, const pali_token *token)
{
    (void)user, (void)token;
    return 1;
}

static int stop_at_progress(void *user, const char *stage, double fraction)
{
    (void)user, (void)stage;
    return fraction > 0.5;
}

static long resident_kib(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static int complain(const char *what, enum kind kind, const pali_error *error)
{
    fprintf(stderr, "%s in a generation of kind %d: %s\n", what, (int)kind, pali_error_message(error));
    return 1;
}

/* What came of it is what had to come of it, and `text`, if there is one already, says the same as the answer. */
static int check(enum kind kind, pali_status status, const pali_generation *answer, const pali_error *error, char *text)
{
    static const pali_status expected[] = { PALI_OK, PALI_OK, PALI_ERROR_CANCELLED, PALI_ERROR_IO };
    if (status != expected[kind] || pali_error_status(error) != status)
        return complain("another status", kind, error);
    if ((answer != NULL) != (status == PALI_OK))
        return complain("an answer too many or too few", kind, error);
    if (kind == STOPPED_BY_TOKEN && pali_generation_finish_reason(answer, 0) != PALI_FINISH_CANCELLED)
        return complain("another reason", kind, error);
    if (kind == WHOLE && *text && strcmp(text, pali_generation_text(answer, 0)) != 0)
        return complain("another answer", kind, error);
    if (kind == WHOLE)
        snprintf(text, 256, "%s", pali_generation_text(answer, 0));
    return 0;
}

static int generate(enum kind kind, pali_model *model, const pali_processor *processor, const char *picture, char *text)
{
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_image *image = NULL;
    pali_inputs *inputs = NULL;
    pali_generation *answer = NULL;
    pali_error *error = NULL;
    options.max_new_tokens = 4;
    options.on_token = kind == STOPPED_BY_TOKEN ? stop_at_token : NULL;
    options.progress = kind == STOPPED_BY_PROGRESS ? stop_at_progress : NULL;
    pali_status status = pali_image_open(&image, kind == NO_PICTURE ? "/nonexistent" : picture, NULL, &error);
    if (status == PALI_OK)
        status = pali_processor_apply(&inputs, processor, &image, 1, "caption en", NULL, &error);
    if (status == PALI_OK)
        status = pali_generate(&answer, model, inputs, &options, &error);
    int failed = check(kind, status, answer, error, text);
    pali_error_free(error);
    pali_generation_free(answer);
    pali_inputs_free(inputs);
    pali_image_free(image);
    return failed;
}

int main(int argc, char **argv)
{
    pali_model *model = NULL;
    pali_processor *processor = NULL;
    pali_error *error = NULL;
    char text[256] = "";
    if (argc != 5)
        return 2;
    long generations = atol(argv[3]), limit = atol(argv[4]), before = 0;
    int failed = pali_model_load(&model, argv[1], NULL, &error) || pali_processor_load(&processor, argv[1], NULL, &error);
    if (failed)
        fprintf(stderr, "%s\n", pali_error_message(error));
    for (long i = 0; !failed && i < generations; i++) {
        if (i == generations / 4)
            before = resident_kib();
        failed = generate(i % 10 < 7 ? WHOLE : (enum kind)(i % 10 - 6), model, processor, argv[2], text);
    }
    long after = resident_kib();
    printf("%ld generations: %ld KiB resident after a quarter of them, %ld KiB at the end\n", generations, before, after);
    if (!failed && (before == 0 || after - before > limit)) {
        fprintf(stderr, "more than %ld KiB more\n", limit);
        failed = 1;
    }
    pali_error_free(error);
    pali_processor_free(processor);
    pali_model_free(model);
    return failed;
}
