/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two things in a JSON text are read differently by different releases of json-c, and are therefore handed to it in
 * another form of the same meaning:
 *   - a whole number that no integer type holds: before 0.18 it becomes the largest integer, since then the text is
 *     called malformed. With an exponent behind it, it is the same number with a fraction to both.
 *   - a character outside ASCII in a string: 0.18 in strict mode takes its bytes for control characters
 *     (github.com/json-c/json-c/issues/892). As \uXXXX all read it.
 */
#include "core/json_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "core/utf8_length.h"

const char *pali__json_laxity(const char *text, size_t size)
{
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\0')
            return "a NUL character";
        if (text[i] == '"')
            in_string = !in_string;
        else if (!in_string && text[i] == '\'')
            return "a single quote outside strings";
        else if (in_string && text[i] == '\\') {
            if (size - i >= 6 && memcmp(text + i, "\\u0000", 6) == 0)
                return "a NUL character in a string";
            i++;
        } else if ((unsigned char)text[i] >= 0x80) {
            size_t length = pali__utf8_length(text + i, size - i);
            if (length == 0)
                return "text that is not valid UTF-8";
            i += length - 1;
        }
    }
    return NULL;
}

/* A part of the text that is handed over as it stands, up to `end`, and what is handed over behind it, in place of the
 * next `skipped` bytes. */
struct piece {
    size_t end, skipped;
    char instead[24];
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Where the digits from `first` on end, and whether they are a whole number that is too large for an int64. */
static size_t end_of_digits(const char *text, size_t first, size_t size, bool *is_huge)
{
    enum { MOST_DIGITS = 19 };
    size_t end = first;
    while (end < size && is_digit(text[end]))
        end++;
    size_t sign = first > 0 && text[first - 1] == '-';
    bool begins_number = first == sign || !strchr(".eE+", text[first - sign - 1]);
    bool ends_number = end == size || !strchr(".eE", text[end]);
    *is_huge = begins_number && ends_number && end - first + sign > MOST_DIGITS;
    return end;
}

/* The well-formed character of `length` bytes as one or two escapes. */
static void escape(char out[24], const char *bytes, size_t length)
{
    const unsigned char *byte = (const unsigned char *)bytes;
    uint32_t code = byte[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++)
        code = code << 6 | (byte[i] & 0x3fu);
    if (code < 0x10000)
        snprintf(out, 24, "\\u%04x", (unsigned)code);
    else
        snprintf(out, 24, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (code >> 10)), (unsigned)(0xdc00 + (code & 0x3ff)));
}

/* The piece that begins at `start`. `*in_string` tells where that is, and then where the next one begins. */
static struct piece next_piece(const char *text, size_t start, size_t size, bool *in_string)
{
    struct piece piece = { size, 0, "" };
    for (size_t i = start; i < size; i++) {
        if (*in_string && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            *in_string = !*in_string;
        else if (*in_string && (unsigned char)text[i] >= 0x80) {
            piece.end = i;
            piece.skipped = pali__utf8_length(text + i, size - i);
            escape(piece.instead, text + i, piece.skipped);
            return piece;
        } else if (!*in_string && is_digit(text[i])) {
            bool is_huge;
            size_t end = end_of_digits(text, i, size, &is_huge);
            if (is_huge) {
                piece.end = end;
                strcpy(piece.instead, "e0");
                return piece;
            }
            i = end - 1;
        }
    }
    return piece;
}

static bool goes_on(struct json_tokener *tokener) { return json_tokener_get_error(tokener) == json_tokener_continue; }

struct json_object *pali__json_feed(struct json_tokener *tokener, const char *text, size_t size, size_t *offset)
{
    bool in_string = false;
    for (size_t start = 0;;) {
        struct piece piece = next_piece(text, start, size, &in_string);
        struct json_object *root = json_tokener_parse_ex(tokener, text + start, (int)(piece.end - start));
        *offset = start + json_tokener_get_parse_end(tokener);
        if (piece.end == size || (piece.end > start && !goes_on(tokener)))
            return root;
        if (piece.instead[0]) {
            root = json_tokener_parse_ex(tokener, piece.instead, (int)strlen(piece.instead));
            if (!goes_on(tokener))
                return root;
        }
        start = piece.end + piece.skipped;
    }
}
