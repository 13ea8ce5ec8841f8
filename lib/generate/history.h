/* SPDX-License-Identifier: BSD-2-Clause */
/* The tokens that stand before the next one: a prompt, image tokens included, and the answer so far. Borrowed. */
#ifndef PALI_GENERATE_HISTORY_H
#define PALI_GENERATE_HISTORY_H

#include <stdint.h>

struct pali__history {
    const int64_t *prompt, *ids;
    int64_t n_prompt, n_ids;
};

static inline int64_t pali__history_length(const struct pali__history *history)
{
    return history->n_prompt + history->n_ids;
}

static inline int64_t pali__history_at(const struct pali__history *history, int64_t i)
{
    return i < history->n_prompt ? history->prompt[i] : history->ids[i - history->n_prompt];
}

#endif
