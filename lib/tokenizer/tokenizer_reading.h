/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of reading a tokenizer.json; for the files that read its large members. */
#ifndef PALI_TOKENIZER_TOKENIZER_READING_H
#define PALI_TOKENIZER_TOKENIZER_READING_H

#include "tokenizer/json_scan.h"
#include "tokenizer/tokenizer_internal.h"

enum member { ADDED_TOKENS, NORMALIZER, PRE_TOKENIZER, DECODER, MODEL, VERSION, N_MEMBERS };
enum model_member { TYPE, VOCAB, MERGES, DROPOUT, UNK_TOKEN, PREFIX, SUFFIX, FUSE_UNK, BYTE_FALLBACK, IGNORE_MERGES,
                    N_MODEL_MEMBERS };

struct pali__reading {
    struct pali__scan json;
    struct pali__tokenizer *tokenizer;
    size_t at[N_MEMBERS], model_at[N_MODEL_MEMBERS]; /* where the values begin; 0: not there */
    size_t n_model_pieces;
    struct pali__text text; /* for a string that must outlive the next one */
    struct pali__merge *merges;
    size_t n_merges, merge_capacity;
};

/* To the value of a member, whose place is noted in `at` or `model_at`; false if it is absent or null. */
bool pali__reading_go_to(struct pali__scan *json, size_t at);

/* reading->text becomes a, then b. */
bool pali__reading_set_text(struct pali__text *text, struct pali__slice a, struct pali__slice b);

/* Adds a piece that must be new. `member` is for the message. */
pali_status pali__reading_add_piece(struct pali__reading *reading, const char *member, struct pali__slice bytes,
                                    int64_t id, uint32_t flags, pali_error **error);

/* model.vocab; then model.merges, which needs it; then added_tokens, which need both. */
pali_status pali__read_vocab(struct pali__reading *reading, pali_error **error);
pali_status pali__read_merges(struct pali__reading *reading, pali_error **error);
pali_status pali__read_added_tokens(struct pali__reading *reading, pali_error **error);

#endif
