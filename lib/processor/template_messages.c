/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Transformers 5.23 does to messages before a template sees them (processing_utils.py, _normalize_conversations;
 * chat_template_utils.py, _alias_reasoning_fields): members that are null go, a block in OpenAI's form
 * {"type": "image_url", "image_url": {"url": …}} becomes {"type": "image", "url": …}, and reasoning is found under all
 * of its names.
 */
#include "processor/template_eval.h"

#include <string.h>

#include "core/json_file.h"

static struct pali__tvalue word(const char *text) { return pali__t_text(text, strlen(text)); }

static pali_status drop_nulls(struct pali__template *t, struct pali__tvalue *out, const struct pali__tdict *message)
{
    TRY(pali__t_dict(t, out, message->count + 2));
    for (size_t i = 0; i < message->count; i++)
        if (message->values[i].kind != PALI__T_NONE)
            TRY(pali__t_dict_set(t, out->as.dict, message->keys[i], message->values[i]));
    return PALI_OK;
}

static pali_status convert_image(struct pali__template *t, struct pali__tvalue *block)
{
    struct pali__tvalue *type = NULL, *image = NULL, *url = NULL, made;
    if (block->kind != PALI__T_DICT)
        return PALI_OK;
    TRY(pali__t_dict_get(t, block->as.dict, word("type"), &type));
    TRY(pali__t_dict_get(t, block->as.dict, word("image_url"), &image));
    if (!type || !image || type->kind != PALI__T_STRING || !pali__text_is(type->as.text, "image_url"))
        return PALI_OK;
    if (image->kind == PALI__T_DICT) {
        TRY(pali__t_dict_get(t, image->as.dict, word("url"), &url));
        image = url;
    }
    TRY(pali__t_dict(t, &made, 2));
    TRY(pali__t_dict_set(t, made.as.dict, word("type"), word("image")));
    TRY(pali__t_dict_set(t, made.as.dict, word("url"), image ? *image : word("")));
    *block = made;
    return PALI_OK;
}

static pali_status alias_reasoning(struct pali__template *t, struct pali__tdict *message)
{
    static const char *const names[] = { "reasoning_content", "thinking", "reasoning" };
    struct pali__tvalue *found = NULL, *thinking = NULL;
    for (int i = 0; i < 3 && !found; i++)
        TRY(pali__t_dict_get(t, message, word(names[i]), &found));
    if (!found)
        return PALI_OK;
    struct pali__tvalue reasoning = *found;
    TRY(pali__t_dict_get(t, message, word("thinking"), &thinking));
    if (!thinking)
        TRY(pali__t_dict_set(t, message, word("thinking"), reasoning));
    return pali__t_dict_set(t, message, word("reasoning_content"), reasoning);
}

pali_status pali__template_messages(struct pali__template *t, struct pali__tvalue *out, struct json_object *messages)
{
    t->line = 0;
    TRY(pali__t_from_json(t, out, messages, 0));
    for (size_t i = 0; i < out->as.list->count; i++) {
        struct pali__tvalue *message = &out->as.list->items[i], *content = NULL;
        if (message->kind != PALI__T_DICT)
            return pali__fail(t->error, PALI_ERROR_ARGUMENT, "message %zu is of type %s, an object was expected", i,
                              pali__t_type(*message));
        TRY(drop_nulls(t, message, message->as.dict));
        TRY(pali__t_dict_get(t, message->as.dict, word("content"), &content));
        for (size_t j = 0; content && content->kind == PALI__T_LIST && j < content->as.list->count; j++)
            TRY(convert_image(t, &content->as.list->items[j]));
        TRY(alias_reasoning(t, message->as.dict));
    }
    return PALI_OK;
}
