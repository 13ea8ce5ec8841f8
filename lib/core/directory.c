/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/directory.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/memory.h"

enum { TEMPORARY_NAMES = 100 };

static pali_status fail_errno(pali_error **error, const char *verb, const char *path, int reason)
{
    char text[256];
    if (strerror_r(reason, text, sizeof text) != 0)
        snprintf(text, sizeof text, "error %d", reason);
    return pali__fail(error, PALI_ERROR_IO, "cannot %s '%s': %s", verb, path, text);
}

static bool is_dots(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

static pali_status check_free(const char *path, pali_error **error)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? PALI_OK : fail_errno(error, "examine", path, errno);
    if (!S_ISDIR(status.st_mode))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "'%s' is there already and is not an empty directory", path);
    DIR *directory = opendir(path);
    if (!directory)
        return fail_errno(error, "open", path, errno);
    bool empty = true;
    for (struct dirent *entry; (entry = readdir(directory));)
        empty = empty && is_dots(entry->d_name);
    closedir(directory);
    if (!empty)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "'%s' is not empty; nothing in it is overwritten", path);
    return PALI_OK;
}

pali_status pali__directory_begin(char **temporary, const char *path, pali_error **error)
{
    struct pali__text name = { NULL, 0, 0 };
    size_t size = strlen(path);
    pali_status status = PALI_OK;

    *temporary = NULL;
    while (size > 1 && path[size - 1] == '/')
        size--;
    if (size > INT16_MAX)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "the name of the directory has %zu bytes", size);
    TRY(check_free(path, error));
    for (int i = 0; status == PALI_OK; i++) {
        name.size = 0;
        bool made = i == 0 ? pali__text_printf(&name, "%.*s.tmp-%ld", (int)size, path, (long)getpid())
                           : pali__text_printf(&name, "%.*s.tmp-%ld-%d", (int)size, path, (long)getpid(), i);
        if (!made)
            status = pali__no_memory(error, size + 32);
        else if (mkdir(name.data, 0777) == 0)
            break;
        else if (errno != EEXIST || i == TEMPORARY_NAMES)
            status = fail_errno(error, "create the directory", name.data, errno);
    }
    if (status == PALI_OK)
        *temporary = name.data;
    else
        pali__text_clear(&name);
    return status;
}

pali_status pali__directory_commit(char *temporary, const char *path, pali_error **error)
{
    if (rename(temporary, path) == 0) {
        pali__free(temporary);
        return PALI_OK;
    }
    pali_status status = fail_errno(error, "rename the finished directory to", path, errno);
    pali__directory_abort(temporary);
    return status;
}

void pali__directory_abort(char *temporary)
{
    DIR *directory = temporary ? opendir(temporary) : NULL;
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        if (!is_dots(entry->d_name))
            unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory)
        closedir(directory);
    if (temporary)
        rmdir(temporary);
    pali__free(temporary);
}
