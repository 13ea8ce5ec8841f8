/* SPDX-License-Identifier: BSD-2-Clause */
/* The members of a zip archive that are stored, not compressed, as np.savez writes them. */
#ifndef PALI_CHECKPOINT_ZIP_H
#define PALI_CHECKPOINT_ZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

struct pali__zip {
    const unsigned char *data; /* the whole archive */
    size_t size;
    const char *path;          /* for messages */
    size_t at;                 /* the next entry of the central directory */
    size_t n_left;             /* how many there are from there on */
    size_t n_bytes;            /* of all members so far */
};

struct pali__zip_member {
    const char *name; /* not NUL-terminated */
    size_t name_size;
    const unsigned char *data;
    size_t size;
};

/* Whether the bytes begin as a zip archive does. */
bool pali__zip_is(const unsigned char *data, size_t size);

/* Finds the central directory. `data` and `path` stay the caller's and must outlive `zip`. */
pali_status pali__zip_open(struct pali__zip *zip, const unsigned char *data, size_t size, const char *path,
                           pali_error **error);

/* The next member, checked against its CRC-32; only while n_left is not 0. A compressed or encrypted one is
 * PALI_ERROR_UNSUPPORTED. */
pali_status pali__zip_next(struct pali__zip *zip, struct pali__zip_member *member, pali_error **error);

#endif
