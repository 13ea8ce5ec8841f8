/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Characters become symbols, and the pair of neighbours whose merge has the lowest rank (the leftmost among equals) is
 * merged until no pair has a merge. Pairs wait in a binary heap, symbols are a linked list in one array: n·log n.
 * Sources: Sennrich et al. (arXiv 1508.07909); reference: tokenizers 0.23, models/bpe/{model,word}.rs.
 */
#include "tokenizer/bpe.h"

#include <assert.h>
#include <string.h>

#include "core/memory.h"
#include "tokenizer/utf8.h"

#define NOWHERE UINT32_MAX /* no neighbour */
#define REMOVED UINT32_MAX /* the id of a symbol that was merged into its left neighbour */

struct pali__symbol {
    uint32_t id, previous, next;
    uint32_t rank; /* of the merge with the next symbol */
};

/* ---- memory ---- */

pali_status pali__ids_push(struct pali__ids *ids, int64_t id, pali_error **error)
{
    if (ids->size == ids->capacity) {
        size_t capacity = ids->capacity ? ids->capacity * 2 : 64, item = sizeof *ids->data;
        int64_t *grown = pali__regrow(ids->data, ids->capacity * item, capacity * item);
        if (!grown)
            return pali__no_memory(error, capacity * item);
        ids->data = grown;
        ids->capacity = capacity;
    }
    ids->data[ids->size++] = id;
    return PALI_OK;
}

void pali__bpe_scratch_clear(struct pali__bpe_scratch *scratch)
{
    pali__free(scratch->symbols);
    pali__free(scratch->queue);
    *scratch = (struct pali__bpe_scratch){ 0 };
}

/* A word of n bytes has at most n symbols. Each of its fewer than n merges takes one pair out of the queue, which began
 * with fewer than n, and puts at most two in: it never holds more than 2n. */
static pali_status reserve(struct pali__bpe_scratch *scratch, size_t n, pali_error **error)
{
    if (n <= scratch->capacity)
        return PALI_OK;
    size_t capacity = n < 256 ? 256 : n;
    pali__bpe_scratch_clear(scratch);
    scratch->symbols = pali__malloc(capacity * sizeof *scratch->symbols);
    scratch->queue = pali__malloc(capacity * 2 * sizeof *scratch->queue);
    if (!scratch->symbols || !scratch->queue) {
        pali__bpe_scratch_clear(scratch);
        return pali__no_memory(error, capacity * (sizeof *scratch->symbols + 2 * sizeof *scratch->queue));
    }
    scratch->capacity = capacity;
    return PALI_OK;
}

/* ---- from characters to symbols ---- */

static size_t add_symbol(struct pali__symbol *symbols, size_t n, int32_t id)
{
    symbols[n] = (struct pali__symbol){ .id = (uint32_t)id };
    return n + 1;
}

static int32_t character_piece(const struct pali__bpe *bpe, const char *character, size_t length)
{
    if (length == 1)
        return bpe->ascii[(unsigned char)*character];
    int64_t id = pali__piece_table_find(bpe->pieces, character, length);
    return id >= 0 && (bpe->pieces->pieces[id].flags & PALI__PIECE_MODEL) ? (int32_t)id : -1;
}

static bool has_byte_pieces(const struct pali__bpe *bpe, const char *character, size_t length)
{
    if (!bpe->byte_fallback)
        return false;
    for (size_t i = 0; i < length; i++)
        if (bpe->byte_piece[(unsigned char)character[i]] < 0)
            return false;
    return true;
}

/* An unknown piece waits until a known character or the end follows, so that several can be one; byte pieces in
 * between overtake it. That is how the oracle does it. */
static size_t make_symbols(const struct pali__bpe *bpe, const char *text, size_t size, struct pali__symbol *symbols)
{
    size_t n = 0;
    bool unknown_waits = false;
    for (size_t at = 0, length; at < size; at += length) {
        length = pali__utf8_length(text + at, size - at);
        assert(length > 0);
        int32_t id = character_piece(bpe, text + at, length);
        if (id >= 0) {
            if (unknown_waits)
                n = add_symbol(symbols, n, bpe->unknown);
            unknown_waits = false;
            n = add_symbol(symbols, n, id);
        } else if (has_byte_pieces(bpe, text + at, length)) {
            for (size_t i = 0; i < length; i++)
                n = add_symbol(symbols, n, bpe->byte_piece[(unsigned char)text[at + i]]);
        } else if (bpe->unknown >= 0) {
            if (unknown_waits && !bpe->fuse_unknown)
                n = add_symbol(symbols, n, bpe->unknown);
            unknown_waits = true;
        }
    }
    if (unknown_waits)
        n = add_symbol(symbols, n, bpe->unknown);
    return n;
}

/* ---- the queue: a heap of rank·2^32 + position, smallest first ---- */

static void sift_down(uint64_t *queue, size_t n, size_t at)
{
    uint64_t moving = queue[at];
    for (size_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && queue[child + 1] < queue[child])
            child++;
        if (moving <= queue[child])
            break;
        queue[at] = queue[child];
        at = child;
    }
    queue[at] = moving;
}

static size_t queue_push(uint64_t *queue, size_t n, uint32_t rank, uint32_t position)
{
    uint64_t key = (uint64_t)rank << 32 | position;
    size_t at = n;
    while (at > 0 && key < queue[(at - 1) / 2]) {
        queue[at] = queue[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue[at] = key;
    return n + 1;
}

static uint64_t queue_pop(uint64_t *queue, size_t *n)
{
    uint64_t top = queue[0];
    queue[0] = queue[--*n];
    if (*n > 1)
        sift_down(queue, *n, 0);
    return top;
}

/* ---- merging ---- */

static size_t link_symbols(const struct pali__bpe *bpe, struct pali__bpe_scratch *scratch, size_t n)
{
    size_t queued = 0;
    for (size_t i = 0; i < n; i++) {
        struct pali__symbol *symbol = &scratch->symbols[i];
        bool is_last = i + 1 == n;
        symbol->previous = i ? (uint32_t)i - 1 : NOWHERE;
        symbol->next = is_last ? NOWHERE : (uint32_t)i + 1;
        symbol->rank = is_last ? PALI__NO_MERGE : pali__merge_rank(&bpe->merges, symbol->id, symbol[1].id);
        if (symbol->rank != PALI__NO_MERGE)
            scratch->queue[queued++] = (uint64_t)symbol->rank << 32 | i;
    }
    for (size_t i = queued / 2; i-- > 0;)
        sift_down(scratch->queue, queued, i);
    return queued;
}

/* The pair that begins at `position` has changed. */
static size_t renew_pair(const struct pali__bpe *bpe, struct pali__bpe_scratch *scratch, size_t queued,
                         uint32_t position)
{
    struct pali__symbol *symbols = scratch->symbols, *left = &symbols[position];
    left->rank = PALI__NO_MERGE;
    if (left->next != NOWHERE)
        left->rank = pali__merge_rank(&bpe->merges, left->id, symbols[left->next].id);
    return left->rank == PALI__NO_MERGE ? queued : queue_push(scratch->queue, queued, left->rank, position);
}

static void merge_all(const struct pali__bpe *bpe, struct pali__bpe_scratch *scratch, size_t n)
{
    const uint32_t *merged = bpe->merges.merged;
    struct pali__symbol *symbols = scratch->symbols;
    size_t queued = link_symbols(bpe, scratch, n);
    while (queued > 0) {
        uint64_t key = queue_pop(scratch->queue, &queued);
        uint32_t rank = (uint32_t)(key >> 32), position = (uint32_t)key;
        struct pali__symbol *left = &symbols[position];

        /* An entry is stale when its pair has changed since. The oracle asks only whether the pair at this place still
         * makes the same piece, so an entry of another pair with the same product counts. */
        if (left->id == REMOVED || left->rank == PALI__NO_MERGE ||
            (left->rank != rank && merged[left->rank] != merged[rank]))
            continue;
        struct pali__symbol *right = &symbols[left->next];
        left->id = merged[rank];
        left->next = right->next;
        right->id = REMOVED;
        if (left->next != NOWHERE)
            symbols[left->next].previous = position;
        if (left->previous != NOWHERE)
            queued = renew_pair(bpe, scratch, queued, left->previous);
        queued = renew_pair(bpe, scratch, queued, position);
    }
}

static pali_status encode_word(const struct pali__bpe *bpe, const char *text, size_t size,
                               struct pali__bpe_scratch *scratch, struct pali__ids *ids, pali_error **error)
{
    TRY(reserve(scratch, size, error));
    size_t n = make_symbols(bpe, text, size, scratch->symbols);
    merge_all(bpe, scratch, n);
    for (size_t i = 0; i < n; i++)
        if (scratch->symbols[i].id != REMOVED)
            TRY(pali__ids_push(ids, scratch->symbols[i].id, error));
    return PALI_OK;
}

/* Where the word that begins at `begin` ends: before the next space mark that does not follow another one. */
static size_t word_end(const char *text, size_t size, size_t begin)
{
    size_t at = begin;
    while (pali__begins_with_mark(text + at, size - at))
        at += PALI__SPACE_MARK_SIZE;
    while (at < size) {
        const char *lead = memchr(text + at, PALI__SPACE_MARK[0], size - at);
        if (!lead)
            return size;
        at = (size_t)(lead - text);
        if (pali__begins_with_mark(lead, size - at))
            return at;
        at++;
    }
    return size;
}

pali_status pali__bpe_encode(const struct pali__bpe *bpe, const char *text, size_t size,
                             struct pali__bpe_scratch *scratch, struct pali__ids *ids, pali_error **error)
{
    if (bpe->ignore_merges) {
        int64_t id = pali__piece_table_find(bpe->pieces, text, size);
        if (id >= 0 && (bpe->pieces->pieces[id].flags & PALI__PIECE_MODEL))
            return pali__ids_push(ids, id, error);
    }
    for (size_t begin = 0, end; begin < size; begin = end) {
        end = bpe->words_apart ? word_end(text, size, begin) : size;
        TRY(encode_word(bpe, text + begin, end - begin, scratch, ids, error));
    }
    return PALI_OK;
}
