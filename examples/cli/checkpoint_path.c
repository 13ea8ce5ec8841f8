/* SPDX-License-Identifier: BSD-2-Clause */
/* From -m to a directory. The cache's layout is huggingface_hub's: models--ORG--NAME/refs/main names a revision, whose
 * files lie in models--ORG--NAME/snapshots/REVISION. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"

/* A new string; NULL without memory. */
static char *format_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *format_text(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = size < 0 ? NULL : malloc((size_t)size + 1);
    if (text) {
        va_start(arguments, format);
        vsnprintf(text, (size_t)size + 1, format, arguments);
        va_end(arguments);
    }
    return text;
}

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* ORG/NAME, both of letters, digits, ".", "_" and "-", and neither only dots: anything else is a path. */
static bool is_hub_id(const char *text)
{
    static const char *const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const char *slash = strchr(text, '/');
    if (!slash || slash == text || slash[1] == '\0')
        return false;
    size_t organisation = (size_t)(slash - text), name = strlen(slash + 1);
    return strspn(text, allowed) == organisation && strspn(slash + 1, allowed) == name && text[0] != '.' &&
           slash[1] != '.';
}

/* The folder with models--…: HF_HUB_CACHE, HF_HOME/hub, or the default below the home folder. */
static char *cache_folder(void)
{
    const char *value;
    if ((value = getenv("HF_HUB_CACHE")) && *value)
        return format_text("%s", value);
    if ((value = getenv("HF_HOME")) && *value)
        return format_text("%s/hub", value);
    if ((value = getenv("XDG_CACHE_HOME")) && *value)
        return format_text("%s/huggingface/hub", value);
    value = getenv("HOME");
    return format_text("%s/.cache/huggingface/hub", value ? value : "");
}

/* The first word of the file `path`, or "" if there is none. */
static void read_word(char *word, size_t size, const char *path)
{
    word[0] = '\0';
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    if (!fgets(word, (int)size, file))
        word[0] = '\0';
    fclose(file);
    word[strcspn(word, " \t\r\n")] = '\0';
}

static char *snapshot_path(const char *cache, const char *id)
{
    char revision[256];
    const char *slash = strchr(id, '/');
    char *model = format_text("%s/models--%.*s--%s", cache, (int)(slash - id), id, slash + 1);
    char *reference = model ? format_text("%s/refs/main", model) : NULL;
    char *snapshot = NULL;
    if (reference) {
        read_word(revision, sizeof revision, reference);
        if (revision[0])
            snapshot = format_text("%s/snapshots/%s", model, revision);
    }
    free(reference);
    free(model);
    return snapshot;
}

char *checkpoint_path(const char *model)
{
    char *path = NULL;
    if (is_directory(model) || !is_hub_id(model)) {
        path = format_text("%s", model); /* if it is not there, the library says so */
        if (!path)
            report_text("out of memory");
        return path;
    }
    char *cache = cache_folder();
    if (cache)
        path = snapshot_path(cache, model);
    if (!path || !is_directory(path)) {
        report_text("%s is neither a directory nor in the Hugging Face cache %s; fetch it with: hf download %s", model,
                    cache ? cache : "", model);
        free(path);
        path = NULL;
    }
    free(cache);
    return path;
}
