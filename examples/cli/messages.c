/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of text, messages to a prompt, and what a prompt says of its pictures. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

enum { MOST_BYTES = 64 << 20 };

char *read_text_file(const char *path)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    size_t size = 0, capacity = 65536;
    char *text = file ? malloc(capacity) : NULL;
    if (!file)
        report_text("cannot open '%s': %s", path, strerror(errno));
    else if (!text)
        report_text("out of memory");
    while (text) {
        size += fread(text + size, 1, capacity - size - 1, file);
        if (size < capacity - 1)
            break;
        char *grown = capacity < MOST_BYTES ? realloc(text, capacity * 2) : NULL;
        if (!grown) {
            report_text("'%s' is too long", path);
            free(text);
            text = NULL;
        } else {
            text = grown;
            capacity *= 2;
        }
    }
    if (text && (ferror(file) || memchr(text, '\0', size))) {
        report_text(ferror(file) ? "cannot read '%s'" : "'%s' is no text", path);
        free(text);
        text = NULL;
    }
    if (text)
        text[size] = '\0';
    if (file && !is_stdin)
        fclose(file);
    return text;
}

char *render_messages(const pali_processor *processor, const char *path, const pali_chat_options *options)
{
    char *messages = read_text_file(path), *text = NULL;
    pali_error *error = NULL;
    if (messages && pali_processor_apply_chat_template(&text, processor, messages, options, &error) != PALI_OK)
        report(error);
    pali_error_free(error);
    free(messages);
    return text;
}

char *render_prompt(const pali_processor *processor, const char *path)
{
    pali_chat_options options = PALI_CHAT_OPTIONS_INIT;
    options.add_generation_prompt = 1;
    return render_messages(processor, path, &options);
}

size_t count_placed(const char *prompt)
{
    size_t n = 0;
    for (const char *at = prompt; (at = strstr(at, "<image>")) != NULL; at += strlen("<image>"))
        n++;
    return n;
}
