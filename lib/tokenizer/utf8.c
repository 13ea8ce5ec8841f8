/* SPDX-License-Identifier: BSD-2-Clause */
#include "tokenizer/utf8.h"

#include <string.h>

size_t pali__utf8_valid_prefix(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        uint64_t word;
        if (size - at >= sizeof word) {
            memcpy(&word, text + at, sizeof word);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof word;
                continue;
            }
        }
        size_t length = pali__utf8_length(text + at, size - at);
        if (length == 0)
            break;
        at += length;
    }
    return at;
}

bool pali__begins_with_mark(const char *text, size_t size)
{
    return size >= PALI__SPACE_MARK_SIZE && memcmp(text, PALI__SPACE_MARK, PALI__SPACE_MARK_SIZE) == 0;
}

bool pali__ends_with_mark(const char *text, size_t size)
{
    size_t mark = PALI__SPACE_MARK_SIZE;
    return size >= mark && pali__begins_with_mark(text + size - mark, mark);
}

size_t pali__utf8_write(char out[4], uint32_t code)
{
    if (code < 0x80u) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800u) {
        out[0] = (char)(0xC0u | (code >> 6));
        out[1] = (char)(0x80u | (code & 0x3Fu));
        return 2;
    }
    if (code < 0x10000u) {
        out[0] = (char)(0xE0u | (code >> 12));
        out[1] = (char)(0x80u | ((code >> 6) & 0x3Fu));
        out[2] = (char)(0x80u | (code & 0x3Fu));
        return 3;
    }
    out[0] = (char)(0xF0u | (code >> 18));
    out[1] = (char)(0x80u | ((code >> 12) & 0x3Fu));
    out[2] = (char)(0x80u | ((code >> 6) & 0x3Fu));
    out[3] = (char)(0x80u | (code & 0x3Fu));
    return 4;
}
