/* SPDX-License-Identifier: BSD-2-Clause */
/* Some sequences of token ids as a tree: which token may come next, and how many are left to the nearest end. */
#ifndef PALI_GENERATE_TOKEN_TRIE_H
#define PALI_GENERATE_TOKEN_TRIE_H

#include <stdbool.h>

#include <paligemma/generate.h>

#include "core/error.h"

struct pali__trie_node {
    int64_t id;                   /* the token that leads here; of the root nothing */
    int32_t children, n_children; /* nodes[children…children + n_children), by ascending id */
    int32_t nearest;              /* tokens to the nearest end, 0 where a sequence ends */
};

/* Node 0 is the root. */
struct pali__trie {
    struct pali__trie_node *nodes;
    int64_t n_nodes;
    size_t longest; /* tokens of the longest sequence */
};

/* `sequences` [n ≥ 1] is sorted in place; equal ones are one. PALI_ERROR_LIMIT for more than 2^31 tokens. */
pali_status pali__trie_init(struct pali__trie *trie, pali_token_list *sequences, size_t n, pali_error **error);
void pali__trie_clear(struct pali__trie *trie); /* of a zeroed one: nothing */

/* The child of `node` behind token `id`, or -1. */
int32_t pali__trie_child(const struct pali__trie *trie, int32_t node, int64_t id);

#endif
