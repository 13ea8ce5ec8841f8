/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PALI_CORE_UTF8_LENGTH_H
#define PALI_CORE_UTF8_LENGTH_H

#include <stddef.h>

/* Length of the well-formed UTF-8 sequence that begins at `s`, of which `size` bytes may be read; 0 if there is none.
 * Overlong forms, surrogates and values past U+10FFFF are not well-formed (Unicode 15, table 3-7). */
static inline size_t pali__utf8_length(const char *s, size_t size)
{
    const unsigned char *byte = (const unsigned char *)s;
    if (size == 0)
        return 0;
    unsigned lead = byte[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
    if ((lead == 0xe0 && byte[1] < 0xa0) || (lead == 0xed && byte[1] > 0x9f) || (lead == 0xf0 && byte[1] < 0x90) ||
        (lead == 0xf4 && byte[1] > 0x8f))
        return 0;
    return length;
}

#endif
