/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds objects, prints their boxes in pixels and draws them:
 *     detect CHECKPOINT_DIR PICTURE "red circle ; blue square" OUT.png */
#include <paligemma/paligemma.h>

#include <stdio.h>
#include <stdlib.h>

/* What the model says to "detect …", with the log-probability of each token. */
static pali_status ask(pali_generation **answer, pali_model *model, const pali_processor *processor, pali_image *image,
                       const char *labels, pali_error **error)
{
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_inputs *inputs = NULL;
    char prompt[1024];
    if (snprintf(prompt, sizeof prompt, "detect %s", labels) >= (int)sizeof prompt)
        return PALI_ERROR_ARGUMENT;
    options.max_new_tokens = 200; /* an object takes four, and some for its label */
    options.logprobs = 1;
    pali_status status = pali_processor_apply(&inputs, processor, &image, 1, prompt, NULL, error);
    if (status == PALI_OK)
        status = pali_generate(answer, model, inputs, &options, error);
    pali_inputs_free(inputs);
    return status;
}

/* The objects in the answer, and how sure the model was of each (an array to be freed). */
static pali_status parse(pali_detections **found, pali_confidence **confidences, const pali_generation *answer,
                         const pali_processor *processor, pali_error **error)
{
    size_t n_ids, n_logprobs;
    const int64_t *ids = pali_generation_token_ids(answer, 0, &n_ids);
    const double *logprobs = pali_generation_logprobs(answer, 0, &n_logprobs);
    pali_status status = pali_detections_parse(found, pali_generation_text(answer, 0), NULL, error);
    if (status != PALI_OK)
        return status;
    *confidences = calloc(pali_detections_count(*found) + 1, sizeof **confidences);
    return *confidences ? pali_detections_confidence(*confidences, *found, processor, ids, logprobs, n_ids, error)
                        : PALI_ERROR_MEMORY;
}

/* Prints the boxes while the picture is as it was, then draws them into it and writes it. */
static pali_status show(const pali_detections *found, const pali_confidence *confidences, pali_image *image,
                        const char *path, pali_error **error)
{
    pali_draw_options options = PALI_DRAW_OPTIONS_INIT;
    int32_t width = pali_image_width(image), height = pali_image_height(image);
    for (size_t i = 0; i < pali_detections_count(found); i++) {
        const pali_detection *box = pali_detections_get(found, i);
        printf("%s\t%.1f %.1f %.1f %.1f\t%.0f %%\n", box->label, box->x_min * width, box->y_min * height,
               box->x_max * width, box->y_max * height, 100.0 * confidences[i].mean);
    }
    options.confidences = confidences;
    pali_status status = pali_detections_draw(found, image, &options, error);
    return status == PALI_OK ? pali_image_save_png(image, path, error) : status;
}

int main(int argc, char **argv)
{
    pali_model *model = NULL;
    pali_processor *processor = NULL;
    pali_image *image = NULL;
    pali_generation *answer = NULL;
    pali_detections *found = NULL;
    pali_confidence *confidences = NULL;
    pali_error *error = NULL;

    if (argc != 5) {
        fprintf(stderr, "usage: %s CHECKPOINT_DIR PICTURE LABELS OUT.png\n", argv[0]);
        return 2;
    }
    int failed = pali_model_load(&model, argv[1], NULL, &error) ||
                 pali_processor_load(&processor, argv[1], NULL, &error) ||
                 pali_image_open(&image, argv[2], NULL, &error) ||
                 ask(&answer, model, processor, image, argv[3], &error) ||
                 parse(&found, &confidences, answer, processor, &error) ||
                 show(found, confidences, image, argv[4], &error) ||
                 fflush(stdout) != 0;
    if (failed)
        fprintf(stderr, "%s: %s\n", argv[0], error ? pali_error_message(error) : "labels too long, or no memory or room");

    free(confidences);
    pali_error_free(error);
    pali_detections_free(found);
    pali_generation_free(answer);
    pali_image_free(image);
    pali_processor_free(processor);
    pali_model_free(model);
    return failed;
}
