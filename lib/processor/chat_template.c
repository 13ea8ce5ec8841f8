/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a checkpoint keeps its chat templates: ProcessorMixin.get_processor_dict in transformers/processing_utils.py. */
#include "processor/chat_template.h"

#include <dirent.h>
#include <string.h>

#include "core/file.h"
#include "core/json_file.h"
#include "core/memory.h"

enum { FILE_LIMIT = 64 << 20, TEMPLATE_LIMIT = 1 << 20 };

void pali__chat_templates_clear(struct pali__chat_templates *templates)
{
    for (size_t i = 0; i < templates->count; i++) {
        pali__free(templates->items[i].name);
        pali__free(templates->items[i].source);
        pali__free(templates->items[i].file);
    }
    for (size_t i = 0; i < templates->n_tokens; i++) {
        pali__free(templates->tokens[i].name);
        pali__free(templates->tokens[i].text);
    }
    templates->count = templates->n_tokens = 0;
}

const struct pali__chat_template *pali__chat_templates_find(const struct pali__chat_templates *templates,
                                                            const char *name)
{
    for (size_t i = 0; i < templates->count; i++)
        if (strcmp(templates->items[i].name, name) == 0)
            return &templates->items[i];
    return NULL;
}

/* ---- templates ---- */

static pali_status add(struct pali__chat_templates *templates, const char *name, size_t name_size, const char *source,
                       const char *file, pali_error **error)
{
    if (templates->count == PALI__MAX_CHAT_TEMPLATES)
        return pali__fail(error, PALI_ERROR_LIMIT, "'%s': there are more than %d chat templates", file,
                          PALI__MAX_CHAT_TEMPLATES);
    struct pali__chat_template *item = &templates->items[templates->count++];
    *item = (struct pali__chat_template){ pali__strndup(name, name_size), pali__strdup(source), pali__strdup(file) };
    return item->name && item->source && item->file ? PALI_OK : pali__no_memory(error, strlen(source));
}

/* {"name": "default", "template": "…"} in a list. */
static pali_status add_named(struct pali__chat_templates *templates, struct json_object *list, const char *file,
                             pali_error **error)
{
    for (size_t i = 0; i < pali__json_count(list); i++) {
        const char *name = pali__json_string(pali__json_get(pali__json_at(list, i), "name"));
        const char *source = pali__json_string(pali__json_get(pali__json_at(list, i), "template"));
        if (!name || !source)
            return pali__fail(error, PALI_ERROR_FORMAT,
                              "'%s': chat_template[%zu] lacks a name or a template, both of them strings", file, i);
        TRY(add(templates, name, strlen(name), source, file, error));
    }
    return PALI_OK;
}

/* The member chat_template: one template, a list of named ones, or an object of them by name. */
static pali_status add_member(struct pali__chat_templates *templates, struct json_object *root, const char *file,
                              pali_error **error)
{
    struct json_object *member = pali__json_get(root, "chat_template"), *value;
    const char *name;
    if (!member)
        return PALI_OK;
    if (pali__json_kind(member) == PALI__JSON_STRING)
        return add(templates, "default", 7, pali__json_string(member), file, error);
    if (pali__json_kind(member) == PALI__JSON_ARRAY)
        return add_named(templates, member, file, error);
    if (pali__json_kind(member) != PALI__JSON_OBJECT)
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': chat_template is %s, a string or a list was expected", file,
                          pali__json_kind_name(pali__json_kind(member)));
    for (void *cursor = NULL; (cursor = pali__json_next(member, cursor, &name, &value));) {
        if (!pali__json_string(value))
            return pali__fail(error, PALI_ERROR_FORMAT, "'%s': chat_template.%.100s is no string", file, name);
        TRY(add(templates, name, strlen(name), pali__json_string(value), file, error));
    }
    return PALI_OK;
}

static pali_status add_file(struct pali__chat_templates *templates, const char *path, const char *name,
                            size_t name_size, pali_error **error)
{
    char *source = NULL;
    size_t size = 0;
    TRY(pali__file_read(&source, &size, path, TEMPLATE_LIMIT, error));
    pali_status status =
        strlen(source) == size ? add(templates, name, name_size, source, path, error)
                               : pali__fail(error, PALI_ERROR_FORMAT, "'%s': a chat template holds a NUL byte", path);
    pali__free(source);
    return status;
}

/* additional_chat_templates/NAME.jinja. */
static pali_status add_folder(struct pali__chat_templates *templates, const char *folder, pali_error **error)
{
    DIR *directory = opendir(folder);
    pali_status status = PALI_OK;
    for (struct dirent *entry; directory && status == PALI_OK && (entry = readdir(directory)) != NULL;) {
        size_t size = strlen(entry->d_name);
        if (size <= 6 || strcmp(entry->d_name + size - 6, ".jinja") != 0)
            continue;
        char *path = pali__path_join(folder, entry->d_name);
        status = path ? add_file(templates, path, entry->d_name, size - 6, error) : pali__no_memory(error, size);
        pali__free(path);
    }
    if (directory)
        closedir(directory);
    return status;
}

/* ---- special tokens ---- */

static pali_status add_token(struct pali__chat_templates *templates, const char *name, struct json_object *value,
                             const char *otherwise, pali_error **error)
{
    const char *text = pali__json_string(
        pali__json_kind(value) == PALI__JSON_OBJECT ? pali__json_get(value, "content") : value);
    text = text ? text : otherwise;
    if (!text || templates->n_tokens == PALI__MAX_SPECIAL_TOKENS)
        return PALI_OK;
    for (size_t i = 0; i < templates->n_tokens; i++)
        if (strcmp(templates->tokens[i].name, name) == 0)
            return PALI_OK;
    struct pali__special_token *token = &templates->tokens[templates->n_tokens++];
    *token = (struct pali__special_token){ pali__strdup(name), pali__strdup(text) };
    return token->name && token->text ? PALI_OK : pali__no_memory(error, strlen(name) + strlen(text));
}

/* special_tokens_map of the tokenizer: tokenizer_config.json's, and GemmaTokenizer's own where that is silent. */
static pali_status add_tokens(struct pali__chat_templates *templates, struct json_object *tokenizer, pali_error **error)
{
    static const char *const names[][2] = { { "bos_token", "<bos>" },   { "eos_token", "<eos>" }, { "unk_token", "<unk>" },
                                            { "sep_token", NULL },      { "pad_token", "<pad>" }, { "cls_token", NULL },
                                            { "mask_token", "<mask>" } };
    struct json_object *extra = pali__json_get(tokenizer, "extra_special_tokens"), *value;
    const char *name;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        TRY(add_token(templates, names[i][0], pali__json_get(tokenizer, names[i][0]), names[i][1], error));
    if (pali__json_kind(extra) == PALI__JSON_OBJECT)
        for (void *cursor = NULL; (cursor = pali__json_next(extra, cursor, &name, &value));)
            TRY(add_token(templates, name, value, NULL, error));
    return add_token(templates, "image_token", pali__json_get(tokenizer, "image_token"), "<image>", error);
}

/* ---- the whole ---- */

enum { PROCESSOR, LEGACY, TOKENIZER, N_JSON };

struct files {
    char *json_paths[N_JSON], *jinja, *folder;
    struct json_object *roots[N_JSON];
};

static pali_status files_open(struct files *files, const char *directory, pali_error **error)
{
    static const char *const names[N_JSON] = { "processor_config.json", "chat_template.json", "tokenizer_config.json" };
    files->jinja = pali__path_join(directory, "chat_template.jinja");
    files->folder = pali__path_join(directory, "additional_chat_templates");
    if (!files->jinja || !files->folder)
        return pali__no_memory(error, strlen(directory));
    for (int i = 0; i < N_JSON; i++) {
        files->json_paths[i] = pali__path_join(directory, names[i]);
        if (!files->json_paths[i])
            return pali__no_memory(error, strlen(directory));
        if (pali__file_exists(files->json_paths[i]))
            TRY(pali__json_load(&files->roots[i], files->json_paths[i], FILE_LIMIT, error));
    }
    return PALI_OK;
}

static void files_clear(struct files *files)
{
    for (int i = 0; i < N_JSON; i++) {
        pali__json_free(files->roots[i]);
        pali__free(files->json_paths[i]);
    }
    pali__free(files->jinja);
    pali__free(files->folder);
}

/* The first source that has any template is the only one. */
static pali_status find_templates(struct pali__chat_templates *out, const struct files *files, pali_error **error)
{
    TRY(add_member(out, files->roots[PROCESSOR], files->json_paths[PROCESSOR], error));
    if (!out->count)
        TRY(add_member(out, files->roots[LEGACY], files->json_paths[LEGACY], error));
    if (!out->count) {
        if (pali__file_exists(files->jinja))
            TRY(add_file(out, files->jinja, "default", 7, error));
        TRY(add_folder(out, files->folder, error));
    }
    if (!out->count)
        TRY(add_member(out, files->roots[TOKENIZER], files->json_paths[TOKENIZER], error));
    return add_tokens(out, files->roots[TOKENIZER], error);
}

pali_status pali__chat_templates_load(struct pali__chat_templates *out, const char *directory, pali_error **error)
{
    struct files files = { .jinja = NULL };
    pali_status status = files_open(&files, directory, error);
    if (status == PALI_OK)
        status = find_templates(out, &files, error);
    files_clear(&files);
    if (status != PALI_OK)
        pali__chat_templates_clear(out);
    return status;
}
