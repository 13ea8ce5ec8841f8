/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file is gone over twice. The first pass validates all of it, notes where the large members begin and reads the
 * small ones, because JSON promises no order; the second reads vocabulary, merges and added tokens, each of which
 * needs those before it.
 */
#include "tokenizer/tokenizer_json.h"

#include <string.h>

#include "tokenizer/tokenizer_reading.h"
#include "tokenizer/utf8.h"

static const char *const member_names[N_MEMBERS] = { "added_tokens", "normalizer", "pre_tokenizer", "decoder", "model",
                                                     "version" };
static const char *const model_member_names[N_MODEL_MEMBERS] = {
    "type", "vocab", "merges", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
    "byte_fallback", "ignore_merges"
};

/* ---- the first pass ---- */

/* The object that comes next: notes where the values of the named members begin. */
static pali_status index_object(struct pali__scan *json, const char *const *names, size_t *at, int n_names,
                                pali_error **error)
{
    struct pali__slice key;
    bool more;
    TRY(pali__scan_open_object(json, error));
    for (;;) {
        TRY(pali__scan_member(json, &more, &key, error));
        if (!more)
            return PALI_OK;
        pali__scan_peek(json);
        for (int i = 0; i < n_names; i++) {
            if (!pali__slice_is(key, names[i]))
                continue;
            if (at[i])
                return pali__fail(error, PALI_ERROR_FORMAT, "%s: expected \"%s\" once, found it at bytes %zu and %zu",
                                  json->name, names[i], at[i], json->at);
            at[i] = json->at;
        }
        TRY(pali__scan_skip(json, error));
    }
}

static pali_status index_file(struct pali__reading *reading, pali_error **error)
{
    struct pali__scan *json = &reading->json;
    TRY(index_object(json, member_names, reading->at, N_MEMBERS, error));
    TRY(pali__scan_end(json, error));
    if (!reading->at[MODEL])
        return pali__fail(error, PALI_ERROR_FORMAT, "%s: expected a member \"model\", found none", json->name);
    pali__scan_seek(json, reading->at[MODEL]);
    TRY(index_object(json, model_member_names, reading->model_at, N_MODEL_MEMBERS, error));
    if (!reading->model_at[TYPE])
        return pali__fail(error, PALI_ERROR_FORMAT, "%s: model: expected a member \"type\", found none", json->name);
    return PALI_OK;
}

/* To the value of a member; false if it is absent or null. */
bool pali__reading_go_to(struct pali__scan *json, size_t at)
{
    if (!at)
        return false;
    pali__scan_seek(json, at);
    return pali__scan_peek(json) != 'n';
}

/* ---- what the model is ---- */

static pali_status refuse_member(const struct pali__reading *reading, enum model_member member, const char *expected,
                                 struct pali__slice found, pali_error **error)
{
    char quoted[PALI__QUOTE_SIZE];
    return pali__fail(error, PALI_ERROR_UNSUPPORTED, "%s: model.%s: expected %s, found %s", reading->json.name,
                      model_member_names[member], expected, pali__slice_quote(quoted, found));
}

static pali_status check_type(struct pali__reading *reading, pali_error **error)
{
    struct pali__scan *json = &reading->json;
    struct pali__slice found;
    if (pali__reading_go_to(json, reading->at[VERSION])) {
        char quoted[PALI__QUOTE_SIZE];
        TRY(pali__scan_string(json, &found, error));
        if (!pali__slice_is(found, "1.0"))
            return pali__fail(error, PALI_ERROR_UNSUPPORTED, "%s: version: expected \"1.0\", found %s", json->name,
                              pali__slice_quote(quoted, found));
    }
    pali__scan_seek(json, reading->model_at[TYPE]);
    TRY(pali__scan_string(json, &found, error));
    if (!pali__slice_is(found, "BPE"))
        return refuse_member(reading, TYPE, "\"BPE\"", found, error);
    for (int i = VOCAB; i <= MERGES; i++)
        if (!reading->model_at[i])
            return pali__fail(error, PALI_ERROR_FORMAT, "%s: model: expected a member \"%s\", found none", json->name,
                              model_member_names[i]);
    return PALI_OK;
}

static pali_status read_flag(struct pali__reading *reading, enum model_member member, bool *flag, pali_error **error)
{
    *flag = false;
    if (!pali__reading_go_to(&reading->json, reading->model_at[member]))
        return PALI_OK;
    return pali__scan_bool(&reading->json, flag, error);
}

static pali_status read_model_options(struct pali__reading *reading, pali_error **error)
{
    struct pali__scan *json = &reading->json;
    struct pali__bpe *bpe = &reading->tokenizer->bpe;
    struct pali__slice found;
    TRY(read_flag(reading, FUSE_UNK, &bpe->fuse_unknown, error));
    TRY(read_flag(reading, BYTE_FALLBACK, &bpe->byte_fallback, error));
    TRY(read_flag(reading, IGNORE_MERGES, &bpe->ignore_merges, error));
    for (enum model_member i = PREFIX; i <= SUFFIX; i = (enum model_member)(i + 1)) {
        if (!pali__reading_go_to(json, reading->model_at[i]))
            continue;
        TRY(pali__scan_string(json, &found, error));
        if (found.size > 0)
            return refuse_member(reading, i, "null", found, error);
    }
    if (pali__reading_go_to(json, reading->model_at[DROPOUT])) {
        size_t begin = json->at;
        TRY(pali__scan_skip(json, error));
        found = (struct pali__slice){ json->text + begin, json->at - begin };
        if (!pali__slice_is(found, "0") && !pali__slice_is(found, "0.0"))
            return refuse_member(reading, DROPOUT, "null", found, error);
    }
    return PALI_OK;
}

static pali_status read_forms(struct pali__reading *reading, pali_error **error)
{
    struct pali__scan *json = &reading->json;
    bool splits = false;
    if (pali__reading_go_to(json, reading->at[NORMALIZER]))
        TRY(pali__tokenizer_read_normalizer(json, &reading->tokenizer->marks_spaces, error));
    if (pali__reading_go_to(json, reading->at[PRE_TOKENIZER]))
        TRY(pali__tokenizer_read_pre_tokenizer(json, &splits, error));
    if (splits && !reading->tokenizer->marks_spaces)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "%s: pre_tokenizer: expected null beside a normalizer that leaves spaces, found Split",
                          json->name);
    if (!pali__reading_go_to(json, reading->at[DECODER]))
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "%s: decoder: expected a Sequence with ByteFallback, found none", json->name);
    return pali__tokenizer_read_decoder(json, error);
}

/* ---- single characters, single bytes, the unknown piece ---- */

static pali_status read_unknown(struct pali__reading *reading, pali_error **error)
{
    struct pali__bpe *bpe = &reading->tokenizer->bpe;
    struct pali__slice unknown;
    char quoted[PALI__QUOTE_SIZE];
    bpe->unknown = -1;
    if (!pali__reading_go_to(&reading->json, reading->model_at[UNK_TOKEN])) {
        bpe->words_apart = false; /* Unknown characters vanish, so that two space marks may become neighbours. */
        return PALI_OK;
    }
    TRY(pali__scan_string(&reading->json, &unknown, error));
    bpe->unknown = (int32_t)pali__piece_table_find(bpe->pieces, unknown.data, unknown.size);
    if (bpe->unknown < 0)
        return pali__fail(error, PALI_ERROR_FORMAT, "%s: model.unk_token: expected a piece of model.vocab, found %s",
                          reading->json.name, pali__slice_quote(quoted, unknown));
    /* Words end where no merge can reach across; an unknown character must not look like a space mark there. */
    bpe->words_apart = bpe->words_apart && !pali__ends_with_mark(unknown.data, unknown.size);
    return PALI_OK;
}

static void find_single_pieces(struct pali__bpe *bpe)
{
    static const char digits[] = "0123456789ABCDEF";
    for (int i = 0; i < 128; i++) {
        char character = (char)i;
        bpe->ascii[i] = (int32_t)pali__piece_table_find(bpe->pieces, &character, 1);
    }
    for (int i = 0; i < 256; i++) {
        const char name[6] = { '<', '0', 'x', digits[i >> 4], digits[i & 15], '>' };
        bpe->byte_piece[i] = (int32_t)pali__piece_table_find(bpe->pieces, name, sizeof name);
    }
    if (pali__piece_table_find(bpe->pieces, PALI__SPACE_MARK, PALI__SPACE_MARK_SIZE) < 0)
        bpe->words_apart = false;
}

/* ---- all of it ---- */

static pali_status read_all(struct pali__reading *reading, pali_error **error)
{
    TRY(index_file(reading, error));
    TRY(check_type(reading, error));
    TRY(read_model_options(reading, error));
    TRY(read_forms(reading, error));
    TRY(pali__read_vocab(reading, error));
    TRY(pali__read_merges(reading, error));
    TRY(read_unknown(reading, error));
    find_single_pieces(&reading->tokenizer->bpe);
    TRY(pali__read_added_tokens(reading, error));
    return pali__tokenizer_show_pieces(reading->tokenizer, error);
}

pali_status pali__tokenizer_parse(struct pali__tokenizer **out, const char *name, const char *text, size_t size,
                                  pali_error **error)
{
    struct pali__reading reading = { .tokenizer = pali__calloc(1, sizeof *reading.tokenizer) };
    *out = NULL;
    if (!reading.tokenizer)
        return pali__no_memory(error, sizeof *reading.tokenizer);
    reading.tokenizer->bpe.pieces = &reading.tokenizer->pieces;
    pali__scan_init(&reading.json, name, text, size);
    pali_status status = read_all(&reading, error);
    if (status == PALI_OK)
        *out = reading.tokenizer;
    else
        pali__tokenizer_free(reading.tokenizer);
    pali__scan_clear(&reading.json);
    pali__text_clear(&reading.text);
    pali__free(reading.merges);
    return status;
}
