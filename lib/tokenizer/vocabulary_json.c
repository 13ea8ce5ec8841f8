/* SPDX-License-Identifier: BSD-2-Clause */
/* The two large members of tokenizer.json: the pieces with their ids, and the merges in order of rank. */
#include <string.h>

#include "tokenizer/tokenizer_reading.h"
#include "tokenizer/utf8.h"

/* Ids may have gaps, but a small file must not ask for a large table: a piece takes more than a byte of the file. */
static int64_t id_limit(const struct pali__reading *reading)
{
    static const size_t least = 1 << 16;
    size_t limit = reading->json.size > least ? reading->json.size : least;
    return limit < PALI__MAX_PIECES ? (int64_t)limit : PALI__MAX_PIECES;
}

pali_status pali__reading_add_piece(struct pali__reading *reading, const char *member, struct pali__slice bytes,
                                    int64_t id, uint32_t flags, pali_error **error)
{
    struct pali__piece_table *pieces = &reading->tokenizer->pieces;
    char quoted[PALI__QUOTE_SIZE], other[PALI__QUOTE_SIZE];
    int64_t taken;
    if (bytes.size == 0)
        return pali__fail(error, PALI_ERROR_FORMAT, "%s: %s: expected text, found an empty piece with id %lld",
                          reading->json.name, member, (long long)id);
    if (id < 0 || id >= id_limit(reading))
        return pali__fail(error, PALI_ERROR_FORMAT, "%s: %s: %s: expected an id from 0 to %lld, found %lld",
                          reading->json.name, member, pali__slice_quote(quoted, bytes), (long long)id_limit(reading) - 1,
                          (long long)id);
    TRY(pali__piece_table_add(pieces, bytes, id, flags, &taken, error));
    if (taken < 0)
        return PALI_OK;
    pali__slice_quote(other, pali__piece_bytes(pieces, &pieces->pieces[taken]));
    return pali__fail(error, PALI_ERROR_FORMAT,
                      "%s: %s: %s: expected an id and a text of its own, found %s with id %lld",
                      reading->json.name, member, pali__slice_quote(quoted, bytes), other, (long long)taken);
}

pali_status pali__read_vocab(struct pali__reading *reading, pali_error **error)
{
    struct pali__scan *json = &reading->json;
    pali__scan_seek(json, reading->model_at[VOCAB]);
    TRY(pali__scan_open_object(json, error));
    for (;;) {
        struct pali__slice piece;
        int64_t id;
        bool more;
        TRY(pali__scan_member(json, &more, &piece, error));
        if (!more)
            break;
        TRY(pali__scan_integer(json, &id, error));
        TRY(pali__reading_add_piece(reading, "model.vocab", piece, id, PALI__PIECE_MODEL, error));
    }
    reading->n_model_pieces = reading->tokenizer->pieces.n_pieces;
    return PALI_OK;
}

/* ---- merges ---- */

bool pali__reading_set_text(struct pali__text *text, struct pali__slice a, struct pali__slice b)
{
    text->size = 0;
    return pali__text_append(text, a.data, a.size) && pali__text_append(text, b.data, b.size);
}

/* "a b", or ["a", "b"], into reading->text as "ab" with *split bytes in a. *is_merge is false for a comment. */
static pali_status read_merge(struct pali__reading *reading, size_t *split, bool *is_merge, pali_error **error)
{
    struct pali__scan *json = &reading->json;
    struct pali__slice left, right = { "", 0 };
    bool more;
    *is_merge = true;
    if (pali__scan_peek(json) == '[') {
        TRY(pali__scan_open_array(json, error));
        TRY(pali__scan_element(json, &more, error));
        TRY(pali__scan_string(json, &left, error));
        *split = left.size;
        if (!pali__reading_set_text(&reading->text, left, right))
            return pali__no_memory(error, left.size);
        TRY(pali__scan_element(json, &more, error));
        TRY(pali__scan_string(json, &right, error));
        if (!pali__text_append(&reading->text, right.data, right.size))
            return pali__no_memory(error, right.size);
        TRY(pali__scan_element(json, &more, error));
        return more ? pali__scan_fail(json, "the end of a pair", error) : PALI_OK;
    }
    size_t begin = json->at;
    TRY(pali__scan_string(json, &left, error));
    if (left.size >= 8 && memcmp(left.data, "#version", 8) == 0) {
        *is_merge = false;
        return PALI_OK;
    }
    const char *space = left.size ? memchr(left.data, ' ', left.size) : NULL;
    *split = space ? (size_t)(space - left.data) : 0;
    if (space)
        right = (struct pali__slice){ space + 1, left.size - *split - 1 };
    if (!space || (right.size && memchr(right.data, ' ', right.size))) {
        pali__scan_seek(json, begin);
        return pali__scan_fail(json, "two pieces with one space between them", error);
    }
    left.size = *split;
    if (!pali__reading_set_text(&reading->text, left, right))
        return pali__no_memory(error, left.size + right.size);
    return PALI_OK;
}

/* Id of a piece that the merge in reading->text names. */
static pali_status merge_piece(const struct pali__reading *reading, size_t split, struct pali__slice piece,
                               uint32_t *id, pali_error **error)
{
    int64_t found = pali__piece_table_find(&reading->tokenizer->pieces, piece.data, piece.size);
    if (found >= 0) {
        *id = (uint32_t)found;
        return PALI_OK;
    }
    char left[PALI__QUOTE_SIZE], right[PALI__QUOTE_SIZE], quoted[PALI__QUOTE_SIZE];
    const struct pali__text *text = &reading->text;
    pali__slice_quote(left, (struct pali__slice){ text->data, split });
    pali__slice_quote(right, (struct pali__slice){ text->data + split, text->size - split });
    return pali__fail(error, PALI_ERROR_FORMAT,
                      "%s: model.merges: merge %zu, %s with %s: expected pieces of model.vocab, found %s",
                      reading->json.name, reading->n_merges, left, right, pali__slice_quote(quoted, piece));
}

static pali_status grow_merges(struct pali__reading *reading, pali_error **error)
{
    size_t wanted = reading->merge_capacity ? reading->merge_capacity * 2 : 4096, item = sizeof *reading->merges;
    if (reading->n_merges < reading->merge_capacity)
        return PALI_OK;
    struct pali__merge *grown = pali__regrow(reading->merges, reading->merge_capacity * item, wanted * item);
    if (!grown)
        return pali__no_memory(error, wanted * item);
    reading->merges = grown;
    reading->merge_capacity = wanted;
    return PALI_OK;
}

static pali_status add_merge(struct pali__reading *reading, size_t split, pali_error **error)
{
    const struct pali__piece_table *pieces = &reading->tokenizer->pieces;
    const char *text = reading->text.data;
    size_t size = reading->text.size;
    TRY(grow_merges(reading, error));
    struct pali__merge *merge = &reading->merges[reading->n_merges];
    TRY(merge_piece(reading, split, (struct pali__slice){ text, split }, &merge->left, error));
    TRY(merge_piece(reading, split, (struct pali__slice){ text + split, size - split }, &merge->right, error));

    /* Files list all the ways to one piece in a row. */
    const struct pali__merge *before = reading->n_merges ? merge - 1 : NULL;
    const struct pali__piece *piece = before ? &pieces->pieces[before->merged] : NULL;
    if (piece && piece->size == size && memcmp(pieces->pool.data + piece->offset, text, size) == 0)
        merge->merged = before->merged;
    else
        TRY(merge_piece(reading, split, (struct pali__slice){ text, size }, &merge->merged, error));

    if (pali__begins_with_mark(text + split, size - split) && !pali__ends_with_mark(text, split))
        reading->tokenizer->bpe.words_apart = false;
    reading->n_merges++;
    return PALI_OK;
}

pali_status pali__read_merges(struct pali__reading *reading, pali_error **error)
{
    struct pali__scan *json = &reading->json;
    pali__scan_seek(json, reading->model_at[MERGES]);
    TRY(pali__scan_open_array(json, error));
    reading->tokenizer->bpe.words_apart = true;
    for (;;) {
        bool more, is_merge;
        size_t split = 0;
        TRY(pali__scan_element(json, &more, error));
        if (!more)
            break;
        TRY(read_merge(reading, &split, &is_merge, error));
        if (is_merge)
            TRY(add_merge(reading, split, error));
    }
    return pali__merge_table_build(&reading->tokenizer->bpe.merges, reading->merges, reading->n_merges, error);
}
