/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/generation.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/options.h"
#include "generate/logprobs.h"

static pali_status answer_init(struct pali__answer *answer, int64_t max_new_tokens, bool with_logprobs, int64_t n_top,
                               pali_error **error)
{
    size_t size = (size_t)max_new_tokens * sizeof *answer->ids;

    answer->reason = PALI_FINISH_LENGTH;
    answer->score = (double)NAN;
    answer->ids = pali__malloc(size);
    if (!answer->ids)
        return pali__no_memory(error, size);
    if (with_logprobs && !(answer->logprobs = pali__malloc((size_t)max_new_tokens * sizeof *answer->logprobs)))
        return pali__no_memory(error, (size_t)max_new_tokens * sizeof *answer->logprobs);
    size = (size_t)(max_new_tokens * n_top) * sizeof *answer->top;
    if (with_logprobs && n_top > 0 && !(answer->top = pali__malloc(size)))
        return pali__no_memory(error, size);
    return PALI_OK;
}

static void answer_clear(struct pali__answer *answer)
{
    pali__free(answer->ids);
    pali__free(answer->text);
    pali__free(answer->logprobs);
    pali__free(answer->top);
    *answer = (struct pali__answer){ 0 };
}

pali_status pali__generation_create(pali_generation **out, int64_t rows, int64_t max_new_tokens, bool with_logprobs,
                                    int64_t n_top, pali_error **error)
{
    pali_generation *generation = pali__calloc(1, sizeof *generation);

    *out = generation;
    if (!generation)
        return pali__no_memory(error, sizeof *generation);
    generation->timing = (pali_timing)PALI_TIMING_INIT;
    generation->capacity = (size_t)max_new_tokens;
    generation->n_top = n_top;
    generation->answers = pali__calloc((size_t)rows, sizeof *generation->answers);
    if (!generation->answers)
        return pali__no_memory(error, (size_t)rows * sizeof *generation->answers);
    generation->rows = rows;
    for (int64_t i = 0; i < rows; i++)
        TRY(answer_init(&generation->answers[i], max_new_tokens, with_logprobs, n_top, error));
    return PALI_OK;
}

void pali_generation_free(pali_generation *generation)
{
    if (!generation)
        return;
    for (int64_t i = 0; i < generation->rows; i++)
        answer_clear(&generation->answers[i]);
    pali__free(generation->answers);
    pali__free(generation);
}

void pali__answer_note(struct pali__answer *answer, int64_t n_top, const float *logits, int64_t vocab_size, int64_t id)
{
    double normalizer;

    if (!answer->logprobs)
        return;
    normalizer = pali__log_normalizer(logits, vocab_size);
    answer->logprobs[answer->n_ids] = (double)logits[id] - normalizer;
    if (answer->top)
        pali__top_logprobs(answer->top + (int64_t)answer->n_ids * n_top, n_top, logits, vocab_size, normalizer);
}

void pali__generation_keep_best(pali_generation *generation, int64_t group, int64_t n)
{
    int64_t kept = 0;

    for (int64_t first = 0; first < generation->rows; first += group) {
        struct pali__answer *answers = generation->answers + first;
        for (int64_t i = 1; i < group; i++) {
            struct pali__answer answer = answers[i];
            int64_t place = i;
            for (; place > 0 && answers[place - 1].score < answer.score; place--)
                answers[place] = answers[place - 1];
            answers[place] = answer;
        }
        for (int64_t i = 0; i < group; i++) {
            struct pali__answer answer = answers[i];
            answers[i] = (struct pali__answer){ 0 };
            if (i < n)
                generation->answers[kept++] = answer;
            else
                answer_clear(&answer);
        }
    }
    generation->rows = kept;
}

/* A checkpoint's vocabulary has a few more rows than the tokenizer has ids (PARITY §1.4). Should a model answer with one
 * of them, it has no text. */
static size_t with_text(const struct pali__answer *answer, const struct pali__tokenizer *tokenizer, int64_t *ids)
{
    size_t n = 0;

    for (size_t i = 0; i < answer->n_ids; i++)
        if (answer->ids[i] < pali__tokenizer_size(tokenizer))
            ids[n++] = answer->ids[i];
    return n;
}

pali_status pali__generation_decode(pali_generation *generation, const struct pali__tokenizer *tokenizer,
                                    pali_error **error)
{
    size_t size = generation->capacity * sizeof(int64_t), text_size;
    pali_status status = PALI_OK;
    int64_t *ids;

    if (!tokenizer)
        return PALI_OK;
    ids = pali__malloc(size);
    if (!ids)
        return pali__no_memory(error, size);
    for (int64_t i = 0; status == PALI_OK && i < generation->rows; i++) {
        struct pali__answer *answer = &generation->answers[i];
        status = pali__tokenizer_decode(tokenizer, ids, with_text(answer, tokenizer, ids), true, &answer->text,
                                        &text_size, error);
    }
    pali__free(ids);
    return status;
}

static const struct pali__answer *answer_of(const pali_generation *generation, int64_t row)
{
    return generation && row >= 0 && row < generation->rows ? &generation->answers[row] : NULL;
}

int64_t pali_generation_rows(const pali_generation *generation)
{
    return generation ? generation->rows : 0;
}

const char *pali_generation_text(const pali_generation *generation, int64_t row)
{
    const struct pali__answer *answer = answer_of(generation, row);

    return answer ? answer->text : NULL;
}

const int64_t *pali_generation_token_ids(const pali_generation *generation, int64_t row, size_t *n_ids)
{
    const struct pali__answer *answer = answer_of(generation, row);

    if (n_ids)
        *n_ids = answer ? answer->n_ids : 0;
    return answer ? answer->ids : NULL;
}

const double *pali_generation_logprobs(const pali_generation *generation, int64_t row, size_t *n)
{
    const struct pali__answer *answer = answer_of(generation, row);

    if (n)
        *n = answer && answer->logprobs ? answer->n_ids : 0;
    return answer ? answer->logprobs : NULL;
}

const pali_token_logprob *pali_generation_top_logprobs(const pali_generation *generation, int64_t row, size_t token,
                                                       size_t *n)
{
    const struct pali__answer *answer = answer_of(generation, row);
    bool is_there = answer && answer->top && token < answer->n_ids;

    if (n)
        *n = is_there ? (size_t)generation->n_top : 0;
    return is_there ? answer->top + token * (size_t)generation->n_top : NULL;
}

double pali_generation_score(const pali_generation *generation, int64_t row)
{
    const struct pali__answer *answer = answer_of(generation, row);

    return answer ? answer->score : (double)NAN;
}

pali_finish_reason pali_generation_finish_reason(const pali_generation *generation, int64_t row)
{
    const struct pali__answer *answer = answer_of(generation, row);

    return answer ? answer->reason : (pali_finish_reason)0;
}

int64_t pali_generation_passes(const pali_generation *generation)
{
    return generation ? generation->passes : 0;
}

void pali_timing_init(pali_timing *timing)
{
    *timing = (pali_timing)PALI_TIMING_INIT;
}

pali_status pali_generation_timing(const pali_generation *generation, pali_timing *timing, pali_error **error)
{
    if (!generation || !timing)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_generation_timing: %s is NULL",
                          generation ? "timing" : "generation");
    return pali__options_give(timing, &generation->timing, sizeof generation->timing, "pali_timing", error);
}
