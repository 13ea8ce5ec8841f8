/* SPDX-License-Identifier: BSD-2-Clause */
#include "json_read.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_spaces(const char *at) { return at + strspn(at, " \t\r\n"); }

/* Four hexadecimal digits, or -1. */
static int32_t read_hex(const char *at)
{
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *digit = at[i] ? strchr(digits, at[i]) : NULL;
        if (!digit)
            return -1;
        value = value * 16 + (int32_t)((digit - digits) % 16);
    }
    return value;
}

static char *write_utf8(char *to, int32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | (code >> 6));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | (code >> 12));
        *to++ = (char)(0x80 | ((code >> 6) & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xf0 | (code >> 18));
        *to++ = (char)(0x80 | ((code >> 12) & 0x3f));
        *to++ = (char)(0x80 | ((code >> 6) & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

/* The code point of \uXXXX, or of the pair of them that is one, at `*at` behind the "u"; -1 if it is none. */
static int32_t read_unicode(const char **at)
{
    int32_t code = read_hex(*at);
    if (code < 0 || (code >= 0xdc00 && code < 0xe000))
        return -1;
    *at += 4;
    if (code < 0xd800 || code >= 0xdc00)
        return code;
    int32_t low = (*at)[0] == '\\' && (*at)[1] == 'u' ? read_hex(*at + 2) : -1;
    if (low < 0xdc00 || low >= 0xe000)
        return -1;
    *at += 6;
    return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
}

/* What stands behind a backslash at `*at`, to `*to`. */
static bool read_escape(const char **at, char **to)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char name = *(*at)++;
    if (name == 'u') {
        int32_t code = read_unicode(at);
        if (code < 0)
            return false;
        *to = write_utf8(*to, code);
        return true;
    }
    const char *found = name ? strchr(names, name) : NULL;
    if (!found)
        return false;
    *(*to)++ = values[found - names];
    return true;
}

const char *json_read_text(char *line, size_t *size)
{
    const char *at = skip_spaces(line);
    char *to = line;
    if (*at++ != '"')
        return "a JSON string is expected";
    while (*at != '"') {
        if (*at == '\0')
            return "the string does not end";
        if ((unsigned char)*at < 0x20)
            return "a control character in the string is not escaped";
        if (*at != '\\')
            *to++ = *at++;
        else if (at++, !read_escape(&at, &to))
            return "an escape sequence in the string is malformed";
    }
    if (*skip_spaces(at + 1))
        return "something follows the string";
    *to = '\0';
    *size = (size_t)(to - line);
    return NULL;
}

/* One more than the commas is the most numbers that the line can hold. */
static size_t count_commas(const char *line)
{
    size_t count = 0;
    for (; *line; line++)
        count += *line == ',';
    return count;
}

const char *json_read_ids(const char *line, int64_t **ids, size_t *n_ids)
{
    const char *at = skip_spaces(line), *wrong = NULL;
    *ids = NULL;
    *n_ids = 0;
    if (*at++ != '[')
        return "a JSON array of token ids is expected";
    if (!(*ids = calloc(count_commas(at) + 1, sizeof **ids)))
        return "out of memory";
    at = skip_spaces(at);
    while (!wrong && *at != ']') {
        char *end;
        errno = 0;
        long long id = strtoll(at, &end, 10);
        const char *next = skip_spaces(end);
        if (end == at || errno || (*next != ',' && *next != ']'))
            wrong = "the array holds something that is no whole number";
        else {
            (*ids)[(*n_ids)++] = id;
            at = *next == ',' ? skip_spaces(next + 1) : next;
            if (*next == ',' && *at == ']')
                wrong = "the array ends with a comma";
        }
    }
    if (!wrong && *skip_spaces(at + 1))
        wrong = "something follows the array";
    if (wrong) {
        free(*ids);
        *ids = NULL;
    }
    return wrong;
}
