/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON texts, read and changed with json-c. Only json_file.c knows that library; others hold its values by pointer. */
#ifndef PALI_CORE_JSON_FILE_H
#define PALI_CORE_JSON_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/memory.h"

struct json_object;

enum pali__json_kind {
    PALI__JSON_NULL,
    PALI__JSON_BOOL,
    PALI__JSON_INT,
    PALI__JSON_FLOAT,
    PALI__JSON_STRING,
    PALI__JSON_ARRAY,
    PALI__JSON_OBJECT
};

/*
 * Parses `size` bytes, strictly: valid UTF-8, no comments, nothing after the value, and no NUL, not even as \u0000, so
 * that every string is a C string. The outermost value must be an object, nested at most `depth` levels. `path` is for
 * the message. The value is ended with pali__json_free.
 */
pali_status pali__json_parse(struct json_object **out, const char *text, size_t size, int depth, const char *path,
                             pali_error **error);

/* The same from a file of at most `limit` bytes. */
pali_status pali__json_load(struct json_object **out, const char *path, size_t limit, pali_error **error);

void pali__json_free(struct json_object *value);

/* Whether an object in `text`, which gave `root`, has one key twice. (json-c keeps the last such member.) */
bool pali__json_repeats_key(const char *text, size_t size, struct json_object *root);

enum pali__json_kind pali__json_kind(struct json_object *value);
const char *pali__json_kind_name(enum pali__json_kind kind); /* "a string", "an integer", … */

/* Member `key` of an object, borrowed; NULL if it is absent or null, or `object` is no object. */
struct json_object *pali__json_get(struct json_object *object, const char *key);

bool pali__json_has(struct json_object *object, const char *key); /* true for a null member too */

/* Members one after the other: starts with `cursor` NULL, ends when NULL is returned. */
void *pali__json_next(struct json_object *object, void *cursor, const char **key, struct json_object **value);

size_t pali__json_count(struct json_object *value); /* members or elements; 0 for anything else */
struct json_object *pali__json_at(struct json_object *array, size_t index);

/* False for another kind, or a number that does not fit. An integer serves as a float, not the reverse. */
bool pali__json_bool(struct json_object *value, bool *out);
bool pali__json_int(struct json_object *value, int64_t *out);
bool pali__json_float(struct json_object *value, double *out); /* finite */
const char *pali__json_string(struct json_object *value);      /* borrowed; NULL for another kind */

/* Adds or replaces member `key` of an object. */
pali_status pali__json_set_string(struct json_object *object, const char *key, const char *value, pali_error **error);
/* The same with an object that is given as text, which is right. */
pali_status pali__json_set_text(struct json_object *object, const char *key, const char *text, size_t size,
                                pali_error **error);

/* Appends the whole value, indented, and a newline. Numbers stay as the file wrote them. */
pali_status pali__json_print(struct pali__text *out, struct json_object *value, pali_error **error);

/* Appends UTF-8 text as a JSON string. False without memory. */
bool pali__json_append_string(struct pali__text *text, const char *string);

#endif
