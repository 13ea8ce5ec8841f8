/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a hub id to the folder that `hf download` filled (huggingface_hub/constants.py and file_download.py): the cache
 * folder is HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub, or the last below
 * ~/.cache; in it models--ORG--NAME/refs/REVISION names a commit, whose files lie in models--ORG--NAME/snapshots/COMMIT.
 */
#include <paligemma/checkpoint.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "core/memory.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* ORG/NAME or NAME, of letters, digits, ".", "_" and "-", and no part begins with a dot. */
static bool is_hub_id(const char *text)
{
    const char *slash = strchr(text, '/'), *name = slash ? slash + 1 : text;
    size_t organisation = slash ? (size_t)(slash - text) : 1, length = strlen(name);
    return organisation && length && organisation < 100 && length < 100 && text[0] != '.' && name[0] != '.' &&
           (!slash || strspn(text, LETTERS "._-") == organisation) && strspn(name, LETTERS "._-") == length;
}

/* "main", "refs/pr/1", a commit: nothing that leads out of its folder. */
static bool is_revision(const char *text)
{
    return text[0] && text[0] != '/' && strlen(text) < 256 && strspn(text, LETTERS "._-+/") == strlen(text) &&
           !strstr(text, "..");
}

/* ---- the cache folder ---- */

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* Appends what stands at `text` behind a "$"; returns how much of it that was. An unknown name stays, as in Python. */
static size_t expand_variable(struct pali__text *out, const char *text, bool *fits)
{
    char name[64];
    size_t brace = text[1] == '{', size = strspn(text + 1 + brace, LETTERS "_"), whole = 1 + brace + size + brace;
    const char *value = NULL;
    if (size && size < sizeof name && (!brace || text[1 + brace + size] == '}')) {
        memcpy(name, text + 1 + brace, size);
        name[size] = '\0';
        value = getenv(name);
    }
    *fits = *fits && pali__text_append(out, value ? value : text, value ? strlen(value) : 1);
    return value ? whole : 1;
}

/* `value`, its leading "~" and its $NAMEs replaced, and `rest` behind it; NULL without memory. */
static char *expand(const char *value, const char *rest)
{
    struct pali__text out = { NULL, 0, 0 };
    const char *home = getenv("HOME");
    bool fits = true;
    if (value[0] == '~' && (value[1] == '/' || value[1] == '\0') && home) {
        fits = pali__text_append(&out, home, strlen(home));
        value++;
    }
    while (*value && fits) {
        size_t plain = strcspn(value, "$");
        fits = pali__text_append(&out, value, plain);
        value += plain;
        if (*value == '$')
            value += expand_variable(&out, value, &fits);
    }
    if (fits && pali__text_append(&out, rest, strlen(rest)))
        return out.data;
    pali__text_clear(&out);
    return NULL;
}

static char *cache_folder(void)
{
    const char *value;
    if ((value = variable("HF_HUB_CACHE")) || (value = variable("HUGGINGFACE_HUB_CACHE")))
        return expand(value, "");
    if ((value = variable("HF_HOME")))
        return expand(value, "/hub");
    if ((value = variable("XDG_CACHE_HOME")))
        return expand(value, "/huggingface/hub");
    return expand("~", "/.cache/huggingface/hub");
}

/* ---- one model's folder ---- */

/* "CACHE/models--ORG--NAME". */
static bool model_folder(struct pali__text *out, const char *cache, const char *id)
{
    const char *slash = strchr(id, '/');
    return slash ? pali__text_printf(out, "%s/models--%.*s--%s", cache, (int)(slash - id), id, slash + 1)
                 : pali__text_printf(out, "%s/models--%s", cache, id);
}

/* The commit that the branch or tag `revision` stands for, or `revision` itself. */
static pali_status resolve(char **commit, const char *folder, const char *revision, pali_error **error)
{
    struct pali__text reference = { NULL, 0, 0 };
    char *word = NULL;
    size_t size = 0;
    if (!pali__text_printf(&reference, "%s/refs/%s", folder, revision))
        return pali__no_memory(error, strlen(folder));
    pali_status status = PALI_OK;
    if (pali__file_exists(reference.data) && !is_directory(reference.data)) {
        status = pali__file_read(&word, &size, reference.data, 4096, error);
        if (status == PALI_OK) {
            word[strcspn(word, " \t\r\n")] = '\0';
            if (!is_revision(word) || strchr(word, '/'))
                status = pali__fail(error, PALI_ERROR_FORMAT, "'%s' names no commit", reference.data);
        }
    } else {
        word = pali__strdup(revision);
        if (!word)
            status = pali__no_memory(error, strlen(revision));
    }
    pali__text_clear(&reference);
    if (status != PALI_OK) {
        pali__free(word);
        word = NULL;
    }
    *commit = word;
    return status;
}

static pali_status find(struct pali__text *snapshot, const char *cache, const char *id, const char *revision,
                        pali_error **error)
{
    struct pali__text folder = { NULL, 0, 0 };
    char *commit = NULL;
    pali_status status = model_folder(&folder, cache, id) ? PALI_OK : pali__no_memory(error, strlen(cache));
    if (status == PALI_OK)
        status = resolve(&commit, folder.data, revision, error);
    if (status == PALI_OK && !pali__text_printf(snapshot, "%s/snapshots/%s", folder.data, commit))
        status = pali__no_memory(error, folder.size);
    if (status == PALI_OK && !is_directory(snapshot->data)) {
        bool is_main = strcmp(revision, "main") == 0;
        status = pali__fail(error, PALI_ERROR_IO,
                            "%s%s%s is not in the Hugging Face cache: there is no folder '%s'; fetch it with: "
                            "hf download %s%s%s",
                            id, is_main ? "" : " at revision ", is_main ? "" : revision,
                            is_directory(folder.data) ? snapshot->data : folder.data, id,
                            is_main ? "" : " --revision ", is_main ? "" : revision);
    }
    pali__text_clear(&folder);
    pali__free(commit);
    return status;
}

pali_status pali_hub_path(char **path, const char *id, const char *revision, pali_error **error)
{
    struct pali__text snapshot = { NULL, 0, 0 };
    if (!path || !id)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_hub_path: %s is NULL", path ? "id" : "path");
    *path = NULL;
    revision = revision ? revision : "main";
    if (!is_hub_id(id))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "\"%.200s\" is no hub id, ORG/NAME was expected", id);
    if (!is_revision(revision))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "\"%.200s\" is no revision, a branch, tag or commit was expected",
                          revision);
    char *cache = cache_folder();
    pali_status status = cache ? find(&snapshot, cache, id, revision, error) : pali__no_memory(error, 256);
    pali__free(cache);
    if (status == PALI_OK)
        *path = snapshot.data;
    else
        pali__text_clear(&snapshot);
    return status;
}
