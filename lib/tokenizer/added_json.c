/* SPDX-License-Identifier: BSD-2-Clause */
/* added_tokens of tokenizer.json. */
#include <string.h>

#include "tokenizer/tokenizer_reading.h"
#include "tokenizer/utf8.h"

struct added {
    int64_t id;
    bool has_content, single_word, lstrip, rstrip, normalized, special;
};

/* One element of added_tokens; the content goes to reading->text. */
static pali_status read_added(struct pali__reading *reading, struct added *added, pali_error **error)
{
    struct pali__scan *json = &reading->json;
    struct pali__slice key, content;
    const struct pali__slice nothing = { "", 0 };
    bool more;
    *added = (struct added){ .id = -1 };
    TRY(pali__scan_open_object(json, error));
    for (;;) {
        TRY(pali__scan_member(json, &more, &key, error));
        if (!more)
            break;
        if (pali__slice_is(key, "id")) {
            TRY(pali__scan_integer(json, &added->id, error));
        } else if (pali__slice_is(key, "content")) {
            TRY(pali__scan_string(json, &content, error));
            if (!pali__reading_set_text(&reading->text, content, nothing))
                return pali__no_memory(error, content.size);
            added->has_content = true;
        } else {
            bool *flag = pali__slice_is(key, "single_word")  ? &added->single_word
                         : pali__slice_is(key, "lstrip")     ? &added->lstrip
                         : pali__slice_is(key, "rstrip")     ? &added->rstrip
                         : pali__slice_is(key, "normalized") ? &added->normalized
                         : pali__slice_is(key, "special")    ? &added->special
                                                             : NULL;
            TRY(flag ? pali__scan_bool(json, flag, error) : pali__scan_skip(json, error));
        }
    }
    return added->has_content ? PALI_OK : pali__scan_fail(json, "\"content\" in the added token before", error);
}

/* Spaces become space marks, as in a text that is normalised. */
static pali_status mark_spaces(struct pali__text *to, struct pali__slice from, pali_error **error)
{
    to->size = 0;
    for (size_t i = 0; i < from.size; i++) {
        bool is_space = from.data[i] == ' ';
        if (!pali__text_append(to, is_space ? PALI__SPACE_MARK : from.data + i, is_space ? PALI__SPACE_MARK_SIZE : 1))
            return pali__no_memory(error, from.size);
    }
    return PALI_OK;
}

static pali_status add_token(struct pali__reading *reading, const struct added *added, int64_t *next_id,
                             pali_error **error)
{
    struct pali__tokenizer *tokenizer = reading->tokenizer;
    struct pali__piece_table *pieces = &tokenizer->pieces;
    struct pali__slice content = { reading->text.data, reading->text.size };
    char quoted[PALI__QUOTE_SIZE];
    pali__slice_quote(quoted, content);
    if (added->single_word)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "%s: added_tokens: %s: expected single_word false, found true",
                          reading->json.name, quoted);

    /* The oracle numbers added tokens itself: a piece of the model keeps its id, others follow the model's. A file that
     * says otherwise would be read in two ways. */
    int64_t id = content.size ? pali__piece_table_find(pieces, content.data, content.size) : -1;
    bool is_new = id < 0;
    if (is_new)
        id = (*next_id)++;
    if (id != added->id)
        return pali__fail(error, PALI_ERROR_FORMAT, "%s: added_tokens: %s: expected id %lld, found %lld",
                          reading->json.name, quoted, (long long)id, (long long)added->id);
    if (is_new)
        TRY(pali__reading_add_piece(reading, "added_tokens", content, id, PALI__PIECE_ADDED, error));
    else if (pieces->pieces[id].flags & PALI__PIECE_ADDED)
        return pali__fail(error, PALI_ERROR_FORMAT, "%s: added_tokens: %s: expected each token once, found it again",
                          reading->json.name, quoted);

    struct pali__added_token token = { id, added->lstrip, added->rstrip };
    bool is_changed = added->normalized && tokenizer->marks_spaces && memchr(content.data, ' ', content.size) != NULL;
    pieces->pieces[id].flags |= PALI__PIECE_ADDED;
    /* The oracle looks for the normalised form among the special tokens, so one that normalising changes stays. */
    if (added->special && !is_changed)
        pieces->pieces[id].flags |= PALI__PIECE_SPECIAL;
    if (!is_changed)
        return pali__added_tokens_add(added->normalized ? &tokenizer->normalized : &tokenizer->raw, content, token,
                                      error);
    struct pali__text pattern = { NULL, 0, 0 };
    pali_status status = mark_spaces(&pattern, content, error);
    if (status == PALI_OK)
        status = pali__added_tokens_add(&tokenizer->normalized, (struct pali__slice){ pattern.data, pattern.size },
                                        token, error);
    pali__text_clear(&pattern);
    return status;
}

pali_status pali__read_added_tokens(struct pali__reading *reading, pali_error **error)
{
    struct pali__scan *json = &reading->json;
    int64_t next_id = (int64_t)reading->n_model_pieces;
    if (!pali__reading_go_to(json, reading->at[ADDED_TOKENS]))
        return PALI_OK;
    TRY(pali__scan_open_array(json, error));
    for (;;) {
        struct added added;
        bool more;
        TRY(pali__scan_element(json, &more, error));
        if (!more)
            return PALI_OK;
        TRY(read_added(reading, &added, error));
        TRY(add_token(reading, &added, &next_id, error));
    }
}
