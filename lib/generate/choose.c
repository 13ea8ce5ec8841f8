/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/choose.h"

#include <string.h>

#include "core/memory.h"

pali_status pali__chooser_init(struct pali__chooser *chooser, const pali_generate_options *options,
                               const struct pali__generation_config *config, int64_t vocab_size, pali_error **error)
{
    struct pali__sampling how = { options->temperature, options->top_k, options->top_p, options->min_p,
                                  options->typical_p, options->seed };

    *chooser = (struct pali__chooser){ .vocab_size = vocab_size };
    TRY(pali__logits_processors_init(&chooser->processors, options, config, vocab_size, error));
    TRY(pali__sampler_init(&chooser->sampler, &how, vocab_size, error));
    if (!pali__logits_processors_act(&chooser->processors))
        return PALI_OK;
    chooser->scores = pali__malloc((size_t)vocab_size * sizeof *chooser->scores);
    return chooser->scores ? PALI_OK : pali__no_memory(error, (size_t)vocab_size * sizeof *chooser->scores);
}

void pali__chooser_clear(struct pali__chooser *chooser)
{
    pali__logits_processors_clear(&chooser->processors);
    pali__sampler_clear(&chooser->sampler);
    pali__free(chooser->scores);
    *chooser = (struct pali__chooser){ 0 };
}

pali_status pali__no_token(int64_t n_ids, pali_error **error)
{
    return pali__fail(error, PALI_ERROR_ARGUMENT,
                      "after %lld new tokens none may follow: the options forbid all, or the logits are not numbers",
                      (long long)n_ids);
}

pali_status pali__choose(struct pali__chooser *chooser, int64_t *id, const float *logits,
                         const struct pali__history *history, int64_t sample, struct pali__answer *answer,
                         int64_t n_top, pali_error **error)
{
    const float *scores = logits;

    if (chooser->scores) {
        memcpy(chooser->scores, logits, (size_t)chooser->vocab_size * sizeof *logits);
        pali__logits_process(&chooser->processors, chooser->scores, history);
        scores = chooser->scores;
    }
    *id = pali__sampler_choose(&chooser->sampler, scores, sample, history->n_ids);
    if (*id < 0)
        return pali__no_token(history->n_ids, error);
    pali__answer_note(answer, n_top, logits, chooser->vocab_size, *id);
    return PALI_OK;
}
