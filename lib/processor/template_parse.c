/* SPDX-License-Identifier: BSD-2-Clause */
/* Statements of Jinja's grammar (jinja2/parser.py 3.1), as far as they are served: docs/chat-templates.md. */
#include "processor/template_parser.h"

static pali_status parse_body(struct parser *p, node **out, const char *const *ends);

static pali_status end_of_block(struct parser *p) { return expect_kind(p, PALI__TOKEN_BLOCK_END, "\"%}\""); }

/* Names that values are put under: one, or several between commas. */
static pali_status parse_target(struct parser *p, node **out)
{
    bool brackets = skip_operator(p, "(");
    node **end;
    if (p->at->kind != PALI__TOKEN_NAME)
        return fail_expected(p, "a name");
    TRY(pali__parse_name(p, out));
    if ((*out)->kind != PALI__T_NAME)
        return fail_expected(p, "a name");
    if (is_operator(p, ",")) {
        node *first = *out;
        TRY(make(p, out, PALI__T_LISTED, NULL, NULL));
        (*out)->list = first;
        end = &first->next;
        while (skip_operator(p, ",")) {
            if (p->at->kind != PALI__TOKEN_NAME)
                return fail_expected(p, "a name");
            TRY(pali__parse_name(p, end));
            if ((*end)->kind != PALI__T_NAME)
                return fail_expected(p, "a name");
            end = &(*end)->next;
        }
    }
    return brackets ? expect_operator(p, ")") : PALI_OK;
}

static pali_status parse_if(struct parser *p, node **out)
{
    static const char *const ends[] = { "elif", "else", "endif", NULL };
    node *condition = NULL;
    TRY(enter(p));
    TRY(pali__parse_tuple(p, &condition));
    TRY(end_of_block(p));
    TRY(make(p, out, PALI__T_IF, condition, NULL));
    TRY(parse_body(p, &(*out)->list, ends));
    if (skip_name(p, "elif")) {
        TRY(parse_if(p, &(*out)->otherwise));
    } else {
        if (skip_name(p, "else")) {
            TRY(end_of_block(p));
            TRY(parse_body(p, &(*out)->otherwise, ends + 2));
        }
        p->at++;
        TRY(end_of_block(p));
    }
    p->depth--;
    return finish(p, *out);
}

static pali_status parse_for(struct parser *p, node **out)
{
    static const char *const ends[] = { "else", "endfor", NULL };
    node *made = NULL;
    TRY(make(p, &made, PALI__T_FOR, NULL, NULL));
    TRY(parse_target(p, &made->b));
    if (!skip_name(p, "in"))
        return fail_expected(p, "\"in\"");
    /* The loop's own "if" is no part of the expression before it. */
    TRY(pali__parse_condition(p, &made->a));
    if (is_operator(p, ",")) {
        p->t->line = p->at->line;
        return pali__template_fail(p->t, PALI_ERROR_UNSUPPORTED, "a loop over values without brackets is not served");
    }
    if (skip_name(p, "if"))
        TRY(pali__parse_expression(p, &made->c));
    if (is_name(p, "recursive")) {
        p->t->line = p->at->line;
        return pali__template_fail(p->t, PALI_ERROR_UNSUPPORTED, "a recursive loop is not served");
    }
    TRY(end_of_block(p));
    p->n_loops++;
    TRY(parse_body(p, &made->list, ends));
    p->n_loops--;
    if (skip_name(p, "else")) {
        TRY(end_of_block(p));
        TRY(parse_body(p, &made->otherwise, ends + 1));
    }
    p->at++;
    *out = made;
    TRY(end_of_block(p));
    return finish(p, made);
}

static pali_status parse_set(struct parser *p, node **out)
{
    static const char *const ends[] = { "endset", NULL };
    node *made = NULL;
    TRY(make(p, &made, PALI__T_SET, NULL, NULL));
    TRY(parse_target(p, &made->b));
    if (made->b->kind == PALI__T_NAME && skip_operator(p, ".")) {
        struct pali__ttext name = p->at->text;
        node *base = made->b;
        TRY(expect_kind(p, PALI__TOKEN_NAME, "a name"));
        TRY(make_named(p, &made->b, PALI__T_ATTRIBUTE, base, NULL, name));
    }
    *out = made;
    if (skip_operator(p, "=")) {
        TRY(pali__parse_tuple(p, &made->a));
        TRY(end_of_block(p));
        return finish(p, made);
    }
    if (is_operator(p, "|")) {
        p->t->line = p->at->line;
        return pali__template_fail(p->t, PALI_ERROR_UNSUPPORTED, "a set block with a filter is not served");
    }
    TRY(end_of_block(p));
    int n_loops = p->n_loops;
    p->n_loops = 0; /* no "break" leads out of here */
    TRY(parse_body(p, &made->list, ends));
    p->n_loops = n_loops;
    p->at++;
    TRY(end_of_block(p));
    return finish(p, made);
}

/* {% generation %} marks what the assistant wrote, for training: here it only holds its contents together. */
static pali_status parse_generation(struct parser *p, node **out)
{
    static const char *const ends[] = { "endgeneration", NULL };
    TRY(end_of_block(p));
    TRY(make(p, out, PALI__T_GROUP, NULL, NULL));
    TRY(parse_body(p, &(*out)->list, ends));
    p->at++;
    TRY(end_of_block(p));
    return finish(p, *out);
}

static pali_status parse_statement(struct parser *p, node **out)
{
    if (skip_name(p, "if"))
        return parse_if(p, out);
    if (skip_name(p, "for"))
        return parse_for(p, out);
    if (skip_name(p, "set"))
        return parse_set(p, out);
    if (skip_name(p, "generation"))
        return parse_generation(p, out);
    if (is_name(p, "break") || is_name(p, "continue")) {
        if (!p->n_loops)
            return fail_expected(p, "a loop around \"break\" or \"continue\"");
        TRY(make(p, out, is_name(p, "break") ? PALI__T_BREAK : PALI__T_CONTINUE, NULL, NULL));
        p->at++;
        return end_of_block(p);
    }
    struct pali__ttext name = p->at->text;
    TRY(expect_kind(p, PALI__TOKEN_NAME, "the name of a statement"));
    p->t->line = p->at[-1].line;
    if ((name.size > 3 && memcmp(name.bytes, "end", 3) == 0) || pali__text_is(name, "else") ||
        pali__text_is(name, "elif"))
        return pali__template_fail(p->t, PALI_ERROR_FORMAT, "\"%.*s\" ends nothing", name.size > 80 ? 80 : (int)name.size,
                                   name.bytes);
    return pali__template_fail(p->t, PALI_ERROR_UNSUPPORTED, "the statement \"%.*s\" is not served",
                               name.size > 80 ? 80 : (int)name.size, name.bytes);
}

/* Statements up to a block that begins with one of `ends`, at whose name the parser then stands. NULL: to the end of the
 * template. */
static pali_status parse_body(struct parser *p, node **out, const char *const *ends)
{
    node **end = out;
    *out = NULL;
    TRY(enter(p));
    for (;; end = &(*end)->next) {
        switch (p->at->kind) {
        case PALI__TOKEN_END:
            if (ends)
                return fail_expected(p, ends[1] ? ends[2] ? ends[2] : ends[1] : ends[0]);
            p->depth--;
            return PALI_OK;
        case PALI__TOKEN_DATA:
            TRY(make(p, end, PALI__T_DATA, NULL, NULL));
            (*end)->value = pali__t_text(p->at->text.bytes, p->at->text.size);
            p->at++;
            break;
        case PALI__TOKEN_OUTPUT: {
            node *value = NULL;
            p->at++;
            TRY(pali__parse_tuple(p, &value));
            TRY(make(p, end, PALI__T_OUTPUT_OF, value, NULL));
            TRY(expect_kind(p, PALI__TOKEN_OUTPUT_END, "\"}}\""));
            break;
        }
        default:
            p->at++;
            for (int i = 0; ends && ends[i]; i++)
                if (is_name(p, ends[i])) {
                    p->depth--;
                    return PALI_OK;
                }
            TRY(parse_statement(p, end));
        }
    }
}

pali_status pali__template_parse(struct pali__template *t, struct pali__tnode **out, const char *source, size_t size)
{
    struct pali__token *tokens = NULL;
    TRY(pali__template_lex(t, &tokens, source, size));
    struct parser parser = { .t = t, .at = tokens };
    return parse_body(&parser, out, NULL);
}
