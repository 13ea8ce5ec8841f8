/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/chat.h
 * Lists of messages to a prompt, by the checkpoint's chat template: apply_chat_template of Transformers' processors.
 * Templates are written in Jinja. The part of that language that is served stands in docs/chat-templates.md; anything
 * else is refused by name and line, never guessed at.
 */
#ifndef PALIGEMMA_CHAT_H
#define PALIGEMMA_CHAT_H

#include <paligemma/base.h>
#include <paligemma/processor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pali_chat_options {
    size_t struct_size;
    const char *chat_template;     /**< a template itself, or the name of one of the checkpoint's; NULL: its default */
    int32_t add_generation_prompt; /**< 1: end with what begins the model's answer; default 0, as in Transformers */
    int32_t reserved0;
    const char *tools;             /**< not served: PALI_ERROR_UNSUPPORTED unless NULL */
    uint64_t reserved[4];
} pali_chat_options;

#define PALI_CHAT_OPTIONS_INIT { sizeof(pali_chat_options), NULL, 0, 0, NULL, { 0, 0, 0, 0 } }
PALI_API void pali_chat_options_init(pali_chat_options *options);

/**
 * Renders messages to the text of a prompt, which pali_processor_apply then takes with the pictures in the order of the
 * messages' image blocks. `messages_json` is UTF-8: a JSON array of messages
 * `{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "caption en"}]}`, `content` being a string
 * or a list of blocks; or an object whose member `messages` is that array. Pictures that blocks name by path or URL are
 * not opened. `*text` is the caller's (pali_free).
 *
 * The template is, as in Transformers 5.23, that of processor_config.json, else chat_template.json, else
 * chat_template.jinja (with additional_chat_templates/NAME.jinja under other names), else tokenizer_config.json's
 * `chat_template`, which may be a list of named ones.
 * @return PALI_ERROR_UNSUPPORTED (a construct that is not served; tools), PALI_ERROR_FORMAT (no template; one that is no
 * Jinja, or fails), PALI_ERROR_ARGUMENT (messages that are no JSON, or that the template refuses by raise_exception),
 * PALI_ERROR_LIMIT (a template that runs on or grows without end). Any thread. Since 0.1.
 */
PALI_API pali_status pali_processor_apply_chat_template(char **text, const pali_processor *processor,
                                                        const char *messages_json, const pali_chat_options *options,
                                                        pali_error **error);

/** The source of the checkpoint's template of that name (NULL: the default), borrowed; NULL if it has none. Since 0.1. */
PALI_API const char *pali_processor_chat_template(const pali_processor *processor, const char *name);

#ifdef __cplusplus
}
#endif
#endif
