/* SPDX-License-Identifier: BSD-2-Clause */
/* Values as Python prints them (str, repr, json.dumps), and what templates ask of text. */
#include "processor/template_value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8_length.h"

/* ---- characters ---- */

size_t pali__t_char(const char *bytes, size_t size, uint32_t *code)
{
    const unsigned char *at = (const unsigned char *)bytes;
    size_t length = pali__utf8_length(bytes, size);
    static const unsigned char masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    *code = at[0];
    if (length < 2)
        return 1;
    *code &= masks[length];
    for (size_t i = 1; i < length; i++)
        *code = *code << 6 | (at[i] & 0x3f);
    return length;
}

bool pali__t_is_space(uint32_t code)
{
    return (code >= 9 && code <= 13) || (code >= 0x1c && code <= 0x20) || code == 0x85 || code == 0xa0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f ||
           code == 0x205f || code == 0x3000;
}

struct pali__ttext pali__t_strip(struct pali__ttext text, bool left, bool right)
{
    uint32_t code;
    while (left && text.size) {
        size_t length = pali__t_char(text.bytes, text.size, &code);
        if (!pali__t_is_space(code))
            break;
        text.bytes += length;
        text.size -= length;
    }
    while (right && text.size) {
        size_t last = text.size - 1;
        while (last && ((unsigned char)text.bytes[last] & 0xc0) == 0x80)
            last--;
        pali__t_char(text.bytes + last, text.size - last, &code);
        if (!pali__t_is_space(code))
            break;
        text.size = last;
    }
    return text;
}

size_t pali__t_length(struct pali__ttext text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += ((unsigned char)text.bytes[i] & 0xc0) != 0x80;
    return count;
}

const char *pali__t_find(struct pali__ttext text, struct pali__ttext part)
{
    if (part.size == 0)
        return text.bytes;
    for (const char *at = text.bytes; part.size <= text.size - (size_t)(at - text.bytes);) {
        at = memchr(at, part.bytes[0], text.size - (size_t)(at - text.bytes) - part.size + 1);
        if (!at || memcmp(at, part.bytes, part.size) == 0)
            return at;
        at++;
    }
    return NULL;
}

/* ---- text that is being made ---- */

pali_status pali__t_append(struct pali__template *t, struct pali__text *out, const char *bytes, size_t size)
{
    TRY(pali__template_charge(t, size));
    if (size > PALI__T_OUTPUT || out->size > PALI__T_OUTPUT - size)
        return pali__template_fail(t, PALI_ERROR_LIMIT, "its text is longer than %d MB", PALI__T_OUTPUT >> 20);
    return pali__text_append(out, bytes, size) ? PALI_OK : pali__no_memory(t->error, out->size + size);
}

static pali_status put(struct pali__template *t, struct pali__text *out, const char *word)
{
    return pali__t_append(t, out, word, strlen(word));
}

pali_status pali__t_take(struct pali__template *t, struct pali__tvalue *out, struct pali__text *text)
{
    char *copy = NULL;
    pali_status status = pali__template_alloc(t, &copy, text->size);
    if (status == PALI_OK && text->size)
        memcpy(copy, text->data, text->size);
    *out = pali__t_text(copy, text->size);
    pali__text_clear(text);
    return status;
}

pali_status pali__t_str(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value)
{
    struct pali__text text = { NULL, 0, 0 };
    *out = value;
    if (value.kind == PALI__T_STRING)
        return PALI_OK;
    pali_status status = pali__t_print(t, &text, value);
    if (status == PALI_OK)
        return pali__t_take(t, out, &text);
    pali__text_clear(&text);
    return status;
}

/* ---- numbers ---- */

/* repr(float): the fewest digits that read back as the same number. The decimal sign of the host's locale is left out. */
static void format_float(char out[40], double value)
{
    char digits[40], text[40];
    int n_digits = 0, exponent = 0;
    if (!isfinite(value)) {
        snprintf(out, 40, "%s", isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
        return;
    }
    for (int precision = 0; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, fabs(value));
        if (strtod(text, NULL) == fabs(value))
            break;
    }
    char *mark = strchr(text, 'e');
    exponent = (int)strtol(mark + 1, NULL, 10);
    for (char *at = text; at < mark; at++)
        if (*at >= '0' && *at <= '9')
            digits[n_digits++] = *at;
    char *to = out;
    if (signbit(value))
        *to++ = '-';
    if (exponent < -4 || exponent >= 16) {
        *to++ = digits[0];
        if (n_digits > 1)
            *to++ = '.';
        memcpy(to, digits + 1, (size_t)(n_digits - 1));
        snprintf(to + n_digits - 1, 16, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
        return;
    }
    for (int i = exponent < 0 ? exponent : 0; i < n_digits || i <= exponent + 1; i++) {
        if (i == exponent + 1)
            *to++ = '.';
        *to++ = i >= 0 && i < n_digits ? digits[i] : '0';
    }
    *to = '\0';
}

/* ---- str and repr ---- */

static pali_status print_value(struct pali__template *t, struct pali__text *out, struct pali__tvalue value, int depth);

static bool is_printable(uint32_t code)
{
    return code >= 0x20 && code != 0x7f && !(code >= 0x80 && code <= 0xa0) && code != 0xad &&
           (code == 0x20 || !pali__t_is_space(code)) && !(code >= 0x200b && code <= 0x200f) &&
           !(code >= 0xe000 && code <= 0xf8ff) && code != 0xfeff;
}

static pali_status print_quoted(struct pali__template *t, struct pali__text *out, struct pali__ttext text)
{
    bool doubled = text.size && memchr(text.bytes, '\'', text.size) && !memchr(text.bytes, '"', text.size);
    const char *quote = doubled ? "\"" : "'";
    char escape[16];
    TRY(put(t, out, quote));
    for (size_t i = 0; i < text.size;) {
        uint32_t code;
        size_t length = pali__t_char(text.bytes + i, text.size - i, &code);
        if (code == '\\' || code == (uint32_t)quote[0])
            snprintf(escape, sizeof escape, "\\%c", (char)code);
        else if (code == '\n' || code == '\r' || code == '\t')
            snprintf(escape, sizeof escape, "\\%c", code == '\n' ? 'n' : code == '\r' ? 'r' : 't');
        else if (is_printable(code))
            snprintf(escape, sizeof escape, "%.*s", (int)length, text.bytes + i);
        else
            snprintf(escape, sizeof escape, code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x",
                     (unsigned)code);
        TRY(put(t, out, escape));
        i += length;
    }
    return put(t, out, quote);
}

static pali_status print_list(struct pali__template *t, struct pali__text *out, const struct pali__tlist *list,
                              int depth)
{
    TRY(put(t, out, list->is_tuple ? "(" : "["));
    for (size_t i = 0; i < list->count; i++) {
        TRY(put(t, out, i ? ", " : ""));
        TRY(print_value(t, out, list->items[i], depth + 1));
    }
    return put(t, out, list->is_tuple ? list->count == 1 ? ",)" : ")" : "]");
}

static pali_status print_dict(struct pali__template *t, struct pali__text *out, const struct pali__tdict *dict,
                              int depth)
{
    TRY(put(t, out, "{"));
    for (size_t i = 0; i < dict->count; i++) {
        TRY(put(t, out, i ? ", " : ""));
        TRY(print_value(t, out, dict->keys[i], depth + 1));
        TRY(put(t, out, ": "));
        TRY(print_value(t, out, dict->values[i], depth + 1));
    }
    return put(t, out, "}");
}

/* repr; of an undefined value, str. */
static pali_status print_value(struct pali__template *t, struct pali__text *out, struct pali__tvalue value, int depth)
{
    char number[40];
    if (depth > PALI__T_DEPTH)
        return pali__template_fail(t, PALI_ERROR_LIMIT, "values nested more than %d deep are printed", PALI__T_DEPTH);
    switch (value.kind) {
    case PALI__T_UNDEFINED:
        return depth ? put(t, out, "Undefined") : PALI_OK;
    case PALI__T_NONE:
        return put(t, out, "None");
    case PALI__T_BOOL:
        return put(t, out, value.as.boolean ? "True" : "False");
    case PALI__T_INT:
        snprintf(number, sizeof number, "%lld", (long long)value.as.integer);
        return put(t, out, number);
    case PALI__T_FLOAT:
        format_float(number, value.as.number);
        return put(t, out, number);
    case PALI__T_STRING:
        return print_quoted(t, out, value.as.text);
    case PALI__T_LIST:
        return print_list(t, out, value.as.list, depth);
    case PALI__T_DICT:
        return print_dict(t, out, value.as.dict, depth);
    case PALI__T_NAMESPACE:
    case PALI__T_LOOP:
    case PALI__T_FUNCTION:
        break;
    }
    return pali__template_fail(t, PALI_ERROR_UNSUPPORTED, "printing a %s is not served", pali__t_type(value));
}

pali_status pali__t_print(struct pali__template *t, struct pali__text *out, struct pali__tvalue value)
{
    if (value.kind == PALI__T_STRING)
        return pali__t_append(t, out, value.as.text.bytes, value.as.text.size);
    return print_value(t, out, value, 0);
}

/* ---- json.dumps ---- */

static pali_status json_quoted(struct pali__template *t, struct pali__text *out, struct pali__ttext text, bool ascii)
{
    static const char letters[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    char escape[16];
    TRY(put(t, out, "\""));
    for (size_t i = 0; i < text.size;) {
        uint32_t code;
        size_t length = pali__t_char(text.bytes + i, text.size - i, &code);
        const char *letter = code && code < 0x80 ? strchr(letters, (int)code) : NULL;
        if (letter)
            snprintf(escape, sizeof escape, "\\%c", names[letter - letters]);
        else if (code < 0x20 || (ascii && code >= 0x7f && code < 0x10000 && code != 0x7f))
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)code);
        else if (ascii && code >= 0x10000)
            snprintf(escape, sizeof escape, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((code - 0x10000) >> 10)),
                     (unsigned)(0xdc00 + ((code - 0x10000) & 0x3ff)));
        else
            snprintf(escape, sizeof escape, "%.*s", (int)length, text.bytes + i);
        TRY(put(t, out, escape));
        i += length;
    }
    return put(t, out, "\"");
}

static pali_status new_line(struct pali__template *t, struct pali__text *out, const struct pali__json_style *style,
                            int depth)
{
    if (style->indent < 0)
        return PALI_OK;
    TRY(put(t, out, "\n"));
    for (int64_t i = 0; i < style->indent * depth; i++)
        TRY(put(t, out, " "));
    return PALI_OK;
}

/* A key is a string, or what json.dumps makes one of. */
static pali_status json_key(struct pali__template *t, struct pali__text *out, struct pali__tvalue key,
                            const struct pali__json_style *style)
{
    if (key.kind == PALI__T_STRING)
        return json_quoted(t, out, key.as.text, style->ensure_ascii);
    TRY(put(t, out, "\""));
    TRY(pali__t_to_json(t, out, key, style, 0));
    return put(t, out, "\"");
}

/* The member that stands at place `rank` in the order of the keys. */
static pali_status ranked(struct pali__template *t, size_t *index, const struct pali__tdict *dict, size_t rank)
{
    for (size_t i = 0; i < dict->count; i++) {
        size_t before = 0;
        for (size_t j = 0; j < dict->count; j++) {
            int order = 0;
            TRY(pali__t_order(t, &order, dict->keys[j], dict->keys[i]));
            TRY(pali__template_charge(t, 0));
            before += order < 0;
        }
        if (before == rank) {
            *index = i;
            return PALI_OK;
        }
    }
    return PALI_OK;
}

static pali_status json_dict(struct pali__template *t, struct pali__text *out, const struct pali__tdict *dict,
                             const struct pali__json_style *style, int depth)
{
    if (dict->count == 0)
        return put(t, out, "{}");
    TRY(put(t, out, "{"));
    for (size_t i = 0; i < dict->count; i++) {
        size_t index = i;
        if (style->sort_keys)
            TRY(ranked(t, &index, dict, i));
        if (i)
            TRY(pali__t_append(t, out, style->item_separator.bytes, style->item_separator.size));
        TRY(new_line(t, out, style, depth + 1));
        TRY(json_key(t, out, dict->keys[index], style));
        TRY(pali__t_append(t, out, style->key_separator.bytes, style->key_separator.size));
        TRY(pali__t_to_json(t, out, dict->values[index], style, depth + 1));
    }
    TRY(new_line(t, out, style, depth));
    return put(t, out, "}");
}

static pali_status json_list(struct pali__template *t, struct pali__text *out, const struct pali__tlist *list,
                             const struct pali__json_style *style, int depth)
{
    if (list->count == 0)
        return put(t, out, "[]");
    TRY(put(t, out, "["));
    for (size_t i = 0; i < list->count; i++) {
        if (i)
            TRY(pali__t_append(t, out, style->item_separator.bytes, style->item_separator.size));
        TRY(new_line(t, out, style, depth + 1));
        TRY(pali__t_to_json(t, out, list->items[i], style, depth + 1));
    }
    TRY(new_line(t, out, style, depth));
    return put(t, out, "]");
}

pali_status pali__t_to_json(struct pali__template *t, struct pali__text *out, struct pali__tvalue value,
                            const struct pali__json_style *style, int depth)
{
    if (depth > PALI__T_DEPTH)
        return pali__template_fail(t, PALI_ERROR_LIMIT, "values nested more than %d deep are printed", PALI__T_DEPTH);
    switch (value.kind) {
    case PALI__T_NONE:
        return put(t, out, "null");
    case PALI__T_BOOL:
        return put(t, out, value.as.boolean ? "true" : "false");
    case PALI__T_INT:
        return print_value(t, out, value, depth);
    case PALI__T_FLOAT:
        if (!isfinite(value.as.number))
            return put(t, out, isnan(value.as.number) ? "NaN" : value.as.number < 0 ? "-Infinity" : "Infinity");
        return print_value(t, out, value, depth);
    case PALI__T_STRING:
        return json_quoted(t, out, value.as.text, style->ensure_ascii);
    case PALI__T_LIST:
        return json_list(t, out, value.as.list, style, depth);
    case PALI__T_DICT:
        return json_dict(t, out, value.as.dict, style, depth);
    default:
        return pali__template_fail(t, PALI_ERROR_FORMAT, "tojson cannot write a value of type %s", pali__t_type(value));
    }
}
