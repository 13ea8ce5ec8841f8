/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/caller_cache.h"

#include <string.h>

#include "core/memory.h"

static pali_status check(const pali_cache *cache, const pali_model *model, const pali_generate_options *options,
                         const struct pali__prompts *prompts, pali_error **error)
{
    if (cache->model != model)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "the cache belongs to another model");
    if (cache->kv.n_rows != prompts->rows)
        return pali__fail(error, PALI_ERROR_SHAPE, "the cache has %lld rows and the batch %lld",
                          (long long)cache->kv.n_rows, (long long)prompts->rows);
    if (options->num_beams > 1 || options->num_return_sequences > 1 || options->best_of > 1)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "a cache is continued by one answer a row: give none with num_beams, num_return_sequences or "
                          "best_of above 1");
    int64_t slack = pali__kv_slack(&cache->kv);
    if (options->prompt_lookup_num_tokens > slack) /* wrong guesses are rolled back */
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "prompt_lookup_num_tokens is %lld and the sliding cache can be rolled back by %lld",
                          (long long)options->prompt_lookup_num_tokens, (long long)slack);
    return pali__cache_check_writable(cache, error);
}

pali_status pali__caller_cache_take(struct pali__caller_cache *taken, pali_model *model,
                                    const pali_generate_options *options, struct pali__prompts *prompts, bool typed,
                                    pali_error **error)
{
    pali_cache *cache = options->cache;

    if (!cache)
        return PALI_OK;
    TRY(check(cache, model, options, prompts, error));
    taken->lengths = pali__malloc((size_t)prompts->rows * sizeof *taken->lengths);
    if (!taken->lengths)
        return pali__no_memory(error, (size_t)prompts->rows * sizeof *taken->lengths);
    taken->cache = cache;
    for (int64_t row = 0; row < prompts->rows; row++)
        taken->lengths[row] = cache->kv.rows[row].length;
    for (int64_t row = 0; row < prompts->rows; row++) {
        int64_t n = prompts->starts[row + 1] - prompts->starts[row];
        if (taken->lengths[row] > 0 && !typed)
            memset(prompts->types + prompts->starts[row], 1, (size_t)n);
        /* The last token is answered, not stored. */
        TRY(pali__kv_reserve(&cache->kv, row, taken->lengths[row] + n + options->max_new_tokens - 1, error));
    }
    return PALI_OK;
}

void pali__caller_cache_restore(struct pali__caller_cache *taken)
{
    for (int64_t row = 0; taken->cache && row < taken->cache->kv.n_rows; row++)
        if (pali__kv_can_truncate(&taken->cache->kv, row, taken->lengths[row]))
            pali__kv_truncate_row(&taken->cache->kv, row, taken->lengths[row]);
}

void pali__caller_cache_clear(struct pali__caller_cache *taken)
{
    pali__free(taken->lengths);
    *taken = (struct pali__caller_cache){ 0 };
}
