/* SPDX-License-Identifier: BSD-2-Clause */
/* What expressions mean, and what they may call. */
#ifndef PALI_PROCESSOR_TEMPLATE_EVAL_H
#define PALI_PROCESSOR_TEMPLATE_EVAL_H

#include "processor/template_parse.h"

pali_status pali__template_evaluate(struct pali__template *t, struct pali__tvalue *out, const struct pali__tnode *node);

/* ---- variables, template_render.c ---- */

/* Sets `name` in the innermost scope. */
pali_status pali__template_set(struct pali__template *t, struct pali__ttext name, struct pali__tvalue value);
/* NULL: there is none of that name. */
const struct pali__tvalue *pali__template_lookup(const struct pali__template *t, struct pali__ttext name);

/* The messages, template_messages.c. */
pali_status pali__template_messages(struct pali__template *t, struct pali__tvalue *out, struct json_object *messages);

/* ---- template_calls.c, template_methods.c and template_filters.c ---- */

enum { PALI__T_ARGUMENTS = 16 };

struct pali__targuments {
    struct pali__tvalue values[PALI__T_ARGUMENTS];
    struct pali__ttext names[PALI__T_ARGUMENTS]; /* empty for those by place */
    int count;
};

/* The argument at place `index` or of name `name`, or NULL. */
const struct pali__tvalue *pali__t_argument(const struct pali__targuments *arguments, int index, const char *name);

/* An argument that must be text, or the default if it is left out. */
pali_status pali__t_text_argument(struct pali__template *t, struct pali__ttext *out,
                                  const struct pali__targuments *arguments, int index, const char *name,
                                  const char *otherwise);

/* Whether `text` is among `count` words. */
bool pali__text_is_one_of(struct pali__ttext text, const char *const *words, size_t count);

/* value | name(arguments),   value is name(arguments),   value.name(arguments),   name(arguments) */
pali_status pali__template_filter(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext name,
                                  struct pali__tvalue value, const struct pali__targuments *arguments);
pali_status pali__template_test(struct pali__template *t, bool *out, struct pali__ttext name, struct pali__tvalue value,
                                const struct pali__targuments *arguments);
pali_status pali__template_method(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                                  struct pali__ttext name, const struct pali__targuments *arguments);
pali_status pali__template_function(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext name,
                                    const struct pali__targuments *arguments);

/* Whether there is a function `name`, and whether values of this kind have a method `name`. */
bool pali__template_is_function(struct pali__ttext name);
bool pali__template_is_method(enum pali__tkind kind, struct pali__ttext name);
/* Whether Python has such a method for them, and this library has not. */
bool pali__template_lacks_method(enum pali__tkind kind, struct pali__ttext name);

/* value.name and value[key], undefined if it has none. */
pali_status pali__template_attribute(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                                     struct pali__ttext name);
pali_status pali__template_item(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                                struct pali__tvalue key);
/* The values that a loop over `value` runs through. */
pali_status pali__template_iterate(struct pali__template *t, struct pali__tlist **out, struct pali__tvalue value);
pali_status pali__template_contains(struct pali__template *t, bool *out, struct pali__tvalue value,
                                    struct pali__tvalue inside);
/* a + b, … */
pali_status pali__template_compute(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext sign,
                                   struct pali__tvalue a, struct pali__tvalue b);

#endif
