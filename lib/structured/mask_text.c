/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mask as text, in the form of AttentionMaskVisualizer (transformers/utils/attention_visualizer.py, 5.23):
 *
 *    ■: i == j (diagonal)   ■: image tokens
 *                 Attention Matrix    Sliding Window Mask
 *                 0 1 2 …        |    0 1 2 …
 *   '<image>':  0 ■ ■ ■ …        |    ■ ■ ■ …
 *
 * That one draws the causal mask of a decoder that knows nothing of prefixes; this one draws what the kernels apply.
 */
#include "structured/mask.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/options.h"
#include "core/utf8_length.h"

#define GREEN "\033[92m"
#define YELLOW "\033[93m"
#define RESET "\033[0m"
#define SEEN "■"
#define UNSEEN "⬚"
#define BETWEEN "    |    "
#define SPACE_MARK "▁"

void pali_mask_text_options_init(pali_mask_text_options *options)
{
    *options = (pali_mask_text_options)PALI_MASK_TEXT_OPTIONS_INIT;
}

struct drawing {
    const struct pali_mask *mask;
    int64_t row;
    bool color;
    int64_t *shown; /* positions that are written out, ascending */
    int64_t n_shown;
    char **words;   /* [n_shown], as Python's repr writes them */
    int word_width, index_width;
    bool kinds[2], sliding[2]; /* up to two matrices side by side: whether there is one, and which */
    struct pali__text text;
};

/* ---- which tokens ---- */

/* Whether a picture's token number `offset` is one of `count` evenly spaced ones, the first and the last among them. */
static bool is_sample(int64_t offset, int64_t n, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (offset == i * (n - 1) / (count - 1))
            return true;
    return false;
}

static pali_status choose_tokens(struct drawing *drawing, int64_t per_image, pali_error **error)
{
    const struct pali_mask *mask = drawing->mask;
    int64_t run = 0;

    drawing->shown = pali__malloc((size_t)mask->length * sizeof *drawing->shown);
    if (!drawing->shown)
        return pali__no_memory(error, (size_t)mask->length * sizeof *drawing->shown);
    for (int64_t i = 0; i < mask->length; i++) {
        bool image = pali__mask_is_image(mask, drawing->row, i);
        run = image ? run + 1 : 0;
        if (!image || per_image == 0 || per_image >= mask->tokens_per_image ||
            is_sample((run - 1) % mask->tokens_per_image, mask->tokens_per_image, per_image))
            drawing->shown[drawing->n_shown++] = i;
    }
    return PALI_OK;
}

/* ---- words ---- */

/* Python's repr of `size` bytes of UTF-8. */
static bool append_repr(struct pali__text *out, const char *bytes, size_t size)
{
    char quote = memchr(bytes, '\'', size) && !memchr(bytes, '"', size) ? '"' : '\'';
    bool ok = pali__text_append(out, &quote, 1);

    for (size_t i = 0; ok && i < size;) {
        size_t length = pali__utf8_length(bytes + i, size - i);
        unsigned char c = (unsigned char)bytes[i];
        if (length > 1)
            ok = pali__text_append(out, bytes + i, length);
        else if (c == '\n' || c == '\t' || c == '\r')
            ok = pali__text_append(out, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r", 2);
        else if (c == '\\' || c == (unsigned char)quote)
            ok = pali__text_printf(out, "\\%c", c);
        else if (c < 0x20 || c > 0x7e)
            ok = pali__text_printf(out, "\\x%02x", c);
        else
            ok = pali__text_append(out, bytes + i, 1);
        i += length ? length : 1;
    }
    return ok && pali__text_append(out, &quote, 1);
}

/* The piece of `id` as the tokenizer's vocabulary has it: spaces as marks, a lone byte as <0x..>. */
static bool append_piece(struct pali__text *out, const struct pali__tokenizer *tokenizer, int64_t id)
{
    size_t size = 0;
    bool is_byte = false, ok = true;
    const char *piece = NULL;

    if (id >= 0 && id < pali__tokenizer_size(tokenizer))
        piece = pali__tokenizer_piece(tokenizer, id, false, &size, &is_byte);
    if (!piece)
        return pali__text_printf(out, "%lld", (long long)id);
    if (is_byte)
        return pali__text_printf(out, "<0x%02X>", (unsigned char)piece[0]);
    for (size_t i = 0; ok && i < size; i++)
        ok = piece[i] == ' ' ? pali__text_append(out, SPACE_MARK, strlen(SPACE_MARK))
                             : pali__text_append(out, piece + i, 1);
    return ok;
}

static bool append_word(struct pali__text *out, const struct drawing *drawing, int64_t position)
{
    const struct pali__tokenizer *tokenizer = pali__processor_tokenizer(drawing->mask->processor);
    struct pali__text piece = { 0 };
    bool ok;

    if (!drawing->mask->ids)
        return pali__text_printf(out, "'?'");
    int64_t id = drawing->mask->ids[drawing->row * drawing->mask->length + position];
    if (!tokenizer)
        return pali__text_printf(out, "'%lld'", (long long)id);
    ok = append_piece(&piece, tokenizer, id) && append_repr(out, piece.data ? piece.data : "", piece.size);
    pali__text_clear(&piece);
    return ok;
}

static int characters(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static pali_status make_words(struct drawing *drawing, pali_error **error)
{
    char last[24];

    drawing->words = pali__calloc((size_t)drawing->n_shown, sizeof *drawing->words);
    if (!drawing->words)
        return pali__no_memory(error, (size_t)drawing->n_shown * sizeof *drawing->words);
    for (int64_t i = 0; i < drawing->n_shown; i++) {
        struct pali__text word = { 0 };
        bool ok = append_word(&word, drawing, drawing->shown[i]);
        drawing->words[i] = word.data;
        if (!ok)
            return pali__no_memory(error, word.size);
        int width = characters(word.data);
        drawing->word_width = width > drawing->word_width ? width : drawing->word_width;
    }
    drawing->index_width = snprintf(last, sizeof last, "%lld", (long long)drawing->mask->length);
    return PALI_OK;
}

/* ---- lines ---- */

static bool append(struct drawing *drawing, const char *text)
{
    return pali__text_append(&drawing->text, text, strlen(text));
}

static bool append_colored(struct drawing *drawing, const char *color, const char *text)
{
    if (!drawing->color || !color)
        return append(drawing, text);
    return append(drawing, color) && append(drawing, text) && append(drawing, RESET);
}

static bool append_spaces(struct drawing *drawing, int n)
{
    return n <= 0 || pali__text_printf(&drawing->text, "%*s", n, "");
}

/* What stands before the first matrix of a line: a word, a colon, an index, each followed by a space. */
static int margin(const struct drawing *drawing)
{
    int index = drawing->index_width > 2 ? drawing->index_width : 2;
    return drawing->word_width + index + 3;
}

static bool draw_cell(struct drawing *drawing, bool sliding, int64_t query, int64_t key)
{
    const struct pali_mask *mask = drawing->mask;
    const char *color = query == key ? GREEN : NULL;

    if (!pali__mask_sees(mask, sliding, drawing->row, query, key))
        return append(drawing, UNSEEN);
    if (pali__mask_is_image(mask, drawing->row, query) && pali__mask_is_image(mask, drawing->row, key))
        color = YELLOW;
    return append_colored(drawing, color, SEEN);
}

static bool draw_row(struct drawing *drawing, int64_t at)
{
    int64_t query = drawing->shown[at];
    const char *color = pali__mask_is_image(drawing->mask, drawing->row, query) ? YELLOW : NULL;
    bool ok = append_colored(drawing, color, drawing->words[at]) &&
              append_spaces(drawing, drawing->word_width - characters(drawing->words[at])) &&
              pali__text_printf(&drawing->text, ": %*lld ", drawing->index_width > 2 ? drawing->index_width : 2,
                                (long long)query);

    for (int matrix = 0; ok && matrix < 2; matrix++) {
        if (!drawing->kinds[matrix])
            continue;
        ok = matrix == 0 || !drawing->kinds[0] || append(drawing, BETWEEN);
        for (int64_t i = 0; ok && i < drawing->n_shown; i++)
            ok = (i == 0 || append(drawing, " ")) &&
                 draw_cell(drawing, drawing->sliding[matrix], query, drawing->shown[i]);
    }
    return ok && append(drawing, "\n");
}

/* One line of the columns' numbers, which are written from top to bottom. */
static bool draw_digits(struct drawing *drawing, int place)
{
    bool ok = append_spaces(drawing, margin(drawing));

    for (int matrix = 0; ok && matrix < 2; matrix++) {
        if (!drawing->kinds[matrix])
            continue;
        ok = matrix == 0 || !drawing->kinds[0] || append(drawing, BETWEEN);
        for (int64_t i = 0; ok && i < drawing->n_shown; i++) {
            char number[24], digit[2] = { 0, 0 };
            snprintf(number, sizeof number, "%*lld", drawing->index_width, (long long)drawing->shown[i]);
            digit[0] = number[place];
            ok = (i == 0 || append(drawing, " ")) &&
                 append_colored(drawing, pali__mask_is_image(drawing->mask, drawing->row, drawing->shown[i]) ? YELLOW
                                                                                                             : NULL,
                                digit);
        }
    }
    return ok && append(drawing, "\n");
}

static bool draw_head(struct drawing *drawing)
{
    char window[64];
    int width = (int)(2 * drawing->n_shown - 1) + (int)strlen(BETWEEN);

    snprintf(window, sizeof window, "Sliding Window Mask (%lld)", (long long)drawing->mask->window);
    const char *titles[2] = { drawing->sliding[0] ? window : "Attention Matrix", window };
    bool ok = append(drawing, " ") && append_colored(drawing, GREEN, SEEN) &&
              append(drawing, ": i == j (diagonal)   ") && append_colored(drawing, YELLOW, SEEN) &&
              append(drawing, ": image tokens\n") && append_spaces(drawing, margin(drawing)) &&
              append(drawing, titles[0]);
    if (ok && drawing->kinds[1])
        ok = append_spaces(drawing, width - (int)strlen(titles[0])) && append(drawing, titles[1]);
    ok = ok && append(drawing, "\n");
    for (int place = 0; ok && place < drawing->index_width; place++)
        ok = draw_digits(drawing, place);
    return ok;
}

static pali_status draw(struct drawing *drawing, int64_t per_image, pali_error **error)
{
    TRY(choose_tokens(drawing, per_image, error));
    TRY(make_words(drawing, error));
    bool ok = draw_head(drawing);
    for (int64_t i = 0; ok && i < drawing->n_shown; i++)
        if (drawing->shown[i] >= drawing->mask->past)
            ok = draw_row(drawing, i);
    return ok ? PALI_OK : pali__no_memory(error, drawing->text.size);
}

static void choose_matrices(struct drawing *drawing, int64_t layer)
{
    const struct pali_mask *mask = drawing->mask;

    drawing->kinds[0] = true;
    drawing->sliding[0] = layer >= 0 ? mask->slides[layer] : !mask->full_data;
    drawing->kinds[1] = layer < 0 && mask->full_data && mask->sliding_data;
    drawing->sliding[1] = true;
}

pali_status pali_mask_text(char **text, const pali_mask *mask, const pali_mask_text_options *options,
                           pali_error **error)
{
    pali_mask_text_options chosen = PALI_MASK_TEXT_OPTIONS_INIT;

    if (text)
        *text = NULL;
    if (!text || !mask)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_mask_text: %s is NULL", text ? "mask" : "text");
    TRY(pali__options_take(&chosen, sizeof chosen, options, "pali_mask_text_options", error));
    if (chosen.row < 0 || chosen.row >= mask->batch || chosen.layer < -1 || chosen.layer >= mask->n_layers ||
        chosen.tokens_per_image < 0 || chosen.tokens_per_image == 1)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "pali_mask_text_options: row %lld, layer %lld, tokens_per_image %lld; expected below %lld, "
                          "-1…%lld, 0 or at least 2", (long long)chosen.row, (long long)chosen.layer,
                          (long long)chosen.tokens_per_image, (long long)mask->batch, (long long)mask->n_layers - 1);
    struct drawing drawing = { .mask = mask, .row = chosen.row, .color = chosen.color != 0 };
    choose_matrices(&drawing, chosen.layer);
    pali_status status = draw(&drawing, chosen.tokens_per_image, error);
    for (int64_t i = 0; drawing.words && i < drawing.n_shown; i++)
        pali__free(drawing.words[i]);
    pali__free(drawing.words);
    pali__free(drawing.shown);
    if (status != PALI_OK) {
        pali__text_clear(&drawing.text);
        return status;
    }
    *text = drawing.text.data;
    return PALI_OK;
}
