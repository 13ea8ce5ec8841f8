/* SPDX-License-Identifier: BSD-2-Clause */
#include "json_write.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Bytes of the well-formed UTF-8 character at `at` (which a NUL ends), or 0. */
static size_t character_size(const unsigned char *at)
{
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] >= 0xa0) || (at[0] == 0xf0 && at[1] < 0x90) ||
        (at[0] == 0xf4 && at[1] >= 0x90)) /* overlong, surrogate, past U+10FFFF */
        return 0;
    return size;
}

static void write_escaped(unsigned char c)
{
    switch (c) {
    case '"':
        fputs("\\\"", stdout);
        break;
    case '\\':
        fputs("\\\\", stdout);
        break;
    case '\n':
        fputs("\\n", stdout);
        break;
    case '\r':
        fputs("\\r", stdout);
        break;
    case '\t':
        fputs("\\t", stdout);
        break;
    default:
        if (c < 0x20 || c == 0x7f)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
}

void json_write_text(const char *text)
{
    if (!text) {
        fputs("null", stdout);
        return;
    }
    putchar('"');
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        size_t size = character_size(at);
        if (size == 1)
            write_escaped(*at);
        else if (size > 1)
            fwrite(at, 1, size, stdout);
        else
            fputs("\xef\xbf\xbd", stdout);
        at += size ? size : 1;
    }
    putchar('"');
}

void json_write_number(double value)
{
    char text[40];
    if (!isfinite(value)) {
        fputs("null", stdout);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fputs(text, stdout);
}

void json_write_ids(const int64_t *ids, size_t n_ids)
{
    putchar('[');
    for (size_t i = 0; i < n_ids; i++)
        printf("%s%" PRId64, i ? ", " : "", ids[i]);
    putchar(']');
}

void json_write_tensor(const char *name, const pali_tensor *tensor)
{
    json_write_text(name);
    printf(": {\"dtype\": \"%s\", \"shape\": ", pali_dtype_name(tensor->dtype));
    json_write_ids(tensor->shape, (size_t)tensor->rank);
    putchar('}');
}
