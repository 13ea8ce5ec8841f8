/* SPDX-License-Identifier: BSD-2-Clause */
/* Somebody who watches what goes into the network's products: a calibration. */
#ifndef PALI_MODEL_OBSERVER_H
#define PALI_MODEL_OBSERVER_H

#include "kernels/ops.h"

struct pali__observer {
    /* Called before y = x·Wᵀ. x: [n_rows, w->n_in]; real: [n_rows], 0 for padding, or NULL: no row is. */
    pali_status (*see)(void *user, const struct pali__matrix *w, const float *x, int64_t n_rows, const uint8_t *real,
                       pali_error **error);
    void *user;
};

static inline pali_status pali__observe(const struct pali__observer *observer, const struct pali__matrix *w,
                                        const float *x, int64_t n_rows, const uint8_t *real, pali_error **error)
{
    return observer ? observer->see(observer->user, w, x, n_rows, real, error) : PALI_OK;
}

#endif
