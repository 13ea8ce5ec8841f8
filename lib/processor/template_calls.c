/* SPDX-License-Identifier: BSD-2-Clause */
/* Methods of texts and mappings, functions, and tests. */
#include "processor/template_eval.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int shown(struct pali__ttext text) { return text.size > 80 ? 80 : (int)text.size; }

/* An argument that must be text, or the default if it is left out. */
static pali_status text_argument(struct pali__template *t, struct pali__ttext *out,
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
    TRY(text_argument(t, &characters, arguments, 0, "chars", NULL));
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
        TRY(text_argument(t, &separator, arguments, 0, "sep", NULL));
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
    TRY(text_argument(t, &old, arguments, 0, "old", NULL));
    TRY(text_argument(t, &new, arguments, 1, "new", NULL));
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
    TRY(text_argument(t, &part, arguments, 0, "sub", NULL));
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

static bool is_listed(struct pali__ttext name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pali__text_is(name, names[i]))
            return true;
    return false;
}

bool pali__template_is_method(enum pali__tkind kind, struct pali__ttext name)
{
    if (kind == PALI__T_STRING)
        return is_listed(name, text_methods, sizeof text_methods / sizeof text_methods[0]);
    return kind == PALI__T_DICT && is_listed(name, dict_methods, sizeof dict_methods / sizeof dict_methods[0]);
}

bool pali__template_lacks_method(enum pali__tkind kind, struct pali__ttext name)
{
    static const char *const of_lists[] = { "append", "clear",  "copy", "count",  "extend", "index",
                                            "insert", "pop",    "remove", "reverse", "sort" };
    static const char *const of_dicts[] = { "clear", "copy", "fromkeys", "pop", "popitem", "setdefault", "update" };
    if (kind == PALI__T_LIST)
        return is_listed(name, of_lists, sizeof of_lists / sizeof of_lists[0]);
    if (kind == PALI__T_DICT)
        return is_listed(name, of_dicts, sizeof of_dicts / sizeof of_dicts[0]);
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

/* ---- functions ---- */

static const char *const functions[] = { "raise_exception", "namespace", "dict", "range", "strftime_now", "lipsum", "cycler",
                                         "joiner" };

bool pali__template_is_function(struct pali__ttext name)
{
    return is_listed(name, functions, sizeof functions / sizeof functions[0]);
}

/* The template gives up, on account of the messages. */
static pali_status raise_exception(struct pali__template *t, const struct pali__targuments *arguments)
{
    struct pali__tvalue text = { .kind = PALI__T_STRING, .as.text = { "", 0 } };
    if (arguments->count)
        TRY(pali__t_str(t, &text, arguments->values[0]));
    return pali__template_fail(t, PALI_ERROR_ARGUMENT, "the template refuses the messages: %.*s",
                               text.as.text.size > 400 ? 400 : (int)text.as.text.size, text.as.text.bytes);
}

static pali_status make_mapping(struct pali__template *t, struct pali__tvalue *out,
                                const struct pali__targuments *arguments, bool is_namespace)
{
    TRY(pali__t_dict(t, out, (size_t)arguments->count));
    for (int i = 0; i < arguments->count; i++) {
        if (!arguments->names[i].size)
            return pali__template_fail(t, PALI_ERROR_UNSUPPORTED, "%s of a value without a name is not served",
                                       is_namespace ? "namespace" : "dict");
        TRY(pali__t_dict_set(t, out->as.dict, pali__t_text(arguments->names[i].bytes, arguments->names[i].size),
                             arguments->values[i]));
    }
    out->kind = is_namespace ? PALI__T_NAMESPACE : PALI__T_DICT;
    return PALI_OK;
}

static pali_status make_range(struct pali__template *t, struct pali__tvalue *out,
                              const struct pali__targuments *arguments)
{
    int64_t bounds[3] = { 0, 0, 1 };
    if (arguments->count < 1 || arguments->count > 3)
        return pali__template_fail(t, PALI_ERROR_FORMAT, "range needs one to three whole numbers");
    for (int i = 0; i < arguments->count; i++)
        if (arguments->values[i].kind != PALI__T_INT || arguments->values[i].as.integer > INT32_MAX ||
            arguments->values[i].as.integer < INT32_MIN)
            return pali__template_fail(t, PALI_ERROR_FORMAT, "range needs whole numbers of a moderate size");
        else
            bounds[arguments->count == 1 ? 1 : i] = arguments->values[i].as.integer;
    if (bounds[2] == 0)
        return pali__template_fail(t, PALI_ERROR_FORMAT, "range has the step 0");
    int64_t distance = bounds[2] > 0 ? bounds[1] - bounds[0] : bounds[0] - bounds[1];
    int64_t step = bounds[2] > 0 ? bounds[2] : -bounds[2], count = distance > 0 ? (distance + step - 1) / step : 0;
    TRY(pali__t_list(t, out, (size_t)count));
    for (int64_t i = 0; i < count; i++)
        out->as.list->items[i] = pali__t_int(bounds[0] + i * bounds[2]);
    return PALI_OK;
}

/* The time now, as the host's clock and time zone have it. */
static pali_status strftime_now(struct pali__template *t, struct pali__tvalue *out,
                                const struct pali__targuments *arguments)
{
    char form[128], text[512], *copy = NULL;
    struct pali__ttext given = { NULL, 0 };
    time_t now = time(NULL);
    struct tm parts;
    TRY(text_argument(t, &given, arguments, 0, "format", NULL));
    if (given.size >= sizeof form || !localtime_r(&now, &parts))
        return pali__template_fail(t, PALI_ERROR_UNSUPPORTED, "strftime_now with so long a format is not served");
    memcpy(form, given.bytes, given.size);
    form[given.size] = '\0';
    size_t size = strftime(text, sizeof text, form, &parts);
    TRY(pali__template_alloc(t, &copy, size));
    memcpy(copy, text, size);
    *out = pali__t_text(copy, size);
    return PALI_OK;
}

pali_status pali__template_function(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext name,
                                    const struct pali__targuments *arguments)
{
    if (pali__text_is(name, "raise_exception"))
        return raise_exception(t, arguments);
    if (pali__text_is(name, "namespace") || pali__text_is(name, "dict"))
        return make_mapping(t, out, arguments, name.bytes[0] == 'n');
    if (pali__text_is(name, "range"))
        return make_range(t, out, arguments);
    if (pali__text_is(name, "strftime_now"))
        return strftime_now(t, out, arguments);
    return pali__template_fail(t, PALI_ERROR_UNSUPPORTED, "the function %.*s is not served", shown(name), name.bytes);
}

/* ---- tests ---- */

/* Tests that look at the kind alone; false if `name` is none of them. */
static bool test_kind(bool *out, struct pali__ttext name, struct pali__tvalue value)
{
    enum pali__tkind kind = value.kind;
    const struct {
        const char *name;
        bool holds;
    } tests[] = {
        { "defined", kind != PALI__T_UNDEFINED },
        { "undefined", kind == PALI__T_UNDEFINED },
        { "none", kind == PALI__T_NONE },
        { "string", kind == PALI__T_STRING },
        { "mapping", kind == PALI__T_DICT },
        { "iterable", kind == PALI__T_STRING || kind == PALI__T_LIST || kind == PALI__T_DICT || kind == PALI__T_UNDEFINED },
        { "sequence", kind == PALI__T_STRING || kind == PALI__T_LIST || kind == PALI__T_DICT || kind == PALI__T_UNDEFINED },
        { "number", pali__t_is_number(value) },
        { "integer", kind == PALI__T_INT },
        { "float", kind == PALI__T_FLOAT },
        { "boolean", kind == PALI__T_BOOL },
        { "true", kind == PALI__T_BOOL && value.as.boolean },
        { "false", kind == PALI__T_BOOL && !value.as.boolean },
        { "callable", kind == PALI__T_FUNCTION },
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        if (pali__text_is(name, tests[i].name)) {
            *out = tests[i].holds;
            return true;
        }
    return false;
}

static pali_status test_divisible(struct pali__template *t, bool *out, struct pali__tvalue value, struct pali__tvalue by,
                                  int64_t remainder)
{
    struct pali__tvalue rest;
    TRY(pali__template_compute(t, &rest, (struct pali__ttext){ "%", 1 }, value, by));
    return pali__t_equal(t, out, rest, pali__t_int(remainder), 0);
}

/* Comparisons by name; NULL if it is none. */
static const char *comparison_of(struct pali__ttext name)
{
    static const char *const words[][2] = { { "eq", "==" }, { "equalto", "==" }, { "ne", "!=" }, { "in", "in" },
                                            { "==", "==" }, { "!=", "!=" },      { "<", "<" },   { "<=", "<=" },
                                            { ">", ">" },   { ">=", ">=" },
                                            { "lt", "<" },  { "lessthan", "<" }, { "le", "<=" }, { "gt", ">" },
                                            { "greaterthan", ">" }, { "ge", ">=" } };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (pali__text_is(name, words[i][0]))
            return words[i][1];
    return NULL;
}

pali_status pali__template_test(struct pali__template *t, bool *out, struct pali__ttext name, struct pali__tvalue value,
                                const struct pali__targuments *arguments)
{
    const char *comparison = comparison_of(name);
    int order = 0;
    *out = false;
    TRY(pali__template_charge(t, 0));
    if (test_kind(out, name, value))
        return PALI_OK;
    if (pali__text_is(name, "even") || pali__text_is(name, "odd"))
        return test_divisible(t, out, value, pali__t_int(2), name.bytes[0] == 'o');
    if (!comparison && !pali__text_is(name, "divisibleby"))
        return pali__template_fail(t, PALI_ERROR_UNSUPPORTED, "the test \"%.*s\" is not served", shown(name), name.bytes);
    if (arguments->count != 1)
        return pali__template_fail(t, PALI_ERROR_FORMAT, "the test \"%.*s\" needs one value to compare with", shown(name),
                                   name.bytes);
    if (!comparison)
        return test_divisible(t, out, value, arguments->values[0], 0);
    if (comparison[0] == 'i')
        return pali__template_contains(t, out, arguments->values[0], value);
    if (comparison[0] == '=' || comparison[0] == '!') {
        TRY(pali__t_equal(t, out, value, arguments->values[0], 0));
        *out = *out == (comparison[0] == '=');
        return PALI_OK;
    }
    TRY(pali__t_order(t, &order, value, arguments->values[0]));
    *out = order == 0 ? comparison[1] == '=' : (order < 0) == (comparison[0] == '<');
    return PALI_OK;
}
