/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/stop_strings.h"

#include <string.h>

pali_status pali__stop_strings_init(struct pali__stop_strings *stops, const char *const *strings, size_t n_strings,
                                    const struct pali__tokenizer *tokenizer, pali_error **error)
{
    *stops = (struct pali__stop_strings){ tokenizer, strings, n_strings };
    if (n_strings == 0)
        return PALI_OK;
    if (!tokenizer)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "stop_strings need the text of the tokens, so the inputs must come from a processor");
    for (size_t i = 0; i < n_strings; i++)
        if (!strings || !strings[i] || !strings[i][0])
            return pali__fail(error, PALI_ERROR_ARGUMENT, "stop_strings: string %zu is %s", i,
                              !strings || !strings[i] ? "NULL" : "empty");
    return PALI_OK;
}

/* Does the text of the tokens up to number `token`, of which only the first `end` bytes count, end with the string? */
static bool ends_with(const struct pali__stop_strings *stops, const struct pali__history *history, int64_t token,
                      size_t end, const char *string, size_t size)
{
    for (bool is_first = true; token >= 0; token--, is_first = false) {
        size_t piece_size, shared;
        bool is_byte;
        const char *piece = pali__tokenizer_piece(stops->tokenizer, pali__history_at(history, token), false,
                                                  &piece_size, &is_byte);
        if (!is_first)
            end = piece_size;
        shared = end < size ? end : size;
        if (memcmp(piece + end - shared, string + size - shared, shared) != 0)
            return false;
        size -= shared;
        if (size == 0)
            return true;
    }
    return false;
}

bool pali__stop_strings_hit(const struct pali__stop_strings *stops, const struct pali__history *history)
{
    int64_t last = pali__history_length(history) - 1;
    size_t piece_size;
    bool is_byte;

    if (stops->n_strings == 0 || last < 0)
        return false;
    pali__tokenizer_piece(stops->tokenizer, pali__history_at(history, last), false, &piece_size, &is_byte);
    for (size_t i = 0; i < stops->n_strings; i++)
        for (size_t end = 1; end <= piece_size; end++)
            if (ends_with(stops, history, last, end, stops->strings[i], strlen(stops->strings[i])))
                return true;
    return false;
}
