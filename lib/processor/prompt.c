/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reference (transformers/models/paligemma/processing_paligemma.py) builds one string, with every <image> written
 * image_seq_length times, and tokenizes that. Here each stands once and its id is repeated afterwards: <image> is an
 * added token, cut out of the string before anything else looks at it, so the pieces on both sides are the same.
 */
#include "processor/prompt.h"

#include <string.h>

#include "core/memory.h"

#define IMAGE "<image>"

size_t pali__prompt_count_images(const char *text)
{
    size_t n = 0;
    for (; (text = strstr(text, IMAGE)) != NULL; text += strlen(IMAGE))
        n++;
    return n;
}

/* Behind the last <image>; at the front if there is none. (5.15.1 to 5.23.0 then put <bos> behind the 6th character
 * of a text in a batch where another has <image>: find's -1 plus 7. Versions before did not, and neither do we.) */
static size_t bos_position(const char *text)
{
    size_t position = 0;
    for (const char *found = text; (found = strstr(found, IMAGE)) != NULL;) {
        found += strlen(IMAGE);
        position = (size_t)(found - text);
    }
    return position;
}

/* Images, <bos>, the text, and a newline that is tokenized together with the text. */
static bool write_prefix(struct pali__text *out, const struct pali__prompt_rules *rules,
                         const struct pali__prompt_source *source)
{
    const size_t split = source->places_images ? bos_position(source->text) : 0;
    for (size_t i = 0; i < source->n_images && !source->places_images; i++)
        if (!pali__text_append(out, IMAGE, strlen(IMAGE)))
            return false;
    return pali__text_append(out, source->text, split) && pali__text_append(out, rules->bos, strlen(rules->bos)) &&
           pali__text_append(out, source->text + split, strlen(source->text + split)) &&
           pali__text_append(out, "\n", 1);
}

static size_t count_id(const int64_t *ids, size_t n_ids, int64_t id)
{
    size_t n = 0;
    for (size_t i = 0; i < n_ids; i++)
        n += ids[i] == id;
    return n;
}

/* Appends `ids`, each image token as often as a picture has tokens. `to` has room. */
static size_t append_ids(int64_t *to, const int64_t *ids, size_t n_ids, const struct pali__prompt_rules *rules)
{
    size_t n = 0;
    for (size_t i = 0; i < n_ids; i++) {
        int64_t times = ids[i] == rules->image_id ? rules->tokens_per_image : 1;
        for (; times > 0; times--)
            to[n++] = ids[i];
    }
    return n;
}

/* Puts the parts together. */
static pali_status join(struct pali__prompt *out, const struct pali__prompt_rules *rules, const int64_t *prefix,
                        size_t n_prefix, const int64_t *suffix, size_t n_suffix, size_t n_images, pali_error **error)
{
    const int64_t image_factors[2] = { (int64_t)n_images, rules->tokens_per_image };
    size_t n_image_ids, size = SIZE_MAX;
    if (!pali__size_product(&n_image_ids, 2, image_factors) || n_image_ids > SIZE_MAX / 32)
        return pali__no_memory(error, size);
    size = (n_prefix - n_images + n_image_ids + n_suffix) * sizeof *out->ids;
    out->ids = pali__malloc(size);
    if (!out->ids)
        return pali__no_memory(error, size);
    out->n_prefix = append_ids(out->ids, prefix, n_prefix, rules);
    if (n_suffix)
        memcpy(out->ids + out->n_prefix, suffix, n_suffix * sizeof *suffix);
    out->n_ids = out->n_prefix + n_suffix;
    return PALI_OK;
}

static pali_status encode_prefix(const struct pali__prompt_rules *rules, const struct pali__prompt_source *source,
                                 int64_t **ids, size_t *n_ids, pali_error **error)
{
    struct pali__text text = { 0 };
    if (!write_prefix(&text, rules, source)) {
        pali__text_clear(&text);
        return pali__no_memory(error, strlen(source->text));
    }
    pali_status status = pali__tokenizer_encode(rules->tokenizer, text.data, text.size, ids, n_ids, error);
    pali__text_clear(&text);
    TRY(status);
    size_t n_found = count_id(*ids, *n_ids, rules->image_id);
    if (n_found != source->n_images)
        return pali__fail(error, PALI_ERROR_SHAPE, "text %zu: it has %zu <image> tokens, expected %zu", source->row,
                          n_found, source->n_images);
    return PALI_OK;
}

static pali_status encode_suffix(const struct pali__prompt_rules *rules, const struct pali__prompt_source *source,
                                 int64_t **ids, size_t *n_ids, pali_error **error)
{
    struct pali__text text = { 0 };
    if (!source->suffix)
        return PALI_OK;
    if (!pali__text_append(&text, source->suffix, strlen(source->suffix)) ||
        !pali__text_append(&text, rules->eos, strlen(rules->eos))) {
        pali__text_clear(&text);
        return pali__no_memory(error, strlen(source->suffix));
    }
    pali_status status = pali__tokenizer_encode(rules->tokenizer, text.data, text.size, ids, n_ids, error);
    pali__text_clear(&text);
    TRY(status);
    if (count_id(*ids, *n_ids, rules->image_id))
        return pali__fail(error, PALI_ERROR_SHAPE, "suffix %zu: it contains <image>, expected it in the text only",
                          source->row);
    return PALI_OK;
}

pali_status pali__prompt_build(struct pali__prompt *out, const struct pali__prompt_rules *rules,
                               const struct pali__prompt_source *source, pali_error **error)
{
    int64_t *prefix = NULL, *suffix = NULL;
    size_t n_prefix = 0, n_suffix = 0;
    memset(out, 0, sizeof *out);
    pali_status status = encode_prefix(rules, source, &prefix, &n_prefix, error);
    if (status == PALI_OK)
        status = encode_suffix(rules, source, &suffix, &n_suffix, error);
    if (status == PALI_OK)
        status = join(out, rules, prefix, n_prefix, suffix, n_suffix, source->n_images, error);
    pali__free(prefix);
    pali__free(suffix);
    return status;
}

void pali__prompt_clear(struct pali__prompt *prompt)
{
    pali__free(prompt->ids);
    memset(prompt, 0, sizeof *prompt);
}
