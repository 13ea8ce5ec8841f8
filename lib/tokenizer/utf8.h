/* SPDX-License-Identifier: BSD-2-Clause */
/* Strict UTF-8: no overlong forms, no surrogates, nothing past U+10FFFF. */
#ifndef PALI_TOKENIZER_UTF8_H
#define PALI_TOKENIZER_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/utf8_length.h"

/* U+2581, the visible mark that stands for a space inside the pieces, and U+FFFD, which stands for a broken byte. */
#define PALI__SPACE_MARK "\xE2\x96\x81"
#define PALI__SPACE_MARK_SIZE 3u
#define PALI__REPLACEMENT "\xEF\xBF\xBD"
#define PALI__REPLACEMENT_SIZE 3u

/* How many bytes from the start of `text` are valid; equals `size` for a valid string. */
size_t pali__utf8_valid_prefix(const char *text, size_t size);

/* Whether the text begins, ends with a space mark. */
bool pali__begins_with_mark(const char *text, size_t size);
bool pali__ends_with_mark(const char *text, size_t size);

/* Writes `code` (a scalar value) to `out` and returns its number of bytes, 1 to 4. */
size_t pali__utf8_write(char out[4], uint32_t code);

#endif
