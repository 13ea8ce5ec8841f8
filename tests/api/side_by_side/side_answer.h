/* SPDX-License-Identifier: BSD-2-Clause */
/* One answer's tokens, by whichever copy of the library the file that includes this is linked with. */
#ifndef PALI_TESTS_SIDE_ANSWER_H
#define PALI_TESTS_SIDE_ANSWER_H

#include <paligemma/paligemma.h>
#include <stdio.h>
#include <string.h>

enum { SIDE_MAX_TOKENS = 64 };

struct side_answer {
    int64_t ids[SIDE_MAX_TOKENS];
    size_t n_ids;
};

/* Loads everything, answers and ends everything. Returns 0, or 1 after a line on stderr. */
static inline int side_answer(struct side_answer *to, const char *directory, const char *picture, const char *prompt)
{
    pali_model *model = NULL;
    pali_processor *processor = NULL;
    pali_image *image = NULL;
    pali_inputs *inputs = NULL;
    pali_generation *answer = NULL;
    pali_error *error = NULL;
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    options.max_new_tokens = SIDE_MAX_TOKENS;

    int failed = pali_model_load(&model, directory, NULL, &error) ||
                 pali_processor_load(&processor, directory, NULL, &error) ||
                 pali_image_open(&image, picture, NULL, &error) ||
                 pali_processor_apply(&inputs, processor, &image, 1, prompt, NULL, &error) ||
                 pali_generate(&answer, model, inputs, &options, &error);
    memset(to, 0, sizeof *to);
    if (failed)
        fprintf(stderr, "%s\n", pali_error_message(error));
    else {
        const int64_t *ids = pali_generation_token_ids(answer, 0, &to->n_ids);
        memcpy(to->ids, ids, to->n_ids * sizeof *ids);
    }
    pali_generation_free(answer);
    pali_inputs_free(inputs);
    pali_image_free(image);
    pali_processor_free(processor);
    pali_model_free(model);
    pali_error_free(error);
    return failed;
}

#endif
