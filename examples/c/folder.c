/* SPDX-License-Identifier: BSD-2-Clause */
/* All pictures of a folder, several at once, a line "NAME<tab>ANSWER" for each; progress goes to standard error:
 *     folder CHECKPOINT_DIR FOLDER PROMPT [PICTURES_AT_ONCE] */
#include <paligemma/paligemma.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_AT_ONCE = 64 };

static int is_picture(const struct dirent *entry)
{
    static const char *const endings[] = { ".png", ".jpg", ".jpeg", ".ppm", ".pgm" };
    const char *dot = strrchr(entry->d_name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof endings[0]; i++)
        if (strcmp(dot, endings[i]) == 0)
            return 1;
    return 0;
}

/* Opens pictures until `most` are open; one that cannot be opened is told and passed over. Returns how many were looked
 * at, which `*n` of were opened. */
static int open_some(pali_image **images, const char **names, int *n, int most, const char *folder,
                     struct dirent *const *entries, int n_entries)
{
    int seen = 0;
    for (*n = 0; seen < n_entries && *n < most; seen++) {
        char path[4096];
        pali_error *error = NULL;
        int size = snprintf(path, sizeof path, "%s/%s", folder, entries[seen]->d_name);
        names[*n] = entries[seen]->d_name;
        if (size < (int)sizeof path && pali_image_open(&images[*n], path, NULL, &error) == PALI_OK)
            ++*n;
        else
            fprintf(stderr, "\n%s: %s\n", entries[seen]->d_name, error ? pali_error_message(error) : "path too long");
        pali_error_free(error);
    }
    return seen;
}

/* One batch: the same prompt for each of the pictures. */
static pali_status answer(pali_model *model, const pali_processor *processor, pali_image *const *images,
                          const char *const *names, int n, const char *prompt, pali_error **error)
{
    const char *prompts[MOST_AT_ONCE];
    pali_inputs *inputs = NULL;
    pali_generation *generation = NULL;
    for (int i = 0; i < n; i++)
        prompts[i] = prompt;
    pali_status status = pali_processor_apply_batch(&inputs, processor, images, (size_t)n, prompts, (size_t)n, NULL, error);
    if (status == PALI_OK)
        status = pali_generate(&generation, model, inputs, NULL, error);
    for (int i = 0; status == PALI_OK && i < n; i++)
        printf("%s\t%s\n", names[i], pali_generation_text(generation, i));
    pali_generation_free(generation);
    pali_inputs_free(inputs);
    return status;
}

int main(int argc, char **argv)
{
    pali_model *model = NULL;
    pali_processor *processor = NULL;
    pali_error *error = NULL;
    struct dirent **entries = NULL;
    int at_once = argc == 5 ? atoi(argv[4]) : 8, done = 0, answered = 0;

    if (argc < 4 || argc > 5 || at_once < 1 || at_once > MOST_AT_ONCE) {
        fprintf(stderr, "usage: %s CHECKPOINT_DIR FOLDER PROMPT [PICTURES_AT_ONCE, 1 to %d]\n", argv[0], MOST_AT_ONCE);
        return 2;
    }
    int n_entries = scandir(argv[2], &entries, is_picture, alphasort);
    if (n_entries < 0)
        perror(argv[2]);
    pali_status status = n_entries < 0 ? PALI_ERROR_IO : pali_processor_load(&processor, argv[1], NULL, &error);
    if (status == PALI_OK)
        status = pali_model_load(&model, argv[1], NULL, &error);
    while (status == PALI_OK && done < n_entries) {
        pali_image *images[MOST_AT_ONCE];
        const char *names[MOST_AT_ONCE];
        int n;
        done += open_some(images, names, &n, at_once, argv[2], entries + done, n_entries - done);
        if (n > 0)
            status = answer(model, processor, images, names, n, argv[3], &error);
        answered += n;
        fprintf(stderr, "\r%d of %d pictures", done, n_entries);
        for (int i = 0; i < n; i++)
            pali_image_free(images[i]);
    }
    fputc('\n', stderr);
    if (error)
        fprintf(stderr, "%s\n", pali_error_message(error));
    int failed = status != PALI_OK || answered != n_entries || fflush(stdout) != 0;

    for (int i = 0; i < n_entries; i++)
        free(entries[i]);
    free(entries);
    pali_error_free(error);
    pali_processor_free(processor);
    pali_model_free(model);
    return failed;
}
