/* SPDX-License-Identifier: BSD-2-Clause */
/* The matrices of one block while they are calibrated: those that take the same inputs share what is learned of them. */
#ifndef PALI_QUANTIZE_CALIBRATION_BLOCK_H
#define PALI_QUANTIZE_CALIBRATION_BLOCK_H

#include "model/observer.h"
#include "quantize/calibration.h"
#include "quantize/second_moments.h"

/* A matrix of the model that is to be rounded. */
struct pali__calibration_target {
    struct pali__rounded_matrix rounded;
    char name[128]; /* for messages */
    struct pali__matrix *matrix; /* in the model */
    struct pali__matrix original; /* what stood there, while the rounded values stand in for it */
    float *values;                /* these */
};

struct pali__calibration {
    struct pali__calibration_target *targets;
    size_t count;
};

enum { PALI__SHARES_MAX = 4, PALI__SHARERS_MAX = 3 };

struct pali__calibration_share {
    const struct pali__matrix *seen; /* whose inputs are observed: they are those of all of them */
    struct pali__calibration_target *targets[PALI__SHARERS_MAX];
    int n_targets;                   /* at least 1 */
    struct pali__second_moments moments;
};

struct pali__calibration_block {
    const struct pali__compute *compute;
    struct pali__calibration_share shares[PALI__SHARES_MAX];
    int n_shares; /* 0: nothing of the block is rounded */
    struct pali__observer observer;
};

/* Matrices that take the same inputs, `n` of them, the first of which runs first: those of them that are targets become a
 * share of the block, which is zeroed before the first. */
void pali__calibration_block_add(struct pali__calibration_block *block, const struct pali__calibration *calibration,
                                 struct pali__matrix *const *matrices, int n);

/* Makes room for the moments, and block->observer to fill them. */
pali_status pali__calibration_block_begin(struct pali__calibration_block *block, const struct pali__compute *compute,
                                          pali_error **error);
/* Rounds the matrices; until _end, the model's are the rounded ones. */
pali_status pali__calibration_block_round(struct pali__calibration_block *block, const struct pali__watch *watch,
                                          double fraction, pali_error **error);
/* Ends the block, after a failure too; the model's matrices are as they were. */
void pali__calibration_block_end(struct pali__calibration_block *block);

#endif
