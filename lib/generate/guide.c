/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/guide.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"

/* ---- before the first token ---- */

static pali_status check_constraint(const pali_constraint *constraint, int64_t vocab_size, int64_t max_new_tokens,
                                    pali_error **error)
{
    int64_t least = pali__constraint_least_tokens(constraint);

    if (constraint->vocab_size > vocab_size)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "the constraint is for a tokenizer of %lld ids and the model has %lld: it belongs to another "
                          "checkpoint", (long long)constraint->vocab_size, (long long)vocab_size);
    if (max_new_tokens < least)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "max_new_tokens is %lld and an answer of the constraint's form can need %lld",
                          (long long)max_new_tokens, (long long)least);
    return PALI_OK;
}

static pali_status make_spans(struct pali__allowed *allowed, int64_t count, pali_error **error)
{
    size_t size = (size_t)count * sizeof *allowed->spans;

    allowed->spans = pali__malloc(size);
    return allowed->spans ? PALI_OK : pali__no_memory(error, size);
}

/* Room for all that can be said of each row, so that the steps allocate nothing. */
static pali_status make_rows(struct pali__guide *guide, pali_error **error)
{
    int64_t any = guide->vocab_size / 2 + 1;

    guide->rows = pali__calloc((size_t)guide->n_rows, sizeof *guide->rows);
    if (!guide->rows)
        return pali__no_memory(error, (size_t)guide->n_rows * sizeof *guide->rows);
    for (int64_t i = 0; i < guide->n_rows; i++) {
        if (guide->constraint)
            TRY(make_spans(&guide->rows[i].by_constraint, pali__constraint_max_spans(guide->constraint), error));
        if (guide->token_mask)
            TRY(make_spans(&guide->rows[i].by_both, any, error));
    }
    if (!guide->token_mask)
        return PALI_OK;
    guide->mask = pali__malloc((size_t)guide->vocab_size);
    return guide->mask ? PALI_OK : pali__no_memory(error, (size_t)guide->vocab_size);
}

pali_status pali__guide_init(struct pali__guide *guide, const pali_generate_options *options, int64_t n_rows,
                             int64_t vocab_size, pali_error **error)
{
    pali_status status;

    *guide = (struct pali__guide){ .constraint = options->constraint, .token_mask = options->token_mask,
                                   .user = options->token_mask_user, .n_rows = n_rows, .vocab_size = vocab_size,
                                   .max_new_tokens = options->max_new_tokens };
    if (!guide->constraint && !guide->token_mask)
        return PALI_OK;
    if (options->num_beams > 1)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "beam search takes no constraint and no token mask");
    if (guide->constraint && options->n_force_words > 0)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "force_words and a constraint exclude each other");
    if (guide->constraint && options->min_new_tokens > 0)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "min_new_tokens and a constraint exclude each other: the constraint says when an answer is whole");
    if (guide->constraint)
        TRY(check_constraint(guide->constraint, vocab_size, guide->max_new_tokens, error));
    status = make_rows(guide, error);
    if (status != PALI_OK) {
        pali__guide_clear(guide);
        return status;
    }
    for (int64_t i = 0; guide->constraint && i < n_rows; i++) {
        struct pali__guided_row *row = &guide->rows[i];
        pali__constraint_start(guide->constraint, &row->state);
        pali__constraint_allowed(guide->constraint, &row->state, guide->max_new_tokens, &row->by_constraint);
    }
    return PALI_OK;
}

void pali__guide_clear(struct pali__guide *guide)
{
    for (int64_t i = 0; guide->rows && i < guide->n_rows; i++) {
        pali__free(guide->rows[i].by_constraint.spans);
        pali__free(guide->rows[i].by_both.spans);
    }
    pali__free(guide->rows);
    pali__free(guide->mask);
    *guide = (struct pali__guide){ 0 };
}

/* ---- what may follow ---- */

/* Of the tokens first…first+count-1 those that the mask has. */
static void add_masked(struct pali__allowed *allowed, const uint8_t *mask, int64_t first, int64_t count)
{
    for (int64_t id = first; id < first + count; id++) {
        struct pali__span *last = allowed->n_spans ? &allowed->spans[allowed->n_spans - 1] : NULL;
        if (!mask[id])
            continue;
        allowed->count++;
        if (last && last->first + last->count == id)
            last->count++;
        else
            allowed->spans[allowed->n_spans++] = (struct pali__span){ (int32_t)id, 1 };
    }
}

static pali_status ask_host(struct pali__guide *guide, const struct pali__guided *guided, pali_error **error)
{
    struct pali__guided_row *row = &guide->rows[guided->row];

    memset(guide->mask, 0, (size_t)guide->vocab_size);
    if (guide->token_mask(guide->user, guided->row, guided->ids, guided->n_ids, guide->mask, guide->vocab_size)) {
        guide->stopped = true;
        return PALI_OK;
    }
    row->by_both.n_spans = row->by_both.count = 0;
    if (!guide->constraint)
        add_masked(&row->by_both, guide->mask, 0, guide->vocab_size);
    for (int64_t i = 0; guide->constraint && i < row->by_constraint.n_spans; i++)
        add_masked(&row->by_both, guide->mask, row->by_constraint.spans[i].first, row->by_constraint.spans[i].count);
    if (row->by_both.count == 0)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "the token mask allows no token%s as new token %zu of row %lld",
                          guide->constraint ? " that the constraint allows" : "", guided->n_ids,
                          (long long)guided->row);
    return PALI_OK;
}

/* ---- logits ---- */

static void forbid_others(float *logits, int64_t vocab_size, const struct pali__allowed *allowed)
{
    int64_t at = 0;

    for (int64_t i = 0; i <= allowed->n_spans; i++) {
        int64_t end = i < allowed->n_spans ? allowed->spans[i].first : vocab_size;
        for (; at < end; at++)
            logits[at] = -INFINITY;
        if (i < allowed->n_spans)
            at += allowed->spans[i].count;
    }
}

static const struct pali__allowed *allowed_in(const struct pali__guide *guide, int64_t row)
{
    return guide->token_mask ? &guide->rows[row].by_both : &guide->rows[row].by_constraint;
}

/* Row by row costs a read of what each row needs; all together, one read of the whole head. */
pali_status pali__guide_logits(struct pali__guide *guide, struct pali__steps *steps, int64_t first,
                               const struct pali__guided *rows, int64_t n, pali_error **error)
{
    int64_t count = 0;

    if (!guide->rows)
        return pali__steps_head(steps, first, n, error);
    for (int64_t i = 0; guide->token_mask && i < n && !guide->stopped; i++)
        TRY(ask_host(guide, &rows[i], error));
    if (guide->stopped)
        return PALI_OK;
    for (int64_t i = 0; i < n; i++)
        count += allowed_in(guide, rows[i].row)->count;
    if (count < guide->vocab_size) {
        for (int64_t i = 0; i < n; i++) {
            const struct pali__allowed *allowed = allowed_in(guide, rows[i].row);
            pali__steps_head_spans(steps, first + i, i, allowed->spans, allowed->n_spans);
        }
        return PALI_OK;
    }
    TRY(pali__steps_head(steps, first, n, error));
    for (int64_t i = 0; i < n; i++)
        forbid_others(steps->logits + i * guide->vocab_size, guide->vocab_size, allowed_in(guide, rows[i].row));
    return PALI_OK;
}

pali_status pali__guide_settle(const struct pali__guide *guide, int64_t row, const float *logits, int64_t *id,
                               pali_error **error)
{
    const struct pali__allowed *allowed = allowed_in(guide, row);
    int64_t best = allowed->spans[0].first;
    bool is_allowed = false;

    for (int64_t i = 0; i < allowed->n_spans; i++) {
        const struct pali__span *span = &allowed->spans[i];
        is_allowed = is_allowed || (*id >= span->first && *id < (int64_t)span->first + span->count);
        for (int64_t j = span->first; j < (int64_t)span->first + span->count; j++)
            best = logits[j] > logits[best] ? j : best;
    }
    if (logits[best] == -INFINITY)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "the other options forbid every token that may follow in row %lld", (long long)row);
    if (!is_allowed || logits[*id] == -INFINITY)
        *id = best;
    return PALI_OK;
}

bool pali__guide_take(struct pali__guide *guide, int64_t row_index, int64_t id, size_t n_ids)
{
    struct pali__guided_row *row = &guide->rows[row_index];
    int64_t room = guide->max_new_tokens - (int64_t)n_ids;
    const struct pali__allowed *next = &row->by_constraint;

    if (!guide->constraint)
        return false;
    pali__constraint_advance(guide->constraint, &row->state, id);
    /* After the last token only the form matters, to say whether the answer was complete. */
    pali__constraint_allowed(guide->constraint, &row->state, room > 0 ? room : INT64_MAX, &row->by_constraint);
    return next->count == 0 || (next->count == 1 && next->spans[0].first == guide->constraint->eos);
}
