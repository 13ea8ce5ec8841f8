/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions and tests. */
#include "processor/template_eval.h"

#include <string.h>
#include <time.h>

static int shown(struct pali__ttext text) { return text.size > 80 ? 80 : (int)text.size; }

/* ---- functions ---- */

static const char *const functions[] = { "raise_exception", "namespace", "dict", "range", "strftime_now", "lipsum", "cycler",
                                         "joiner" };

bool pali__template_is_function(struct pali__ttext name)
{
    return pali__text_is_one_of(name, functions, sizeof functions / sizeof functions[0]);
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
    TRY(pali__t_text_argument(t, &given, arguments, 0, "format", NULL));
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
