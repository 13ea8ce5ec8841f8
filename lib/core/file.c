/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/memory.h"

enum { BUFFER_SIZE = 1 << 16, TEMPORARY_NAMES = 100 };

/* "cannot VERB 'path': reason", the reason being errno's as it was on entry. */
static pali_status fail_errno(pali_error **error, const char *verb, const char *path, int reason)
{
    char text[256];
    if (strerror_r(reason, text, sizeof text) != 0)
        snprintf(text, sizeof text, "error %d", reason);
    return pali__fail(error, PALI_ERROR_IO, "cannot %s '%s': %s", verb, path, text);
}

static int open_retrying(const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* Opens for reading. Directories are refused here, as reading one gives a message that puzzles. */
static pali_status open_to_read(int *out, struct stat *status, const char *path, pali_error **error)
{
    int fd = open_retrying(path, O_RDONLY, 0);
    if (fd < 0)
        return fail_errno(error, "open", path, errno);
    if (fstat(fd, status) != 0) {
        int reason = errno;
        close(fd);
        return fail_errno(error, "examine", path, reason);
    }
    if (S_ISDIR(status->st_mode)) {
        close(fd);
        return pali__fail(error, PALI_ERROR_IO, "cannot read '%s': it is a directory, a file was expected", path);
    }
    *out = fd;
    return PALI_OK;
}

/* What a repository holds in place of a large file until `git lfs pull` has fetched it. */
static pali_status check_pointer(const void *data, size_t size, const char *path, pali_error **error)
{
    static const char begin[] = "version https://git-lfs.github.com/spec/v1";
    if (size < sizeof begin - 1 || size > 1024 || memcmp(data, begin, sizeof begin - 1) != 0)
        return PALI_OK;
    return pali__fail(error, PALI_ERROR_FORMAT,
                      "'%s' is a Git LFS pointer, not the file: run git lfs pull where it was cloned", path);
}

pali_status pali__map_open(struct pali__map *out, const char *path, pali_error **error)
{
    *out = (struct pali__map){ NULL, 0 };
    struct stat status;
    int fd;
    TRY(open_to_read(&fd, &status, path, error));
    if (!S_ISREG(status.st_mode) || status.st_size < 0 || (uintmax_t)status.st_size > SIZE_MAX) {
        close(fd);
        return pali__fail(error, PALI_ERROR_IO, "cannot map '%s': it is not a regular file of a size that fits", path);
    }
    static const unsigned char nothing[1] = { 0 };
    if (status.st_size == 0) {
        close(fd);
        out->data = nothing;
        return PALI_OK;
    }
    void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int reason = errno;
    close(fd);
    if (data == MAP_FAILED)
        return fail_errno(error, "map", path, reason);
    *out = (struct pali__map){ data, (size_t)status.st_size };
    pali_status result = check_pointer(data, out->size, path, error);
    if (result != PALI_OK)
        pali__map_close(out);
    return result;
}

void pali__map_close(struct pali__map *map)
{
    if (map->size)
        munmap((void *)(uintptr_t)map->data, map->size);
    *map = (struct pali__map){ NULL, 0 };
}

/* Up to `size` bytes; fewer only at the end of the file; -1 with errno. */
static ssize_t read_fully(int fd, char *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        size_t piece = size - done < INT_MAX ? size - done : INT_MAX;
        ssize_t n = read(fd, data + done, piece);
        if (n == 0)
            break;
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return -1;
    }
    return (ssize_t)done;
}

/* Reads to the end. The size that fstat told is only a first guess: pipes have none and files grow. */
static pali_status read_rest(char **out, size_t *size, int fd, size_t guess, const char *path, size_t limit,
                             pali_error **error)
{
    size_t done = 0, capacity = guess + 2;
    char *data = pali__malloc(capacity);
    if (!data)
        return pali__no_memory(error, capacity);
    for (;;) {
        ssize_t n = read_fully(fd, data + done, capacity - 1 - done);
        if (n < 0) {
            int reason = errno;
            pali__free(data);
            return fail_errno(error, "read", path, reason);
        }
        done += (size_t)n;
        if (done > limit) {
            pali__free(data);
            return pali__fail(error, PALI_ERROR_LIMIT, "'%s' is larger than the limit of %zu bytes", path, limit);
        }
        if (done < capacity - 1)
            break;
        size_t larger = capacity > SIZE_MAX / 2 ? 0 : capacity < BUFFER_SIZE ? BUFFER_SIZE : capacity * 2;
        char *grown = larger ? pali__regrow(data, done, larger) : NULL;
        if (!grown) {
            pali__free(data);
            return pali__no_memory(error, larger ? larger : SIZE_MAX);
        }
        data = grown;
        capacity = larger;
    }
    data[done] = '\0';
    *out = data;
    *size = done;
    return PALI_OK;
}

pali_status pali__file_read(char **out, size_t *size, const char *path, size_t limit, pali_error **error)
{
    *out = NULL;
    *size = 0;
    struct stat status;
    int fd;
    TRY(open_to_read(&fd, &status, path, error));
    pali_status result;
    bool is_sized = S_ISREG(status.st_mode) && status.st_size > 0;
    if (is_sized && (uintmax_t)status.st_size > limit)
        result = pali__fail(error, PALI_ERROR_LIMIT, "'%s' has %lld bytes, more than the limit of %zu", path,
                            (long long)status.st_size, limit);
    else
        result = read_rest(out, size, fd, is_sized ? (size_t)status.st_size : 0, path, limit, error);
    close(fd);
    if (result == PALI_OK)
        result = check_pointer(*out, *size, path, error);
    if (result != PALI_OK) {
        pali__free(*out);
        *out = NULL;
        *size = 0;
    }
    return result;
}

bool pali__file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

char *pali__path_join(const char *directory, const char *name)
{
    struct pali__text path = { NULL, 0, 0 };
    size_t length = strlen(directory);
    const char *separator = length == 0 || directory[length - 1] == '/' ? "" : "/";
    if (!pali__text_append(&path, directory, length) || !pali__text_append(&path, separator, strlen(separator)) ||
        !pali__text_append(&path, name, strlen(name))) {
        pali__text_clear(&path);
        return NULL;
    }
    return path.data;
}

struct pali__writer {
    int fd;
    char *path, *temporary; /* `temporary` is NULL when a device or a pipe is written directly */
    size_t used;
    char buffer[BUFFER_SIZE];
};

static void writer_free(struct pali__writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    pali__free(writer->path);
    pali__free(writer->temporary);
    pali__free(writer);
}

/* Another thread, or a crashed process of the same number, may own the first name, so a few are tried. */
static pali_status open_temporary(struct pali__writer *writer, pali_error **error)
{
    struct pali__text name = { NULL, 0, 0 };
    for (int i = 0; i < TEMPORARY_NAMES; i++) {
        name.size = 0;
        bool made = i == 0 ? pali__text_printf(&name, "%s.tmp-%ld", writer->path, (long)getpid())
                           : pali__text_printf(&name, "%s.tmp-%ld-%d", writer->path, (long)getpid(), i);
        if (!made) {
            pali__text_clear(&name);
            return pali__no_memory(error, strlen(writer->path) + 32);
        }
        writer->fd = open_retrying(name.data, O_WRONLY | O_CREAT | O_EXCL, 0666);
        if (writer->fd >= 0 || errno != EEXIST)
            break;
    }
    if (writer->fd < 0) {
        pali_status result = fail_errno(error, "create", name.data, errno);
        pali__text_clear(&name);
        return result;
    }
    writer->temporary = name.data;
    return PALI_OK;
}

pali_status pali__writer_open(struct pali__writer **out, const char *path, pali_error **error)
{
    *out = NULL;
    struct stat status;
    bool exists = stat(path, &status) == 0;
    if (exists && S_ISDIR(status.st_mode))
        return pali__fail(error, PALI_ERROR_IO, "cannot write '%s': it is a directory", path);

    struct pali__writer *writer = pali__malloc(sizeof *writer);
    if (!writer)
        return pali__no_memory(error, sizeof *writer);
    writer->fd = -1;
    writer->temporary = NULL;
    writer->used = 0;
    writer->path = pali__strdup(path);
    pali_status result = PALI_OK;
    if (!writer->path) {
        result = pali__no_memory(error, strlen(path) + 1);
    } else if (exists && !S_ISREG(status.st_mode)) {
        /* A rename would replace /dev/stdout by a file. */
        writer->fd = open_retrying(path, O_WRONLY, 0);
        if (writer->fd < 0)
            result = fail_errno(error, "open", path, errno);
    } else {
        result = open_temporary(writer, error);
    }
    if (result != PALI_OK) {
        writer_free(writer);
        return result;
    }
    *out = writer;
    return PALI_OK;
}

static pali_status write_fully(struct pali__writer *writer, const char *data, size_t size, pali_error **error)
{
    while (size) {
        ssize_t n = write(writer->fd, data, size < INT_MAX ? size : INT_MAX);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(error, "write", writer->temporary ? writer->temporary : writer->path, errno);
        data += n;
        size -= (size_t)n;
    }
    return PALI_OK;
}

static pali_status flush(struct pali__writer *writer, pali_error **error)
{
    size_t used = writer->used;
    writer->used = 0;
    return write_fully(writer, writer->buffer, used, error);
}

pali_status pali__writer_write(struct pali__writer *writer, const void *data, size_t size, pali_error **error)
{
    if (size > BUFFER_SIZE - writer->used)
        TRY(flush(writer, error));
    if (size > BUFFER_SIZE)
        return write_fully(writer, data, size, error);
    if (size)
        memcpy(writer->buffer + writer->used, data, size);
    writer->used += size;
    return PALI_OK;
}

pali_status pali__writer_commit(struct pali__writer *writer, pali_error **error)
{
    pali_status result = flush(writer, error);
    /* Errors that the system put off (a full disk over a network) show here; some file systems know no fsync. */
    if (result == PALI_OK && writer->temporary && fsync(writer->fd) != 0 && errno != EINVAL && errno != EINTR)
        result = fail_errno(error, "write", writer->temporary, errno);
    int closed = close(writer->fd);
    writer->fd = -1;
    if (result == PALI_OK && closed != 0 && errno != EINTR)
        result = fail_errno(error, "write", writer->path, errno);
    if (result == PALI_OK && writer->temporary && rename(writer->temporary, writer->path) != 0)
        result = fail_errno(error, "rename the finished file to", writer->path, errno);
    if (result == PALI_OK)
        writer_free(writer);
    else
        pali__writer_abort(writer);
    return result;
}

void pali__writer_abort(struct pali__writer *writer)
{
    if (!writer)
        return;
    if (writer->temporary)
        unlink(writer->temporary);
    writer_free(writer);
}

pali_status pali__file_write(const char *path, const void *data, size_t size, pali_error **error)
{
    struct pali__writer *writer;
    TRY(pali__writer_open(&writer, path, error));
    pali_status status = pali__writer_write(writer, data, size, error);
    if (status == PALI_OK)
        return pali__writer_commit(writer, error);
    pali__writer_abort(writer);
    return status;
}

pali_status pali__file_copy(const char *to, const char *from, pali_error **error)
{
    struct pali__map map;
    TRY(pali__map_open(&map, from, error));
    pali_status status = pali__file_write(to, map.data, map.size, error);
    pali__map_close(&map);
    return status;
}
