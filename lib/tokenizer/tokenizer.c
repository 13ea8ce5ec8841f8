/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A text goes through these steps (reference: tokenizers 0.23): added tokens that want the raw text are cut out; what
 * lies between them is normalised, which makes spaces into space marks; added tokens that want normalised text are cut
 * out of that; the rest is merged by byte-pair encoding.
 */
#include "tokenizer/tokenizer.h"

#include <string.h>

#include "core/file.h"
#include "core/memory.h"
#include "tokenizer/tokenizer_internal.h"
#include "tokenizer/tokenizer_json.h"
#include "tokenizer/utf8.h"

/* The real file has 11.5 MB. */
#define MAX_FILE_SIZE ((size_t)256 << 20)
/* Normalised, and with positions of 32 bits, a text may be three times as long. */
#define MAX_TEXT_SIZE ((size_t)1 << 30)

pali_status pali__tokenizer_load(struct pali__tokenizer **out, const char *path, pali_error **error)
{
    char *text = NULL;
    size_t size = 0;
    *out = NULL;
    TRY(pali__file_read(&text, &size, path, MAX_FILE_SIZE, error));
    pali_status status = pali__tokenizer_parse(out, path, text, size, error);
    pali__free(text);
    return status;
}

void pali__tokenizer_free(struct pali__tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    pali__piece_table_clear(&tokenizer->pieces);
    pali__merge_table_clear(&tokenizer->bpe.merges);
    pali__added_tokens_clear(&tokenizer->raw);
    pali__added_tokens_clear(&tokenizer->normalized);
    pali__free(tokenizer);
}

int64_t pali__tokenizer_size(const struct pali__tokenizer *tokenizer) { return (int64_t)tokenizer->pieces.n_ids; }

int64_t pali__tokenizer_id(const struct pali__tokenizer *tokenizer, const char *content)
{
    return pali__piece_table_find(&tokenizer->pieces, content, strlen(content));
}

struct encoding {
    const struct pali__tokenizer *tokenizer;
    struct pali__ids ids;
    struct pali__bpe_scratch scratch;
    char *normalized;
    size_t normalized_capacity;
};

static pali_status encode_normalized(struct encoding *encoding, const char *text, size_t size, pali_error **error)
{
    const struct pali__tokenizer *tokenizer = encoding->tokenizer;
    struct pali__added_match match;
    size_t at = 0, done = 0;
    while (pali__added_tokens_next(&tokenizer->normalized, text, size, &at, done, &match)) {
        if (done < match.begin)
            TRY(pali__bpe_encode(&tokenizer->bpe, text + done, match.begin - done, &encoding->scratch, &encoding->ids,
                                 error));
        TRY(pali__ids_push(&encoding->ids, match.id, error));
        done = match.end;
    }
    if (done == size)
        return PALI_OK;
    return pali__bpe_encode(&tokenizer->bpe, text + done, size - done, &encoding->scratch, &encoding->ids, error);
}

static pali_status reserve_normalized(struct encoding *encoding, size_t size, pali_error **error)
{
    if (size <= encoding->normalized_capacity)
        return PALI_OK;
    pali__free(encoding->normalized);
    encoding->normalized_capacity = 0;
    encoding->normalized = pali__malloc(size);
    if (!encoding->normalized)
        return pali__no_memory(error, size);
    encoding->normalized_capacity = size;
    return PALI_OK;
}

/* Text between raw added tokens. */
static pali_status encode_raw(struct encoding *encoding, const char *text, size_t size, pali_error **error)
{
    size_t n_spaces = 0, used = 0;
    if (!encoding->tokenizer->marks_spaces)
        return encode_normalized(encoding, text, size, error);
    for (size_t i = 0; i < size; i++)
        n_spaces += text[i] == ' ';
    if (n_spaces == 0)
        return encode_normalized(encoding, text, size, error);
    TRY(reserve_normalized(encoding, size + n_spaces * (PALI__SPACE_MARK_SIZE - 1), error));
    for (size_t i = 0; i < size; i++) {
        if (text[i] == ' ') {
            memcpy(encoding->normalized + used, PALI__SPACE_MARK, PALI__SPACE_MARK_SIZE);
            used += PALI__SPACE_MARK_SIZE;
        } else {
            encoding->normalized[used++] = text[i];
        }
    }
    return encode_normalized(encoding, encoding->normalized, used, error);
}

static pali_status encode_text(struct encoding *encoding, const char *text, size_t size, pali_error **error)
{
    struct pali__added_match match;
    size_t at = 0, done = 0;
    while (pali__added_tokens_next(&encoding->tokenizer->raw, text, size, &at, done, &match)) {
        if (done < match.begin)
            TRY(encode_raw(encoding, text + done, match.begin - done, error));
        TRY(pali__ids_push(&encoding->ids, match.id, error));
        done = match.end;
    }
    return done == size ? PALI_OK : encode_raw(encoding, text + done, size - done, error);
}

pali_status pali__tokenizer_encode(const struct pali__tokenizer *tokenizer, const char *text, size_t size,
                                   int64_t **ids, size_t *n_ids, pali_error **error)
{
    *ids = NULL;
    *n_ids = 0;
    if (size > MAX_TEXT_SIZE)
        return pali__fail(error, PALI_ERROR_LIMIT, "text: expected at most %zu bytes, found %zu", MAX_TEXT_SIZE, size);
    size_t valid = pali__utf8_valid_prefix(text, size);
    if (valid < size)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "text: expected UTF-8, found an invalid sequence at byte offset %zu", valid);

    struct encoding encoding = { .tokenizer = tokenizer };
    pali_status status = encode_text(&encoding, text, size, error);
    if (status == PALI_OK && !encoding.ids.data && !(encoding.ids.data = pali__malloc(sizeof *encoding.ids.data)))
        status = pali__no_memory(error, sizeof *encoding.ids.data);
    if (status == PALI_OK) {
        *ids = encoding.ids.data;
        *n_ids = encoding.ids.size;
        encoding.ids.data = NULL;
    }
    pali__free(encoding.ids.data);
    pali__free(encoding.normalized);
    pali__bpe_scratch_clear(&encoding.scratch);
    return status;
}
