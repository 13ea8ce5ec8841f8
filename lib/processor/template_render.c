/* SPDX-License-Identifier: BSD-2-Clause */
/* Statements: what is put out, chosen, repeated, and set. */
#include "processor/template.h"

#include <string.h>

#include "core/utf8_length.h"
#include "processor/template_eval.h"

typedef struct pali__tnode node;

enum flow { GO_ON, BREAK, CONTINUE };

static pali_status run_list(struct pali__template *t, const node *list, enum flow *flow);

/* ---- variables ---- */

const struct pali__tvalue *pali__template_lookup(const struct pali__template *t, struct pali__ttext name)
{
    for (size_t i = t->n_variables; i-- > 0;)
        if (t->variables[i].name.size == name.size && memcmp(t->variables[i].name.bytes, name.bytes, name.size) == 0)
            return &t->variables[i].value;
    return NULL;
}

pali_status pali__template_set(struct pali__template *t, struct pali__ttext name, struct pali__tvalue value)
{
    for (size_t i = t->scope_start; i < t->n_variables; i++)
        if (t->variables[i].name.size == name.size && memcmp(t->variables[i].name.bytes, name.bytes, name.size) == 0) {
            t->variables[i].value = value;
            return PALI_OK;
        }
    if (t->n_variables == t->variables_capacity) {
        size_t capacity = t->variables_capacity ? t->variables_capacity * 2 : 32;
        struct pali__tvariable *grown = NULL;
        TRY(pali__template_alloc(t, &grown, capacity * sizeof *grown));
        if (t->n_variables)
            memcpy(grown, t->variables, t->n_variables * sizeof *grown);
        t->variables = grown;
        t->variables_capacity = capacity;
    }
    t->variables[t->n_variables++] = (struct pali__tvariable){ name, value };
    return PALI_OK;
}

/* Puts a value under a name, or its parts under several, or into a namespace. */
static pali_status assign(struct pali__template *t, const node *target, struct pali__tvalue value)
{
    if (target->kind == PALI__T_NAME)
        return pali__template_set(t, target->name, value);
    if (target->kind == PALI__T_ATTRIBUTE) {
        const struct pali__tvalue *space = pali__template_lookup(t, target->a->name);
        if (!space || space->kind != PALI__T_NAMESPACE)
            return pali__template_fail(t, PALI_ERROR_FORMAT, "\"%.*s\" is no namespace, and cannot be set into",
                                       target->a->name.size > 80 ? 80 : (int)target->a->name.size,
                                       target->a->name.bytes);
        return pali__t_dict_set(t, space->as.dict, pali__t_text(target->name.bytes, target->name.size), value);
    }
    struct pali__tlist *parts = NULL;
    size_t count = 0, i = 0;
    TRY(pali__template_iterate(t, &parts, value));
    for (const node *name = target->list; name; name = name->next)
        count++;
    if (count != parts->count)
        return pali__template_fail(t, PALI_ERROR_FORMAT, "%zu values cannot be put under %zu names", parts->count, count);
    for (const node *name = target->list; name; name = name->next)
        TRY(pali__template_set(t, name->name, parts->items[i++]));
    return PALI_OK;
}

/* ---- statements ---- */

/* The items for which the loop's own condition holds. */
static pali_status choose_items(struct pali__template *t, struct pali__tlist **items, const node *loop)
{
    struct pali__tvalue chosen, condition;
    size_t count = 0;
    TRY(pali__t_list(t, &chosen, (*items)->count));
    for (size_t i = 0; i < (*items)->count; i++) {
        size_t outer = t->scope_start, n = t->n_variables;
        t->scope_start = n;
        TRY(assign(t, loop->b, (*items)->items[i]));
        TRY(pali__template_evaluate(t, &condition, loop->c));
        t->scope_start = outer;
        t->n_variables = n;
        if (pali__t_truth(condition))
            chosen.as.list->items[count++] = (*items)->items[i];
    }
    chosen.as.list->count = count;
    *items = chosen.as.list;
    return PALI_OK;
}

/* Each turn has a scope of its own: what it sets is gone after it. */
static pali_status run_turn(struct pali__template *t, const node *loop, struct pali__tloop *state, enum flow *flow)
{
    size_t outer = t->scope_start, n = t->n_variables;
    struct pali__tvalue variable = { .kind = PALI__T_LOOP, .as.loop = state };
    TRY(pali__template_charge(t, 0));
    t->scope_start = n;
    TRY(pali__template_set(t, (struct pali__ttext){ "loop", 4 }, variable));
    TRY(assign(t, loop->b, state->items->items[state->index]));
    TRY(run_list(t, loop->list, flow));
    t->scope_start = outer;
    t->n_variables = n;
    return PALI_OK;
}

static pali_status run_for(struct pali__template *t, const node *loop)
{
    struct pali__tvalue value;
    struct pali__tlist *items = NULL;
    struct pali__tloop *state = NULL;
    enum flow flow = GO_ON;
    TRY(pali__template_evaluate(t, &value, loop->a));
    t->line = loop->line;
    TRY(pali__template_iterate(t, &items, value));
    if (loop->c)
        TRY(choose_items(t, &items, loop));
    if (items->count == 0)
        return run_list(t, loop->otherwise, &flow);
    TRY(pali__template_alloc(t, &state, sizeof *state)); /* a namespace may keep it */
    *state = (struct pali__tloop){ items, 0 };
    for (size_t i = 0; i < items->count && flow != BREAK; i++) {
        state->index = i;
        flow = GO_ON;
        TRY(run_turn(t, loop, state, &flow));
    }
    return PALI_OK;
}

static pali_status run_if(struct pali__template *t, const node *choice, enum flow *flow)
{
    struct pali__tvalue condition;
    TRY(pali__template_evaluate(t, &condition, choice->a));
    return run_list(t, pali__t_truth(condition) ? choice->list : choice->otherwise, flow);
}

static pali_status run_set(struct pali__template *t, const node *set)
{
    struct pali__tvalue value;
    struct pali__text outside = t->output;
    enum flow flow = GO_ON;
    if (set->a) {
        TRY(pali__template_evaluate(t, &value, set->a));
    } else { /* what the block puts out */
        t->output = (struct pali__text){ NULL, 0, 0 };
        pali_status status = run_list(t, set->list, &flow);
        pali_status taken = pali__t_take(t, &value, &t->output);
        t->output = outside;
        TRY(status != PALI_OK ? status : taken);
    }
    t->line = set->line;
    return assign(t, set->b, value);
}

static pali_status run_output(struct pali__template *t, const node *output)
{
    struct pali__tvalue value;
    TRY(pali__template_evaluate(t, &value, output->a));
    t->line = output->line;
    return pali__t_print(t, &t->output, value);
}

static pali_status run_list(struct pali__template *t, const node *list, enum flow *flow)
{
    for (; list && *flow == GO_ON; list = list->next) {
        t->line = list->line;
        TRY(pali__template_charge(t, 0));
        switch (list->kind) {
        case PALI__T_DATA:
            TRY(pali__t_print(t, &t->output, list->value));
            break;
        case PALI__T_OUTPUT_OF:
            TRY(run_output(t, list));
            break;
        case PALI__T_IF:
            TRY(run_if(t, list, flow));
            break;
        case PALI__T_FOR:
            TRY(run_for(t, list));
            break;
        case PALI__T_SET:
            TRY(run_set(t, list));
            break;
        case PALI__T_GROUP:
            TRY(run_list(t, list->list, flow));
            break;
        case PALI__T_BREAK:
            *flow = BREAK;
            break;
        case PALI__T_CONTINUE:
            *flow = CONTINUE;
            break;
        default:
            return pali__template_fail(t, PALI_ERROR_INTERNAL, "a value stands where a statement should");
        }
    }
    return PALI_OK;
}

/* ---- the whole ---- */

static pali_status check_utf8(struct pali__template *t, const char *source, size_t size)
{
    if (size > PALI__T_SOURCE)
        return pali__template_fail(t, PALI_ERROR_LIMIT, "it is longer than %d bytes", PALI__T_SOURCE);
    for (size_t i = 0; i < size;) {
        size_t length = pali__utf8_length(source + i, size - i);
        if (!length || !source[i])
            return pali__template_fail(t, PALI_ERROR_FORMAT, "byte %zu is no UTF-8 text", i);
        i += length;
    }
    return PALI_OK;
}

static pali_status set_text(struct pali__template *t, const char *name, struct pali__tvalue value)
{
    return pali__template_set(t, (struct pali__ttext){ name, strlen(name) }, value);
}

static pali_status render(struct pali__template *t, const struct pali__template_job *job)
{
    size_t size = strlen(job->source);
    struct pali__tvalue messages;
    node *statements = NULL;
    enum flow flow = GO_ON;
    TRY(check_utf8(t, job->source, size));
    TRY(pali__template_parse(t, &statements, job->source, size));
    for (size_t i = 0; i < job->n_tokens; i++)
        TRY(set_text(t, job->tokens[i].name, pali__t_text(job->tokens[i].text, strlen(job->tokens[i].text))));
    TRY(pali__template_messages(t, &messages, job->messages));
    TRY(set_text(t, "messages", messages));
    TRY(set_text(t, "tools", pali__t_none()));
    TRY(set_text(t, "documents", pali__t_none()));
    TRY(set_text(t, "add_generation_prompt", pali__t_bool(job->add_generation_prompt)));
    TRY(run_list(t, statements, &flow));
    return pali__t_append(t, &t->output, "", 0);
}

pali_status pali__template_render(char **out, const struct pali__template_job *job, pali_error **error)
{
    struct pali__template t = { .name = job->name, .error = error };
    pali_status status = render(&t, job);
    *out = NULL;
    if (status == PALI_OK) {
        *out = t.output.data;
        t.output = (struct pali__text){ NULL, 0, 0 };
    }
    pali__template_release(&t);
    return status;
}
