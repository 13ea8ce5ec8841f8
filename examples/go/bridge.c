/* SPDX-License-Identifier: BSD-2-Clause */
/* Callbacks of the library into the Go functions of callback.go, which know no const. */
#include "_cgo_export.h"
#include "bridge.h"

int pali_go_progress(void *user, const char *stage, double fraction)
{
    return paliGoProgress(user, (char *)stage, fraction);
}

int pali_go_token(void *user, const pali_token *token)
{
    return paliGoToken(user, token->row, token->id, (char *)token->text);
}

int pali_go_token_mask(void *user, int64_t row, const int64_t *ids, size_t n_ids, uint8_t *allowed, int64_t vocab_size)
{
    return paliGoTokenMask(user, row, (int64_t *)ids, n_ids, allowed, vocab_size);
}
