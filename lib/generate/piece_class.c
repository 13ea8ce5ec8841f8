/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/piece_class.h"

bool pali__is_label_text(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f || c == ';' || c == '<' || c == '>')
            return false;
        if (c == ' ' && i > 0 && text[i - 1] == ' ')
            return false;
    }
    return true;
}

uint8_t pali__piece_class(const struct pali__tokenizer *tokenizer, int64_t id)
{
    size_t size = 0;
    bool is_byte = false;
    const char *text = pali__tokenizer_piece(tokenizer, id, true, &size, &is_byte);

    if (is_byte || size == 0 || !pali__is_label_text(text, size))
        return 0;
    return (uint8_t)(PALI__PIECE_IN_LABEL | (text[0] == ' ' ? PALI__PIECE_SPACE_FIRST : 0) |
                     (text[size - 1] == ' ' ? PALI__PIECE_SPACE_LAST : 0));
}
