/* SPDX-License-Identifier: BSD-2-Clause */
/* Reference: tokenizers 0.23, tokenizer/added_vocabulary.rs, whose automaton finds the same matches. From every place
 * the tree is walked anew, at most as deep as the longest token is long. */
#include "tokenizer/added_tokens.h"

#include <string.h>

#include "core/memory.h"
#include "tokenizer/utf8.h"

#define NO_TOKEN UINT32_MAX

struct pali__added_node {
    uint32_t child, sibling; /* 0: none, as node 0 is not used */
    uint32_t token;          /* the token that ends here, or NO_TOKEN */
    unsigned char byte;
};

void pali__added_tokens_clear(struct pali__added_tokens *set)
{
    pali__free(set->nodes);
    pali__free(set->tokens);
    *set = (struct pali__added_tokens){ 0 };
}

static pali_status grow(void **data, size_t *capacity, size_t used, size_t item, pali_error **error)
{
    if (used < *capacity)
        return PALI_OK;
    size_t wanted = *capacity ? *capacity * 2 : 64;
    void *grown = pali__regrow(*data, *capacity * item, wanted * item);
    if (!grown)
        return pali__no_memory(error, wanted * item);
    *data = grown;
    *capacity = wanted;
    return PALI_OK;
}

static uint32_t find_sibling(const struct pali__added_tokens *set, uint32_t node, unsigned char byte)
{
    while (node && set->nodes[node].byte != byte)
        node = set->nodes[node].sibling;
    return node;
}

static pali_status new_node(struct pali__added_tokens *set, unsigned char byte, uint32_t sibling, uint32_t *node,
                            pali_error **error)
{
    void *nodes = set->nodes;
    if (set->n_nodes == 0)
        set->n_nodes = 1;
    TRY(grow(&nodes, &set->node_capacity, set->n_nodes, sizeof *set->nodes, error));
    set->nodes = nodes;
    *node = (uint32_t)set->n_nodes++;
    set->nodes[*node] = (struct pali__added_node){ 0, sibling, NO_TOKEN, byte };
    return PALI_OK;
}

pali_status pali__added_tokens_add(struct pali__added_tokens *set, struct pali__slice pattern,
                                   struct pali__added_token token, pali_error **error)
{
    void *tokens = set->tokens;
    TRY(grow(&tokens, &set->token_capacity, set->n_tokens, sizeof *set->tokens, error));
    set->tokens = tokens;

    unsigned char first = (unsigned char)pattern.data[0];
    if (!set->root[first])
        TRY(new_node(set, first, 0, &set->root[first], error));
    uint32_t node = set->root[first];
    for (size_t i = 1; i < pattern.size; i++) {
        unsigned char byte = (unsigned char)pattern.data[i];
        uint32_t child = find_sibling(set, set->nodes[node].child, byte);
        if (!child) {
            TRY(new_node(set, byte, set->nodes[node].child, &child, error));
            set->nodes[node].child = child;
        }
        node = child;
    }
    set->nodes[node].token = (uint32_t)set->n_tokens;
    set->tokens[set->n_tokens++] = token;
    return PALI_OK;
}

/* The longest token that begins exactly at `at`, or NO_TOKEN. */
static uint32_t longest_at(const struct pali__added_tokens *set, const char *text, size_t size, size_t at, size_t *end)
{
    uint32_t token = NO_TOKEN, node = set->root[(unsigned char)text[at]];
    while (node) {
        at++;
        if (set->nodes[node].token != NO_TOKEN) {
            token = set->nodes[node].token;
            *end = at;
        }
        node = at < size ? find_sibling(set, set->nodes[node].child, (unsigned char)text[at]) : 0;
    }
    return token;
}

/* Bytes of the Unicode White_Space character at `text`, or 0. */
static size_t white_space(const char *text, size_t size)
{
    static const char *const wide[] = { "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\xA8",
                                        "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80" };
    if (size == 0)
        return 0;
    if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r'))
        return 1;
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        size_t length = strlen(wide[i]);
        if (length <= size && memcmp(text, wide[i], length) == 0)
            return length;
    }
    /* U+2000 to U+200A */
    return size >= 3 && memcmp(text, "\xE2\x80", 2) == 0 && (unsigned char)text[2] <= 0x8A ? 3 : 0;
}

static size_t strip_left(const char *text, size_t begin, size_t done)
{
    while (begin > done) {
        size_t at = begin - 1;
        while (at > done && ((unsigned char)text[at] & 0xC0u) == 0x80u)
            at--;
        if (white_space(text + at, begin - at) != begin - at)
            break;
        begin = at;
    }
    return begin;
}

static size_t strip_right(const char *text, size_t size, size_t end)
{
    size_t length;
    while ((length = white_space(text + end, size - end)) > 0)
        end += length;
    return end;
}

bool pali__added_tokens_next(const struct pali__added_tokens *set, const char *text, size_t size, size_t *at,
                             size_t done, struct pali__added_match *match)
{
    for (size_t begin = *at; begin < size; begin++) {
        size_t end = begin;
        if (!set->root[(unsigned char)text[begin]])
            continue;
        uint32_t index = longest_at(set, text, size, begin, &end);
        if (index == NO_TOKEN)
            continue;
        const struct pali__added_token *token = &set->tokens[index];
        *at = end;
        *match = (struct pali__added_match){ token->id, begin, end };
        if (token->lstrip)
            match->begin = strip_left(text, begin, done);
        if (token->rstrip)
            match->end = strip_right(text, size, end);
        return true;
    }
    *at = size;
    return false;
}
