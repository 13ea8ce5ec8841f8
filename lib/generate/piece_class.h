/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pieces of a vocabulary a free label may be spelled with. */
#ifndef PALI_GENERATE_PIECE_CLASS_H
#define PALI_GENERATE_PIECE_CLASS_H

#include <stdbool.h>

#include "tokenizer/tokenizer.h"

enum {
    PALI__PIECE_IN_LABEL = 1,
    PALI__PIECE_SPACE_FIRST = 2, /* begins with a space */
    PALI__PIECE_SPACE_LAST = 4,  /* ends with one; may be the same */
};

/* 0 for what no label may have: special tokens, single bytes, `;`, `<`, `>`, control characters, two spaces in a
 * row. */
uint8_t pali__piece_class(const struct pali__tokenizer *tokenizer, int64_t id);

/* Whether `text` of `size` bytes has no such character and no spaces side by side. */
bool pali__is_label_text(const char *text, size_t size);

#endif
