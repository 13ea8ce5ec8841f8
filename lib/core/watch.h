/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's progress callback on its way through a long call. */
#ifndef PALI_CORE_WATCH_H
#define PALI_CORE_WATCH_H

#include "core/error.h"

struct pali__watch {
    pali_progress_fn progress; /* or NULL */
    void *user;
};

/* Reports step `done` of `total` in `stage`; PALI_ERROR_CANCELLED when the host wants to stop. */
static inline pali_status pali__watch_step(const struct pali__watch *watch, const char *stage, int64_t done,
                                           int64_t total, pali_error **error)
{
    if (watch && watch->progress && watch->progress(watch->user, stage, (double)done / (double)total))
        return pali__fail(error, PALI_ERROR_CANCELLED, "the %s pass was cancelled", stage);
    return PALI_OK;
}

#endif
