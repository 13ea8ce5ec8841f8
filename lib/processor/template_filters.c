/* SPDX-License-Identifier: BSD-2-Clause */
/* value | filter: jinja2/filters.py, and Transformers' own tojson. */
#include "processor/template_eval.h"

#include <string.h>

static int shown(struct pali__ttext text) { return text.size > 80 ? 80 : (int)text.size; }

/* A filter that is a method of str(value). */
static pali_status as_method(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                             const char *name, const struct pali__targuments *arguments)
{
    struct pali__tvalue text;
    TRY(pali__t_str(t, &text, value));
    return pali__template_method(t, out, text, (struct pali__ttext){ name, strlen(name) }, arguments);
}

static pali_status fail_type(struct pali__template *t, const char *filter, struct pali__tvalue value)
{
    return pali__template_fail(t, PALI_ERROR_FORMAT, "%s of a value of type %s is not possible", filter,
                               pali__t_type(value));
}

static pali_status filter_length(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                                 const struct pali__targuments *arguments)
{
    (void)arguments;
    if (value.kind == PALI__T_STRING) {
        TRY(pali__template_charge(t, value.as.text.size));
        *out = pali__t_int((int64_t)pali__t_length(value.as.text));
    } else if (value.kind == PALI__T_LIST)
        *out = pali__t_int((int64_t)value.as.list->count);
    else if (value.kind == PALI__T_DICT)
        *out = pali__t_int((int64_t)value.as.dict->count);
    else if (value.kind == PALI__T_UNDEFINED)
        *out = pali__t_int(0);
    else
        return fail_type(t, "length", value);
    return PALI_OK;
}

static pali_status filter_default(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                                  const struct pali__targuments *arguments)
{
    const struct pali__tvalue *otherwise = pali__t_argument(arguments, 0, "default_value");
    const struct pali__tvalue *boolean = pali__t_argument(arguments, 1, "boolean");
    (void)t;
    bool lacks = value.kind == PALI__T_UNDEFINED || (boolean && pali__t_truth(*boolean) && !pali__t_truth(value));
    *out = !lacks ? value : otherwise ? *otherwise : pali__t_text("", 0);
    return PALI_OK;
}

static pali_status filter_join(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                               const struct pali__targuments *arguments)
{
    const struct pali__tvalue *separator = pali__t_argument(arguments, 0, "d");
    const struct pali__tvalue *attribute = pali__t_argument(arguments, 1, "attribute");
    struct pali__text made = { NULL, 0, 0 };
    struct pali__tlist *items = NULL;
    pali_status status = PALI_OK;
    if (attribute && attribute->kind != PALI__T_STRING)
        return fail_type(t, "join by an attribute", *attribute);
    TRY(pali__template_iterate(t, &items, value));
    for (size_t i = 0; i < items->count && status == PALI_OK; i++) {
        struct pali__tvalue item = items->items[i];
        if (attribute)
            status = pali__template_item(t, &item, item, *attribute);
        if (status == PALI_OK && i && separator)
            status = pali__t_print(t, &made, *separator);
        if (status == PALI_OK)
            status = pali__t_print(t, &made, item);
    }
    pali_status taken = pali__t_take(t, out, &made);
    return status != PALI_OK ? status : taken;
}

static pali_status filter_tojson(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                                 const struct pali__targuments *arguments)
{
    const struct pali__tvalue *ascii = pali__t_argument(arguments, 0, "ensure_ascii");
    const struct pali__tvalue *indent = pali__t_argument(arguments, 1, "indent");
    const struct pali__tvalue *separators = pali__t_argument(arguments, 2, "separators");
    const struct pali__tvalue *sort = pali__t_argument(arguments, 3, "sort_keys");
    struct pali__json_style style = { -1, { ", ", 2 }, { ": ", 2 }, ascii && pali__t_truth(*ascii),
                                      sort && pali__t_truth(*sort) };
    struct pali__text made = { NULL, 0, 0 };
    if (indent && indent->kind != PALI__T_NONE) {
        if (indent->kind != PALI__T_INT || indent->as.integer < 0 || indent->as.integer > 32)
            return pali__template_fail(t, PALI_ERROR_UNSUPPORTED, "tojson serves an indent of 0 to 32");
        style.indent = indent->as.integer;
        style.item_separator.size = 1;
    }
    if (separators && separators->kind != PALI__T_NONE) {
        const struct pali__tlist *both = separators->kind == PALI__T_LIST ? separators->as.list : NULL;
        if (!both || both->count != 2 || both->items[0].kind != PALI__T_STRING || both->items[1].kind != PALI__T_STRING)
            return pali__template_fail(t, PALI_ERROR_FORMAT, "the separators of tojson are two texts");
        style.item_separator = both->items[0].as.text;
        style.key_separator = both->items[1].as.text;
    }
    pali_status status = pali__t_to_json(t, &made, value, &style, 0);
    pali_status taken = pali__t_take(t, out, &made);
    return status != PALI_OK ? status : taken;
}

/* first and last: undefined of what is empty. */
static pali_status end_of(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value, bool first)
{
    struct pali__tlist *items = NULL;
    TRY(pali__template_iterate(t, &items, value));
    *out = items->count ? items->items[first ? 0 : items->count - 1]
                        : pali__t_undefined((struct pali__ttext){ first ? "first" : "last", first ? 5 : 4 });
    return PALI_OK;
}

static pali_status filter_first(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                                const struct pali__targuments *arguments)
{
    (void)arguments;
    return end_of(t, out, value, true);
}

static pali_status filter_last(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                               const struct pali__targuments *arguments)
{
    (void)arguments;
    return end_of(t, out, value, false);
}

static pali_status filter_string(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                                 const struct pali__targuments *arguments)
{
    (void)arguments;
    return pali__t_str(t, out, value);
}

static pali_status copy_list(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value, bool reverse)
{
    struct pali__tlist *items = NULL;
    TRY(pali__template_iterate(t, &items, value));
    TRY(pali__t_list(t, out, items->count));
    for (size_t i = 0; i < items->count; i++)
        out->as.list->items[i] = items->items[reverse ? items->count - 1 - i : i];
    return PALI_OK;
}

static pali_status filter_list(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                               const struct pali__targuments *arguments)
{
    (void)arguments;
    return copy_list(t, out, value, false);
}

static pali_status filter_reverse(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                                  const struct pali__targuments *arguments)
{
    (void)arguments;
    TRY(copy_list(t, out, value, true));
    if (value.kind != PALI__T_STRING)
        return PALI_OK;
    struct pali__targuments nothing = { .count = 0 };
    return filter_join(t, out, *out, &nothing);
}

static pali_status filter_items(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                                const struct pali__targuments *arguments)
{
    if (value.kind == PALI__T_UNDEFINED)
        return pali__t_list(t, out, 0);
    if (value.kind != PALI__T_DICT)
        return fail_type(t, "items", value);
    return pali__template_method(t, out, value, (struct pali__ttext){ "items", 5 }, arguments);
}

static pali_status filter_abs(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                              const struct pali__targuments *arguments)
{
    (void)arguments;
    if (!pali__t_is_number(value))
        return fail_type(t, "abs", value);
    if (value.kind != PALI__T_FLOAT && pali__t_number(value) >= 0)
        *out = pali__t_int((int64_t)(value.kind == PALI__T_BOOL ? value.as.boolean : value.as.integer));
    else if (value.kind == PALI__T_FLOAT)
        *out = pali__t_float(value.as.number < 0 ? -value.as.number : value.as.number);
    else
        return pali__template_compute(t, out, (struct pali__ttext){ "-", 1 }, pali__t_int(0), value);
    return PALI_OK;
}

static pali_status filter_int(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                              const struct pali__targuments *arguments)
{
    int64_t number = 0;
    size_t i = 0;
    if (arguments->count || (value.kind == PALI__T_FLOAT && !(value.as.number > -9e18 && value.as.number < 9e18)))
        return pali__template_fail(t, PALI_ERROR_UNSUPPORTED, "int with arguments, or of such a number, is not served");
    *out = pali__t_int(0);
    if (pali__t_is_number(value))
        *out = pali__t_int(value.kind == PALI__T_FLOAT ? (int64_t)value.as.number
                           : value.kind == PALI__T_BOOL ? (int64_t)value.as.boolean
                                                        : value.as.integer);
    if (value.kind != PALI__T_STRING)
        return PALI_OK;
    struct pali__ttext text = pali__t_strip(value.as.text, true, true);
    bool negative = text.size && text.bytes[0] == '-';
    for (i = negative || (text.size && text.bytes[0] == '+'); i < text.size && i < 19; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return pali__template_fail(t, PALI_ERROR_UNSUPPORTED, "int of a text other than decimal digits is not served");
        number = number * 10 + (text.bytes[i] - '0');
    }
    if (i < text.size)
        return pali__template_fail(t, PALI_ERROR_LIMIT, "a whole number does not fit 64 bits");
    *out = pali__t_int(negative ? -number : number);
    return PALI_OK;
}

static pali_status filter_safe(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                               const struct pali__targuments *arguments)
{
    (void)t, (void)arguments;
    *out = value;
    return PALI_OK;
}

/* ---- filters over lists ---- */

/* a.b.c of an item. */
static pali_status attribute_path(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue item,
                                  struct pali__ttext path)
{
    *out = item;
    for (size_t begin = 0; begin <= path.size;) {
        const char *dot = memchr(path.bytes + begin, '.', path.size - begin);
        size_t end = dot ? (size_t)(dot - path.bytes) : path.size;
        TRY(pali__template_item(t, out, *out, pali__t_text(path.bytes + begin, end - begin)));
        begin = end + 1;
    }
    return PALI_OK;
}

static pali_status filter_map(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                              const struct pali__targuments *arguments)
{
    const struct pali__tvalue *attribute = NULL, *otherwise = NULL;
    struct pali__targuments rest = { .count = 0 };
    struct pali__tlist *items = NULL;
    for (int i = 0; i < arguments->count; i++)
        if (arguments->names[i].size && pali__text_is(arguments->names[i], "attribute"))
            attribute = &arguments->values[i];
        else if (arguments->names[i].size && pali__text_is(arguments->names[i], "default"))
            otherwise = &arguments->values[i];
        else if (i > 0) {
            rest.names[rest.count] = arguments->names[i];
            rest.values[rest.count++] = arguments->values[i];
        }
    if (attribute ? attribute->kind != PALI__T_STRING
                  : arguments->count == 0 || arguments->values[0].kind != PALI__T_STRING)
        return pali__template_fail(t, PALI_ERROR_FORMAT, "map needs the name of a filter, or attribute=\"…\"");
    TRY(pali__template_iterate(t, &items, value));
    TRY(pali__t_list(t, out, items->count));
    for (size_t i = 0; i < items->count; i++) {
        struct pali__tvalue *mapped = &out->as.list->items[i];
        if (attribute)
            TRY(attribute_path(t, mapped, items->items[i], attribute->as.text));
        else
            TRY(pali__template_filter(t, mapped, arguments->values[0].as.text, items->items[i], &rest));
        if (attribute && otherwise && mapped->kind == PALI__T_UNDEFINED)
            *mapped = *otherwise;
    }
    return PALI_OK;
}

/* select, reject (of the item itself), selectattr, rejectattr (of one of its attributes): those for which a test, or
 * the value's truth, holds or does not. */
static pali_status choose(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                          const struct pali__targuments *arguments, bool by_attribute, bool holds)
{
    struct pali__targuments rest = { .count = 0 };
    struct pali__tlist *items = NULL;
    size_t count = 0;
    int skipped = by_attribute ? 1 : 0;
    for (int i = skipped + 1; i < arguments->count; i++) {
        rest.names[rest.count] = arguments->names[i];
        rest.values[rest.count++] = arguments->values[i];
    }
    for (int i = 0; i <= skipped && i < arguments->count; i++)
        if (arguments->values[i].kind != PALI__T_STRING)
            return pali__template_fail(t, PALI_ERROR_FORMAT, "choosing by a value of type %s is not possible",
                                       pali__t_type(arguments->values[i]));
    if (by_attribute && arguments->count < 1)
        return pali__template_fail(t, PALI_ERROR_FORMAT, "selectattr and rejectattr need the name of an attribute");
    TRY(pali__template_iterate(t, &items, value));
    TRY(pali__t_list(t, out, items->count));
    for (size_t i = 0; i < items->count; i++) {
        struct pali__tvalue tested = items->items[i];
        bool passes = false;
        if (by_attribute)
            TRY(attribute_path(t, &tested, tested, arguments->values[0].as.text));
        if (arguments->count > skipped)
            TRY(pali__template_test(t, &passes, arguments->values[skipped].as.text, tested, &rest));
        else
            passes = pali__t_truth(tested);
        if (passes == holds)
            out->as.list->items[count++] = items->items[i];
    }
    out->as.list->count = count;
    return PALI_OK;
}

/* ---- by name ---- */

typedef pali_status filter_fn(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                              const struct pali__targuments *arguments);

pali_status pali__template_filter(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext name,
                                  struct pali__tvalue value, const struct pali__targuments *arguments)
{
    static const char *const methods[][2] = { { "trim", "strip" },  { "replace", "replace" }, { "upper", "upper" },
                                              { "lower", "lower" }, { "title", "title" }, { "capitalize", "capitalize" } };
    static const char *const choosers[] = { "select", "reject", "selectattr", "rejectattr" };
    static const struct {
        const char *name;
        filter_fn *filter;
    } filters[] = {
        { "length", filter_length }, { "count", filter_length },   { "default", filter_default }, { "d", filter_default },
        { "join", filter_join },     { "tojson", filter_tojson },  { "string", filter_string },   { "first", filter_first },
        { "last", filter_last },     { "list", filter_list },      { "reverse", filter_reverse }, { "items", filter_items },
        { "abs", filter_abs },       { "int", filter_int },        { "safe", filter_safe },       { "map", filter_map },
    };
    TRY(pali__template_charge(t, 0));
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        if (pali__text_is(name, filters[i].name))
            return filters[i].filter(t, out, value, arguments);
    /* Words begin otherwise for the filter title than for the method: "they're" has one word for it. */
    if (pali__text_is(name, "title") && value.kind == PALI__T_STRING && value.as.text.size &&
        memchr(value.as.text.bytes, '\'', value.as.text.size))
        return pali__template_fail(t, PALI_ERROR_UNSUPPORTED, "title of a text with an apostrophe is not served");
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (pali__text_is(name, methods[i][0]))
            return as_method(t, out, value, methods[i][1], arguments);
    for (size_t i = 0; i < sizeof choosers / sizeof choosers[0]; i++)
        if (pali__text_is(name, choosers[i]))
            return choose(t, out, value, arguments, i >= 2, i % 2 == 0);
    return pali__template_fail(t, PALI_ERROR_UNSUPPORTED, "the filter \"%.*s\" is not served", shown(name), name.bytes);
}
