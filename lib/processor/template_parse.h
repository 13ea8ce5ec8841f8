/* SPDX-License-Identifier: BSD-2-Clause */
/* A template as a tree. */
#ifndef PALI_PROCESSOR_TEMPLATE_PARSE_H
#define PALI_PROCESSOR_TEMPLATE_PARSE_H

#include "processor/template_value.h"

enum pali__tnode_kind {
    /* Expressions. */
    PALI__T_CONST,     /* value */
    PALI__T_NAME,      /* name */
    PALI__T_LISTED,    /* [list…]; of `flag`, a tuple */
    PALI__T_DICTED,    /* {list: list.b, …} */
    PALI__T_ATTRIBUTE, /* a.name */
    PALI__T_ITEM,      /* a[b] */
    PALI__T_SLICE,     /* a[list], list being start, stop, step, each a node without kind NULL if left out */
    PALI__T_CALL,      /* a(list…) */
    PALI__T_FILTER,    /* a | name(list…) */
    PALI__T_TEST,      /* a is name(list…); of `flag`, is not */
    PALI__T_NOT,
    PALI__T_NEGATIVE,
    PALI__T_POSITIVE,
    PALI__T_AND,
    PALI__T_OR,
    PALI__T_BINARY,  /* a name b, name being the operator */
    PALI__T_CONCAT,  /* list ~ … */
    PALI__T_COMPARE, /* a, then each of list by its name: "==", "in", "not in", … */
    PALI__T_CHOICE,  /* a if b else c (c may be NULL) */
    /* Statements, linked by `next`. */
    PALI__T_DATA,     /* value */
    PALI__T_OUTPUT_OF, /* a */
    PALI__T_IF,       /* if a: list, else: c, which may be another PALI__T_IF */
    PALI__T_FOR,      /* for b (a name or a tuple of them) in a if c: list, else: otherwise */
    PALI__T_SET,      /* b = a; without a, b = what list puts out */
    PALI__T_GROUP,    /* list */
    PALI__T_BREAK,
    PALI__T_CONTINUE
};

struct pali__tnode {
    enum pali__tnode_kind kind;
    int line, depth;
    bool flag;
    struct pali__ttext name; /* of an argument in a list: its keyword, or empty */
    struct pali__tvalue value;
    struct pali__tnode *a, *b, *c, *list, *otherwise, *next;
};

/* The statements of `source`, or NULL if it is empty. */
pali_status pali__template_parse(struct pali__template *t, struct pali__tnode **out, const char *source, size_t size);

#endif
