/* SPDX-License-Identifier: BSD-2-Clause */
/* From ids to text: space marks to spaces, byte pieces to bytes, everything joined, no space stripped anywhere. */
#include <string.h>

#include "core/memory.h"
#include "tokenizer/tokenizer_internal.h"
#include "tokenizer/utf8.h"

/* ---- what a piece decodes to, worked out when the file is read ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
        return (c | 0x20) - 'a' + 10;
    return -1;
}

/* The value of a byte piece <0xNN>, or -1. The oracle's parser of numbers takes a plus sign for the first digit. */
static int byte_value(struct pali__slice piece)
{
    if (piece.size != 6 || memcmp(piece.data, "<0x", 3) != 0 || piece.data[5] != '>')
        return -1;
    int high = piece.data[3] == '+' ? 0 : hex_digit(piece.data[3]), low = hex_digit(piece.data[4]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static bool find_mark(struct pali__slice text, size_t *at)
{
    while (*at + PALI__SPACE_MARK_SIZE <= text.size) {
        const char *lead = memchr(text.data + *at, PALI__SPACE_MARK[0], text.size - *at - PALI__SPACE_MARK_SIZE + 1);
        if (!lead)
            return false;
        *at = (size_t)(lead - text.data);
        if (memcmp(lead, PALI__SPACE_MARK, PALI__SPACE_MARK_SIZE) == 0)
            return true;
        ++*at;
    }
    return false;
}

static bool unmark_spaces(struct pali__text *to, struct pali__slice from)
{
    size_t begin = 0, at = 0;
    to->size = 0;
    for (; find_mark(from, &at); begin = at) {
        if (!pali__text_append(to, from.data + begin, at - begin) || !pali__text_append(to, " ", 1))
            return false;
        at += PALI__SPACE_MARK_SIZE;
    }
    return pali__text_append(to, from.data + begin, from.size - begin);
}

static bool show_piece(struct pali__piece_table *table, struct pali__piece *piece, struct pali__text *shown)
{
    struct pali__slice bytes = pali__piece_bytes(table, piece);
    size_t at = 0;
    if (find_mark(bytes, &at)) {
        if (!unmark_spaces(shown, bytes) || table->pool.size + shown->size > UINT32_MAX)
            return false;
        piece->shown_offset = (uint32_t)table->pool.size;
        piece->shown_size = (uint32_t)shown->size;
        if (!pali__text_append(&table->pool, shown->data, shown->size))
            return false;
        bytes = (struct pali__slice){ table->pool.data + piece->shown_offset, piece->shown_size };
    }
    int value = byte_value(bytes);
    if (value < 0)
        return true;
    char byte = (char)value;
    piece->flags |= PALI__PIECE_BYTE;
    piece->shown_offset = (uint32_t)table->pool.size;
    piece->shown_size = 1;
    return table->pool.size < UINT32_MAX && pali__text_append(&table->pool, &byte, 1);
}

pali_status pali__tokenizer_show_pieces(struct pali__tokenizer *tokenizer, pali_error **error)
{
    struct pali__piece_table *table = &tokenizer->pieces;
    struct pali__text shown = { NULL, 0, 0 };
    bool is_done = true;
    for (size_t id = 0; is_done && id < table->n_ids; id++)
        if (table->pieces[id].flags)
            is_done = show_piece(table, &table->pieces[id], &shown);
    pali__text_clear(&shown);
    return is_done ? PALI_OK : pali__no_memory(error, table->pool.size * 2);
}

/* ---- decoding ---- */

const char *pali__tokenizer_piece(const struct pali__tokenizer *tokenizer, int64_t id, bool skip_special, size_t *size,
                                  bool *is_byte)
{
    const struct pali__piece *piece = pali__piece_table_get(&tokenizer->pieces, id);
    *size = 0;
    *is_byte = false;
    if (!piece || (skip_special && (piece->flags & PALI__PIECE_SPECIAL)))
        return "";
    *size = piece->shown_size;
    *is_byte = (piece->flags & PALI__PIECE_BYTE) != 0;
    return tokenizer->pieces.pool.data + piece->shown_offset;
}

/* The bytes from `begin` on came from byte pieces in a row: if they are no UTF-8, each of them is U+FFFD, as in the
 * oracle, even those that would be valid by themselves. */
static bool close_bytes(struct pali__text *text, size_t begin)
{
    size_t n = text->size - begin;
    if (n == 0 || pali__utf8_valid_prefix(text->data + begin, n) == n)
        return true;
    text->size = begin;
    for (size_t i = 0; i < n; i++)
        if (!pali__text_append(text, PALI__REPLACEMENT, PALI__REPLACEMENT_SIZE))
            return false;
    return true;
}

static bool append_pieces(const struct pali__tokenizer *tokenizer, const int64_t *ids, size_t n_ids, bool skip_special,
                          struct pali__text *text)
{
    bool in_bytes = false;
    size_t begin = 0;
    for (size_t i = 0; i < n_ids; i++) {
        size_t size;
        bool is_byte;
        const char *bytes = pali__tokenizer_piece(tokenizer, ids[i], skip_special, &size, &is_byte);
        if (size == 0)
            continue; /* Bytes before and after it are still in a row. */
        if (!is_byte && in_bytes && !close_bytes(text, begin))
            return false;
        if (is_byte && !in_bytes)
            begin = text->size;
        in_bytes = is_byte;
        if (!pali__text_append(text, bytes, size))
            return false;
    }
    return !in_bytes || close_bytes(text, begin);
}

pali_status pali__tokenizer_decode(const struct pali__tokenizer *tokenizer, const int64_t *ids, size_t n_ids,
                                   bool skip_special, char **text, size_t *size, pali_error **error)
{
    struct pali__text joined = { NULL, 0, 0 };
    *text = NULL;
    *size = 0;
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] < 0 || (uint64_t)ids[i] >= tokenizer->pieces.n_ids)
            return pali__fail(error, PALI_ERROR_ARGUMENT,
                              "token ids: expected ids from 0 to %lld, found %lld at index %zu",
                              (long long)tokenizer->pieces.n_ids - 1, (long long)ids[i], i);
    if (!append_pieces(tokenizer, ids, n_ids, skip_special, &joined) ||
        (!joined.data && !(joined.data = pali__strdup("")))) {
        size_t wanted = joined.size * 2 + 1;
        pali__text_clear(&joined);
        return pali__no_memory(error, wanted);
    }
    *text = joined.data;
    *size = joined.size;
    return PALI_OK;
}
