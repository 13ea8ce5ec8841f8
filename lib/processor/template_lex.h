/* SPDX-License-Identifier: BSD-2-Clause */
/* A template's source as tokens, white space already cut as trim_blocks, lstrip_blocks and the marks `-` `+` say. */
#ifndef PALI_PROCESSOR_TEMPLATE_LEX_H
#define PALI_PROCESSOR_TEMPLATE_LEX_H

#include "processor/template_value.h"

enum pali__token_kind {
    PALI__TOKEN_END,
    PALI__TOKEN_DATA,         /* text to be put out */
    PALI__TOKEN_OUTPUT,       /* {{ */
    PALI__TOKEN_OUTPUT_END,   /* }} */
    PALI__TOKEN_BLOCK,        /* {% */
    PALI__TOKEN_BLOCK_END,    /* %} */
    PALI__TOKEN_NAME,
    PALI__TOKEN_VALUE,        /* a string, its escapes resolved, or a number */
    PALI__TOKEN_OPERATOR
};

struct pali__token {
    enum pali__token_kind kind;
    int line;
    struct pali__ttext text; /* of data, names and operators */
    struct pali__tvalue value;
};

/* The tokens of `source`, the last of which is PALI__TOKEN_END; they live as long as the rendering. */
pali_status pali__template_lex(struct pali__template *t, struct pali__token **tokens, const char *source, size_t size);

#endif
