/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The small members of tokenizer.json that say what is done to a text before and after the model. Gemma's form is
 * known, and what differs from it without making a difference; everything else is refused by name.
 */
#include "tokenizer/tokenizer_json.h"

#include <stdio.h>
#include <string.h>

#include "tokenizer/utf8.h"

enum { VALUE_SIZE = 40 };

/* A string, cut to VALUE_SIZE bytes: longer than anything it is compared with. */
struct value {
    char data[VALUE_SIZE];
    size_t size;
};

/* One normalizer, pre-tokenizer or decoder. */
struct step {
    struct value type, pattern, content;
    bool has_plain_pattern; /* a string, not a regular expression */
    bool inverts;
    size_t list; /* where the list of a Sequence begins, or 0 */
};

static struct pali__slice slice_of(const struct value *value)
{
    return (struct pali__slice){ value->data, value->size };
}

static bool value_is(const struct value *value, const char *text) { return pali__slice_is(slice_of(value), text); }

static pali_status read_value(struct pali__scan *json, struct value *value, pali_error **error)
{
    struct pali__slice text;
    TRY(pali__scan_string(json, &text, error));
    value->size = text.size < VALUE_SIZE ? text.size : VALUE_SIZE;
    if (value->size)
        memcpy(value->data, text.data, value->size);
    return PALI_OK;
}

/* {"String": " "} or {"Regex": "…"} */
static pali_status read_pattern(struct pali__scan *json, struct step *step, pali_error **error)
{
    struct pali__slice key;
    bool more;
    TRY(pali__scan_open_object(json, error));
    for (;;) {
        TRY(pali__scan_member(json, &more, &key, error));
        if (!more)
            return PALI_OK;
        step->has_plain_pattern = pali__slice_is(key, "String");
        TRY(read_value(json, &step->pattern, error));
    }
}

static pali_status read_member(struct pali__scan *json, struct pali__slice key, struct step *step, pali_error **error)
{
    char next = pali__scan_peek(json);
    if (pali__slice_is(key, "type"))
        return read_value(json, &step->type, error);
    if (pali__slice_is(key, "pattern") && next == '{')
        return read_pattern(json, step, error);
    if (pali__slice_is(key, "content") && next == '"')
        return read_value(json, &step->content, error);
    if (pali__slice_is(key, "invert") && next != 'n')
        return pali__scan_bool(json, &step->inverts, error);
    if (next == '[' && (pali__slice_is(key, "normalizers") || pali__slice_is(key, "pretokenizers") ||
                        pali__slice_is(key, "decoders")))
        step->list = json->at;
    return pali__scan_skip(json, error);
}

static pali_status read_step(struct pali__scan *json, struct step *step, pali_error **error)
{
    struct pali__slice key;
    bool more;
    *step = (struct step){ 0 };
    TRY(pali__scan_open_object(json, error));
    for (;;) {
        TRY(pali__scan_member(json, &more, &key, error));
        if (!more)
            return PALI_OK;
        TRY(read_member(json, key, step, error));
    }
}

static pali_status refuse(const struct pali__scan *json, const char *member, const char *expected,
                          const struct step *found, pali_error **error)
{
    char type[PALI__QUOTE_SIZE], pattern[PALI__QUOTE_SIZE], content[PALI__QUOTE_SIZE];
    pali__slice_quote(type, slice_of(&found->type));
    if (value_is(&found->type, "Replace") || value_is(&found->type, "Split"))
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "%s: %s: expected %s, found %s of %s%s with content %s",
                          json->name, member, expected, type, found->has_plain_pattern ? "" : "the regular expression ",
                          pali__slice_quote(pattern, slice_of(&found->pattern)),
                          pali__slice_quote(content, slice_of(&found->content)));
    return pali__fail(error, PALI_ERROR_UNSUPPORTED, "%s: %s: expected %s, found %s", json->name, member, expected,
                      type);
}

static bool replaces(const struct step *step, const char *pattern, const char *content)
{
    return value_is(&step->type, "Replace") && step->has_plain_pattern && value_is(&step->pattern, pattern) &&
           value_is(&step->content, content);
}

typedef bool step_test(const struct step *step, size_t place);

/*
 * Null, one step, or a Sequence of steps, each of which must pass `accepts`. *n_steps counts them. The reader is left
 * anywhere: the index pass has been over all of it before.
 */
static pali_status read_steps(struct pali__scan *json, const char *member, const char *expected, step_test *accepts,
                              size_t *n_steps, pali_error **error)
{
    struct step step;
    bool more;
    *n_steps = 0;
    if (pali__scan_peek(json) == 'n')
        return PALI_OK;
    TRY(read_step(json, &step, error));
    if (!value_is(&step.type, "Sequence") || step.list == 0) {
        *n_steps = 1;
        return accepts(&step, 0) ? PALI_OK : refuse(json, member, expected, &step, error);
    }
    pali__scan_seek(json, step.list);
    TRY(pali__scan_open_array(json, error));
    for (;;) {
        TRY(pali__scan_element(json, &more, error));
        if (!more)
            return PALI_OK;
        TRY(read_step(json, &step, error));
        if (!accepts(&step, *n_steps))
            return refuse(json, member, expected, &step, error);
        ++*n_steps;
    }
}

static bool marks_spaces_step(const struct step *step, size_t place)
{
    (void)place; /* Once more changes nothing. */
    return replaces(step, " ", PALI__SPACE_MARK);
}

pali_status pali__tokenizer_read_normalizer(struct pali__scan *json, bool *marks_spaces, pali_error **error)
{
    size_t n_steps;
    TRY(read_steps(json, "normalizer", "null or Replace of \" \" by \"" PALI__SPACE_MARK "\"", marks_spaces_step,
                   &n_steps, error));
    *marks_spaces = n_steps > 0;
    return PALI_OK;
}

static bool splits_at_spaces_step(const struct step *step, size_t place)
{
    (void)place;
    return value_is(&step->type, "Split") && step->has_plain_pattern && value_is(&step->pattern, " ") && !step->inverts;
}

pali_status pali__tokenizer_read_pre_tokenizer(struct pali__scan *json, bool *splits_at_spaces, pali_error **error)
{
    size_t n_steps;
    TRY(read_steps(json, "pre_tokenizer", "null or Split at \" \"", splits_at_spaces_step, &n_steps, error));
    *splits_at_spaces = n_steps > 0;
    return PALI_OK;
}

static bool decoder_step(const struct step *step, size_t place)
{
    switch (place) {
    case 0: return replaces(step, PALI__SPACE_MARK, " ");
    case 1: return value_is(&step->type, "ByteFallback");
    case 2: return value_is(&step->type, "Fuse");
    default: return false;
    }
}

pali_status pali__tokenizer_read_decoder(struct pali__scan *json, pali_error **error)
{
    static const char expected[] =
        "the Sequence of Replace of \"" PALI__SPACE_MARK "\" by \" \", ByteFallback and Fuse";
    size_t n_steps;
    TRY(read_steps(json, "decoder", expected, decoder_step, &n_steps, error));
    /* Fuse changes nothing here, since the text is joined anyway. */
    if (n_steps < 2)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "%s: decoder: expected %s, found %zu of these steps",
                          json->name, expected, n_steps);
    return PALI_OK;
}
