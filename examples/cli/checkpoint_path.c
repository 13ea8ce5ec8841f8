/* SPDX-License-Identifier: BSD-2-Clause */
/* From -m to a directory: a path, or ORG/NAME[@REVISION] in the Hugging Face cache. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"

static char *copy(const char *text, size_t size)
{
    char *made = malloc(size + 1);
    if (!made) {
        report_text("out of memory");
        return NULL;
    }
    memcpy(made, text, size);
    made[size] = '\0';
    return made;
}

/* One slash, with something on both sides, and no dot in front: anything else can only be a path. */
static bool may_be_id(const char *text)
{
    const char *slash = strchr(text, '/');
    return slash && slash != text && slash[1] && slash[1] != '.' && text[0] != '.' && text[0] != '~' &&
           !strchr(slash + 1, '/');
}

char *checkpoint_path(const char *model)
{
    struct stat status;
    char *found = NULL, *path = NULL;
    pali_error *error = NULL;
    const char *at = strrchr(model, '@');
    if (stat(model, &status) == 0 || !may_be_id(model))
        return copy(model, strlen(model)); /* if it is not there, the library says so */

    char *id = copy(model, at ? (size_t)(at - model) : strlen(model));
    if (id && pali_hub_path(&found, id, at ? at + 1 : NULL, &error) == PALI_OK)
        path = copy(found, strlen(found));
    else if (id)
        report(error);
    pali_error_free(error);
    pali_free(found);
    free(id);
    return path;
}
