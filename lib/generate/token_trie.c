/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/token_trie.h"

#include <stdlib.h>

#include "core/memory.h"

/* The sequences first…last-1 of the sorted list go through a node, `depth` tokens from the root. */
struct range {
    size_t first, last, depth;
};

static int compare(const void *left, const void *right)
{
    const pali_token_list *a = left, *b = right;

    for (size_t i = 0; i < a->n_ids && i < b->n_ids; i++)
        if (a->ids[i] != b->ids[i])
            return a->ids[i] < b->ids[i] ? -1 : 1;
    return a->n_ids < b->n_ids ? -1 : a->n_ids > b->n_ids;
}

/* Appends the children of node `parent`; sequences that end there stand first in its range. */
static void add_children(struct pali__trie *trie, struct range *ranges, int64_t parent,
                         const pali_token_list *sequences)
{
    const struct range range = ranges[parent];
    size_t at = range.first;

    trie->nodes[parent].children = (int32_t)trie->n_nodes;
    trie->nodes[parent].nearest = INT32_MAX;
    for (; at < range.last && sequences[at].n_ids == range.depth; at++)
        trie->nodes[parent].nearest = 0;
    while (at < range.last) {
        int64_t id = sequences[at].ids[range.depth], child = trie->n_nodes++;
        ranges[child] = (struct range){ .first = at, .depth = range.depth + 1 };
        while (at < range.last && sequences[at].ids[range.depth] == id)
            at++;
        ranges[child].last = at;
        trie->nodes[child] = (struct pali__trie_node){ .id = id };
        trie->nodes[parent].n_children++;
    }
}

pali_status pali__trie_init(struct pali__trie *trie, pali_token_list *sequences, size_t n, pali_error **error)
{
    size_t n_tokens = 0, size;
    struct range *ranges;

    *trie = (struct pali__trie){ 0 };
    for (size_t i = 0; i < n; i++) {
        n_tokens += sequences[i].n_ids;
        trie->longest = sequences[i].n_ids > trie->longest ? sequences[i].n_ids : trie->longest;
        if (n_tokens >= INT32_MAX)
            return pali__fail(error, PALI_ERROR_LIMIT, "the sequences have more than %d tokens", INT32_MAX);
    }
    qsort(sequences, n, sizeof *sequences, compare);
    size = (n_tokens + 1) * sizeof *trie->nodes;
    trie->nodes = pali__calloc(n_tokens + 1, sizeof *trie->nodes);
    ranges = pali__malloc((n_tokens + 1) * sizeof *ranges);
    if (!trie->nodes || !ranges) {
        pali__free(ranges);
        pali__trie_clear(trie);
        return pali__no_memory(error, size);
    }
    trie->n_nodes = 1;
    ranges[0] = (struct range){ .last = n };
    for (int64_t node = 0; node < trie->n_nodes; node++)
        add_children(trie, ranges, node, sequences);
    /* Children stand behind their parents. */
    for (int64_t node = trie->n_nodes - 1; node >= 0; node--) {
        struct pali__trie_node *parent = &trie->nodes[node];
        for (int32_t i = 0; i < parent->n_children; i++) {
            int32_t nearest = trie->nodes[parent->children + i].nearest + 1;
            parent->nearest = nearest < parent->nearest ? nearest : parent->nearest;
        }
    }
    pali__free(ranges);
    return PALI_OK;
}

void pali__trie_clear(struct pali__trie *trie)
{
    pali__free(trie->nodes);
    *trie = (struct pali__trie){ 0 };
}

int32_t pali__trie_child(const struct pali__trie *trie, int32_t node, int64_t id)
{
    int32_t low = trie->nodes[node].children, high = low + trie->nodes[node].n_children;

    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (trie->nodes[middle].id == id)
            return middle;
        if (trie->nodes[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}
