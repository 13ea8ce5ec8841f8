/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chat templates: the part of the template language Jinja that they are written in (docs/chat-templates.md), in the
 * environment that Transformers gives them (utils/chat_template_utils.py): trim_blocks, lstrip_blocks, break and
 * continue, {% generation %}, raise_exception, strftime_now, and a tojson that escapes no HTML.
 *   template_value, _text                 values, and how Python prints them
 *   template_lex, _expressions, _parse    source to tokens to a tree
 *   template_eval, _compute               expressions
 *   template_calls, _methods, _filters    what they may call
 *   template_messages                     the messages, as templates expect them
 *   template_render                       statements, and the whole
 */
#ifndef PALI_PROCESSOR_TEMPLATE_H
#define PALI_PROCESSOR_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

struct json_object;

struct pali__special_token { /* "bos_token", "<bos>" */
    char *name, *text;
};

struct pali__template_job {
    const char *name; /* of the template, for messages */
    const char *source;
    struct json_object *messages; /* an array */
    const struct pali__special_token *tokens;
    size_t n_tokens;
    bool add_generation_prompt;
};

/*
 * *out = the template rendered, freed with pali__free. PALI_ERROR_UNSUPPORTED names what is not served, and its line;
 * PALI_ERROR_FORMAT what is no Jinja, or goes wrong in it; PALI_ERROR_ARGUMENT passes on what raise_exception says;
 * PALI_ERROR_LIMIT ends a template that wants too much.
 */
pali_status pali__template_render(char **out, const struct pali__template_job *job, pali_error **error);

#endif
