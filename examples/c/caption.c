/* SPDX-License-Identifier: BSD-2-Clause */
/* A picture and a prompt in, the answer out:  caption CHECKPOINT_DIR PICTURE [PROMPT] */
#include <paligemma/paligemma.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    pali_model *model = NULL;
    pali_processor *processor = NULL;
    pali_image *image = NULL;
    pali_inputs *inputs = NULL;
    pali_generation *answer = NULL;
    pali_error *error = NULL;

    if (argc < 3) {
        fprintf(stderr, "usage: %s CHECKPOINT_DIR PICTURE [PROMPT]\n", argv[0]);
        return 2;
    }
    const char *prompt = argc > 3 ? argv[3] : "caption en";

    if (pali_model_load(&model, argv[1], NULL, &error) ||
        pali_processor_load(&processor, argv[1], NULL, &error) ||
        pali_image_open(&image, argv[2], NULL, &error) ||
        pali_processor_apply(&inputs, processor, &image, 1, prompt, NULL, &error) ||
        pali_generate(&answer, model, inputs, NULL, &error))
        fprintf(stderr, "%s\n", pali_error_message(error));
    else
        puts(pali_generation_text(answer, 0));

    int failed = error != NULL;
    pali_error_free(error);
    pali_generation_free(answer);
    pali_inputs_free(inputs);
    pali_image_free(image);
    pali_processor_free(processor);
    pali_model_free(model);
    return failed;
}
