/* SPDX-License-Identifier: BSD-2-Clause */
/* Text as the tokens come: always whole UTF-8 characters, and all of it together what decoding all tokens gives. */
#ifndef PALI_GENERATE_STREAM_H
#define PALI_GENERATE_STREAM_H

#include "core/memory.h"
#include "tokenizer/tokenizer.h"

/*
 * A run of byte pieces (<0xNN>) is one unit to the decoder: valid UTF-8 as a whole, or a replacement character for each
 * byte. So such a run is held back until the token behind it, or the end, closes it.
 */
struct pali__stream {
    const struct pali__tokenizer *tokenizer; /* NULL: no text */
    struct pali__text held;                  /* the bytes of the open run */
    struct pali__text added;                 /* what the last token added */
};

/* With `max_tokens`, how many tokens there can be, nothing is allocated later but for pieces of unusual length. */
pali_status pali__stream_init(struct pali__stream *stream, const struct pali__tokenizer *tokenizer, int64_t max_tokens,
                              pali_error **error);
void pali__stream_clear(struct pali__stream *stream);

/* The text that `id` adds, borrowed until the next call; NULL without a tokenizer. `last` closes an open run. */
pali_status pali__stream_add(struct pali__stream *stream, int64_t id, bool last, const char **text,
                             pali_error **error);

#endif
