/* SPDX-License-Identifier: BSD-2-Clause */
/* A report of sections with named values, on standard output: as indented text, or as one JSON object. */
#ifndef PALIGEMMA_CLI_OUTLINE_H
#define PALIGEMMA_CLI_OUTLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct outline {
    bool json;
    int depth;
    bool filled[8]; /* whether the object or list of that depth has a member yet */
    bool list[8];
};

void outline_begin(struct outline *outline, bool json);
void outline_end(struct outline *outline);

/* An object, or a list of objects, of this name; NULL for an object in a list. */
void outline_open(struct outline *outline, const char *name);
void outline_open_list(struct outline *outline, const char *name);
void outline_close(struct outline *outline);

void outline_integer(struct outline *outline, const char *name, int64_t value);
void outline_number(struct outline *outline, const char *name, double value);
void outline_flag(struct outline *outline, const char *name, bool value);
void outline_quoted(struct outline *outline, const char *name, const char *value); /* with quotes in text too */
void outline_text(struct outline *outline, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void outline_ids(struct outline *outline, const char *name, const int64_t *ids, size_t n_ids);

/* A list of sentences: name NULL for each of them, inside outline_open_list(). */
void outline_sentence(struct outline *outline, const char *sentence);

#endif
