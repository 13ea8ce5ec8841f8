/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/json_file.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include <json-c/json.h>

#include "core/file.h"
#include "core/memory.h"

enum { FILE_DEPTH = 32 };

/*
 * What json-c lets pass: "\u0000", which would end a C string early, and keys in single quotes. Returns what is wrong,
 * or NULL.
 */
static const char *find_laxity(const char *text, size_t size)
{
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\0')
            return "a NUL character";
        if (text[i] == '"')
            in_string = !in_string;
        else if (!in_string && text[i] == '\'')
            return "a single quote outside strings";
        else if (in_string && text[i] == '\\') {
            if (size - i >= 6 && memcmp(text + i, "\\u0000", 6) == 0)
                return "a NUL character in a string";
            i++;
        }
    }
    return NULL;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* The end of the first whole number from `start` on, outside strings, that no integer type holds; `size` if there is
 * none. tokenizer_config.json has one: a model_max_length of 1e30, written out. */
static size_t end_of_huge_integer(const char *text, size_t start, size_t size)
{
    enum { MOST_DIGITS = 19 }; /* of an int64 */
    bool in_string = false;
    for (size_t i = start; i < size; i++) {
        if (in_string && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            in_string = !in_string;
        else if (!in_string && is_digit(text[i])) {
            size_t first = i;
            if (first > 0 && text[first - 1] == '-')
                first--;
            bool is_whole = first == 0 || !strchr(".eE+", text[first - 1]);
            while (i < size && is_digit(text[i]))
                i++;
            is_whole = is_whole && (i == size || !strchr(".eE", text[i]));
            if (is_whole && i - first > MOST_DIGITS)
                return i;
            i--; /* what ended the number has not been looked at */
        }
    }
    return size;
}

/* json-c before 0.18 clamps such a number to the largest integer, since then it calls the text malformed. With an
 * exponent behind it, it is the same number with a fraction to both. `*offset` is where the parser stopped. */
static struct json_object *parse_text(struct json_tokener *tokener, const char *text, size_t size, size_t *offset)
{
    struct json_object *root = NULL;
    for (size_t start = 0;;) {
        size_t end = end_of_huge_integer(text, start, size);
        root = json_tokener_parse_ex(tokener, text + start, (int)(end - start));
        *offset = start + json_tokener_get_parse_end(tokener);
        if (end == size || json_tokener_get_error(tokener) != json_tokener_continue)
            return root;
        root = json_tokener_parse_ex(tokener, "e0", 2);
        if (json_tokener_get_error(tokener) != json_tokener_continue)
            return root;
        start = end;
    }
}

pali_status pali__json_parse(struct json_object **out, const char *text, size_t size, int depth, const char *path,
                             pali_error **error)
{
    *out = NULL;
    if (size > INT_MAX)
        return pali__fail(error, PALI_ERROR_LIMIT, "'%s': JSON text of %zu bytes is too long", path, size);
    const char *laxity = find_laxity(text, size);
    if (laxity)
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': malformed JSON: %s", path, laxity);

    struct json_tokener *tokener = json_tokener_new_ex(depth);
    if (!tokener)
        return pali__no_memory(error, sizeof(void *));
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    size_t offset;
    struct json_object *root = parse_text(tokener, text, size, &offset);
    enum json_tokener_error outcome = json_tokener_get_error(tokener);
    json_tokener_free(tokener);

    if (outcome == json_tokener_success && json_object_is_type(root, json_type_object)) {
        *out = root;
        return PALI_OK;
    }
    const char *kind = pali__json_kind_name(pali__json_kind(root));
    json_object_put(root);
    if (outcome == json_tokener_success)
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': the JSON value is %s, an object was expected", path,
                          kind);
    if (outcome == json_tokener_continue)
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': the JSON text ends too early, after %zu bytes", path, size);
    return pali__fail(error, PALI_ERROR_FORMAT, "'%s': malformed JSON at byte %zu: %s", path, offset,
                      json_tokener_error_desc(outcome));
}

pali_status pali__json_load(struct json_object **out, const char *path, size_t limit, pali_error **error)
{
    *out = NULL;
    char *text;
    size_t size;
    TRY(pali__file_read(&text, &size, path, limit, error));
    pali_status status = pali__json_parse(out, text, size, FILE_DEPTH, path, error);
    pali__free(text);
    return status;
}

void pali__json_free(struct json_object *value) { json_object_put(value); }

static size_t count_members(struct json_object *value)
{
    size_t count = 0;
    if (json_object_is_type(value, json_type_object)) {
        const char *key;
        struct json_object *member;
        for (void *cursor = NULL; (cursor = pali__json_next(value, cursor, &key, &member));)
            count += 1 + count_members(member);
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            count += count_members(json_object_array_get_idx(value, i));
    }
    return count;
}

/* Outside strings a colon stands for one member. Those that json-c dropped are the repeated ones. */
bool pali__json_repeats_key(const char *text, size_t size, struct json_object *root)
{
    size_t colons = 0;
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        if (in_string && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            in_string = !in_string;
        else if (text[i] == ':' && !in_string)
            colons++;
    }
    return colons != count_members(root);
}

enum pali__json_kind pali__json_kind(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_boolean: return PALI__JSON_BOOL;
    case json_type_int: return PALI__JSON_INT;
    case json_type_double: return PALI__JSON_FLOAT;
    case json_type_string: return PALI__JSON_STRING;
    case json_type_array: return PALI__JSON_ARRAY;
    case json_type_object: return PALI__JSON_OBJECT;
    case json_type_null: break;
    }
    return PALI__JSON_NULL;
}

const char *pali__json_kind_name(enum pali__json_kind kind)
{
    static const char *const names[] = { "null",     "a boolean", "an integer", "a number with a fraction",
                                         "a string", "an array",  "an object" };
    return names[kind];
}

struct json_object *pali__json_get(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, key, &value);
    return value;
}

bool pali__json_has(struct json_object *object, const char *key)
{
    return json_object_is_type(object, json_type_object) && json_object_object_get_ex(object, key, NULL);
}

void *pali__json_next(struct json_object *object, void *cursor, const char **key, struct json_object **value)
{
    struct lh_entry *entry = cursor;
    entry = entry ? lh_entry_next(entry) : json_object_get_object(object)->head;
    if (entry) {
        *key = lh_entry_k(entry);
        *value = lh_entry_v(entry);
    }
    return entry;
}

size_t pali__json_count(struct json_object *value)
{
    if (json_object_is_type(value, json_type_object))
        return (size_t)json_object_object_length(value);
    return json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;
}

struct json_object *pali__json_at(struct json_object *array, size_t index)
{
    return json_object_is_type(array, json_type_array) ? json_object_array_get_idx(array, index) : NULL;
}

bool pali__json_bool(struct json_object *value, bool *out)
{
    if (!json_object_is_type(value, json_type_boolean))
        return false;
    *out = json_object_get_boolean(value);
    return true;
}

bool pali__json_int(struct json_object *value, int64_t *out)
{
    if (!json_object_is_type(value, json_type_int))
        return false;
    /* json-c clamps what does not fit to the two ends, so those are not believed. */
    int64_t number = json_object_get_int64(value);
    if (number == INT64_MAX || number == INT64_MIN)
        return false;
    *out = number;
    return true;
}

bool pali__json_float(struct json_object *value, double *out)
{
    if (!json_object_is_type(value, json_type_int) && !json_object_is_type(value, json_type_double))
        return false;
    double number = json_object_get_double(value);
    if (!isfinite(number))
        return false;
    *out = number;
    return true;
}

const char *pali__json_string(struct json_object *value)
{
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

/* ---- writing ---- */

bool pali__json_append_string(struct pali__text *text, const char *string)
{
    bool done = pali__text_append(text, "\"", 1);
    for (const char *s = string; *s && done; s++) {
        if (*s == '"' || *s == '\\')
            done = pali__text_append(text, "\\", 1) && pali__text_append(text, s, 1);
        else if ((unsigned char)*s < 0x20)
            done = pali__text_printf(text, "\\u%04x", (unsigned)(unsigned char)*s);
        else
            done = pali__text_append(text, s, 1);
    }
    return done && pali__text_append(text, "\"", 1);
}

pali_status pali__json_set_string(struct json_object *object, const char *key, const char *value, pali_error **error)
{
    struct json_object *string = json_object_new_string(value);
    if (!string || json_object_object_add(object, key, string) != 0) {
        json_object_put(string);
        return pali__no_memory(error, strlen(value));
    }
    return PALI_OK;
}

pali_status pali__json_set_text(struct json_object *object, const char *key, const char *text, size_t size,
                                pali_error **error)
{
    struct json_object *value;

    TRY(pali__json_parse(&value, text, size, 32, key, error));
    if (json_object_object_add(object, key, value) == 0)
        return PALI_OK;
    json_object_put(value);
    return pali__no_memory(error, size);
}

pali_status pali__json_print(struct pali__text *out, struct json_object *value, pali_error **error)
{
    size_t size = 0;
    const char *text = json_object_to_json_string_length(
        value, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
    if (!text || !pali__text_append(out, text, size) || !pali__text_append(out, "\n", 1))
        return pali__no_memory(error, size);
    return PALI_OK;
}
