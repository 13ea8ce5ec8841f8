/* SPDX-License-Identifier: BSD-2-Clause */
/* Options structs of any age: what the caller's has is taken, the rest keeps its default. */
#ifndef PALI_CORE_OPTIONS_H
#define PALI_CORE_OPTIONS_H

#include <string.h>

#include "core/error.h"

/* `own` holds the defaults of this version's struct of `own_size` bytes; the caller's `given` (NULL: none) begins with
 * its size. A longer one, of a newer header, is refused unless what we do not know is zero. */
static inline pali_status pali__options_take(void *own, size_t own_size, const void *given, const char *name,
                                             pali_error **error)
{
    size_t given_size;

    if (!given)
        return PALI_OK;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size || given_size > 65536)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "%s.struct_size is %zu; set it with the _INIT macro", name,
                          given_size);
    for (size_t i = own_size; i < given_size; i++)
        if (((const unsigned char *)given)[i])
            return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                              "%s sets an option that is newer than this version of the library", name);
    memcpy(own, given, given_size < own_size ? given_size : own_size);
    memcpy(own, &own_size, sizeof own_size);
    return PALI_OK;
}

/* The reverse, for a struct that the library fills: as much of `own` as the caller's `given` has room for. */
static inline pali_status pali__options_give(void *given, const void *own, size_t own_size, const char *name,
                                             pali_error **error)
{
    size_t given_size;

    memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "%s.struct_size is %zu; set it with the _INIT macro", name,
                          given_size);
    memcpy(given, own, given_size < own_size ? given_size : own_size);
    memcpy(given, &given_size, sizeof given_size);
    return PALI_OK;
}

#endif
