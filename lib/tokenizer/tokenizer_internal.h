/* SPDX-License-Identifier: BSD-2-Clause */
/* What a tokenizer is made of; for this folder only. */
#ifndef PALI_TOKENIZER_TOKENIZER_INTERNAL_H
#define PALI_TOKENIZER_TOKENIZER_INTERNAL_H

#include <stdbool.h>

#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe.h"
#include "tokenizer/piece_table.h"
#include "tokenizer/tokenizer.h"

struct pali__tokenizer {
    struct pali__piece_table pieces;       /* the model's vocabulary and the added tokens */
    struct pali__bpe bpe;
    struct pali__added_tokens raw;         /* found in the text as it is */
    struct pali__added_tokens normalized;  /* found in what is left of it, normalised */
    bool marks_spaces;                     /* normalising turns spaces into space marks */
};

/* Once all pieces are there: what each decodes to. */
pali_status pali__tokenizer_show_pieces(struct pali__tokenizer *tokenizer, pali_error **error);

#endif
