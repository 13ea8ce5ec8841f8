/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma chat-template: messages to the text of a prompt, and nothing else. */
#include <stdio.h>
#include <stdlib.h>

#include "arguments.h"
#include "commands.h"
#include "json_write.h"

static const struct usage usage = {
    "chat-template", "Renders a list of messages to a prompt, by the checkpoint's chat template or another.", NULL
};

struct chat {
    struct common common;
    const char *messages, *name, *template_file;
    bool add_generation_prompt;
    pali_chat_options options;
};

static int render(struct chat *chat, const char *path)
{
    pali_processor *processor = NULL;
    pali_error *error = NULL;
    char *template = NULL, *text = NULL;
    if (pali_processor_load(&processor, path, NULL, &error) != PALI_OK) {
        report(error);
    } else if (chat->name && !pali_processor_chat_template(processor, chat->name)) {
        report_text("the checkpoint has no chat template named \"%s\"", chat->name);
    } else if (!chat->template_file || (template = read_text_file(chat->template_file))) {
        if (template)
            chat->options.chat_template = template;
        else
            chat->options.chat_template = chat->name;
        chat->options.add_generation_prompt = chat->add_generation_prompt;
        text = render_messages(processor, chat->messages, &chat->options);
    }
    if (text && chat->common.json) {
        fputs("{\"text\": ", stdout);
        json_write_text(text);
        puts("}");
    } else if (text)
        fputs(text, stdout);
    int status = text ? EXIT_DONE : EXIT_FAILED;
    pali_free(text);
    free(template);
    pali_error_free(error);
    pali_processor_free(processor);
    return status;
}

int cmd_chat_template(int argc, char **argv)
{
    struct chat chat = { .options = PALI_CHAT_OPTIONS_INIT };
    struct option options[] = {
        { "-m", "--model", "DIR", OPTION_TEXT, true, &chat.common.model, 0, 0,
          "checkpoint directory, or hub id looked up in the Hugging Face cache", false },
        { NULL, "--messages", "FILE", OPTION_TEXT, true, &chat.messages, 0, 0,
          "JSON array of messages, {\"role\": …, \"content\": …}; - for standard input", false },
        { NULL, "--add-generation-prompt", NULL, OPTION_SWITCH, false, &chat.add_generation_prompt, 0, 0,
          "end with what begins the model's answer", false },
        { NULL, "--name", "NAME", OPTION_TEXT, false, &chat.name, 0, 0,
          "which of the checkpoint's templates (default: \"default\")", false },
        { NULL, "--chat-template", "FILE", OPTION_TEXT, false, &chat.template_file, 0, 0,
          "a template of one's own", false },
        { NULL, "--json", NULL, OPTION_SWITCH, false, &chat.common.json, 0, 0, "print one JSON object", false },
    };
    int status = options_parse(&usage, options, sizeof options / sizeof options[0], NULL, argc, argv);
    if (status == OPTIONS_GO_ON && chat.name && chat.template_file)
        status = usage_error(&usage, "--name and --chat-template exclude each other");
    if (status != OPTIONS_GO_ON)
        return status;
    char *path = checkpoint_path(chat.common.model);
    status = path ? render(&chat, path) : EXIT_FAILED;
    free(path);
    return status;
}
