/* SPDX-License-Identifier: BSD-2-Clause */
/* Byte-pair encoding of a text that holds no added tokens any more. */
#ifndef PALI_TOKENIZER_BPE_H
#define PALI_TOKENIZER_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "tokenizer/merge_table.h"
#include "tokenizer/piece_table.h"

struct pali__bpe {
    const struct pali__piece_table *pieces;
    struct pali__merge_table merges;
    int32_t ascii[128];  /* piece of a character below U+0080, or -1 */
    int32_t byte_piece[256]; /* <0xNN>, or -1 */
    int32_t unknown;     /* -1: unknown characters vanish */
    bool byte_fallback, fuse_unknown, ignore_merges;
    bool words_apart; /* no merge reaches across the border before a space mark: words can be merged one by one */
};

/* A growing list of ids. */
struct pali__ids {
    int64_t *data;
    size_t size, capacity;
};
pali_status pali__ids_push(struct pali__ids *ids, int64_t id, pali_error **error);

/* One encoding's memory, reused from word to word. Zeroed at first, ended by pali__bpe_scratch_clear. */
struct pali__bpe_scratch {
    struct pali__symbol *symbols;
    uint64_t *queue;
    size_t capacity; /* in symbols */
};
void pali__bpe_scratch_clear(struct pali__bpe_scratch *scratch);

/* Appends the ids of `text`, which is valid, normalised UTF-8 of less than 2^32 bytes. */
pali_status pali__bpe_encode(const struct pali__bpe *bpe, const char *text, size_t size,
                             struct pali__bpe_scratch *scratch, struct pali__ids *ids, pali_error **error);

#endif
