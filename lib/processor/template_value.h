/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a chat template computes with: Python's values, as far as templates meet them, in memory that goes all at once.
 * A template comes with a checkpoint, from anywhere: everything that it can make grow is counted and bounded.
 */
#ifndef PALI_PROCESSOR_TEMPLATE_VALUE_H
#define PALI_PROCESSOR_TEMPLATE_VALUE_H

#include <stdbool.h>

#include "core/memory.h"

struct json_object;

enum pali__tkind {
    PALI__T_UNDEFINED, /* as.text is the name that was not found */
    PALI__T_NONE,
    PALI__T_BOOL,
    PALI__T_INT,
    PALI__T_FLOAT,
    PALI__T_STRING,
    PALI__T_LIST,
    PALI__T_DICT,
    PALI__T_NAMESPACE, /* a dict whose members `set` may change */
    PALI__T_LOOP,
    PALI__T_FUNCTION /* as.text is its name */
};

struct pali__tvalue;

struct pali__ttext { /* UTF-8 without NUL, and without one at the end */
    const char *bytes;
    size_t size;
};

struct pali__tlist {
    struct pali__tvalue *items;
    size_t count;
    bool is_tuple; /* which only printing tells */
};

struct pali__tdict { /* in the order of insertion */
    struct pali__tvalue *keys, *values;
    size_t count, capacity;
};

struct pali__tloop { /* the special variable of a for loop */
    const struct pali__tlist *items;
    size_t index;
};

struct pali__tvalue {
    enum pali__tkind kind;
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct pali__ttext text;
        struct pali__tlist *list;
        struct pali__tdict *dict;
        struct pali__tloop *loop;
    } as;
};

struct pali__tvariable {
    struct pali__ttext name;
    struct pali__tvalue value;
};

enum {
    PALI__T_DEPTH = 128,          /* of nested expressions, statements, and values that are printed or compared */
    PALI__T_STEPS = 4 << 20,      /* evaluations, and chunks of bytes looked at */
    PALI__T_MEMORY = 64 << 20,    /* bytes of values */
    PALI__T_OUTPUT = 16 << 20,    /* bytes of the prompt */
    PALI__T_SOURCE = 1 << 20      /* bytes of the template */
};

/* A rendering. */
struct pali__template {
    const char *name; /* of the template, for messages */
    pali_error **error;
    int line; /* of what is being read or evaluated */
    int64_t steps;
    struct pali__tblock *blocks; /* all memory */
    size_t allocated;
    struct pali__text output;
    struct pali__tvariable *variables; /* a stack; the innermost scope begins at scope_start */
    size_t n_variables, variables_capacity, scope_start;
};

/* A message that begins with the template's name and line. */
pali_status pali__template_fail(struct pali__template *t, pali_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* *(void **)out = `size` bytes, zeroed, that live as long as the rendering. */
pali_status pali__template_alloc(struct pali__template *t, void *out, size_t size);
void pali__template_release(struct pali__template *t);

/* One step, and more for work on `size` bytes or values. */
pali_status pali__template_charge(struct pali__template *t, size_t size);

/* ---- making ---- */

static inline struct pali__tvalue pali__t_none(void) { return (struct pali__tvalue){ .kind = PALI__T_NONE }; }
static inline struct pali__tvalue pali__t_bool(bool value)
{
    return (struct pali__tvalue){ .kind = PALI__T_BOOL, .as.boolean = value };
}
static inline struct pali__tvalue pali__t_int(int64_t value)
{
    return (struct pali__tvalue){ .kind = PALI__T_INT, .as.integer = value };
}
static inline struct pali__tvalue pali__t_float(double value)
{
    return (struct pali__tvalue){ .kind = PALI__T_FLOAT, .as.number = value };
}
static inline struct pali__tvalue pali__t_text(const char *bytes, size_t size)
{
    return (struct pali__tvalue){ .kind = PALI__T_STRING, .as.text = { bytes, size } };
}
static inline struct pali__tvalue pali__t_undefined(struct pali__ttext name)
{
    return (struct pali__tvalue){ .kind = PALI__T_UNDEFINED, .as.text = name };
}

bool pali__text_is(struct pali__ttext text, const char *word);

/* A list of `count` values, undefined ones until they are set. */
pali_status pali__t_list(struct pali__template *t, struct pali__tvalue *out, size_t count);
pali_status pali__t_dict(struct pali__template *t, struct pali__tvalue *out, size_t capacity);
pali_status pali__t_dict_set(struct pali__template *t, struct pali__tdict *dict, struct pali__tvalue key,
                             struct pali__tvalue value);
/* Texts are borrowed from the JSON value, which must outlive the rendering. */
pali_status pali__t_from_json(struct pali__template *t, struct pali__tvalue *out, struct json_object *json, int depth);

/* ---- asking ---- */

const char *pali__t_type(struct pali__tvalue value); /* as Python names it */
bool pali__t_truth(struct pali__tvalue value);
bool pali__t_is_number(struct pali__tvalue value); /* int, float or bool */
double pali__t_number(struct pali__tvalue value);
pali_status pali__t_equal(struct pali__template *t, bool *out, struct pali__tvalue a, struct pali__tvalue b, int depth);
/* *order is negative, 0 or positive; strings and numbers only. */
pali_status pali__t_order(struct pali__template *t, int *order, struct pali__tvalue a, struct pali__tvalue b);
pali_status pali__t_dict_get(struct pali__template *t, const struct pali__tdict *dict, struct pali__tvalue key,
                             struct pali__tvalue **out); /* NULL: it is not there */

/* ---- printing, template_text.c ---- */

/* str(value), and repr(value), at the end of `out`. */
pali_status pali__t_print(struct pali__template *t, struct pali__text *out, struct pali__tvalue value);

struct pali__json_style {
    int64_t indent; /* negative: all on one line */
    struct pali__ttext item_separator, key_separator;
    bool ensure_ascii, sort_keys;
};
pali_status pali__t_to_json(struct pali__template *t, struct pali__text *out, struct pali__tvalue value,
                            const struct pali__json_style *style, int depth);

/* str(value) as a string value. */
pali_status pali__t_str(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value);
/* The text's bytes as a string value of the rendering; `text` is cleared in every case. */
pali_status pali__t_take(struct pali__template *t, struct pali__tvalue *out, struct pali__text *text);
pali_status pali__t_append(struct pali__template *t, struct pali__text *out, const char *bytes, size_t size);

/* ---- text, template_text.c ---- */

size_t pali__t_char(const char *bytes, size_t size, uint32_t *code); /* length of the first character; size > 0 */
bool pali__t_is_space(uint32_t code);                                /* str.isspace */
struct pali__ttext pali__t_strip(struct pali__ttext text, bool left, bool right);
size_t pali__t_length(struct pali__ttext text); /* in characters */
/* First place of `part` in `text`, or NULL. */
const char *pali__t_find(struct pali__ttext text, struct pali__ttext part);

#endif
