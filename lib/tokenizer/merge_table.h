/* SPDX-License-Identifier: BSD-2-Clause */
/* The merges of a byte-pair encoding: from two neighbouring pieces to the rank of their merge,
 * and from the rank to the piece it makes. */
#ifndef PALI_TOKENIZER_MERGE_TABLE_H
#define PALI_TOKENIZER_MERGE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define PALI__NO_MERGE UINT32_MAX

/* As listed in the file, in order of rank. */
struct pali__merge {
    uint32_t left, right, merged;
};

struct pali__merge_slot {
    uint32_t left, right;
    uint32_t rank; /* PALI__NO_MERGE: empty */
};

struct pali__merge_table {
    struct pali__merge_slot *slots;
    size_t n_slots;   /* a power of two, more than the number of merges; or 0 */
    uint32_t *merged; /* by rank: the piece that the merge makes */
};

/* A pair that is listed twice has its later rank, as in the oracle. n_merges is less than PALI__NO_MERGE. */
pali_status pali__merge_table_build(struct pali__merge_table *table, const struct pali__merge *merges, size_t n_merges,
                                    pali_error **error);
void pali__merge_table_clear(struct pali__merge_table *table);

/* Rank of the merge of these two pieces, or PALI__NO_MERGE. */
static inline uint32_t pali__merge_rank(const struct pali__merge_table *table, uint32_t left, uint32_t right);

static inline size_t pali__merge_hash(uint32_t left, uint32_t right)
{
    uint64_t key = ((uint64_t)left << 32 | right) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)((key ^ key >> 29) * UINT64_C(0xBF58476D1CE4E5B9) >> 32);
}

static inline uint32_t pali__merge_rank(const struct pali__merge_table *table, uint32_t left, uint32_t right)
{
    size_t mask = table->n_slots - 1;
    if (table->n_slots == 0)
        return PALI__NO_MERGE;
    for (size_t at = pali__merge_hash(left, right) & mask;; at = (at + 1) & mask) {
        const struct pali__merge_slot *slot = &table->slots[at];
        if (slot->rank == PALI__NO_MERGE || (slot->left == left && slot->right == right))
            return slot->rank;
    }
}

#endif
