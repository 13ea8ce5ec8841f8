/* SPDX-License-Identifier: BSD-2-Clause */
/* Files: mapped, read whole, or written so that a half one never bears the final name. */
#ifndef PALI_CORE_FILE_H
#define PALI_CORE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

struct pali__map {
    const unsigned char *data;
    size_t size;
};
pali_status pali__map_open(struct pali__map *out, const char *path, pali_error **error); /* read only, private */
void pali__map_close(struct pali__map *map); /* of a zeroed map: nothing */

/* The whole file, NUL-terminated after `*size` bytes; freed with pali__free. More than `limit` bytes: PALI_ERROR_LIMIT. */
pali_status pali__file_read(char **out, size_t *size, const char *path, size_t limit, pali_error **error);
bool pali__file_exists(const char *path);

/* "directory/name", freed with pali__free; NULL without memory. */
char *pali__path_join(const char *directory, const char *name);

/* Writing to "path.tmp-PID"; commit renames it to `path`, abort removes it. Exactly one of the two ends the writer. */
struct pali__writer;
pali_status pali__writer_open(struct pali__writer **out, const char *path, pali_error **error);
pali_status pali__writer_write(struct pali__writer *writer, const void *data, size_t size, pali_error **error);
pali_status pali__writer_commit(struct pali__writer *writer, pali_error **error);
void pali__writer_abort(struct pali__writer *writer);

/* A whole file from `size` bytes, and one from another. */
pali_status pali__file_write(const char *path, const void *data, size_t size, pali_error **error);
pali_status pali__file_copy(const char *to, const char *from, pali_error **error);

#endif
