/* SPDX-License-Identifier: BSD-2-Clause */
#include "batch_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "commands.h"
#include "json_read.h"

static char *skip_spaces(char *at) { return at + strspn(at, " \t\r\n"); }

/* The string at `*at`, decoded in place; NULL, or what is wrong. `*at` goes on behind it. */
static const char *take_string(char **at, const char **text)
{
    char *begin = skip_spaces(*at), *end = begin;
    size_t size;
    if (*begin != '"')
        return "a JSON string is expected";
    for (end++; *end && *end != '"'; end++)
        end += end[0] == '\\' && end[1];
    if (!*end)
        return "a string does not end";
    char next = end[1];
    end[1] = '\0';
    const char *wrong = json_read_text(begin, &size);
    end[1] = next; /* the decoded text ends before the closing quote */
    *text = begin;
    *at = skip_spaces(end + 1);
    return !wrong && strlen(begin) != size ? "a string holds a NUL" : wrong;
}

/* A string, or an array of strings. */
static const char *take_images(char **at, struct batch_line *line)
{
    bool many = *(*at = skip_spaces(*at)) == '[';
    const char *wrong = NULL;
    size_t most = 1;
    for (const char *c = *at; *c; c++)
        most += *c == ',';
    free(line->images);
    line->n_images = 0;
    if (!(line->images = calloc(most, sizeof *line->images)))
        return "out of memory";
    if (!many)
        return take_string(at, &line->images[line->n_images++]);
    do {
        ++*at;
        wrong = take_string(at, &line->images[line->n_images++]);
    } while (!wrong && **at == ',');
    if (!wrong && **at != ']')
        return "the array of images does not end";
    ++*at;
    return wrong;
}

static const char *parse(struct batch_line *line)
{
    char *at = skip_spaces(line->text);
    const char *key, *wrong = NULL;
    if (*at != '{')
        return "a JSON object is expected";
    do {
        at++;
        wrong = take_string(&at, &key);
        if (wrong)
            return wrong;
        if (*at++ != ':')
            return "a colon is expected behind a key";
        if (strcmp(key, "prompt") == 0)
            wrong = take_string(&at, &line->prompt);
        else if (strcmp(key, "suffix") == 0)
            wrong = take_string(&at, &line->suffix);
        else if (strcmp(key, "image") == 0)
            wrong = take_images(&at, line);
        else
            return "an object has \"image\", \"prompt\", for a calibration \"suffix\", and nothing else";
        at = skip_spaces(at);
    } while (!wrong && *at == ',');
    if (wrong)
        return wrong;
    if (*at != '}' || *skip_spaces(at + 1))
        return "the object does not end where the line does";
    return line->prompt && line->n_images > 0 ? NULL : "\"image\" or \"prompt\" is missing";
}

void batch_lines_free(struct batch_line *lines, size_t n_lines)
{
    for (size_t i = 0; i < n_lines; i++) {
        free(lines[i].text);
        free(lines[i].images);
        lines[i] = (struct batch_line){ 0 };
    }
}

int batch_lines_read(FILE *file, const char *name, struct batch_line *lines, size_t most, size_t *n_lines,
                     size_t *number)
{
    char *text = NULL;
    size_t capacity = 0;
    ssize_t length = 0;
    int status = EXIT_DONE;
    *n_lines = 0;
    while (status == EXIT_DONE && *n_lines < most && (length = getline(&text, &capacity, file)) >= 0) {
        struct batch_line *line = &lines[*n_lines];
        ++*number;
        if (!*skip_spaces(text) && strlen(text) == (size_t)length)
            continue;
        *line = (struct batch_line){ .text = text, .number = *number };
        ++*n_lines;
        text = NULL;
        capacity = 0;
        const char *wrong = strlen(line->text) == (size_t)length ? parse(line) : "the line holds a NUL";
        if (wrong)
            status = report_text("line %zu of %s: %s", *number, name, wrong);
    }
    free(text);
    if (status == EXIT_DONE && ferror(file))
        status = report_text("cannot read %s: %s", name, strerror(errno));
    return status;
}
