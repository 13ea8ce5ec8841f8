/* SPDX-License-Identifier: BSD-2-Clause */
#include "processor/template_eval.h"

#include <string.h>

typedef struct pali__tnode node;

const struct pali__tvalue *pali__t_argument(const struct pali__targuments *arguments, int index, const char *name)
{
    for (int i = 0; i < arguments->count; i++)
        if (arguments->names[i].size ? pali__text_is(arguments->names[i], name) : i == index)
            return &arguments->values[i];
    return NULL;
}

static pali_status evaluate_arguments(struct pali__template *t, struct pali__targuments *out, const node *list)
{
    out->count = 0;
    for (; list; list = list->next) {
        if (out->count == PALI__T_ARGUMENTS)
            return pali__template_fail(t, PALI_ERROR_LIMIT, "a call has more than %d arguments", PALI__T_ARGUMENTS);
        TRY(pali__template_evaluate(t, &out->values[out->count], list->a));
        out->names[out->count++] = list->name;
    }
    return PALI_OK;
}

static pali_status evaluate_name(struct pali__template *t, struct pali__tvalue *out, struct pali__ttext name)
{
    const struct pali__tvalue *value = pali__template_lookup(t, name);
    TRY(pali__template_charge(t, t->n_variables * 8));
    if (value)
        *out = *value;
    else if (pali__template_is_function(name))
        *out = (struct pali__tvalue){ .kind = PALI__T_FUNCTION, .as.text = name };
    else
        *out = pali__t_undefined(name);
    return PALI_OK;
}

pali_status pali__template_attribute(struct pali__template *t, struct pali__tvalue *out, struct pali__tvalue value,
                                     struct pali__ttext name)
{
    struct pali__tvalue *found = NULL;
    if (value.kind == PALI__T_UNDEFINED)
        return pali__template_fail(t, PALI_ERROR_FORMAT, "\"%.*s\" is undefined, and so has no \"%.*s\"",
                                   value.as.text.size > 100 ? 100 : (int)value.as.text.size, value.as.text.bytes,
                                   name.size > 100 ? 100 : (int)name.size, name.bytes);
    if (pali__template_is_method(value.kind, name))
        return pali__template_fail(t, PALI_ERROR_UNSUPPORTED, "the method .%.*s without a call is not served",
                                   (int)name.size, name.bytes);
    *out = pali__t_undefined(name);
    if (value.kind == PALI__T_DICT || value.kind == PALI__T_NAMESPACE)
        TRY(pali__t_dict_get(t, value.as.dict, pali__t_text(name.bytes, name.size), &found));
    if (found)
        *out = *found;
    if (value.kind != PALI__T_LOOP)
        return PALI_OK;

    const struct pali__tloop *loop = value.as.loop;
    int64_t count = (int64_t)loop->items->count, index = (int64_t)loop->index;
    const struct {
        const char *name;
        struct pali__tvalue value;
    } members[] = {
        { "index", pali__t_int(index + 1) },         { "index0", pali__t_int(index) },
        { "revindex", pali__t_int(count - index) },  { "revindex0", pali__t_int(count - index - 1) },
        { "first", pali__t_bool(index == 0) },       { "last", pali__t_bool(index == count - 1) },
        { "length", pali__t_int(count) },            { "depth", pali__t_int(1) }, /* of recursion */
        { "depth0", pali__t_int(0) },
        { "previtem", index > 0 ? loop->items->items[index - 1] : pali__t_undefined(name) },
        { "nextitem", index + 1 < count ? loop->items->items[index + 1] : pali__t_undefined(name) },
    };
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (pali__text_is(name, members[i].name)) {
            *out = members[i].value;
            return PALI_OK;
        }
    return pali__template_fail(t, PALI_ERROR_UNSUPPORTED, "loop.%.*s is not served",
                               name.size > 80 ? 80 : (int)name.size, name.bytes);
}

static pali_status evaluate_call(struct pali__template *t, struct pali__tvalue *out, const node *call)
{
    struct pali__targuments arguments;
    struct pali__tvalue called;
    if (call->a->kind == PALI__T_ATTRIBUTE) {
        TRY(pali__template_evaluate(t, &called, call->a->a));
        if (pali__template_is_method(called.kind, call->a->name)) {
            TRY(evaluate_arguments(t, &arguments, call->list));
            t->line = call->line;
            return pali__template_method(t, out, called, call->a->name, &arguments);
        }
        if (pali__template_lacks_method(called.kind, call->a->name))
            return pali__template_fail(t, PALI_ERROR_UNSUPPORTED, "the method .%.*s of a %s is not served",
                                       call->a->name.size > 80 ? 80 : (int)call->a->name.size, call->a->name.bytes,
                                       pali__t_type(called));
    }
    TRY(pali__template_evaluate(t, &called, call->a));
    TRY(evaluate_arguments(t, &arguments, call->list));
    t->line = call->line;
    if (called.kind == PALI__T_FUNCTION)
        return pali__template_function(t, out, called.as.text, &arguments);
    if (called.kind == PALI__T_UNDEFINED)
        return pali__template_fail(t, PALI_ERROR_FORMAT, "\"%.*s\" is undefined, and so cannot be called",
                                   called.as.text.size > 100 ? 100 : (int)called.as.text.size, called.as.text.bytes);
    return pali__template_fail(t, PALI_ERROR_FORMAT, "a value of type %s cannot be called", pali__t_type(called));
}

static pali_status evaluate_list(struct pali__template *t, struct pali__tvalue *out, const node *expression)
{
    size_t count = 0;
    for (const node *item = expression->list; item; item = item->next)
        count++;
    TRY(pali__t_list(t, out, count));
    out->as.list->is_tuple = expression->flag;
    count = 0;
    for (const node *item = expression->list; item; item = item->next)
        TRY(pali__template_evaluate(t, &out->as.list->items[count++], item->a));
    return PALI_OK;
}

static pali_status evaluate_dict(struct pali__template *t, struct pali__tvalue *out, const node *expression)
{
    TRY(pali__t_dict(t, out, 0));
    for (const node *item = expression->list; item; item = item->next) {
        struct pali__tvalue key, value;
        TRY(pali__template_evaluate(t, &key, item->a));
        TRY(pali__template_evaluate(t, &value, item->b));
        TRY(pali__t_dict_set(t, out->as.dict, key, value));
    }
    return PALI_OK;
}

/* Python's slice.indices. A bound that is left out is INT64_MIN. */
static void slice_bounds(int64_t bounds[3], int64_t count)
{
    const int64_t absent = INT64_MIN, step = bounds[2] == absent ? 1 : bounds[2];
    const int64_t lowest = step < 0 ? -1 : 0, highest = step < 0 ? count - 1 : count;
    for (int i = 0; i < 2; i++) {
        if (bounds[i] == absent)
            bounds[i] = (i == 0) == (step < 0) ? highest : lowest;
        else if (bounds[i] < 0)
            bounds[i] = bounds[i] < -count ? lowest : bounds[i] + count;
        else if (bounds[i] > highest)
            bounds[i] = highest;
    }
    bounds[2] = step;
}

static pali_status evaluate_slice(struct pali__template *t, struct pali__tvalue *out, const node *slice)
{
    struct pali__tvalue base, bound;
    struct pali__tlist *items = NULL;
    int64_t bounds[3] = { INT64_MIN, INT64_MIN, INT64_MIN };
    int n = 0;
    TRY(pali__template_evaluate(t, &base, slice->a));
    for (const node *part = slice->list; part; part = part->next, n++) {
        bound = pali__t_none();
        if (part->a)
            TRY(pali__template_evaluate(t, &bound, part->a));
        if (bound.kind == PALI__T_INT)
            bounds[n] = bound.as.integer > INT64_MIN / 4 && bound.as.integer < INT64_MAX / 4 ? bound.as.integer
                        : bound.as.integer < 0                                               ? INT64_MIN / 4
                                                                                             : INT64_MAX / 4;
        else if (bound.kind != PALI__T_NONE)
            return pali__template_fail(t, PALI_ERROR_FORMAT, "a slice has a bound of type %s", pali__t_type(bound));
    }
    t->line = slice->line;
    if (bounds[2] == 0)
        return pali__template_fail(t, PALI_ERROR_FORMAT, "a slice has the step 0");
    if (base.kind == PALI__T_UNDEFINED)
        return pali__template_item(t, out, base, pali__t_none());
    if (base.kind != PALI__T_STRING && base.kind != PALI__T_LIST) {
        *out = pali__t_undefined((struct pali__ttext){ "slice", 5 });
        return PALI_OK;
    }
    TRY(pali__template_iterate(t, &items, base));
    slice_bounds(bounds, (int64_t)items->count);
    size_t count = 0;
    for (int64_t i = bounds[0]; bounds[2] > 0 ? i < bounds[1] : i > bounds[1]; i += bounds[2])
        count++;
    TRY(pali__t_list(t, out, count));
    count = 0;
    for (int64_t i = bounds[0]; bounds[2] > 0 ? i < bounds[1] : i > bounds[1]; i += bounds[2])
        out->as.list->items[count++] = items->items[i];
    if (base.kind == PALI__T_LIST) {
        out->as.list->is_tuple = base.as.list->is_tuple;
        return PALI_OK;
    }
    struct pali__text text = { NULL, 0, 0 };
    pali_status status = PALI_OK;
    for (size_t i = 0; i < count && status == PALI_OK; i++)
        status = pali__t_print(t, &text, out->as.list->items[i]);
    pali_status taken = pali__t_take(t, out, &text);
    return status != PALI_OK ? status : taken;
}

static pali_status compare(struct pali__template *t, bool *out, struct pali__ttext sign, struct pali__tvalue a,
                           struct pali__tvalue b)
{
    int order = 0;
    if (pali__text_is(sign, "==") || pali__text_is(sign, "!=")) {
        TRY(pali__t_equal(t, out, a, b, 0));
        *out = *out == (sign.bytes[0] == '=');
        return PALI_OK;
    }
    if (pali__text_is(sign, "in") || pali__text_is(sign, "not in")) {
        TRY(pali__template_contains(t, out, b, a));
        *out = *out == (sign.size == 2);
        return PALI_OK;
    }
    TRY(pali__t_order(t, &order, a, b));
    bool or_equal = sign.size == 2;
    *out = order == 0 ? or_equal : (order < 0) == (sign.bytes[0] == '<');
    return PALI_OK;
}

static pali_status evaluate_comparison(struct pali__template *t, struct pali__tvalue *out, const node *comparison)
{
    struct pali__tvalue left, right;
    bool holds = true;
    TRY(pali__template_evaluate(t, &left, comparison->a));
    for (const node *item = comparison->list; item && holds; item = item->next) {
        TRY(pali__template_evaluate(t, &right, item->a));
        t->line = item->line;
        TRY(compare(t, &holds, item->name, left, right));
        left = right;
    }
    *out = pali__t_bool(holds);
    return PALI_OK;
}

static pali_status evaluate_concat(struct pali__template *t, struct pali__tvalue *out, const node *concat)
{
    struct pali__text text = { NULL, 0, 0 };
    pali_status status = PALI_OK;
    for (const node *item = concat->list; item && status == PALI_OK; item = item->next) {
        struct pali__tvalue value = pali__t_none();
        status = pali__template_evaluate(t, &value, item->a);
        if (status == PALI_OK)
            status = pali__t_print(t, &text, value);
    }
    pali_status taken = pali__t_take(t, out, &text);
    return status != PALI_OK ? status : taken;
}

static pali_status evaluate_sign(struct pali__template *t, struct pali__tvalue *out, const node *expression)
{
    struct pali__tvalue value;
    TRY(pali__template_evaluate(t, &value, expression->a));
    struct pali__ttext sign = { expression->kind == PALI__T_NEGATIVE ? "-" : "+", 1 };
    t->line = expression->line;
    return pali__template_compute(t, out, sign, value.kind == PALI__T_FLOAT ? pali__t_float(-0.0) : pali__t_int(0), value);
}

static pali_status evaluate_applied(struct pali__template *t, struct pali__tvalue *out, const node *applied)
{
    struct pali__targuments arguments;
    struct pali__tvalue value;
    bool holds = false;
    TRY(pali__template_evaluate(t, &value, applied->a));
    TRY(evaluate_arguments(t, &arguments, applied->list));
    t->line = applied->line;
    if (applied->kind == PALI__T_FILTER)
        return pali__template_filter(t, out, applied->name, value, &arguments);
    TRY(pali__template_test(t, &holds, applied->name, value, &arguments));
    *out = pali__t_bool(holds != applied->flag);
    return PALI_OK;
}

/* Both sides of an operation, and the operation. */
static pali_status evaluate_pair(struct pali__template *t, struct pali__tvalue *out, const node *expression)
{
    struct pali__tvalue a, b;
    TRY(pali__template_evaluate(t, &a, expression->a));
    if ((expression->kind == PALI__T_AND && !pali__t_truth(a)) || (expression->kind == PALI__T_OR && pali__t_truth(a))) {
        *out = a;
        return PALI_OK;
    }
    TRY(pali__template_evaluate(t, &b, expression->b));
    t->line = expression->line;
    if (expression->kind == PALI__T_ITEM)
        return pali__template_item(t, out, a, b);
    if (expression->kind == PALI__T_BINARY)
        return pali__template_compute(t, out, expression->name, a, b);
    *out = b;
    return PALI_OK;
}

static pali_status evaluate_choice(struct pali__template *t, struct pali__tvalue *out, const node *choice)
{
    struct pali__tvalue condition;
    TRY(pali__template_evaluate(t, &condition, choice->b));
    if (pali__t_truth(condition))
        return pali__template_evaluate(t, out, choice->a);
    if (choice->c)
        return pali__template_evaluate(t, out, choice->c);
    *out = pali__t_undefined((struct pali__ttext){ "if without else", 15 });
    return PALI_OK;
}

pali_status pali__template_evaluate(struct pali__template *t, struct pali__tvalue *out, const struct pali__tnode *node_)
{
    struct pali__tvalue value;
    t->line = node_->line;
    TRY(pali__template_charge(t, 0));
    switch (node_->kind) {
    case PALI__T_CONST:
        *out = node_->value;
        return PALI_OK;
    case PALI__T_NAME:
        return evaluate_name(t, out, node_->name);
    case PALI__T_LISTED:
        return evaluate_list(t, out, node_);
    case PALI__T_DICTED:
        return evaluate_dict(t, out, node_);
    case PALI__T_ATTRIBUTE:
        TRY(pali__template_evaluate(t, &value, node_->a));
        t->line = node_->line;
        return pali__template_attribute(t, out, value, node_->name);
    case PALI__T_SLICE:
        return evaluate_slice(t, out, node_);
    case PALI__T_CALL:
        return evaluate_call(t, out, node_);
    case PALI__T_FILTER:
    case PALI__T_TEST:
        return evaluate_applied(t, out, node_);
    case PALI__T_NOT:
        TRY(pali__template_evaluate(t, &value, node_->a));
        *out = pali__t_bool(!pali__t_truth(value));
        return PALI_OK;
    case PALI__T_NEGATIVE:
    case PALI__T_POSITIVE:
        return evaluate_sign(t, out, node_);
    case PALI__T_AND:
    case PALI__T_OR:
    case PALI__T_ITEM:
    case PALI__T_BINARY:
        return evaluate_pair(t, out, node_);
    case PALI__T_CONCAT:
        return evaluate_concat(t, out, node_);
    case PALI__T_COMPARE:
        return evaluate_comparison(t, out, node_);
    case PALI__T_CHOICE:
        return evaluate_choice(t, out, node_);
    default:
        return pali__template_fail(t, PALI_ERROR_INTERNAL, "a statement stands where a value should");
    }
}
