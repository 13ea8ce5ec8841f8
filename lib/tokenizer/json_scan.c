/* SPDX-License-Identifier: BSD-2-Clause */
#include "tokenizer/json_scan.h"

#include <stdio.h>
#include <string.h>

#include "tokenizer/utf8.h"

void pali__scan_init(struct pali__scan *json, const char *name, const char *text, size_t size)
{
    *json = (struct pali__scan){ .name = name, .text = text, .size = size };
}

void pali__scan_clear(struct pali__scan *json) { pali__text_clear(&json->unescaped); }

void pali__scan_seek(struct pali__scan *json, size_t at)
{
    json->at = at;
    json->depth = 0;
    json->filled = 0;
}

bool pali__slice_is(struct pali__slice slice, const char *text)
{
    return strlen(text) == slice.size && memcmp(slice.data, text, slice.size) == 0;
}

const char *pali__slice_quote(char out[PALI__QUOTE_SIZE], struct pali__slice slice)
{
    size_t used = 0, at = 0;
    out[used++] = '"';
    while (at < slice.size && used < PALI__QUOTE_SIZE - 12) {
        unsigned char byte = (unsigned char)slice.data[at];
        size_t length = pali__utf8_length(slice.data + at, slice.size - at);
        if (length == 0 || byte < 0x20 || byte == 0x7f) {
            used += (size_t)snprintf(out + used, 8, "\\x%02X", byte);
            at++;
            continue;
        }
        if (byte == '"' || byte == '\\')
            out[used++] = '\\';
        memcpy(out + used, slice.data + at, length);
        used += length;
        at += length;
    }
    memcpy(out + used, at < slice.size ? "…\"" : "\"", at < slice.size ? sizeof "…\"" : 2);
    return out;
}

/* ---- failures ---- */

static pali_status fail_at(const struct pali__scan *json, size_t at, const char *expected, pali_error **error)
{
    if (at >= json->size)
        return pali__fail(error, PALI_ERROR_FORMAT, "%s: byte %zu: expected %s, found the end of the file", json->name,
                          at, expected);
    size_t length = pali__utf8_length(json->text + at, json->size - at);
    char quoted[PALI__QUOTE_SIZE];
    pali__slice_quote(quoted, (struct pali__slice){ json->text + at, length ? length : 1 });
    return pali__fail(error, PALI_ERROR_FORMAT, "%s: byte %zu: expected %s, found %s", json->name, at, expected,
                      quoted);
}

pali_status pali__scan_fail(struct pali__scan *json, const char *expected, pali_error **error)
{
    pali__scan_peek(json);
    return fail_at(json, json->at, expected, error);
}

/* ---- structure ---- */

char pali__scan_peek(struct pali__scan *json)
{
    const char *text = json->text;
    size_t at = json->at;
    while (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t')
        at++;
    json->at = at;
    return text[at];
}

static pali_status open_container(struct pali__scan *json, char bracket, pali_error **error)
{
    if (pali__scan_peek(json) != bracket)
        return fail_at(json, json->at, bracket == '{' ? "an object" : "an array", error);
    if (json->depth == PALI__SCAN_MAX_DEPTH)
        return pali__fail(error, PALI_ERROR_LIMIT, "%s: byte %zu: expected at most %d levels of nesting, found more",
                          json->name, json->at, PALI__SCAN_MAX_DEPTH);
    json->at++;
    json->filled &= ~(UINT64_C(1) << json->depth);
    json->depth++;
    return PALI_OK;
}

pali_status pali__scan_open_object(struct pali__scan *json, pali_error **error)
{
    return open_container(json, '{', error);
}

pali_status pali__scan_open_array(struct pali__scan *json, pali_error **error)
{
    return open_container(json, '[', error);
}

/* Past the comma to the next element, or past the closing bracket. */
static pali_status next_in_container(struct pali__scan *json, char bracket, bool *more, pali_error **error)
{
    uint64_t bit = UINT64_C(1) << (json->depth - 1);
    char next = pali__scan_peek(json);
    *more = false;
    if (next == bracket) {
        json->at++;
        json->depth--;
        return PALI_OK;
    }
    if (json->filled & bit) {
        if (next != ',')
            return fail_at(json, json->at, bracket == '}' ? "',' or '}'" : "',' or ']'", error);
        json->at++;
        pali__scan_peek(json);
    }
    json->filled |= bit;
    *more = true;
    return PALI_OK;
}

pali_status pali__scan_element(struct pali__scan *json, bool *more, pali_error **error)
{
    return next_in_container(json, ']', more, error);
}

pali_status pali__scan_member(struct pali__scan *json, bool *more, struct pali__slice *key, pali_error **error)
{
    TRY(next_in_container(json, '}', more, error));
    if (!*more)
        return PALI_OK;
    if (pali__scan_peek(json) != '"')
        return fail_at(json, json->at, "a member's name in double quotes", error);
    TRY(pali__scan_string(json, key, error));
    if (pali__scan_peek(json) != ':')
        return fail_at(json, json->at, "':'", error);
    json->at++;
    return PALI_OK;
}

pali_status pali__scan_end(struct pali__scan *json, pali_error **error)
{
    pali__scan_peek(json);
    return json->at == json->size ? PALI_OK : fail_at(json, json->at, "the end of the file", error);
}

/* ---- strings ---- */

static bool hex4(const char *text, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++) {
        char c = text[i];
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
            digit = (uint32_t)((c | 0x20) - 'a') + 10u;
        else
            return false; /* The NUL at the end of the text comes here too. */
        *code = *code << 4 | digit;
    }
    return true;
}

/* The escape whose backslash is at json->at, to UTF-8 in out. */
static pali_status read_escape(struct pali__scan *json, char out[4], size_t *length, pali_error **error)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *escape = json->text + json->at + 1;
    const char *name = *escape ? strchr(names, *escape) : NULL;
    uint32_t code, low;
    if (name) {
        out[0] = values[name - names];
        *length = 1;
        json->at += 2;
        return PALI_OK;
    }
    if (*escape != 'u' || !hex4(escape + 1, &code))
        return fail_at(json, json->at + 1, "an escape such as \\n or \\u0041", error);
    json->at += 6;
    if (code >= 0xD800u && code < 0xE000u) {
        if (code >= 0xDC00u || escape[5] != '\\' || escape[6] != 'u' || !hex4(escape + 7, &low) || low < 0xDC00u ||
            low >= 0xE000u)
            return fail_at(json, json->at - 6, "a pair of surrogate escapes", error);
        json->at += 6;
        code = 0x10000u + ((code - 0xD800u) << 10) + (low - 0xDC00u);
    }
    *length = pali__utf8_write(out, code);
    return PALI_OK;
}

/* Moves json->at to the first quote, backslash or offending byte. */
static void pass_plain(struct pali__scan *json)
{
    const char *text = json->text;
    size_t at = json->at;
    for (;;) {
        unsigned char byte = (unsigned char)text[at];
        if (byte < 0x80) {
            if (byte < 0x20 || byte == '"' || byte == '\\')
                break;
            at++;
        } else {
            size_t length = pali__utf8_length(text + at, json->size - at);
            if (length == 0)
                break;
            at += length;
        }
    }
    json->at = at;
}

/* The rest of a string that has escapes; json->at is at the first one, `begin` after the opening quote. */
static pali_status string_with_escapes(struct pali__scan *json, size_t begin, struct pali__slice *out,
                                       pali_error **error)
{
    struct pali__text *to = &json->unescaped;
    to->size = 0;
    for (;;) {
        char bytes[4];
        size_t length = 0;
        if (json->at > begin && !pali__text_append(to, json->text + begin, json->at - begin))
            return pali__no_memory(error, json->at - begin);
        if (json->text[json->at] != '\\')
            break;
        TRY(read_escape(json, bytes, &length, error));
        if (!pali__text_append(to, bytes, length))
            return pali__no_memory(error, length);
        begin = json->at;
        pass_plain(json);
    }
    *out = (struct pali__slice){ to->data, to->size };
    return PALI_OK;
}

pali_status pali__scan_string(struct pali__scan *json, struct pali__slice *out, pali_error **error)
{
    if (pali__scan_peek(json) != '"')
        return fail_at(json, json->at, "a string", error);
    size_t begin = ++json->at;
    pass_plain(json);
    *out = (struct pali__slice){ json->text + begin, json->at - begin };
    if (json->text[json->at] == '\\')
        TRY(string_with_escapes(json, begin, out, error));
    if (json->text[json->at] != '"')
        return fail_at(json, json->at, "a string of valid UTF-8 without control characters", error);
    json->at++;
    return PALI_OK;
}

/* ---- other values ---- */

static size_t pass_digits(const char *text, size_t at)
{
    while (text[at] >= '0' && text[at] <= '9')
        at++;
    return at;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
static pali_status skip_number(struct pali__scan *json, bool *whole, pali_error **error)
{
    const char *text = json->text;
    size_t at = json->at, digits;
    if (text[at] == '-')
        at++;
    digits = pass_digits(text, at);
    if (digits == at || (text[at] == '0' && digits > at + 1))
        return fail_at(json, json->at, "a value", error);
    at = digits;
    *whole = true;
    if (text[at] == '.') {
        *whole = false;
        digits = pass_digits(text, at + 1);
        if (digits == at + 1)
            return fail_at(json, digits, "a digit", error);
        at = digits;
    }
    if (text[at] == 'e' || text[at] == 'E') {
        *whole = false;
        at += text[at + 1] == '+' || text[at + 1] == '-' ? 2 : 1;
        digits = pass_digits(text, at);
        if (digits == at)
            return fail_at(json, digits, "a digit", error);
        at = digits;
    }
    json->at = at;
    return PALI_OK;
}

pali_status pali__scan_integer(struct pali__scan *json, int64_t *out, pali_error **error)
{
    bool whole = false;
    pali__scan_peek(json);
    size_t begin = json->at;
    if (skip_number(json, &whole, NULL) != PALI_OK || !whole)
        return fail_at(json, begin, "an integer", error);
    bool negative = json->text[begin] == '-';
    int64_t value = 0;
    for (size_t at = begin + negative; at < json->at; at++) {
        if (value > (INT64_MAX - 9) / 10)
            return fail_at(json, begin, "an integer of reasonable size", error);
        value = value * 10 + (json->text[at] - '0');
    }
    *out = negative ? -value : value;
    return PALI_OK;
}

static bool pass_word(struct pali__scan *json, const char *word)
{
    size_t size = strlen(word);
    if (strncmp(json->text + json->at, word, size) != 0)
        return false;
    json->at += size;
    return true;
}

pali_status pali__scan_bool(struct pali__scan *json, bool *out, pali_error **error)
{
    pali__scan_peek(json);
    *out = pass_word(json, "true");
    return *out || pass_word(json, "false") ? PALI_OK : fail_at(json, json->at, "true or false", error);
}

pali_status pali__scan_null(struct pali__scan *json, pali_error **error)
{
    pali__scan_peek(json);
    return pass_word(json, "null") ? PALI_OK : fail_at(json, json->at, "null", error);
}

pali_status pali__scan_skip(struct pali__scan *json, pali_error **error)
{
    struct pali__slice slice;
    bool more = true, flag;
    switch (pali__scan_peek(json)) {
    case '"':
        return pali__scan_string(json, &slice, error);
    case '{':
        TRY(pali__scan_open_object(json, error));
        for (;;) {
            TRY(pali__scan_member(json, &more, &slice, error));
            if (!more)
                return PALI_OK;
            TRY(pali__scan_skip(json, error));
        }
    case '[':
        TRY(pali__scan_open_array(json, error));
        for (;;) {
            TRY(pali__scan_element(json, &more, error));
            if (!more)
                return PALI_OK;
            TRY(pali__scan_skip(json, error));
        }
    case 't':
    case 'f':
        return pali__scan_bool(json, &flag, error);
    case 'n':
        return pali__scan_null(json, error);
    default:
        return skip_number(json, &flag, error);
    }
}
