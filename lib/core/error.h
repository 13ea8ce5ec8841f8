/* SPDX-License-Identifier: BSD-2-Clause */
/* Error objects: the first message, the one nearest the cause, wins. */
#ifndef PALI_CORE_ERROR_H
#define PALI_CORE_ERROR_H

#include <paligemma/base.h>

/* Sets *error (if wanted and still NULL) to the formatted sentence and returns `status`. */
pali_status pali__fail(pali_error **error, pali_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* PALI_ERROR_MEMORY, with the size that was wanted; allocates nothing. */
pali_status pali__no_memory(pali_error **error, size_t size);

/* Returns from the calling function when `call` fails. The one such macro; cleanup goes through a label instead. */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        pali_status try_status_ = (call);                                                                              \
        if (try_status_ != PALI_OK)                                                                                    \
            return try_status_;                                                                                        \
    } while (0)

#endif
