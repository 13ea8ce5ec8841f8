/* SPDX-License-Identifier: BSD-2-Clause */
#include "processor/template_value.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/json_file.h"

/* ---- bounds ---- */

struct pali__tblock {
    struct pali__tblock *next;
    size_t used, size;
};

pali_status pali__template_fail(struct pali__template *t, pali_status status, const char *format, ...)
{
    char what[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return pali__fail(t->error, status, "%s, line %d: %s", t->name, t->line, what);
}

pali_status pali__template_alloc(struct pali__template *t, void *out, size_t size)
{
    enum { ALIGNMENT = 16, BLOCK = 16384, HEAD = (sizeof(struct pali__tblock) + 15) / 16 * 16 };
    if (size > PALI__T_MEMORY || t->allocated > PALI__T_MEMORY - size)
        return pali__template_fail(t, PALI_ERROR_LIMIT, "its values need more than %d MB", PALI__T_MEMORY >> 20);
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct pali__tblock *block = t->blocks;
    if (!block || block->size - block->used < size) {
        size_t room = size > BLOCK ? size : BLOCK;
        block = pali__malloc(HEAD + room);
        if (!block)
            return pali__no_memory(t->error, HEAD + room);
        *block = (struct pali__tblock){ t->blocks, 0, room };
        t->blocks = block;
    }
    void *memory = (unsigned char *)block + HEAD + block->used;
    block->used += size;
    t->allocated += size;
    memset(memory, 0, size);
    memcpy(out, &memory, sizeof memory);
    return PALI_OK;
}

void pali__template_release(struct pali__template *t)
{
    for (struct pali__tblock *block = t->blocks; block;) {
        struct pali__tblock *next = block->next;
        pali__free(block);
        block = next;
    }
    t->blocks = NULL;
    pali__text_clear(&t->output);
}

pali_status pali__template_charge(struct pali__template *t, size_t size)
{
    t->steps += 1 + (int64_t)(size / 64);
    if (t->steps > PALI__T_STEPS)
        return pali__template_fail(t, PALI_ERROR_LIMIT, "it takes more than %d steps", PALI__T_STEPS);
    return PALI_OK;
}

/* ---- making ---- */

bool pali__text_is(struct pali__ttext text, const char *word)
{
    return strlen(word) == text.size && memcmp(text.bytes, word, text.size) == 0;
}

pali_status pali__t_list(struct pali__template *t, struct pali__tvalue *out, size_t count)
{
    struct pali__tlist *list = NULL;
    TRY(pali__template_charge(t, count));
    TRY(pali__template_alloc(t, &list, sizeof *list));
    if (count > PALI__T_MEMORY / sizeof *list->items)
        return pali__template_fail(t, PALI_ERROR_LIMIT, "a list of %zu values is too long", count);
    TRY(pali__template_alloc(t, &list->items, count * sizeof *list->items));
    list->count = count;
    *out = (struct pali__tvalue){ .kind = PALI__T_LIST, .as.list = list };
    return PALI_OK;
}

static pali_status dict_reserve(struct pali__template *t, struct pali__tdict *dict, size_t capacity)
{
    struct pali__tvalue *both = NULL;
    if (capacity > PALI__T_MEMORY / sizeof *both / 2)
        return pali__template_fail(t, PALI_ERROR_LIMIT, "a mapping of %zu values is too large", capacity);
    TRY(pali__template_alloc(t, &both, 2 * capacity * sizeof *both));
    for (size_t i = 0; i < dict->count; i++) {
        both[i] = dict->keys[i];
        both[capacity + i] = dict->values[i];
    }
    dict->keys = both;
    dict->values = both + capacity;
    dict->capacity = capacity;
    return PALI_OK;
}

pali_status pali__t_dict(struct pali__template *t, struct pali__tvalue *out, size_t capacity)
{
    struct pali__tdict *dict = NULL;
    TRY(pali__template_alloc(t, &dict, sizeof *dict));
    TRY(dict_reserve(t, dict, capacity ? capacity : 4));
    *out = (struct pali__tvalue){ .kind = PALI__T_DICT, .as.dict = dict };
    return PALI_OK;
}

static bool can_be_key(struct pali__tvalue key)
{
    return key.kind == PALI__T_STRING || key.kind == PALI__T_NONE || pali__t_is_number(key);
}

pali_status pali__t_dict_get(struct pali__template *t, const struct pali__tdict *dict, struct pali__tvalue key,
                             struct pali__tvalue **out)
{
    *out = NULL;
    TRY(pali__template_charge(t, dict->count));
    for (size_t i = 0; can_be_key(key) && i < dict->count; i++) {
        bool equal = false;
        if (dict->keys[i].kind == PALI__T_STRING && key.kind == PALI__T_STRING)
            equal = dict->keys[i].as.text.size == key.as.text.size &&
                    memcmp(dict->keys[i].as.text.bytes, key.as.text.bytes, key.as.text.size) == 0;
        else
            TRY(pali__t_equal(t, &equal, dict->keys[i], key, 0));
        if (equal) {
            *out = &dict->values[i];
            return PALI_OK;
        }
    }
    return PALI_OK;
}

pali_status pali__t_dict_set(struct pali__template *t, struct pali__tdict *dict, struct pali__tvalue key,
                             struct pali__tvalue value)
{
    struct pali__tvalue *found = NULL;
    if (!can_be_key(key))
        return pali__template_fail(t, PALI_ERROR_FORMAT, "a key of type %s cannot be served", pali__t_type(key));
    TRY(pali__t_dict_get(t, dict, key, &found));
    if (found) {
        *found = value;
        return PALI_OK;
    }
    if (dict->count == dict->capacity)
        TRY(dict_reserve(t, dict, dict->capacity * 2));
    dict->keys[dict->count] = key;
    dict->values[dict->count++] = value;
    return PALI_OK;
}

static pali_status list_from_json(struct pali__template *t, struct pali__tvalue *out, struct json_object *json,
                                  int depth)
{
    TRY(pali__t_list(t, out, pali__json_count(json)));
    for (size_t i = 0; i < out->as.list->count; i++)
        TRY(pali__t_from_json(t, &out->as.list->items[i], pali__json_at(json, i), depth + 1));
    return PALI_OK;
}

static pali_status dict_from_json(struct pali__template *t, struct pali__tvalue *out, struct json_object *json,
                                  int depth)
{
    const char *key;
    struct json_object *member;
    size_t i = 0;
    TRY(pali__t_dict(t, out, pali__json_count(json)));
    for (void *cursor = NULL; (cursor = pali__json_next(json, cursor, &key, &member)); i++) {
        struct pali__tvalue value;
        TRY(pali__t_from_json(t, &value, member, depth + 1));
        out->as.dict->keys[i] = pali__t_text(key, strlen(key)); /* the reader has seen to it that all differ */
        out->as.dict->values[i] = value;
        out->as.dict->count = i + 1;
    }
    return PALI_OK;
}

pali_status pali__t_from_json(struct pali__template *t, struct pali__tvalue *out, struct json_object *json, int depth)
{
    int64_t integer = 0;
    double number = 0.0;
    bool boolean = false;
    *out = pali__t_none();
    if (depth > PALI__T_DEPTH)
        return pali__template_fail(t, PALI_ERROR_LIMIT, "the messages are nested more than %d deep", PALI__T_DEPTH);
    switch (pali__json_kind(json)) {
    case PALI__JSON_NULL:
        return PALI_OK;
    case PALI__JSON_BOOL:
        pali__json_bool(json, &boolean);
        *out = pali__t_bool(boolean);
        return PALI_OK;
    case PALI__JSON_INT:
        if (!pali__json_int(json, &integer))
            return pali__template_fail(t, PALI_ERROR_LIMIT, "a number in the messages does not fit 64 bits");
        *out = pali__t_int(integer);
        return PALI_OK;
    case PALI__JSON_FLOAT:
        if (!pali__json_float(json, &number))
            return pali__template_fail(t, PALI_ERROR_FORMAT, "a number in the messages is not finite");
        /* The reader gives a whole number past 64 bits as a float, and Python would print all of its digits. */
        if (number >= 9.2e18 || number <= -9.2e18)
            return pali__template_fail(t, PALI_ERROR_LIMIT, "a number in the messages does not fit 64 bits");
        *out = pali__t_float(number);
        return PALI_OK;
    case PALI__JSON_STRING: {
        const char *text = pali__json_string(json);
        *out = pali__t_text(text, strlen(text));
        return PALI_OK;
    }
    case PALI__JSON_ARRAY:
        return list_from_json(t, out, json, depth);
    case PALI__JSON_OBJECT:
        return dict_from_json(t, out, json, depth);
    }
    return PALI_OK;
}

/* ---- asking ---- */

const char *pali__t_type(struct pali__tvalue value)
{
    static const char *const names[] = { "Undefined", "NoneType", "bool", "int",       "float",       "str",
                                         "list",      "dict",     "namespace", "LoopContext", "function" };
    return value.kind == PALI__T_LIST && value.as.list->is_tuple ? "tuple" : names[value.kind];
}

bool pali__t_truth(struct pali__tvalue value)
{
    switch (value.kind) {
    case PALI__T_UNDEFINED:
    case PALI__T_NONE:
        return false;
    case PALI__T_BOOL:
        return value.as.boolean;
    case PALI__T_INT:
        return value.as.integer != 0;
    case PALI__T_FLOAT:
        return value.as.number != 0.0;
    case PALI__T_STRING:
        return value.as.text.size > 0;
    case PALI__T_LIST:
        return value.as.list->count > 0;
    case PALI__T_DICT:
        return value.as.dict->count > 0;
    case PALI__T_NAMESPACE:
    case PALI__T_LOOP:
    case PALI__T_FUNCTION:
        break;
    }
    return true;
}

bool pali__t_is_number(struct pali__tvalue value)
{
    return value.kind == PALI__T_BOOL || value.kind == PALI__T_INT || value.kind == PALI__T_FLOAT;
}

double pali__t_number(struct pali__tvalue value)
{
    return value.kind == PALI__T_FLOAT ? value.as.number
                                       : value.kind == PALI__T_BOOL ? (double)value.as.boolean : (double)value.as.integer;
}

static pali_status equal_lists(struct pali__template *t, bool *out, const struct pali__tlist *a,
                               const struct pali__tlist *b, int depth)
{
    *out = a->count == b->count && a->is_tuple == b->is_tuple;
    for (size_t i = 0; *out && i < a->count; i++)
        TRY(pali__t_equal(t, out, a->items[i], b->items[i], depth + 1));
    return PALI_OK;
}

static pali_status equal_dicts(struct pali__template *t, bool *out, const struct pali__tdict *a,
                               const struct pali__tdict *b, int depth)
{
    *out = a->count == b->count;
    for (size_t i = 0; *out && i < a->count; i++) {
        struct pali__tvalue *other = NULL;
        TRY(pali__t_dict_get(t, b, a->keys[i], &other));
        *out = other != NULL;
        if (other)
            TRY(pali__t_equal(t, out, a->values[i], *other, depth + 1));
    }
    return PALI_OK;
}

pali_status pali__t_equal(struct pali__template *t, bool *out, struct pali__tvalue a, struct pali__tvalue b, int depth)
{
    *out = false;
    if (depth > PALI__T_DEPTH)
        return pali__template_fail(t, PALI_ERROR_LIMIT, "values nested more than %d deep are compared", PALI__T_DEPTH);
    TRY(pali__template_charge(t, a.kind == PALI__T_STRING ? a.as.text.size : 0));
    if (a.kind == PALI__T_INT && b.kind == PALI__T_INT)
        *out = a.as.integer == b.as.integer;
    else if (pali__t_is_number(a) && pali__t_is_number(b))
        *out = pali__t_number(a) == pali__t_number(b);
    else if (a.kind != b.kind)
        *out = false;
    else if (a.kind == PALI__T_STRING)
        *out = a.as.text.size == b.as.text.size && memcmp(a.as.text.bytes, b.as.text.bytes, a.as.text.size) == 0;
    else if (a.kind == PALI__T_LIST)
        return equal_lists(t, out, a.as.list, b.as.list, depth);
    else if (a.kind == PALI__T_DICT)
        return equal_dicts(t, out, a.as.dict, b.as.dict, depth);
    else if (a.kind == PALI__T_NAMESPACE)
        *out = a.as.dict == b.as.dict;
    else
        *out = a.kind == PALI__T_NONE || a.kind == PALI__T_UNDEFINED;
    return PALI_OK;
}

pali_status pali__t_order(struct pali__template *t, int *order, struct pali__tvalue a, struct pali__tvalue b)
{
    *order = 0;
    if (a.kind == PALI__T_STRING && b.kind == PALI__T_STRING) { /* bytes of UTF-8 stand in the order of characters */
        size_t shorter = a.as.text.size < b.as.text.size ? a.as.text.size : b.as.text.size;
        TRY(pali__template_charge(t, shorter));
        *order = memcmp(a.as.text.bytes, b.as.text.bytes, shorter);
        if (*order == 0)
            *order = (a.as.text.size > b.as.text.size) - (a.as.text.size < b.as.text.size);
        return PALI_OK;
    }
    if (a.kind == PALI__T_INT && b.kind == PALI__T_INT) {
        *order = (a.as.integer > b.as.integer) - (a.as.integer < b.as.integer);
        return PALI_OK;
    }
    if (!pali__t_is_number(a) || !pali__t_is_number(b))
        return pali__template_fail(t, PALI_ERROR_FORMAT, "%s and %s have no order", pali__t_type(a), pali__t_type(b));
    double left = pali__t_number(a), right = pali__t_number(b);
    *order = (left > right) - (left < right);
    return PALI_OK;
}
