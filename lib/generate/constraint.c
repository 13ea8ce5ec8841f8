/* SPDX-License-Identifier: BSD-2-Clause */
/* Constraints as objects: made from texts, ended. */
#include "generate/automaton.h"

#include <string.h>

#include "core/memory.h"
#include "processor/inputs_internal.h"

pali_status pali__constraint_create(pali_constraint **out, const pali_processor *processor, const char *function,
                                    pali_error **error)
{
    const struct pali__tokenizer *tokenizer = pali__processor_tokenizer(processor);
    pali_constraint *constraint;

    if (!out)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "%s: out is NULL", function);
    *out = NULL;
    if (!processor)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "%s: processor is NULL", function);
    constraint = pali__calloc(1, sizeof *constraint);
    if (!constraint)
        return pali__no_memory(error, sizeof *constraint);
    constraint->vocab_size = pali__tokenizer_size(tokenizer);
    constraint->eos = pali__tokenizer_id(tokenizer, pali__processor_eos(processor));
    *out = constraint;
    return PALI_OK;
}

void pali_constraint_free(pali_constraint *constraint)
{
    if (!constraint)
        return;
    pali__trie_clear(&constraint->trie);
    pali__free(constraint->separator);
    pali__free(constraint->pieces);
    pali__free(constraint);
}

/* Special tokens have no text of their own: an answer with one would not read as the text it was made from. */
static pali_status refuse_special(const struct pali__tokenizer *tokenizer, const pali_token_list *list,
                                  const char *name, size_t index, pali_error **error)
{
    for (size_t i = 0; i < list->n_ids; i++) {
        size_t size = 0;
        bool is_byte = false;
        pali__tokenizer_piece(tokenizer, list->ids[i], true, &size, &is_byte);
        if (!is_byte && size == 0)
            return pali__fail(error, PALI_ERROR_ARGUMENT, "%s[%zu] contains a special token, id %lld", name, index,
                              (long long)list->ids[i]);
    }
    return PALI_OK;
}

static pali_status read_text(const struct pali__tokenizer *tokenizer, const char *before, const char *text,
                             pali_token_list *list, const char *name, size_t index, pali_error **error)
{
    struct pali__text whole = { 0 };
    int64_t *ids = NULL;
    pali_status status;

    if (!text)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "%s[%zu] is NULL", name, index);
    if (!pali__text_append(&whole, before, strlen(before)) || !pali__text_append(&whole, text, strlen(text))) {
        pali__text_clear(&whole);
        return pali__no_memory(error, strlen(text));
    }
    status = pali__tokenizer_encode(tokenizer, whole.data ? whole.data : "", whole.size, &ids, &list->n_ids, error);
    pali__text_clear(&whole);
    list->ids = ids;
    return status == PALI_OK ? refuse_special(tokenizer, list, name, index, error) : status;
}

pali_status pali__constraint_read_texts(pali_constraint *constraint, const struct pali__tokenizer *tokenizer,
                                        const char *const *texts, size_t n, const char *before, const char *name,
                                        pali_error **error)
{
    pali_token_list *lists;
    pali_status status = PALI_OK;

    if (!texts || n == 0 || n > INT32_MAX)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "a constraint needs one of the %s at least", name);
    lists = pali__calloc(n, sizeof *lists);
    if (!lists)
        return pali__no_memory(error, n * sizeof *lists);
    for (size_t i = 0; status == PALI_OK && i < n; i++)
        status = read_text(tokenizer, before, texts[i], &lists[i], name, i, error);
    if (status == PALI_OK)
        status = pali__trie_init(&constraint->trie, lists, n, error);
    for (size_t i = 0; i < n; i++)
        pali__free((void *)lists[i].ids);
    pali__free(lists);
    return status;
}

pali_status pali_constraint_choices(pali_constraint **out, const pali_processor *processor, const char *const *choices,
                                    size_t n_choices, pali_error **error)
{
    pali_status status;

    TRY(pali__constraint_create(out, processor, "pali_constraint_choices", error));
    status = pali__constraint_read_texts(*out, pali__processor_tokenizer(processor), choices, n_choices, "", "choices",
                                         error);
    if (status != PALI_OK) {
        pali_constraint_free(*out);
        *out = NULL;
    }
    return status;
}
