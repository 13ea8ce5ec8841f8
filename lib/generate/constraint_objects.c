/* SPDX-License-Identifier: BSD-2-Clause */
/* The constraints for `detect` and `segment` (PARITY §15): the tokens of boxes and masks, separators, labels. */
#include "generate/automaton.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/options.h"
#include "generate/piece_class.h"
#include "processor/inputs_internal.h"

/* Between objects; the tokens that Gemma's tokenizer makes of it do not depend on the label before and the <loc>
 * behind. */
#define SEPARATOR " ; "

void pali_constraint_options_init(pali_constraint_options *options)
{
    *options = (pali_constraint_options)PALI_CONSTRAINT_OPTIONS_INIT;
}

static pali_status take_options(pali_constraint *constraint, const pali_constraint_options *given, pali_error **error)
{
    pali_constraint_options options = PALI_CONSTRAINT_OPTIONS_INIT;

    TRY(pali__options_take(&options, sizeof options, given, "pali_constraint_options", error));
    if (options.max_objects < 0)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_constraint_options.max_objects is negative");
    if (options.max_label_tokens < 1 || options.max_label_tokens > 1024)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "pali_constraint_options.max_label_tokens should be 1…1024 and is %lld",
                          (long long)options.max_label_tokens);
    constraint->max_objects = options.max_objects ? options.max_objects : INT64_MAX;
    constraint->max_label_tokens = options.max_label_tokens;
    constraint->allow_empty = options.allow_empty != 0;
    return PALI_OK;
}

/* <loc0000>…<loc1023> or <seg000>…<seg127>, which must have ids one after another. */
static pali_status find_tokens(const struct pali__tokenizer *tokenizer, const char *form, int count, int64_t *first,
                               pali_error **error)
{
    char name[16];

    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, form, i);
        int64_t id = pali__tokenizer_id(tokenizer, name);
        if (i == 0)
            *first = id;
        if (id < 0 || id != *first + i)
            return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                              "the tokenizer has no %s behind the one before it, which the constraint needs", name);
    }
    return PALI_OK;
}

static pali_status read_separator(pali_constraint *constraint, const struct pali__tokenizer *tokenizer,
                                  pali_error **error)
{
    size_t n = 0;

    TRY(pali__tokenizer_encode(tokenizer, SEPARATOR, strlen(SEPARATOR), &constraint->separator, &n, error));
    constraint->n_separator = (int64_t)n;
    return PALI_OK;
}

static pali_status read_labels(pali_constraint *constraint, const struct pali__tokenizer *tokenizer,
                               const char *const *labels, size_t n, pali_error **error)
{
    for (size_t i = 0; i < n; i++) {
        size_t size = labels[i] ? strlen(labels[i]) : 0;
        if (size == 0 || !pali__is_label_text(labels[i], size) || labels[i][0] == ' ' || labels[i][size - 1] == ' ')
            return pali__fail(error, PALI_ERROR_ARGUMENT,
                              "labels[%zu] should be a text without ; < > control characters, and spaces at its ends "
                              "or side by side", i);
    }
    TRY(pali__constraint_read_texts(constraint, tokenizer, labels, n, " ", "labels", error));
    constraint->shortest_label = constraint->trie.nodes[0].nearest;
    return PALI_OK;
}

static pali_status classify_pieces(pali_constraint *constraint, const struct pali__tokenizer *tokenizer,
                                   pali_error **error)
{
    bool has_space = false, has_word = false, has_both = false;

    constraint->pieces = pali__malloc((size_t)constraint->vocab_size);
    if (!constraint->pieces)
        return pali__no_memory(error, (size_t)constraint->vocab_size);
    for (int64_t id = 0; id < constraint->vocab_size; id++) {
        uint8_t piece = pali__piece_class(tokenizer, id);
        bool first = piece & PALI__PIECE_SPACE_FIRST, last = piece & PALI__PIECE_SPACE_LAST;
        constraint->pieces[id] = piece;
        has_space = has_space || (piece && first && last);
        has_word = has_word || (piece && !first && !last);
        has_both = has_both || (piece && first && !last);
    }
    if (!has_word || (!has_space && !has_both))
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "the tokenizer has no pieces to spell a label with");
    constraint->shortest_label = has_both ? 1 : 2;
    if (constraint->max_label_tokens < constraint->shortest_label)
        constraint->max_label_tokens = constraint->shortest_label;
    return PALI_OK;
}

static pali_status read_all(pali_constraint *constraint, const struct pali__tokenizer *tokenizer, bool has_masks,
                            const char *const *labels, size_t n_labels, const pali_constraint_options *options,
                            pali_error **error)
{
    constraint->is_objects = true;
    constraint->has_masks = has_masks;
    TRY(take_options(constraint, options, error));
    TRY(find_tokens(tokenizer, "<loc%04d>", PALI__N_LOC, &constraint->first_loc, error));
    if (has_masks)
        TRY(find_tokens(tokenizer, "<seg%03d>", PALI__N_SEG, &constraint->first_seg, error));
    TRY(read_separator(constraint, tokenizer, error));
    return labels ? read_labels(constraint, tokenizer, labels, n_labels, error)
                  : classify_pieces(constraint, tokenizer, error);
}

static pali_status create(pali_constraint **out, const pali_processor *processor, bool has_masks,
                          const char *const *labels, size_t n_labels, const pali_constraint_options *options,
                          pali_error **error)
{
    pali_status status;

    TRY(pali__constraint_create(out, processor, has_masks ? "pali_constraint_segment" : "pali_constraint_detect",
                                error));
    status = read_all(*out, pali__processor_tokenizer(processor), has_masks, labels, n_labels, options, error);
    if (status != PALI_OK) {
        pali_constraint_free(*out);
        *out = NULL;
    }
    return status;
}

pali_status pali_constraint_detect(pali_constraint **out, const pali_processor *processor, const char *const *labels,
                                   size_t n_labels, const pali_constraint_options *options, pali_error **error)
{
    return create(out, processor, false, labels, n_labels, options, error);
}

pali_status pali_constraint_segment(pali_constraint **out, const pali_processor *processor, const char *const *labels,
                                    size_t n_labels, const pali_constraint_options *options, pali_error **error)
{
    return create(out, processor, true, labels, n_labels, options, error);
}
