/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The matrix products of a pass. In float32 a sequence's rows get the same bits whatever else is in the pass: a few real
 * tokens are multiplied row by row, more in blocks, and sequences of the two kinds apart. In bfloat16 all rows share
 * their products, which is faster.
 */
#include "model/pass.h"

#include <math.h>
#include <string.h>

static const struct pali__text_config *text_config(const struct pali__pass *pass)
{
    return &pass->model->settings->text;
}

static bool goes_by_row(const struct pali__pass *pass, const struct pali__sequence *sequence)
{
    int64_t first, end;

    pali__real_tokens(pass, sequence, &first, &end);
    return end - first <= pali__few_rows(&pass->compute, pass->model->network.decoder.head.dtype);
}

/* A matrix product for rows first…first+n_rows-1 of the pass, which stand at the front of x and y: sequences that go
 * by row and others apart, neighbours of one kind together. */
static pali_status multiply(struct pali__pass *pass, float *y, const float *x, int64_t first, int64_t n_rows,
                            const struct pali__matrix *w, enum pali__store store, pali_error **error)
{
    const struct pali__compute *compute = &pass->compute;
    int64_t end = first;

    if (compute->dtype != PALI_FLOAT32)
        return pali__linear(compute, y, x, n_rows, w, NULL, store, pass->scratch, error);
    for (int64_t i = 0; i < pass->n_sequences && end < first + n_rows; i++) {
        const struct pali__sequence *sequence = &pass->sequences[i];
        bool by_row = goes_by_row(pass, sequence);
        if (sequence->first + sequence->length <= end)
            continue;
        while (i + 1 < pass->n_sequences && goes_by_row(pass, &pass->sequences[i + 1]) == by_row)
            sequence = &pass->sequences[++i];
        int64_t begin = end, left = first + n_rows - begin, n = sequence->first + sequence->length - begin;
        float *out = y + (begin - first) * w->n_out;
        const float *in = x + (begin - first) * w->n_in;
        end += n < left ? n : left;
        if (by_row)
            pali__linear_by_row(compute, out, in, end - begin, w, NULL, store, pass->scratch);
        else
            TRY(pali__linear_in_blocks(compute, out, in, end - begin, w, NULL, store, pass->scratch, error));
    }
    return PALI_OK;
}

pali_status pali__pass_linear(struct pali__pass *pass, float *y, const float *x, int64_t first, int64_t n_rows,
                              const struct pali__matrix *w, enum pali__store store, pali_error **error)
{
    TRY(multiply(pass, y, x, first, n_rows, w, store, error));
    return pali__lora_add(&pass->lora, y, x, n_rows, w, error);
}

/* The head takes few rows one by one whatever they are, and many so only if all belong to sequences that go by row. */
static bool head_by_row(const struct pali__pass *pass, const int64_t *rows, int64_t n_rows)
{
    bool by_row = pass->compute.dtype == PALI_FLOAT32;

    for (int64_t i = 0; i < n_rows && by_row; i++) {
        const struct pali__sequence *sequence = pass->sequences;
        while (rows[i] >= sequence->first + sequence->length)
            sequence++;
        by_row = goes_by_row(pass, sequence);
    }
    return by_row || n_rows <= pali__few_rows(&pass->compute, pass->model->network.decoder.head.dtype);
}

pali_status pali__lm_head(struct pali__pass *pass, float *logits, const int64_t *rows, int64_t n_rows, float *gathered,
                          pali_error **error)
{
    const struct pali__text_config *config = text_config(pass);
    const struct pali__compute *compute = &pass->compute;
    const struct pali__matrix *head = &pass->model->network.decoder.head;

    for (int64_t i = 0; i < n_rows; i++)
        memcpy(gathered + i * config->hidden_size, pass->x + rows[i] * config->hidden_size,
               (size_t)config->hidden_size * sizeof(float));
    if (head_by_row(pass, rows, n_rows))
        pali__linear_by_row(compute, logits, gathered, n_rows, head, NULL, PALI__STORE, pass->scratch);
    else
        TRY(pali__linear(compute, logits, gathered, n_rows, head, NULL, PALI__STORE, pass->scratch, error));
    TRY(pali__lora_add(&pass->lora, logits, gathered, n_rows, head, error));
    if (config->final_logit_softcapping > 0.0)
        pali__soft_cap(compute, logits, n_rows * config->vocab_size, (float)config->final_logit_softcapping);
    return PALI_OK;
}

/* From values that stand without gaps at the front of `logits` to each in its place, the last first so that none is
 * overwritten before it has moved, and -infinity between them. */
static void spread(float *logits, int64_t vocab_size, const struct pali__span *spans, int64_t n_spans, int64_t count)
{
    int64_t end = vocab_size;

    for (int64_t i = n_spans - 1; i >= 0; i--) {
        count -= spans[i].count;
        memmove(logits + spans[i].first, logits + count, (size_t)spans[i].count * sizeof *logits);
        for (int64_t j = spans[i].first + spans[i].count; j < end; j++)
            logits[j] = -INFINITY;
        end = spans[i].first;
    }
    for (int64_t j = 0; j < end; j++)
        logits[j] = -INFINITY;
}

void pali__lm_head_spans(struct pali__pass *pass, float *logits, int64_t row, const struct pali__span *spans,
                         int64_t n_spans)
{
    const struct pali__text_config *config = text_config(pass);
    int64_t count = 0;

    for (int64_t i = 0; i < n_spans; i++)
        count += spans[i].count;
    pali__linear_spans(&pass->compute, logits, pass->x + row * config->hidden_size,
                       &pass->model->network.decoder.head, spans, n_spans, pass->scratch);
    pali__lora_add_spans(&pass->lora, logits, pass->x + row * config->hidden_size,
                         &pass->model->network.decoder.head, spans, n_spans);
    if (config->final_logit_softcapping > 0.0)
        pali__soft_cap(&pass->compute, logits, count, (float)config->final_logit_softcapping);
    spread(logits, config->vocab_size, spans, n_spans, count);
}
