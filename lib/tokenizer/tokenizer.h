/* SPDX-License-Identifier: BSD-2-Clause */
/* Gemma's BPE tokenizer out of tokenizer.json (PARITY §3). */
#ifndef PALI_TOKENIZER_TOKENIZER_H
#define PALI_TOKENIZER_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/* Immutable. */
struct pali__tokenizer;

pali_status pali__tokenizer_load(struct pali__tokenizer **out, const char *path, pali_error **error);
void pali__tokenizer_free(struct pali__tokenizer *tokenizer);

/* One past the largest id. */
int64_t pali__tokenizer_size(const struct pali__tokenizer *tokenizer);

/* Id of the added token or piece `content`, or -1. */
int64_t pali__tokenizer_id(const struct pali__tokenizer *tokenizer, const char *content);

/* Appends nothing of its own (no <bos>). *ids is freed with pali__free. Invalid UTF-8: PALI_ERROR_ARGUMENT. */
pali_status pali__tokenizer_encode(const struct pali__tokenizer *tokenizer, const char *text, size_t size,
                                   int64_t **ids, size_t *n_ids, pali_error **error);

/* *text is NUL-terminated, `*size` bytes long, freed with pali__free. Broken UTF-8 from byte pieces becomes U+FFFD as in
 * the oracle. */
pali_status pali__tokenizer_decode(const struct pali__tokenizer *tokenizer, const int64_t *ids, size_t n_ids,
                                   bool skip_special, char **text, size_t *size, pali_error **error);

/* For streaming: the bytes of one id. Returns a borrowed pointer into the tokenizer and its size; for a byte piece
 * *is_byte is set and the piece is that one raw byte; special tokens give size 0 when `skip_special`. */
const char *pali__tokenizer_piece(const struct pali__tokenizer *tokenizer, int64_t id, bool skip_special, size_t *size,
                                  bool *is_byte);

#endif
