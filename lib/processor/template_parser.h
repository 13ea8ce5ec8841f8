/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two halves of the parser, template_expressions.c and template_parse.c, are written with. */
#ifndef PALI_PROCESSOR_TEMPLATE_PARSER_H
#define PALI_PROCESSOR_TEMPLATE_PARSER_H

#include <stdio.h>
#include <string.h>

#include "processor/template_lex.h"
#include "processor/template_parse.h"

struct parser {
    struct pali__template *t;
    const struct pali__token *at;
    int depth; /* of the calls in progress */
    int n_loops;
};

typedef struct pali__tnode node;

/* An expression; one without "if" of its own; one or several between commas, which are a tuple; a name or constant. */
pali_status pali__parse_expression(struct parser *p, node **out);
pali_status pali__parse_condition(struct parser *p, node **out);
pali_status pali__parse_tuple(struct parser *p, node **out);
pali_status pali__parse_name(struct parser *p, node **out);

/* ---- tokens ---- */

static inline bool is_operator(const struct parser *p, const char *text)
{
    return p->at->kind == PALI__TOKEN_OPERATOR && pali__text_is(p->at->text, text);
}

static inline bool is_name(const struct parser *p, const char *text)
{
    return p->at->kind == PALI__TOKEN_NAME && pali__text_is(p->at->text, text);
}

static inline bool skip_operator(struct parser *p, const char *text)
{
    bool found = is_operator(p, text);
    p->at += found;
    return found;
}

static inline bool skip_name(struct parser *p, const char *text)
{
    bool found = is_name(p, text);
    p->at += found;
    return found;
}

/* What stands here, for messages. */
static inline struct pali__ttext found(const struct parser *p)
{
    static const char *const words[] = { "the end of the template", "text", "{{", "}}", "{%", "%}", "", "a constant", "" };
    const char *word = words[p->at->kind];
    return *word ? (struct pali__ttext){ word, strlen(word) } : p->at->text;
}

static inline pali_status fail_expected(struct parser *p, const char *expected)
{
    struct pali__ttext what = found(p);
    p->t->line = p->at->line;
    return pali__template_fail(p->t, PALI_ERROR_FORMAT, "%s was expected, not \"%.*s\"", expected,
                               what.size > 80 ? 80 : (int)what.size, what.bytes);
}

static inline pali_status expect_operator(struct parser *p, const char *text)
{
    char quoted[8];
    if (skip_operator(p, text))
        return PALI_OK;
    snprintf(quoted, sizeof quoted, "\"%s\"", text);
    return fail_expected(p, quoted);
}

static inline pali_status expect_kind(struct parser *p, enum pali__token_kind kind, const char *name)
{
    if (p->at->kind != kind)
        return fail_expected(p, name);
    p->at++;
    return PALI_OK;
}

/* ---- nodes ---- */

static inline int deepest(const node *list)
{
    int depth = 0;
    for (; list; list = list->next)
        depth = list->depth > depth ? list->depth : depth;
    return depth;
}

/* Sets the depth, once the children stand: evaluation goes down as far as the tree does. */
static inline pali_status finish(struct parser *p, node *made)
{
    const node *children[] = { made->a, made->b, made->c };
    int depth = deepest(made->list);
    for (int i = 0; i < 3; i++)
        if (children[i] && children[i]->depth > depth)
            depth = children[i]->depth;
    if (deepest(made->otherwise) > depth)
        depth = deepest(made->otherwise);
    made->depth = depth + 1;
    p->t->line = made->line;
    if (made->depth > PALI__T_DEPTH)
        return pali__template_fail(p->t, PALI_ERROR_LIMIT, "it is nested more than %d deep", PALI__T_DEPTH);
    return PALI_OK;
}

static inline pali_status make(struct parser *p, node **out, enum pali__tnode_kind kind, node *a, node *b)
{
    node *made = NULL;
    TRY(pali__template_charge(p->t, 0));
    TRY(pali__template_alloc(p->t, &made, sizeof *made));
    made->kind = kind;
    made->line = p->at->line;
    made->a = a;
    made->b = b;
    *out = made;
    return finish(p, made);
}

static inline pali_status make_named(struct parser *p, node **out, enum pali__tnode_kind kind, node *a, node *b,
                              struct pali__ttext name)
{
    TRY(make(p, out, kind, a, b));
    (*out)->name = name;
    return PALI_OK;
}

static inline pali_status enter(struct parser *p)
{
    p->t->line = p->at->line;
    if (++p->depth > PALI__T_DEPTH)
        return pali__template_fail(p->t, PALI_ERROR_LIMIT, "it is nested more than %d deep", PALI__T_DEPTH);
    return PALI_OK;
}

#endif
