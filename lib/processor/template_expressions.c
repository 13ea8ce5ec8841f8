/* SPDX-License-Identifier: BSD-2-Clause */
/* Expressions of Jinja's grammar (jinja2/parser.py 3.1), as far as they are served: docs/chat-templates.md. */
#include "processor/template_parser.h"

static pali_status parse_unary(struct parser *p, node **out, bool with_filter);

/* Arguments up to the closing bracket, the opening one being read. */
static pali_status parse_arguments(struct parser *p, node **out)
{
    node **end = out;
    *out = NULL;
    while (!is_operator(p, ")")) {
        struct pali__ttext keyword = { NULL, 0 };
        if (*out)
            TRY(expect_operator(p, ","));
        if (is_operator(p, ")"))
            break;
        if (is_operator(p, "*") || is_operator(p, "**")) {
            p->t->line = p->at->line;
            return pali__template_fail(p->t, PALI_ERROR_UNSUPPORTED, "a call with * or ** is not served");
        }
        if (p->at->kind == PALI__TOKEN_NAME && p->at[1].kind == PALI__TOKEN_OPERATOR &&
            pali__text_is(p->at[1].text, "=")) {
            keyword = p->at->text;
            p->at += 2;
        }
        node *argument = NULL, *holder = NULL;
        TRY(pali__parse_expression(p, &argument));
        TRY(make_named(p, &holder, PALI__T_GROUP, argument, NULL, keyword));
        *end = holder;
        end = &holder->next;
    }
    p->at++;
    return PALI_OK;
}

/* Values between commas up to `close`, which is read. */
static pali_status parse_items(struct parser *p, node **out, const char *close, bool *comma)
{
    node **end = out;
    *out = NULL;
    *comma = false;
    while (!is_operator(p, close)) {
        node *item = NULL, *holder = NULL;
        if (*out)
            TRY(expect_operator(p, ","));
        *comma = *out != NULL;
        if (is_operator(p, close))
            break;
        TRY(pali__parse_expression(p, &item));
        TRY(make(p, &holder, PALI__T_GROUP, item, NULL));
        if (strcmp(close, "}") == 0) {
            TRY(expect_operator(p, ":"));
            TRY(pali__parse_expression(p, &holder->b));
            TRY(finish(p, holder));
        }
        *end = holder;
        end = &holder->next;
    }
    p->at++;
    return PALI_OK;
}

static pali_status parse_bracketed(struct parser *p, node **out)
{
    bool comma = false;
    node *items = NULL;
    if (skip_operator(p, "[")) {
        TRY(parse_items(p, &items, "]", &comma));
        TRY(make(p, out, PALI__T_LISTED, NULL, NULL));
    } else if (skip_operator(p, "{")) {
        TRY(parse_items(p, &items, "}", &comma));
        TRY(make(p, out, PALI__T_DICTED, NULL, NULL));
    } else {
        TRY(expect_operator(p, "("));
        TRY(parse_items(p, &items, ")", &comma));
        if (items && !comma) {
            *out = items->a;
            return PALI_OK;
        }
        TRY(make(p, out, PALI__T_LISTED, NULL, NULL));
        (*out)->flag = true;
    }
    (*out)->list = items;
    return finish(p, *out);
}

pali_status pali__parse_name(struct parser *p, node **out)
{
    static const struct {
        const char *name;
        struct pali__tvalue value;
    } constants[] = {
        { "true", { .kind = PALI__T_BOOL, .as.boolean = true } }, { "True", { .kind = PALI__T_BOOL, .as.boolean = true } },
        { "false", { .kind = PALI__T_BOOL } },                    { "False", { .kind = PALI__T_BOOL } },
        { "none", { .kind = PALI__T_NONE } },                     { "None", { .kind = PALI__T_NONE } },
    };
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++)
        if (skip_name(p, constants[i].name)) {
            TRY(make(p, out, PALI__T_CONST, NULL, NULL));
            (*out)->value = constants[i].value;
            return PALI_OK;
        }
    TRY(make_named(p, out, PALI__T_NAME, NULL, NULL, p->at->text));
    p->at++;
    return PALI_OK;
}

/* A constant; strings that follow each other are one. */
static pali_status parse_constant(struct parser *p, node **out)
{
    TRY(make(p, out, PALI__T_CONST, NULL, NULL));
    (*out)->value = p->at->value;
    p->at++;
    while ((*out)->value.kind == PALI__T_STRING && p->at->kind == PALI__TOKEN_VALUE &&
           p->at->value.kind == PALI__T_STRING) {
        struct pali__ttext first = (*out)->value.as.text, second = p->at->value.as.text;
        char *joined = NULL;
        TRY(pali__template_alloc(p->t, &joined, first.size + second.size));
        memcpy(joined, first.bytes, first.size);
        memcpy(joined + first.size, second.bytes, second.size);
        (*out)->value = pali__t_text(joined, first.size + second.size);
        p->at++;
    }
    return PALI_OK;
}

static pali_status parse_primary(struct parser *p, node **out)
{
    if (p->at->kind == PALI__TOKEN_NAME)
        return pali__parse_name(p, out);
    if (p->at->kind == PALI__TOKEN_VALUE)
        return parse_constant(p, out);
    if (is_operator(p, "(") || is_operator(p, "[") || is_operator(p, "{"))
        return parse_bracketed(p, out);
    return fail_expected(p, "an expression");
}

/* What stands in [ ]: an index, or a slice. */
static pali_status parse_subscript(struct parser *p, node **out, node *base)
{
    node *parts[3] = { NULL, NULL, NULL }, **end;
    int n = 0;
    bool slice = false;
    while (!is_operator(p, "]") && n < 3) {
        if (skip_operator(p, ":")) {
            slice = true;
            n++;
        } else if (parts[n]) {
            break;
        } else {
            TRY(pali__parse_expression(p, &parts[n]));
        }
    }
    if (is_operator(p, ",")) {
        p->t->line = p->at->line;
        return pali__template_fail(p->t, PALI_ERROR_UNSUPPORTED, "an index of several values is not served");
    }
    TRY(expect_operator(p, "]"));
    if (!slice)
        return parts[0] ? make(p, out, PALI__T_ITEM, base, parts[0]) : fail_expected(p, "an index");
    TRY(make(p, out, PALI__T_SLICE, base, NULL));
    end = &(*out)->list;
    for (int i = 0; i < 3; i++) {
        TRY(make(p, end, PALI__T_GROUP, parts[i], NULL));
        end = &(*end)->next;
    }
    return finish(p, *out);
}

static pali_status parse_postfix(struct parser *p, node **out)
{
    for (;;) {
        node *base = *out;
        if (skip_operator(p, ".")) {
            if (p->at->kind == PALI__TOKEN_VALUE && p->at->value.kind == PALI__T_INT) {
                node *index = NULL;
                TRY(parse_constant(p, &index));
                TRY(make(p, out, PALI__T_ITEM, base, index));
                continue;
            }
            struct pali__ttext name = p->at->text;
            TRY(expect_kind(p, PALI__TOKEN_NAME, "a name"));
            TRY(make_named(p, out, PALI__T_ATTRIBUTE, base, NULL, name));
        } else if (skip_operator(p, "[")) {
            TRY(parse_subscript(p, out, base));
        } else if (skip_operator(p, "(")) {
            node *arguments = NULL;
            TRY(parse_arguments(p, &arguments));
            TRY(make(p, out, PALI__T_CALL, base, NULL));
            (*out)->list = arguments;
            TRY(finish(p, *out));
        } else {
            return PALI_OK;
        }
    }
}

static pali_status parse_filter(struct parser *p, node **out)
{
    struct pali__ttext name = p->at->text;
    node *base = *out, *arguments = NULL;
    TRY(expect_kind(p, PALI__TOKEN_NAME, "the name of a filter"));
    if (skip_operator(p, "("))
        TRY(parse_arguments(p, &arguments));
    TRY(make_named(p, out, PALI__T_FILTER, base, NULL, name));
    (*out)->list = arguments;
    return finish(p, *out);
}

/* The one argument of a test may stand without brackets. */
static bool test_argument_follows(const struct parser *p)
{
    static const char *const words[] = { "else", "or", "and", "is", "if", "in", "not" };
    if (p->at->kind == PALI__TOKEN_NAME) {
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
            if (is_name(p, words[i]))
                return false;
        return true;
    }
    return p->at->kind == PALI__TOKEN_VALUE || is_operator(p, "[") || is_operator(p, "{");
}

static pali_status parse_test(struct parser *p, node **out)
{
    node *base = *out, *arguments = NULL;
    bool negated = skip_name(p, "not");
    struct pali__ttext name = p->at->text;
    TRY(expect_kind(p, PALI__TOKEN_NAME, "the name of a test"));
    if (skip_operator(p, "(")) {
        TRY(parse_arguments(p, &arguments));
    } else if (test_argument_follows(p)) {
        node *argument = NULL;
        TRY(parse_primary(p, &argument));
        TRY(parse_postfix(p, &argument));
        TRY(make(p, &arguments, PALI__T_GROUP, argument, NULL));
    }
    TRY(make_named(p, out, PALI__T_TEST, base, NULL, name));
    (*out)->flag = negated;
    (*out)->list = arguments;
    return finish(p, *out);
}

static pali_status parse_filters(struct parser *p, node **out)
{
    for (;;) {
        if (skip_operator(p, "|")) {
            TRY(parse_filter(p, out));
        } else if (skip_name(p, "is")) {
            TRY(parse_test(p, out));
        } else if (skip_operator(p, "(")) {
            node *base = *out, *arguments = NULL;
            TRY(parse_arguments(p, &arguments));
            TRY(make(p, out, PALI__T_CALL, base, NULL));
            (*out)->list = arguments;
            TRY(finish(p, *out));
        } else {
            return PALI_OK;
        }
    }
}

static pali_status parse_signed(struct parser *p, node **out)
{
    enum pali__tnode_kind kind = is_operator(p, "-") ? PALI__T_NEGATIVE : PALI__T_POSITIVE;
    node *inner = NULL;
    p->at++;
    TRY(parse_unary(p, &inner, false));
    return make(p, out, kind, inner, NULL);
}

static pali_status parse_unary(struct parser *p, node **out, bool with_filter)
{
    TRY(enter(p));
    if (is_operator(p, "-") || is_operator(p, "+"))
        TRY(parse_signed(p, out));
    else
        TRY(parse_primary(p, out));
    TRY(parse_postfix(p, out));
    if (with_filter)
        TRY(parse_filters(p, out));
    p->depth--;
    return PALI_OK;
}

/* Operators of one strength, from the left. */
static pali_status parse_binary(struct parser *p, node **out, int strength)
{
    static const char *const levels[][5] = { { "+", "-" }, { "*", "/", "//", "%" }, { "**" } };
    node *right = NULL;
    if (strength == 1) { /* between + and *: concatenation */
        node *first = NULL, *holder = NULL, **end;
        TRY(parse_binary(p, &first, 2));
        if (!is_operator(p, "~")) {
            *out = first;
            return PALI_OK;
        }
        TRY(make(p, out, PALI__T_CONCAT, NULL, NULL));
        TRY(make(p, &holder, PALI__T_GROUP, first, NULL));
        (*out)->list = holder;
        end = &holder->next;
        while (skip_operator(p, "~")) {
            TRY(parse_binary(p, &right, 2));
            TRY(make(p, end, PALI__T_GROUP, right, NULL));
            end = &(*end)->next;
        }
        return finish(p, *out);
    }
    TRY(strength == 3 ? parse_unary(p, out, true) : parse_binary(p, out, strength + 1));
    const char *const *operators = levels[strength == 0 ? 0 : strength - 1];
    for (int i = 0; operators[i];) {
        if (!is_operator(p, operators[i])) {
            i++;
            continue;
        }
        struct pali__ttext name = p->at->text;
        node *left = *out;
        p->at++;
        TRY(strength == 3 ? parse_unary(p, &right, true) : parse_binary(p, &right, strength + 1));
        TRY(make_named(p, out, PALI__T_BINARY, left, right, name));
        i = 0;
    }
    return PALI_OK;
}

/* The comparison that stands here, if one does. */
static bool take_comparison(struct parser *p, struct pali__ttext *name)
{
    static const char *const operators[] = { "==", "!=", ">", ">=", "<", "<=" };
    *name = p->at->text;
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (skip_operator(p, operators[i]))
            return true;
    if (skip_name(p, "in"))
        return true;
    if (is_name(p, "not") && p->at[1].kind == PALI__TOKEN_NAME && pali__text_is(p->at[1].text, "in")) {
        *name = (struct pali__ttext){ "not in", 6 };
        p->at += 2;
        return true;
    }
    return false;
}

static pali_status parse_comparison(struct parser *p, node **out)
{
    node *first = NULL, **end;
    struct pali__ttext name;
    TRY(parse_binary(p, &first, 0));
    *out = first;
    if (!take_comparison(p, &name))
        return PALI_OK;
    TRY(make(p, out, PALI__T_COMPARE, first, NULL));
    end = &(*out)->list;
    do {
        node *operand = NULL;
        TRY(parse_binary(p, &operand, 0));
        TRY(make_named(p, end, PALI__T_GROUP, operand, NULL, name));
        end = &(*end)->next;
    } while (take_comparison(p, &name));
    return finish(p, *out);
}

static pali_status parse_not(struct parser *p, node **out)
{
    node *inner = NULL;
    if (!skip_name(p, "not"))
        return parse_comparison(p, out);
    TRY(enter(p));
    TRY(parse_not(p, &inner));
    p->depth--;
    return make(p, out, PALI__T_NOT, inner, NULL);
}

static pali_status parse_and(struct parser *p, node **out)
{
    TRY(parse_not(p, out));
    while (skip_name(p, "and")) {
        node *left = *out, *right = NULL;
        TRY(parse_not(p, &right));
        TRY(make(p, out, PALI__T_AND, left, right));
    }
    return PALI_OK;
}

pali_status pali__parse_condition(struct parser *p, node **out)
{
    TRY(parse_and(p, out));
    while (skip_name(p, "or")) {
        node *left = *out, *right = NULL;
        TRY(parse_and(p, &right));
        TRY(make(p, out, PALI__T_OR, left, right));
    }
    return PALI_OK;
}

pali_status pali__parse_expression(struct parser *p, node **out)
{
    TRY(enter(p));
    TRY(pali__parse_condition(p, out));
    while (skip_name(p, "if")) {
        node *value = *out, *condition = NULL, *otherwise = NULL;
        TRY(pali__parse_condition(p, &condition));
        if (skip_name(p, "else"))
            TRY(pali__parse_expression(p, &otherwise));
        TRY(make(p, out, PALI__T_CHOICE, value, condition));
        (*out)->c = otherwise;
        TRY(finish(p, *out));
    }
    p->depth--;
    return PALI_OK;
}

/* An expression, or several between commas, which are a tuple. */
pali_status pali__parse_tuple(struct parser *p, node **out)
{
    node *first = NULL, **end;
    TRY(pali__parse_expression(p, &first));
    *out = first;
    if (!is_operator(p, ","))
        return PALI_OK;
    TRY(make(p, out, PALI__T_LISTED, NULL, NULL));
    (*out)->flag = true;
    TRY(make(p, &(*out)->list, PALI__T_GROUP, first, NULL));
    end = &(*out)->list->next;
    while (skip_operator(p, ",")) {
        if (p->at->kind == PALI__TOKEN_BLOCK_END || p->at->kind == PALI__TOKEN_OUTPUT_END)
            break;
        TRY(pali__parse_expression(p, &first));
        TRY(make(p, end, PALI__T_GROUP, first, NULL));
        end = &(*end)->next;
    }
    return finish(p, *out);
}
