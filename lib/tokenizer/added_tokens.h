/* SPDX-License-Identifier: BSD-2-Clause */
/* Added tokens (<image>, <loc0000>, runs of newlines): found in the text before any merging, leftmost first, and of
 * those that begin at one place the longest. */
#ifndef PALI_TOKENIZER_ADDED_TOKENS_H
#define PALI_TOKENIZER_ADDED_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "tokenizer/json_scan.h"

struct pali__added_token {
    int64_t id;
    bool lstrip, rstrip; /* takes the white space before, after it along */
};

struct pali__added_node; /* of a tree of bytes: the common beginnings of the tokens */

struct pali__added_tokens {
    struct pali__added_node *nodes;
    size_t n_nodes, node_capacity;
    struct pali__added_token *tokens;
    size_t n_tokens, token_capacity;
    uint32_t root[256]; /* node for a token's first byte, or 0 */
};

void pali__added_tokens_clear(struct pali__added_tokens *set);

/* `pattern` is not empty. A pattern that is there already gets the new token. */
pali_status pali__added_tokens_add(struct pali__added_tokens *set, struct pali__slice pattern,
                                   struct pali__added_token token, pali_error **error);

struct pali__added_match {
    int64_t id;
    size_t begin, end; /* with the white space that goes with it */
};

/*
 * The first token at or after *at, which moves behind it; false if there is none. White space before `done`, where the
 * previous match ended, is not taken.
 */
bool pali__added_tokens_next(const struct pali__added_tokens *set, const char *text, size_t size, size_t *at,
                             size_t done, struct pali__added_match *match);

#endif
