/* SPDX-License-Identifier: BSD-2-Clause */
/* tokenizer.json as the tokenizers library writes it, in Gemma's form: BPE with byte fallback. */
#ifndef PALI_TOKENIZER_TOKENIZER_JSON_H
#define PALI_TOKENIZER_TOKENIZER_JSON_H

#include "tokenizer/json_scan.h"
#include "tokenizer/tokenizer.h"

/* `text` has `size` bytes and a NUL after them; `name` is what messages call the file. */
pali_status pali__tokenizer_parse(struct pali__tokenizer **out, const char *name, const char *text, size_t size,
                                  pali_error **error);

/* The value that comes next must be a normalizer, pre_tokenizer or decoder that this tokenizer does as the oracle does;
 * PALI_ERROR_UNSUPPORTED names what was found. */
pali_status pali__tokenizer_read_normalizer(struct pali__scan *json, bool *marks_spaces, pali_error **error);
pali_status pali__tokenizer_read_pre_tokenizer(struct pali__scan *json, bool *splits_at_spaces, pali_error **error);
pali_status pali__tokenizer_read_decoder(struct pali__scan *json, pali_error **error);

#endif
