/* SPDX-License-Identifier: BSD-2-Clause */
/* Methods of texts and mappings. */
#include "processor/template_eval.h"

#include <string.h>

/* An argument that must be text, or the default if it is left out. */
pali_status pali__t_text_argument(struct pali__template *t, struct pali__ttext *out,
                                  const struct pali__targuments *arguments, int index, const char *name,
                                  const char *otherwise)
{
    const struct pali__tvalue *value = pali__t_argument(arguments, index, name);
    if (value && value->kind == PALI__T_STRING) {
        *out = value->as.text;
        return PALI_OK;
    }
    if (value || !otherwise)
        return pali__template_fail(t, PALI_ERROR_FORMAT, "argument %d of a call is %s, a text was expected", index + 1,
                                   value ? pali__t_type(*value) : "missing");
    *out = (struct pali__ttext){ otherwise, strlen(otherwise) };
    return PALI_OK;
}

static pali_status count_argument(struct pali__template *t, int64_t *out, const struct pali__targuments *arguments,
                                  int index, const char *name)
{
    const struct pali__tvalue *value = pali__t_argument(arguments, index, name);
    if (!value || value->kind == PALI__T_NONE)
        return PALI_OK;
    if (value->kind != PALI__T_INT)
        return pali__template_fail(t, PALI_ERROR_FORMAT, "argument %d of a call is %s, a whole number was expected",
                                   index + 1, pali__t_type(*value));
    *out = value->as.integer;
    return PALI_OK;
}
bool pali__text_is_one_of(struct pali__ttext name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pali__text_is(name, names[i]))
            return true;
    return false;
}

/* ---- methods of texts ---- */

/* strip, lstrip, rstrip; with an argument, of the characters in it. */
static pali_status strip(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext text, bool left,
                         bool right, const struct pali__targuments *arguments)
{
    struct pali__ttext characters = { NULL, 0 };
    const struct pali__tvalue *given = pali__t_argument(arguments, 0, "chars");
    uint32_t code;
    TRY(pali__template_charge(t, text.size));
    if (!given || given->kind == PALI__T_NONE) {
        text = pali__t_strip(text, left, right);
        *out = pali__t_text(text.bytes, text.size);
        return PALI_OK;
    }
    TRY(pali__t_text_argument(t, &characters, arguments, 0, "chars", NULL));
    while (left && text.size) {
        size_t length = pali__t_char(text.bytes, text.size, &code);
        TRY(pali__template_charge(t, characters.size));
        if (!pali__t_find(characters, (struct pali__ttext){ text.bytes, length }))
            break;
        text.bytes += length;
        text.size -= length;
    }
    while (right && text.size) {
        size_t last = text.size - 1;
        while (last && ((unsigned char)text.bytes[last] & 0xc0) == 0x80)
            last--;
        TRY(pali__template_charge(t, characters.size));
        if (!pali__t_find(characters, (struct pali__ttext){ text.bytes + last, text.size - last }))
            break;
        text.size = last;
    }
    *out = pali__t_text(text.bytes, text.size);
    return PALI_OK;
}

/* The piece in front of the next separator, and what is behind it; false when there is no separator any more. */
static bool next_piece(struct pali__ttext *rest, struct pali__ttext *piece, const struct pali__ttext *separator)
{
    size_t end = 0, skipped = 0;
    uint32_t code;
    if (separator) {
        const char *found = pali__t_find(*rest, *separator);
        end = found ? (size_t)(found - rest->bytes) : rest->size;
        skipped = found ? separator->size : 0;
    } else {
        while (end < rest->size) {
            size_t length = pali__t_char(rest->bytes + end, rest->size - end, &code);
            if (pali__t_is_space(code))
                break;
            end += length;
        }
    }
    bool more = end < rest->size || skipped > 0;
    *piece = (struct pali__ttext){ rest->bytes, end };
    rest->bytes += end + skipped;
    rest->size -= end + skipped;
    if (!separator)
        *rest = pali__t_strip(*rest, true, false);
    return more;
}

static pali_status split(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext text,
                         const struct pali__targuments *arguments)
{
    const struct pali__tvalue *given = pali__t_argument(arguments, 0, "sep");
    struct pali__ttext separator = { NULL, 0 }, piece, rest = text;
    int64_t most = -1;
    bool by_space = !given || given->kind == PALI__T_NONE;
    TRY(pali__template_charge(t, text.size));
    TRY(count_argument(t, &most, arguments, 1, "maxsplit"));
    if (!by_space) {
        TRY(pali__t_text_argument(t, &separator, arguments, 0, "sep", NULL));
        if (!separator.size)
            return pali__template_fail(t, PALI_ERROR_FORMAT, "split by an empty text");
    } else {
        rest = text = pali__t_strip(text, true, false);
    }
    for (int pass = 0; pass < 2; pass++) { /* counted first, then stored */
        size_t count = 0;
        bool more = !by_space || text.size > 0;
        rest = text;
        while (more) {
            if (most >= 0 && count == (size_t)most) {
                piece = rest;
                more = false;
            } else {
                more = next_piece(&rest, &piece, by_space ? NULL : &separator);
                if (by_space && rest.size == 0)
                    more = false;
            }
            if (pass == 1)
                out->as.list->items[count] = pali__t_text(piece.bytes, piece.size);
            count++;
        }
        if (pass == 0)
            TRY(pali__t_list(t, out, count));
    }
    return PALI_OK;
}

static pali_status replace(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext text,
                           const struct pali__targuments *arguments)
{
    struct pali__text made = { NULL, 0, 0 };
    struct pali__ttext old = { NULL, 0 }, new = { NULL, 0 };
    int64_t most = -1;
    pali_status status = PALI_OK;
    TRY(pali__t_text_argument(t, &old, arguments, 0, "old", NULL));
    TRY(pali__t_text_argument(t, &new, arguments, 1, "new", NULL));
    TRY(count_argument(t, &most, arguments, 2, "count"));
    if (!old.size)
        return pali__template_fail(t, PALI_ERROR_UNSUPPORTED, "replacing an empty text is not served");
    while (status == PALI_OK) {
        const char *found = most == 0 ? NULL : pali__t_find(text, old);
        size_t kept = found ? (size_t)(found - text.bytes) : text.size;
        status = pali__t_append(t, &made, text.bytes, kept);
        if (!found)
            break;
        if (status == PALI_OK)
            status = pali__t_append(t, &made, new.bytes, new.size);
        text.bytes += kept + old.size;
        text.size -= kept + old.size;
        most--;
    }
    pali_status taken = pali__t_take(t, out, &made);
    return status != PALI_OK ? status : taken;
}

/* upper, lower, capitalize ('c'), title ('t'). Letters outside of ASCII would need Unicode's tables: refused. */
static pali_status change_case(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext text, char how)
{
    char *bytes = NULL;
    bool begins = true;
    TRY(pali__template_charge(t, text.size));
    TRY(pali__template_alloc(t, &bytes, text.size));
    for (size_t i = 0; i < text.size; i++) {
        char c = text.bytes[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if ((unsigned char)c >= 0x80)
            return pali__template_fail(t, PALI_ERROR_UNSUPPORTED,
                                       "changing the case of text that is not ASCII is not served");
        bool upper = how == 'u' || ((how == 'c' || how == 't') && begins);
        bytes[i] = !is_letter ? c : upper ? (char)(c & ~0x20) : (char)(c | 0x20);
        begins = how == 't' && !is_letter;
    }
    *out = pali__t_text(bytes, text.size);
    return PALI_OK;
}

static pali_status begins_or_ends(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext text, bool begins,
                                  const struct pali__targuments *arguments)
{
    const struct pali__tvalue *given = pali__t_argument(arguments, 0, "prefix");
    struct pali__tvalue one = given ? *given : pali__t_none();
    const struct pali__tlist alone = { &one, 1, true }, *parts = one.kind == PALI__T_LIST ? one.as.list : &alone;
    bool found = false;
    for (size_t i = 0; i < parts->count; i++) {
        if (parts->items[i].kind != PALI__T_STRING)
            return pali__template_fail(t, PALI_ERROR_FORMAT, "%s needs a text", begins ? "startswith" : "endswith");
        struct pali__ttext part = parts->items[i].as.text;
        TRY(pali__template_charge(t, part.size));
        found = found || (part.size <= text.size &&
                          (part.size == 0 || memcmp(text.bytes + (begins ? 0 : text.size - part.size), part.bytes,
                                                    part.size) == 0));
    }
    *out = pali__t_bool(found);
    return PALI_OK;
}

/* find (its place in characters, or -1) and count. */
static pali_status find_text(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext text, bool counts,
                             const struct pali__targuments *arguments)
{
    struct pali__ttext part = { NULL, 0 };
    int64_t count = 0;
    TRY(pali__template_charge(t, text.size));
    TRY(pali__t_text_argument(t, &part, arguments, 0, "sub", NULL));
    if (arguments->count > 1 || !part.size)
        return pali__template_fail(t, PALI_ERROR_UNSUPPORTED, "find and count serve one text, not empty");
    const char *found = pali__t_find(text, part);
    if (!counts) {
        struct pali__ttext before = { text.bytes, found ? (size_t)(found - text.bytes) : 0 };
        *out = pali__t_int(found ? (int64_t)pali__t_length(before) : -1);
        return PALI_OK;
    }
    for (; found; found = pali__t_find(text, part), count++) {
        text.size -= (size_t)(found - text.bytes) + part.size;
        text.bytes = found + part.size;
    }
    *out = pali__t_int(count);
    return PALI_OK;
}

static pali_status remove_end(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext text, bool prefix,
                              const struct pali__targuments *arguments)
{
    struct pali__tvalue has;
    TRY(begins_or_ends(t, &has, text, prefix, arguments));
    size_t size = has.as.boolean ? arguments->values[0].as.text.size : 0;
    *out = pali__t_text(text.bytes + (prefix ? size : 0), text.size - size);
    return PALI_OK;
}

static pali_status join(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext separator,
                        const struct pali__targuments *arguments)
{
    struct pali__text made = { NULL, 0, 0 };
    struct pali__tlist *items = NULL;
    pali_status status = PALI_OK;
    if (arguments->count != 1)
        return pali__template_fail(t, PALI_ERROR_FORMAT, "join needs one list");
    TRY(pali__template_iterate(t, &items, arguments->values[0]));
    for (size_t i = 0; i < items->count && status == PALI_OK; i++) {
        if (items->items[i].kind != PALI__T_STRING)
            status = pali__template_fail(t, PALI_ERROR_FORMAT, "join needs texts, not a value of type %s",
                                         pali__t_type(items->items[i]));
        if (status == PALI_OK && i)
            status = pali__t_append(t, &made, separator.bytes, separator.size);
        if (status == PALI_OK)
            status = pali__t_print(t, &made, items->items[i]);
    }
    pali_status taken = pali__t_take(t, out, &made);
    return status != PALI_OK ? status : taken;
}

static const char *const text_methods[] = { "strip", "lstrip",     "rstrip",     "split", "replace", "upper",
                                            "lower", "capitalize", "title",      "find",  "count",   "startswith",
                                            "endswith", "removeprefix", "removesuffix", "join" };
static const char *const dict_methods[] = { "items", "keys", "values", "get" };

bool pali__template_is_method(enum pali__tkind kind, struct pali__ttext name)
{
    if (kind == PALI__T_STRING)
        return pali__text_is_one_of(name, text_methods, sizeof text_methods / sizeof text_methods[0]);
    return kind == PALI__T_DICT && pali__text_is_one_of(name, dict_methods, sizeof dict_methods / sizeof dict_methods[0]);
}

bool pali__template_lacks_method(enum pali__tkind kind, struct pali__ttext name)
{
    static const char *const of_lists[] = { "append", "clear",  "copy", "count",  "extend", "index",
                                            "insert", "pop",    "remove", "reverse", "sort" };
    static const char *const of_dicts[] = { "clear", "copy", "fromkeys", "pop", "popitem", "setdefault", "update" };
    if (kind == PALI__T_LIST)
        return pali__text_is_one_of(name, of_lists, sizeof of_lists / sizeof of_lists[0]);
    if (kind == PALI__T_DICT)
        return pali__text_is_one_of(name, of_dicts, sizeof of_dicts / sizeof of_dicts[0]);
    return kind == PALI__T_STRING; /* which has too many to list them */
}

static pali_status text_method(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext text,
                               struct pali__ttext name, const struct pali__targuments *arguments)
{
    if (pali__text_is(name, "strip") || pali__text_is(name, "lstrip") || pali__text_is(name, "rstrip"))
        return strip(t, out, text, name.bytes[0] != 'r', name.bytes[0] != 'l', arguments);
    if (pali__text_is(name, "split"))
        return split(t, out, text, arguments);
    if (pali__text_is(name, "replace"))
        return replace(t, out, text, arguments);
    if (pali__text_is(name, "upper") || pali__text_is(name, "lower") || pali__text_is(name, "title") ||
        pali__text_is(name, "capitalize"))
        return change_case(t, out, text, name.bytes[0]);
    if (pali__text_is(name, "find") || pali__text_is(name, "count"))
        return find_text(t, out, text, name.bytes[0] == 'c', arguments);
    if (pali__text_is(name, "startswith") || pali__text_is(name, "endswith"))
        return begins_or_ends(t, out, text, name.bytes[0] == 's', arguments);
    if (pali__text_is(name, "removeprefix") || pali__text_is(name, "removesuffix"))
        return remove_end(t, out, text, name.bytes[6] == 'p', arguments);
    return join(t, out, text, arguments);
}

/* ---- methods of mappings ---- */

static pali_status dict_members(struct pali__template *t, struct pali__tvalue *out, const struct pali__tdict *dict,
                                char what)
{
    TRY(pali__t_list(t, out, dict->count));
    for (size_t i = 0; i < dict->count; i++) {
        struct pali__tvalue *item = &out->as.list->items[i];
        if (what != 'i') {
            *item = what == 'k' ? dict->keys[i] : dict->values[i];
            continue;
        }
        TRY(pali__t_list(t, item, 2));
        item->as.list->is_tuple = true;
        item->as.list->items[0] = dict->keys[i];
        item->as.list->items[1] = dict->values[i];
    }
    return PALI_OK;
}

pali_status pali__template_method(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                                  struct pali__ttext name, const struct pali__targuments *arguments)
{
    struct pali__tvalue *found = NULL;
    TRY(pali__template_charge(t, 0));
    if (value.kind == PALI__T_STRING)
        return text_method(t, out, value.as.text, name, arguments);
    if (!pali__text_is(name, "get"))
        return dict_members(t, out, value.as.dict, name.bytes[0]);
    if (arguments->count < 1 || arguments->count > 2)
        return pali__template_fail(t, PALI_ERROR_FORMAT, "get needs a key, and may have a default");
    TRY(pali__t_dict_get(t, value.as.dict, arguments->values[0], &found));
    *out = found ? *found : arguments->count == 2 ? arguments->values[1] : pali__t_none();
    return PALI_OK;
}
