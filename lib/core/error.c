/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/utf8_length.h"

/* Names in messages come out of files that anybody may have written; a longer sentence than this helps nobody. */
enum { MESSAGE_SIZE = 2048 };

struct pali_error {
    pali_status status;
    bool is_static;
    const char *message;
};

/* When memory is out there is none for a message either, so there is one ready for each power of two. */
#define NO_BLOCK(n, unit) { PALI_ERROR_MEMORY, true, "out of memory: no block of " #n " " unit " or more" }
#define NO_BLOCKS(unit)                                                                                                \
    NO_BLOCK(1, unit), NO_BLOCK(2, unit), NO_BLOCK(4, unit), NO_BLOCK(8, unit), NO_BLOCK(16, unit),                    \
        NO_BLOCK(32, unit), NO_BLOCK(64, unit), NO_BLOCK(128, unit), NO_BLOCK(256, unit), NO_BLOCK(512, unit)

static const struct pali_error no_memory[] = {
    NO_BLOCKS("bytes"), NO_BLOCKS("KiB"), NO_BLOCKS("MiB"), NO_BLOCKS("GiB"), NO_BLOCKS("TiB"),
};

const char *pali_status_name(pali_status status)
{
    switch (status) {
    case PALI_OK: return "success";
    case PALI_ERROR_ARGUMENT: return "argument error";
    case PALI_ERROR_MEMORY: return "out of memory";
    case PALI_ERROR_IO: return "input/output error";
    case PALI_ERROR_FORMAT: return "format error";
    case PALI_ERROR_UNSUPPORTED: return "unsupported";
    case PALI_ERROR_SHAPE: return "shape error";
    case PALI_ERROR_LIMIT: return "limit reached";
    case PALI_ERROR_CANCELLED: return "cancelled";
    case PALI_ERROR_INTERNAL: return "internal error";
    }
    return "unknown status";
}

const char *pali_error_message(const pali_error *error) { return error ? error->message : "no error"; }

pali_status pali_error_status(const pali_error *error) { return error ? error->status : PALI_OK; }

void pali_error_free(pali_error *error)
{
    if (error && !error->is_static)
        pali__free(error);
}

/* One line of valid UTF-8, whatever file and tensor names it quotes. */
static void make_printable(char *text)
{
    const char *end = text + strlen(text);
    for (char *s = text; s < end;) {
        size_t length = pali__utf8_length(s, (size_t)(end - s));
        if (length == 0 || (unsigned char)*s < 0x20 || *s == 0x7f) {
            *s = '?';
            length = 1;
        }
        s += length;
    }
}

/* A cut sentence ends in "...", and not inside a character. */
static void mark_cut(char *text)
{
    size_t end = MESSAGE_SIZE - 4;
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    memcpy(text + end, "...", 4);
}

pali_status pali__fail(pali_error **error, pali_status status, const char *format, ...)
{
    if (!error || *error)
        return status;

    char text[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (wanted < 0)
        strcpy(text, "an error whose message cannot be formatted");
    else if (wanted >= MESSAGE_SIZE)
        mark_cut(text);
    make_printable(text);

    size_t size = strlen(text) + 1;
    pali_error *made = pali__malloc(sizeof *made + size);
    if (!made)
        return pali__no_memory(error, sizeof *made + size);
    char *message = (char *)(made + 1);
    memcpy(message, text, size);
    made->status = status;
    made->is_static = false;
    made->message = message;
    *error = made;
    return status;
}

pali_status pali__no_memory(pali_error **error, size_t size)
{
    size_t power = 0;
    while (size > 1 && power + 1 < sizeof no_memory / sizeof no_memory[0]) {
        size >>= 1;
        power++;
    }
    /* The caller may only read and free it, and freeing leaves it alone. */
    if (error && !*error)
        *error = (pali_error *)&no_memory[power];
    return PALI_ERROR_MEMORY;
}
