/* SPDX-License-Identifier: BSD-2-Clause */
#include "outline.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "json_write.h"

/* What stands before a member: in text its indented name, in JSON a comma and the name in quotes. */
static void lead(struct outline *outline, const char *name, bool has_value)
{
    if (outline->json) {
        fputs(outline->filled[outline->depth] ? ", " : "", stdout);
        if (name) {
            json_write_text(name);
            fputs(": ", stdout);
        }
    } else if (has_value) {
        printf("%*s%-*s", 2 * outline->depth, "", 28 - 2 * outline->depth, name ? name : "-");
        putchar(' ');
    } else if (name) {
        printf("%s%*s%s\n", outline->depth == 0 && outline->filled[0] ? "\n" : "", 2 * outline->depth, "", name);
    } else if (outline->filled[outline->depth]) {
        putchar('\n'); /* between the objects of a list */
    }
    outline->filled[outline->depth] = true;
}

static void finish(const struct outline *outline)
{
    if (!outline->json)
        putchar('\n');
}

static void deeper(struct outline *outline, bool list)
{
    if (outline->json)
        putchar(list ? '[' : '{');
    outline->depth++;
    outline->filled[outline->depth] = false;
    outline->list[outline->depth] = list;
}

void outline_begin(struct outline *outline, bool json)
{
    *outline = (struct outline){ .json = json };
    if (json)
        putchar('{');
}

void outline_end(struct outline *outline)
{
    if (outline->json)
        puts("}");
}

void outline_open(struct outline *outline, const char *name)
{
    lead(outline, name, false);
    deeper(outline, false);
}

void outline_open_list(struct outline *outline, const char *name)
{
    lead(outline, name, false);
    deeper(outline, true);
}

void outline_close(struct outline *outline)
{
    if (outline->json)
        putchar(outline->list[outline->depth] ? ']' : '}');
    outline->depth--;
}

void outline_integer(struct outline *outline, const char *name, int64_t value)
{
    lead(outline, name, true);
    printf("%" PRId64, value);
    finish(outline);
}

void outline_number(struct outline *outline, const char *name, double value)
{
    lead(outline, name, true);
    if (outline->json)
        json_write_number(value);
    else
        printf("%.9g", value);
    finish(outline);
}

void outline_flag(struct outline *outline, const char *name, bool value)
{
    lead(outline, name, true);
    fputs(outline->json ? value ? "true" : "false" : value ? "yes" : "no", stdout);
    finish(outline);
}

void outline_quoted(struct outline *outline, const char *name, const char *value)
{
    lead(outline, name, true);
    json_write_text(value);
    finish(outline);
}

void outline_text(struct outline *outline, const char *name, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    lead(outline, name, true);
    if (outline->json)
        json_write_text(text);
    else
        fputs(text, stdout);
    finish(outline);
}

void outline_ids(struct outline *outline, const char *name, const int64_t *ids, size_t n_ids)
{
    lead(outline, name, true);
    json_write_ids(ids, n_ids);
    finish(outline);
}

void outline_sentence(struct outline *outline, const char *sentence)
{
    if (outline->json) {
        lead(outline, NULL, true);
        json_write_text(sentence);
        return;
    }
    printf("%*s- %s\n", 2 * outline->depth, "", sentence);
    outline->filled[outline->depth] = true;
}
