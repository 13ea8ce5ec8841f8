/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/stream.h"

#include "tokenizer/utf8.h"

#define LONG_PIECE 256 /* bytes; longer pieces than this are rare */

static pali_status reserve(struct pali__text *text, size_t size, pali_error **error)
{
    text->data = pali__malloc(size);
    if (!text->data)
        return pali__no_memory(error, size);
    text->data[0] = '\0';
    text->capacity = size;
    return PALI_OK;
}

pali_status pali__stream_init(struct pali__stream *stream, const struct pali__tokenizer *tokenizer, int64_t max_tokens,
                              pali_error **error)
{
    *stream = (struct pali__stream){ .tokenizer = tokenizer };
    if (!tokenizer)
        return PALI_OK;
    pali_status status = reserve(&stream->held, (size_t)max_tokens + 1, error);
    if (status == PALI_OK)
        status = reserve(&stream->added, (size_t)max_tokens * PALI__REPLACEMENT_SIZE + LONG_PIECE, error);
    if (status != PALI_OK)
        pali__stream_clear(stream);
    return status;
}

void pali__stream_clear(struct pali__stream *stream)
{
    pali__text_clear(&stream->held);
    pali__text_clear(&stream->added);
    *stream = (struct pali__stream){ 0 };
}

/* Moves the held bytes to `added`, as the ByteFallback decoder does: as they are if they are valid UTF-8 together. */
static bool close_run(struct pali__stream *stream)
{
    struct pali__text *held = &stream->held;
    bool done = true;

    if (pali__utf8_valid_prefix(held->data, held->size) == held->size)
        done = pali__text_append(&stream->added, held->data, held->size);
    else
        for (size_t i = 0; done && i < held->size; i++)
            done = pali__text_append(&stream->added, PALI__REPLACEMENT, PALI__REPLACEMENT_SIZE);
    held->size = 0;
    return done;
}

pali_status pali__stream_add(struct pali__stream *stream, int64_t id, bool last, const char **text,
                             pali_error **error)
{
    bool is_byte = false, done = true;
    const char *piece;
    size_t size;

    *text = NULL;
    if (!stream->tokenizer)
        return PALI_OK;
    stream->added.size = 0;
    stream->added.data[0] = '\0';
    piece = pali__tokenizer_piece(stream->tokenizer, id, true, &size, &is_byte);
    if (is_byte)
        done = pali__text_append(&stream->held, piece, size);
    if (done && stream->held.size > 0 && (!is_byte || last))
        done = close_run(stream);
    if (done && !is_byte && size > 0)
        done = pali__text_append(&stream->added, piece, size);
    if (!done)
        return pali__no_memory(error, size);
    *text = stream->added.data;
    return PALI_OK;
}
