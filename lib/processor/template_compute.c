/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations on values that have a sign of their own: + - * / // % **, [ ], in, and loops over values. */
#include "processor/template_eval.h"

#include <math.h>
#include <string.h>

/* ---- arithmetic ---- */

static pali_status fail_operands(struct pali__template *t, struct pali__ttext sign, struct pali__tvalue a,
                                 struct pali__tvalue b)
{
    return pali__template_fail(t, PALI_ERROR_FORMAT, "%s %.*s %s is not possible", pali__t_type(a), (int)sign.size,
                               sign.bytes, pali__t_type(b));
}

static pali_status fail_overflow(struct pali__template *t)
{
    return pali__template_fail(t, PALI_ERROR_LIMIT, "a whole number does not fit 64 bits");
}

static pali_status power(struct pali__template *t, struct pali__tvalue *out, int64_t base, int64_t exponent)
{
    int64_t product = 1;
    if (exponent < 0 || exponent > 64)
        return pali__template_fail(t, PALI_ERROR_UNSUPPORTED, "a power of exponent %lld is not served",
                                   (long long)exponent);
    for (int64_t i = 0; i < exponent; i++)
        if (__builtin_mul_overflow(product, base, &product))
            return fail_overflow(t);
    *out = pali__t_int(product);
    return PALI_OK;
}

/* Python's quotient and remainder go down, C's to zero. */
static pali_status divide(struct pali__template *t, struct pali__tvalue *out, bool wants_remainder, int64_t a, int64_t b)
{
    if (b == 0)
        return pali__template_fail(t, PALI_ERROR_FORMAT, "a division by zero");
    if (b == -1 && a == INT64_MIN)
        return wants_remainder ? (*out = pali__t_int(0), PALI_OK) : fail_overflow(t);
    int64_t quotient = a / b, remainder = a % b;
    if (remainder != 0 && (remainder < 0) != (b < 0)) {
        quotient--;
        remainder += b;
    }
    *out = pali__t_int(wants_remainder ? remainder : quotient);
    return PALI_OK;
}

static pali_status compute_ints(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext sign, int64_t a,
                                int64_t b)
{
    int64_t result = 0;
    bool overflows = false;
    if (pali__text_is(sign, "+"))
        overflows = __builtin_add_overflow(a, b, &result);
    else if (pali__text_is(sign, "-"))
        overflows = __builtin_sub_overflow(a, b, &result);
    else if (pali__text_is(sign, "*"))
        overflows = __builtin_mul_overflow(a, b, &result);
    else if (pali__text_is(sign, "**"))
        return power(t, out, a, b);
    else
        return divide(t, out, pali__text_is(sign, "%"), a, b);
    *out = pali__t_int(result);
    return overflows ? fail_overflow(t) : PALI_OK;
}

static pali_status compute_floats(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext sign, double a,
                                  double b)
{
    if ((sign.bytes[0] == '/' || sign.bytes[0] == '%') && b == 0.0)
        return pali__template_fail(t, PALI_ERROR_FORMAT, "a division by zero");
    double remainder = fmod(a, b != 0.0 ? b : 1.0);
    if (remainder != 0.0 && (remainder < 0.0) != (b < 0.0))
        remainder += b;
    if (pali__text_is(sign, "+"))
        *out = pali__t_float(a + b);
    else if (pali__text_is(sign, "-"))
        *out = pali__t_float(a - b);
    else if (pali__text_is(sign, "*"))
        *out = pali__t_float(a * b);
    else if (pali__text_is(sign, "/"))
        *out = pali__t_float(a / b);
    else if (pali__text_is(sign, "//"))
        *out = pali__t_float(floor((a - remainder) / b + 0.5));
    else if (pali__text_is(sign, "%"))
        *out = pali__t_float(remainder);
    else
        *out = pali__t_float(pow(a, b));
    return PALI_OK;
}

static pali_status join_texts(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext a,
                              struct pali__ttext b)
{
    char *bytes = NULL;
    TRY(pali__template_charge(t, a.size + b.size));
    TRY(pali__template_alloc(t, &bytes, a.size + b.size));
    if (a.size)
        memcpy(bytes, a.bytes, a.size);
    if (b.size)
        memcpy(bytes + a.size, b.bytes, b.size);
    *out = pali__t_text(bytes, a.size + b.size);
    return PALI_OK;
}

static pali_status repeat_text(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext text,
                               int64_t count)
{
    char *bytes = NULL;
    size_t n = count > 0 && text.size ? (size_t)count : 0;
    if (n > PALI__T_MEMORY / (text.size ? text.size : 1))
        return pali__template_fail(t, PALI_ERROR_LIMIT, "a text times %lld is too long", (long long)count);
    TRY(pali__template_charge(t, n * text.size));
    TRY(pali__template_alloc(t, &bytes, n * text.size));
    for (size_t i = 0; i < n; i++)
        memcpy(bytes + i * text.size, text.bytes, text.size);
    *out = pali__t_text(bytes, n * text.size);
    return PALI_OK;
}

static pali_status join_lists(struct pali__template *t, struct pali__tvalue *out, const struct pali__tlist *a,
                              const struct pali__tlist *b)
{
    TRY(pali__t_list(t, out, a->count + b->count));
    out->as.list->is_tuple = a->is_tuple;
    for (size_t i = 0; i < a->count; i++)
        out->as.list->items[i] = a->items[i];
    for (size_t i = 0; i < b->count; i++)
        out->as.list->items[a->count + i] = b->items[i];
    return PALI_OK;
}

static int64_t whole(struct pali__tvalue value)
{
    return value.kind == PALI__T_BOOL ? value.as.boolean : value.as.integer;
}

pali_status pali__template_compute(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext sign,
                                   struct pali__tvalue a, struct pali__tvalue b)
{
    TRY(pali__template_charge(t, 0));
    if (a.kind == PALI__T_STRING && pali__text_is(sign, "%"))
        return pali__template_fail(t, PALI_ERROR_UNSUPPORTED, "formatting with %% is not served");
    if (a.kind == PALI__T_STRING && b.kind == PALI__T_STRING && pali__text_is(sign, "+"))
        return join_texts(t, out, a.as.text, b.as.text);
    if (a.kind == PALI__T_STRING && (b.kind == PALI__T_INT || b.kind == PALI__T_BOOL) && pali__text_is(sign, "*"))
        return repeat_text(t, out, a.as.text, whole(b));
    if (a.kind == PALI__T_LIST && b.kind == PALI__T_LIST && a.as.list->is_tuple == b.as.list->is_tuple &&
        pali__text_is(sign, "+"))
        return join_lists(t, out, a.as.list, b.as.list);
    if (!pali__t_is_number(a) || !pali__t_is_number(b))
        return fail_operands(t, sign, a, b);
    if (a.kind == PALI__T_FLOAT || b.kind == PALI__T_FLOAT || pali__text_is(sign, "/"))
        return compute_floats(t, out, sign, pali__t_number(a), pali__t_number(b));
    return compute_ints(t, out, sign, whole(a), whole(b));
}

/* ---- items ---- */

/* The character at `index`, which is inside. */
static struct pali__tvalue character(struct pali__ttext text, size_t index)
{
    uint32_t code;
    size_t at = 0;
    for (size_t i = 0; i < index; i++)
        at += pali__t_char(text.bytes + at, text.size - at, &code);
    return pali__t_text(text.bytes + at, pali__t_char(text.bytes + at, text.size - at, &code));
}

pali_status pali__template_item(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                                struct pali__tvalue key)
{
    struct pali__ttext name = key.kind == PALI__T_STRING ? key.as.text : (struct pali__ttext){ "item", 4 };
    if (value.kind == PALI__T_UNDEFINED)
        return pali__template_fail(t, PALI_ERROR_FORMAT, "\"%.*s\" is undefined",
                                   value.as.text.size > 100 ? 100 : (int)value.as.text.size, value.as.text.bytes);
    *out = pali__t_undefined(name);
    if (value.kind == PALI__T_DICT) {
        struct pali__tvalue *found = NULL;
        TRY(pali__t_dict_get(t, value.as.dict, key, &found));
        if (found)
            *out = *found;
        return PALI_OK;
    }
    bool is_index = key.kind == PALI__T_INT || key.kind == PALI__T_BOOL;
    if (!is_index && key.kind == PALI__T_STRING)
        return value.kind == PALI__T_STRING || value.kind == PALI__T_LIST || value.kind == PALI__T_NONE ||
                       pali__t_is_number(value)
                   ? PALI_OK
                   : pali__template_attribute(t, out, value, key.as.text);
    if (!is_index || (value.kind != PALI__T_STRING && value.kind != PALI__T_LIST))
        return PALI_OK;
    TRY(pali__template_charge(t, value.kind == PALI__T_STRING ? value.as.text.size : 0));
    int64_t count = value.kind == PALI__T_LIST ? (int64_t)value.as.list->count : (int64_t)pali__t_length(value.as.text);
    int64_t index = whole(key) < 0 ? whole(key) + count : whole(key);
    if (index < 0 || index >= count)
        return PALI_OK;
    *out = value.kind == PALI__T_LIST ? value.as.list->items[index] : character(value.as.text, (size_t)index);
    return PALI_OK;
}

pali_status pali__template_iterate(struct pali__template *t, struct pali__tlist **out, struct pali__tvalue value)
{
    struct pali__tvalue list;
    if (value.kind == PALI__T_LIST) {
        *out = value.as.list;
        return PALI_OK;
    }
    size_t count = value.kind == PALI__T_DICT     ? value.as.dict->count
                   : value.kind == PALI__T_STRING ? pali__t_length(value.as.text)
                                                  : 0;
    if (value.kind != PALI__T_DICT && value.kind != PALI__T_STRING && value.kind != PALI__T_UNDEFINED)
        return pali__template_fail(t, PALI_ERROR_FORMAT, "a value of type %s cannot be run through",
                                   pali__t_type(value));
    TRY(pali__t_list(t, &list, count));
    *out = list.as.list;
    if (value.kind == PALI__T_DICT)
        for (size_t i = 0; i < count; i++)
            (*out)->items[i] = value.as.dict->keys[i];
    for (size_t i = 0, at = 0; value.kind == PALI__T_STRING && i < count; i++) {
        uint32_t code;
        size_t length = pali__t_char(value.as.text.bytes + at, value.as.text.size - at, &code);
        (*out)->items[i] = pali__t_text(value.as.text.bytes + at, length);
        at += length;
    }
    return PALI_OK;
}

pali_status pali__template_contains(struct pali__template *t, bool *out, struct pali__tvalue value,
                                    struct pali__tvalue inside)
{
    *out = false;
    if (value.kind == PALI__T_DICT) {
        struct pali__tvalue *found = NULL;
        TRY(pali__t_dict_get(t, value.as.dict, inside, &found));
        *out = found != NULL;
        return PALI_OK;
    }
    if (value.kind == PALI__T_STRING) {
        if (inside.kind != PALI__T_STRING)
            return pali__template_fail(t, PALI_ERROR_FORMAT, "\"in\" a text needs a text, not a value of type %s",
                                       pali__t_type(inside));
        TRY(pali__template_charge(t, value.as.text.size));
        *out = pali__t_find(value.as.text, inside.as.text) != NULL;
        return PALI_OK;
    }
    struct pali__tlist *list = NULL;
    TRY(pali__template_iterate(t, &list, value));
    for (size_t i = 0; i < list->count && !*out; i++)
        TRY(pali__t_equal(t, out, list->items[i], inside, 0));
    return PALI_OK;
}
