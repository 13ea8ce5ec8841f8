/* SPDX-License-Identifier: BSD-2-Clause */
/* The chat templates that a checkpoint directory has, and the tokens that they may name. */
#ifndef PALI_PROCESSOR_CHAT_TEMPLATE_H
#define PALI_PROCESSOR_CHAT_TEMPLATE_H

#include "processor/template.h"

enum { PALI__MAX_CHAT_TEMPLATES = 32, PALI__MAX_SPECIAL_TOKENS = 64 };

struct pali__chat_template {
    char *name, *source, *file; /* the file that it stands in */
};

struct pali__chat_templates {
    struct pali__chat_template items[PALI__MAX_CHAT_TEMPLATES];
    size_t count;
    struct pali__special_token tokens[PALI__MAX_SPECIAL_TOKENS];
    size_t n_tokens;
};

/* A directory without any template gives none, and is no error. */
pali_status pali__chat_templates_load(struct pali__chat_templates *out, const char *directory, pali_error **error);
void pali__chat_templates_clear(struct pali__chat_templates *templates);

/* NULL: there is none of that name. */
const struct pali__chat_template *pali__chat_templates_find(const struct pali__chat_templates *templates,
                                                            const char *name);

#endif
