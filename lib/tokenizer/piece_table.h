/* SPDX-License-Identifier: BSD-2-Clause */
/* The pieces of a tokenizer: from id to bytes, and through a hash table from bytes to id. */
#ifndef PALI_TOKENIZER_PIECE_TABLE_H
#define PALI_TOKENIZER_PIECE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "tokenizer/json_scan.h"

/* One past the largest id that is taken: the array of pieces has an entry for every id. */
#define PALI__MAX_PIECES (INT64_C(1) << 22)

enum pali__piece_flags {
    PALI__PIECE_MODEL = 1,   /* in the model's vocabulary, so merging may produce it */
    PALI__PIECE_ADDED = 2,   /* an added token, so matched in the text before merging */
    PALI__PIECE_SPECIAL = 4, /* left out of decoded text when special tokens are skipped */
    PALI__PIECE_BYTE = 8     /* decodes to one raw byte */
};

struct pali__piece {
    uint32_t offset, size;             /* in the pool: the piece as the file has it */
    uint32_t shown_offset, shown_size; /* in the pool: what it decodes to */
    uint32_t flags;                    /* 0: no piece has this id */
};

/* Has the piece's place in the pool too: looking a piece up is bound by the memory that it touches. */
struct pali__piece_slot {
    uint32_t hash;
    int32_t id; /* -1: empty */
    uint32_t offset, size;
};

struct pali__piece_table {
    struct pali__piece *pieces; /* by id */
    size_t n_ids, id_capacity;  /* n_ids is one past the largest id */
    struct pali__piece_slot *slots;
    size_t n_slots, n_pieces; /* n_slots is a power of two, at least twice n_pieces */
    struct pali__text pool;
};

void pali__piece_table_clear(struct pali__piece_table *table);

/* Id of the piece with these bytes, or -1. */
int64_t pali__piece_table_find(const struct pali__piece_table *table, const char *bytes, size_t size);

/*
 * Adds a piece. `id` is 0…PALI__MAX_PIECES - 1. A piece with the same bytes, or with the same id, is left as it is and
 * its id stored in *taken; otherwise *taken is -1. Fails only without memory.
 */
pali_status pali__piece_table_add(struct pali__piece_table *table, struct pali__slice bytes, int64_t id, uint32_t flags,
                                  int64_t *taken, pali_error **error);

/* The piece with this id, or NULL. */
const struct pali__piece *pali__piece_table_get(const struct pali__piece_table *table, int64_t id);

static inline struct pali__slice pali__piece_bytes(const struct pali__piece_table *table,
                                                   const struct pali__piece *piece)
{
    return (struct pali__slice){ table->pool.data + piece->offset, piece->size };
}

#endif
