/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/forced_words.h"

#include <math.h>
#include <string.h>

static bool contains(const struct pali__history *history, const pali_token_list *word)
{
    for (int64_t i = 0; i + (int64_t)word->n_ids <= history->n_ids; i++)
        if (!memcmp(history->ids + i, word->ids, word->n_ids * sizeof *word->ids))
            return true;
    return false;
}

/* How many of the word's first tokens the answer ends with; the word is not complete. */
static size_t begun(const struct pali__history *history, const pali_token_list *word)
{
    size_t most = word->n_ids - 1 < (size_t)history->n_ids ? word->n_ids - 1 : (size_t)history->n_ids;

    for (size_t n = most; n > 0; n--)
        if (!memcmp(history->ids + history->n_ids - n, word->ids, n * sizeof *word->ids))
            return n;
    return 0;
}

static void allow_only(float *scores, int64_t vocab_size, int64_t id)
{
    for (int64_t i = 0; i < vocab_size; i++)
        if (i != id)
            scores[i] = -INFINITY;
}

bool pali__force_words(const pali_token_list *words, size_t n_words, const pali_token_list *eos,
                       int64_t max_new_tokens, const struct pali__history *history, float *scores, int64_t vocab_size)
{
    size_t most_begun = 0;
    int64_t next = -1, n_missing = 0; /* tokens of all missing words */

    for (size_t i = 0; i < n_words; i++) {
        if (contains(history, &words[i]))
            continue;
        size_t n = begun(history, &words[i]);
        if (next < 0 || n > most_begun) {
            next = words[i].ids[n];
            most_begun = n;
        }
        n_missing += (int64_t)words[i].n_ids;
    }
    if (next < 0)
        return false;
    if (most_begun > 0 || n_missing >= max_new_tokens - history->n_ids) {
        allow_only(scores, vocab_size, next);
        return true;
    }
    for (size_t i = 0; i < eos->n_ids; i++) {
        if (scores[next] > -INFINITY && scores[eos->ids[i]] > scores[next]) /* what is forbidden stays so */
            scores[next] = scores[eos->ids[i]];
        scores[eos->ids[i]] = -INFINITY;
    }
    return true;
}
