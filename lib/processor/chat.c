/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages to a prompt: apply_chat_template. */
#include <paligemma/chat.h>

#include <string.h>

#include "core/json_file.h"
#include "core/memory.h"
#include "core/options.h"
#include "processor/processor_internal.h"

enum { MESSAGES_LIMIT = 64 << 20, MESSAGES_DEPTH = 64 };

void pali_chat_options_init(pali_chat_options *options)
{
    static const pali_chat_options defaults = PALI_CHAT_OPTIONS_INIT;
    if (options)
        *options = defaults;
}

const char *pali_processor_chat_template(const pali_processor *processor, const char *name)
{
    const struct pali__chat_template *found =
        processor ? pali__chat_templates_find(&processor->chat, name ? name : "default") : NULL;
    return found ? found->source : NULL;
}

/* The checkpoint's template that is meant, or what was given, which then is one itself. */
static pali_status choose(struct pali__template_job *job, const pali_processor *processor, const char *given,
                          pali_error **error)
{
    const struct pali__chat_template *found = pali__chat_templates_find(&processor->chat, given ? given : "default");
    if (found) {
        job->source = found->source;
        job->name = found->file;
        return PALI_OK;
    }
    if (given) {
        job->source = given;
        job->name = "the given chat template";
        return PALI_OK;
    }
    if (processor->chat.count)
        return pali__fail(error, PALI_ERROR_FORMAT,
                          "'%s' has %zu chat templates, none of them named \"default\"; name one, such as \"%.100s\"",
                          processor->chat.items[0].file, processor->chat.count, processor->chat.items[0].name);
    return pali__fail(error, PALI_ERROR_FORMAT,
                      "the checkpoint has no chat template: neither processor_config.json, chat_template.json, "
                      "chat_template.jinja nor tokenizer_config.json gives one");
}

/* The reader wants an object outermost. */
static pali_status read_messages(struct json_object **root, const char *text, pali_error **error)
{
    struct pali__text wrapped = { NULL, 0, 0 };
    bool is_object = text[strspn(text, " \t\r\n")] == '{';
    if (strlen(text) > MESSAGES_LIMIT)
        return pali__fail(error, PALI_ERROR_LIMIT, "the messages are longer than %d MB", MESSAGES_LIMIT >> 20);
    if (!pali__text_printf(&wrapped, is_object ? "%s" : "{\"messages\":%s}", text))
        return pali__no_memory(error, strlen(text));
    pali_status status = pali__json_parse(root, wrapped.data, wrapped.size, MESSAGES_DEPTH, "messages", error);
    pali__text_clear(&wrapped);
    if (status == PALI_ERROR_FORMAT)
        status = PALI_ERROR_ARGUMENT;
    if (status == PALI_OK && (pali__json_kind(pali__json_get(*root, "messages")) != PALI__JSON_ARRAY ||
                              (!is_object && pali__json_count(*root) != 1)))
        status = pali__fail(error, PALI_ERROR_ARGUMENT, "the messages are %s, a JSON array of them was expected",
                            pali__json_kind_name(pali__json_kind(pali__json_get(*root, "messages"))));
    return status;
}

pali_status pali_processor_apply_chat_template(char **text, const pali_processor *processor, const char *messages_json,
                                               const pali_chat_options *options, pali_error **error)
{
    pali_chat_options chosen = PALI_CHAT_OPTIONS_INIT;
    struct pali__template_job job = { .name = NULL };
    struct json_object *root = NULL;
    if (!text || !processor || !messages_json)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_processor_apply_chat_template: %s is NULL",
                          !text ? "text" : !processor ? "processor" : "messages_json");
    *text = NULL;
    TRY(pali__options_take(&chosen, sizeof chosen, options, "pali_chat_options", error));
    if (chosen.tools)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "pali_chat_options: tools are not served");
    TRY(choose(&job, processor, chosen.chat_template, error));
    pali_status status = read_messages(&root, messages_json, error);
    if (status == PALI_OK) {
        job.messages = pali__json_get(root, "messages");
        job.tokens = processor->chat.tokens;
        job.n_tokens = processor->chat.n_tokens;
        job.add_generation_prompt = chosen.add_generation_prompt != 0;
        status = pali__template_render(text, &job, error);
    }
    pali__json_free(root);
    return status;
}
