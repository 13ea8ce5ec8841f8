/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/prompt_lookup.h"

#include <stdbool.h>

/* Prompt and answer as one sequence. */
struct spoken {
    const int64_t *prompt, *answer;
    int64_t n_prompt, length;
};

static int64_t token_at(const struct spoken *spoken, int64_t i)
{
    return i < spoken->n_prompt ? spoken->prompt[i] : spoken->answer[i - spoken->n_prompt];
}

/* Do the last `size` tokens stand at `start` too? */
static bool stands_at(const struct spoken *spoken, int64_t start, int64_t size)
{
    for (int64_t i = 0; i < size; i++)
        if (token_at(spoken, start + i) != token_at(spoken, spoken->length - size + i))
            return false;
    return true;
}

int64_t pali__prompt_lookup(const int64_t *prompt, int64_t n_prompt, const int64_t *answer, int64_t n_answer,
                            int64_t most, int64_t *guesses)
{
    const struct spoken spoken = { prompt, answer, n_prompt, n_prompt + n_answer };

    for (int64_t size = PALI__LOOKUP_NGRAM; size > 0; size--) {
        for (int64_t start = 0; start + size < spoken.length; start++) {
            int64_t n = 0;
            if (!stands_at(&spoken, start, size))
                continue;
            for (int64_t at = start + size; n < most && at < spoken.length; at++)
                guesses[n++] = token_at(&spoken, at);
            return n;
        }
    }
    return 0;
}
