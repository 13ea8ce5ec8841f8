/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions about one picture, one a line from standard input, each answered word by word:
 *     converse CHECKPOINT_DIR PICTURE
 * The picture goes through the vision tower once. Where the checkpoint has a chat template, a question becomes a message;
 * each stands for itself, as PaliGemma has not learnt to go back to an earlier one. */
#include <paligemma/paligemma.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct session {
    pali_model *model;
    pali_processor *processor;
    pali_image *image;
    pali_image_features *features; /* of the picture, from the first question on */
};

static int print_token(void *user, const pali_token *token)
{
    (void)user;
    return fputs(token->text, stdout) < 0 || fflush(stdout) != 0; /* nobody listens: stop */
}

/* The question as a list of one message, in JSON. */
static char *to_message(const char *question)
{
    static const char begin[] = "[{\"role\": \"user\", \"content\": [{\"type\": \"image\"}, {\"type\": \"text\", \"text\": \"";
    char *message = malloc(sizeof begin + 6 * strlen(question) + sizeof "\"}]}]"), *end = message;
    if (!message)
        return NULL;
    end += sprintf(end, "%s", begin);
    for (const unsigned char *at = (const unsigned char *)question; *at; at++)
        end += sprintf(end, *at < ' ' || *at == '"' || *at == '\\' ? "\\u%04x" : "%c", *at);
    strcpy(end, "\"}]}]");
    return message;
}

/* The prompt: what the chat template makes of the question, or the question itself, in either case to be freed. */
static pali_status to_prompt(char **prompt, const pali_processor *processor, const char *question, pali_error **error)
{
    pali_chat_options options = PALI_CHAT_OPTIONS_INIT;
    options.add_generation_prompt = 1;
    char *message = to_message(question);
    pali_status status = message ? pali_processor_apply_chat_template(prompt, processor, message, &options, error)
                                 : PALI_ERROR_MEMORY;
    free(message);
    return status;
}

static pali_status answer(struct session *session, const char *question, pali_error **error)
{
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_inputs *inputs = NULL;
    pali_generation *generation = NULL;
    char *rendered = NULL;
    pali_status status = PALI_OK;

    if (pali_processor_chat_template(session->processor, NULL))
        status = to_prompt(&rendered, session->processor, question, error);
    if (status == PALI_OK)
        status = pali_processor_apply(&inputs, session->processor, &session->image, 1, rendered ? rendered : question,
                                      NULL, error);
    if (status == PALI_OK && !session->features)
        status = pali_model_image_features(&session->features, session->model, pali_inputs_get(inputs, "pixel_values"),
                                           NULL, error);
    options.features = session->features;
    options.max_new_tokens = 100;
    options.on_token = print_token;
    if (status == PALI_OK)
        status = pali_generate(&generation, session->model, inputs, &options, error);
    putchar('\n');
    pali_generation_free(generation);
    pali_inputs_free(inputs);
    pali_free(rendered);
    return status;
}

int main(int argc, char **argv)
{
    struct session session = { NULL, NULL, NULL, NULL };
    pali_error *error = NULL;
    char question[4096];

    if (argc != 3) {
        fprintf(stderr, "usage: %s CHECKPOINT_DIR PICTURE <QUESTIONS\n", argv[0]);
        return 2;
    }
    pali_status status = pali_processor_load(&session.processor, argv[1], NULL, &error);
    if (status == PALI_OK)
        status = pali_model_load(&session.model, argv[1], NULL, &error);
    if (status == PALI_OK)
        status = pali_image_open(&session.image, argv[2], NULL, &error);
    while (status == PALI_OK && fgets(question, sizeof question, stdin)) {
        question[strcspn(question, "\n")] = '\0';
        if (*question)
            status = answer(&session, question, &error);
    }
    int failed = status != PALI_OK || ferror(stdin) || ferror(stdout) || fflush(stdout) != 0;
    if (failed)
        fprintf(stderr, "%s: %s\n", argv[0], error ? pali_error_message(error) : "input, output or memory failed");

    pali_error_free(error);
    pali_image_features_free(session.features);
    pali_image_free(session.image);
    pali_model_free(session.model);
    pali_processor_free(session.processor);
    return failed;
}
