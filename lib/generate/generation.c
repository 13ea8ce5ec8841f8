/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/generation.h"

#include <string.h>

#include "core/memory.h"

pali_status pali__generation_create(pali_generation **out, int64_t rows, int64_t max_new_tokens, pali_error **error)
{
    pali_generation *generation = pali__calloc(1, sizeof *generation);
    size_t size = (size_t)max_new_tokens * sizeof(int64_t);

    *out = generation;
    if (!generation)
        return pali__no_memory(error, sizeof *generation);
    generation->timing = (pali_timing)PALI_TIMING_INIT;
    generation->capacity = (size_t)max_new_tokens;
    generation->answers = pali__calloc((size_t)rows, sizeof *generation->answers);
    if (!generation->answers)
        return pali__no_memory(error, (size_t)rows * sizeof *generation->answers);
    generation->rows = rows;
    for (int64_t i = 0; i < rows; i++) {
        generation->answers[i].reason = PALI_FINISH_LENGTH;
        generation->answers[i].ids = pali__malloc(size);
        if (!generation->answers[i].ids)
            return pali__no_memory(error, size);
    }
    return PALI_OK;
}

void pali_generation_free(pali_generation *generation)
{
    if (!generation)
        return;
    for (int64_t i = 0; i < generation->rows; i++) {
        pali__free(generation->answers[i].ids);
        pali__free(generation->answers[i].text);
    }
    pali__free(generation->answers);
    pali__free(generation);
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
    size_t given_size;

    if (!generation || !timing)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_generation_timing: %s is NULL",
                          generation ? "timing" : "generation");
    given_size = timing->struct_size;
    if (given_size < sizeof given_size)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_timing.struct_size is %zu; set it with PALI_TIMING_INIT",
                          given_size);
    memcpy(timing, &generation->timing, given_size < sizeof *timing ? given_size : sizeof *timing);
    timing->struct_size = given_size;
    return PALI_OK;
}
