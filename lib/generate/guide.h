/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which tokens may follow in each row of a generation, by its constraint and by the host's token mask, and the logits
 * of those tokens: only their rows of the head are read, all others count as -infinity.
 */
#ifndef PALI_GENERATE_GUIDE_H
#define PALI_GENERATE_GUIDE_H

#include "generate/automaton.h"
#include "generate/steps.h"

struct pali__guided_row {
    struct pali__constraint_state state;
    struct pali__allowed by_constraint; /* what the constraint lets follow */
    struct pali__allowed by_both;       /* what of these the mask allows too; its spans NULL without a mask */
};

/* The new tokens of a row so far. */
struct pali__guided {
    int64_t row;
    const int64_t *ids;
    size_t n_ids;
};

struct pali__guide {
    const pali_constraint *constraint; /* or NULL */
    pali_token_mask_fn token_mask;     /* or NULL */
    void *user;
    int64_t n_rows, vocab_size, max_new_tokens;
    struct pali__guided_row *rows; /* [n_rows]; NULL without constraint and mask */
    uint8_t *mask;                 /* [vocab_size]: what the host fills in */
    bool stopped;                  /* it said so */
};

/* PALI_ERROR_ARGUMENT if the constraint's tokenizer does not fit `vocab_size`, or `max_new_tokens` is too small
 * for it. */
pali_status pali__guide_init(struct pali__guide *guide, const pali_generate_options *options, int64_t n_rows,
                             int64_t vocab_size, pali_error **error);
void pali__guide_clear(struct pali__guide *guide); /* of a zeroed one: nothing */

/* The logits that follow the last run's rows first…first+n-1, to steps->logits[0…n-1]; row i of them continues rows[i].
 * Asks the host once for each; if that stops, guide->stopped is set and there are no logits. */
pali_status pali__guide_logits(struct pali__guide *guide, struct pali__steps *steps, int64_t first,
                               const struct pali__guided *rows, int64_t n, pali_error **error);

/* Replaces *id, chosen from `logits`, which other options may have changed, by the likeliest that may follow if it
 * is not one of them: a draw may fall on one by rounding, and logits that are no numbers on any.
 * PALI_ERROR_ARGUMENT if the other options forbid all that may follow. */
pali_status pali__guide_settle(const struct pali__guide *guide, int64_t row, const float *logits, int64_t *id,
                               pali_error **error);

/* Notes that row `row`, which has `n_ids` new tokens now, got `id` as the last of them. True if the constraint lets
 * nothing follow, or only the end. */
bool pali__guide_take(struct pali__guide *guide, int64_t row, int64_t id, size_t n_ids);

#endif
