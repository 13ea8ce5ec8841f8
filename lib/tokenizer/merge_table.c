/* SPDX-License-Identifier: BSD-2-Clause */
#include "tokenizer/merge_table.h"

#include <string.h>

#include "core/memory.h"

void pali__merge_table_clear(struct pali__merge_table *table)
{
    pali__free(table->slots);
    pali__free(table->merged);
    *table = (struct pali__merge_table){ 0 };
}

static void insert(struct pali__merge_table *table, const struct pali__merge *merge, uint32_t rank)
{
    size_t mask = table->n_slots - 1, at = pali__merge_hash(merge->left, merge->right) & mask;
    struct pali__merge_slot *slot = &table->slots[at];
    while (slot->rank != PALI__NO_MERGE && (slot->left != merge->left || slot->right != merge->right)) {
        at = (at + 1) & mask;
        slot = &table->slots[at];
    }
    *slot = (struct pali__merge_slot){ merge->left, merge->right, rank };
}

pali_status pali__merge_table_build(struct pali__merge_table *table, const struct pali__merge *merges, size_t n_merges,
                                    pali_error **error)
{
    size_t n_slots = 16;
    while (n_slots < n_merges + n_merges / 2)
        n_slots *= 2;
    size_t slots_size = n_slots * sizeof *table->slots, merged_size = n_merges * sizeof *table->merged;
    *table = (struct pali__merge_table){ pali__malloc(slots_size), n_slots, pali__malloc(merged_size) };
    if (!table->slots || !table->merged) {
        pali__merge_table_clear(table);
        return pali__no_memory(error, slots_size + merged_size);
    }
    memset(table->slots, 0xFF, slots_size); /* every rank is PALI__NO_MERGE */
    for (size_t rank = 0; rank < n_merges; rank++) {
        insert(table, &merges[rank], (uint32_t)rank);
        table->merged[rank] = merges[rank].merged;
    }
    return PALI_OK;
}
