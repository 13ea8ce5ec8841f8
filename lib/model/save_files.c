/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/save_files.h"

#include <stdbool.h>
#include <string.h>

#include "core/file.h"
#include "core/json_file.h"
#include "core/memory.h"

enum { CONFIG_LIMIT = 64 << 20 };

static const char *const copied[] = {
    "generation_config.json", "preprocessor_config.json", "processor_config.json",   "tokenizer.json",
    "tokenizer_config.json",  "special_tokens_map.json",  "added_tokens.json",       "tokenizer.model",
    "chat_template.json",     "chat_template.jinja",
};

/* The field's name was torch_dtype up to 4.55 and is dtype since; every release reads the older one. */
static pali_status set_dtype(struct json_object *section, const char *name, bool wanted, pali_error **error)
{
    static const char *const fields[] = { "dtype", "torch_dtype" };

    for (int i = 0; i < 2; i++)
        if (pali__json_has(section, fields[i])) {
            TRY(pali__json_set_string(section, fields[i], name, error));
            wanted = false;
        }
    return wanted ? pali__json_set_string(section, "torch_dtype", name, error) : PALI_OK;
}

pali_status pali__config_set_dtype(void *user, struct json_object *root, pali_error **error)
{
    static const char *const parts[] = { "text_config", "vision_config" };
    const char *name = pali_dtype_name(*(const pali_dtype *)user);

    TRY(set_dtype(root, name, true, error));
    for (int i = 0; i < 2; i++)
        if (pali__json_kind(pali__json_get(root, parts[i])) == PALI__JSON_OBJECT)
            TRY(set_dtype(pali__json_get(root, parts[i]), name, false, error));
    return PALI_OK;
}

static pali_status write_config(const char *to, const char *from, pali__config_edit *edit, void *user,
                                pali_error **error)
{
    struct pali__text text = { NULL, 0, 0 };
    struct json_object *root;

    TRY(pali__json_load(&root, from, CONFIG_LIMIT, error));
    pali_status status = edit(user, root, error);
    if (status == PALI_OK)
        status = pali__json_print(&text, root, error);
    if (status == PALI_OK)
        status = pali__file_write(to, text.data, text.size, error);
    pali__text_clear(&text);
    pali__json_free(root);
    return status;
}

static pali_status save_config(const char *in_dir, const char *out_dir, pali__config_edit *edit, void *user,
                               pali_error **error)
{
    char *from = pali__path_join(in_dir, "config.json"), *to = pali__path_join(out_dir, "config.json");
    pali_status status = !from || !to ? pali__no_memory(error, strlen(in_dir) + strlen(out_dir) + 64)
                         : edit       ? write_config(to, from, edit, user, error)
                                      : pali__file_copy(to, from, error);

    pali__free(from);
    pali__free(to);
    return status;
}

static pali_status save_file(const char *in_dir, const char *out_dir, const char *name, pali_error **error)
{
    char *from = pali__path_join(in_dir, name), *to = pali__path_join(out_dir, name);
    pali_status status = PALI_OK;

    if (!from || !to)
        status = pali__no_memory(error, strlen(in_dir) + strlen(out_dir) + 64);
    else if (pali__file_exists(from))
        status = pali__file_copy(to, from, error);
    pali__free(from);
    pali__free(to);
    return status;
}

pali_status pali__save_files(const char *in_dir, const char *out_dir, pali__config_edit *edit, void *user,
                             pali_error **error)
{
    TRY(save_config(in_dir, out_dir, edit, user, error));
    for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++)
        TRY(save_file(in_dir, out_dir, copied[i], error));
    return PALI_OK;
}
