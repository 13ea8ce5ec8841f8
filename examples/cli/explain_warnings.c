/* SPDX-License-Identifier: BSD-2-Clause */
/* explain: traps that others fell into, each found by looking at the real prompt, pictures and configuration. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "explain.h"

static void warn(struct explanation *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void warn(struct explanation *e, const char *format, ...)
{
    char sentence[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    outline_sentence(&e->outline, sentence);
}

/* ---- the prompt ---- */

/* The prompt behind its last <image>. */
static const char *question(const struct explanation *e)
{
    const char *text = e->prompt, *next;
    while ((next = strstr(text, "<image>")) != NULL)
        text = next + strlen("<image>");
    return text;
}

static void check_spelling(struct explanation *e)
{
    const char *text = question(e);
    size_t size = strlen(text);

    if (size == 0) {
        warn(e, "The prompt is empty: the model was trained to answer a task such as \"caption en\".");
        return;
    }
    if (text[0] == ' ')
        warn(e, "The prompt begins with a space%s: it becomes part of the first token, which training never saw.",
             text > e->prompt ? " behind <image>" : "");
    if (text[size - 1] == '\n')
        warn(e, "The prompt ends with a newline: with the one that the processor adds it becomes another token "
                "(\"\\n\\n\"), which training never saw at this place.");
    else if (text[size - 1] == ' ')
        warn(e, "The prompt ends with a space: it becomes a token of its own before the newline.");
    if (strstr(text, "  "))
        warn(e, "The prompt has two spaces in a row, which are other tokens than one.");
    if (strstr(text, "\r") || strstr(text, "\xc2\xa0"))
        warn(e, "The prompt has a carriage return or a no-break space.");
    if (strstr(text, "<bos>"))
        warn(e, "The prompt says <bos>, which the processor adds as well: there are two.");
    if (strstr(text, "<start_of_turn>"))
        warn(e, "The prompt has chat markers: PaliGemma was not trained on conversations.");
}

/* Whether `word` of `size` bytes looks like a language: two or three lower-case letters, perhaps with a region. */
static bool is_language(const char *word, size_t size)
{
    size_t letters = 0;
    while (letters < size && word[letters] >= 'a' && word[letters] <= 'z')
        letters++;
    return (letters == 2 || letters == 3) && (letters == size || word[letters] == '-' || word[letters] == '_');
}

static void check_task(struct explanation *e)
{
    static const struct {
        const char *name;
        bool has_language;
    } tasks[] = { { "cap", true },      { "caption", true },  { "describe", true }, { "ocr", false },
                  { "answer", true },   { "question", true }, { "detect", false },  { "segment", false } };
    const char *text = question(e) + strspn(question(e), " ");
    size_t size = strcspn(text, " \n"), i = 0, n_tasks = sizeof tasks / sizeof tasks[0];

    if (size == 0)
        return;
    while (i < n_tasks && (strlen(tasks[i].name) != size || memcmp(tasks[i].name, text, size) != 0))
        i++;
    if (i == n_tasks) {
        warn(e, "The prompt begins with \"%.*s\", not with a task that the mix checkpoints know (cap, caption, describe, "
                "ocr, answer, question, detect, segment): they answer best to those; a fine-tuned model may know others.",
             (int)(size < 80 ? size : 80), text);
        return;
    }
    const char *rest = text + size + strspn(text + size, " ");
    size_t next = strcspn(rest, " \n");
    if (tasks[i].has_language && !is_language(rest, next))
        warn(e, "\"%s\" wants a language next, as in \"%s en\".", tasks[i].name, tasks[i].name);
    if ((strcmp(tasks[i].name, "detect") == 0 || strcmp(tasks[i].name, "segment") == 0) &&
        (strchr(rest, ',') || strstr(rest, " and ")))
        warn(e, "Several things to %s are separated by \" ; \".", tasks[i].name);
}

static void check_tokens(struct explanation *e)
{
    int64_t length, n_bytes = 0;
    const int64_t *ids = explain_ids(e, "input_ids", &length);
    int64_t most = explain_integer(e, "text_config.max_position_embeddings", 8192);
    int64_t new_tokens = explain_integer(e, "generation_config.max_new_tokens", 20);

    for (int64_t i = 0; i < length; i++) {
        char *text = explain_token(e, ids[i]);
        n_bytes += text && strcmp(text, "\xef\xbf\xbd") == 0;
        pali_free(text);
    }
    if (n_bytes)
        warn(e, "%" PRId64 " tokens are single bytes of characters that the vocabulary does not have.", n_bytes);
    if (length + new_tokens > most)
        warn(e, "%" PRId64 " tokens and %" PRId64 " new ones are more than the %" PRId64 " positions that the decoder was "
                "trained on.", length, new_tokens, most);
}

static void check_window(struct explanation *e)
{
    int64_t length, window = 0;
    explain_ids(e, "input_ids", &length);
    for (int64_t layer = 0; pali_mask_layer(e->mask, layer) && !window; layer++)
        window = pali_mask_window(e->mask, layer);
    if (window && length > window)
        warn(e, "The row is longer than the window: in every layer that has one, new tokens see only the last %" PRId64
                " of %" PRId64 " tokens, not the first of the picture.", window, length);
}

/* ---- pictures ---- */

static void check_source(struct explanation *e, const char *path, const pali_image_source *source)
{
    if (source->mode && source->mode[0] == 'I')
        warn(e, "%s: 16-bit gray is clipped, not scaled, to 8 bits (as by Pillow): all above 255 of 65535 is white.",
             path);
    else if (source->bits == 16)
        warn(e, "%s: of 16 bits a sample only the high 8 are used.", path);
    if (source->transparency)
        warn(e, "%s: transparency is dropped, and what was hidden below it shows (Transformers 5 puts it on white).", path);
    if (source->orientation > 1 && !source->turned)
        warn(e, "%s: its EXIF orientation %d is not applied, as by Pillow: the model sees it turned.", path,
             (int)source->orientation);
    if (source->mode && strcmp(source->mode, "CMYK") == 0)
        warn(e, "%s: CMYK is converted without a colour profile, colours may be off.", path);
}

static void check_size(struct explanation *e, size_t index)
{
    double width = pali_image_width(e->images[index]), height = pali_image_height(e->images[index]);
    double side = (double)explain_integer(e, "preprocessor_config.size.height", 224);
    double ratio = width > height ? width / height : height / width;
    double shorter = width < height ? width : height;

    if (ratio >= 2.0)
        warn(e, "%s: %g x %g becomes square: it is squeezed %.1f times; crop it, or cut it in parts.", e->paths[index],
             width, height, ratio);
    if (shorter < side / 2.0)
        warn(e, "%s: %g x %g is enlarged to %g x %g and will look blurred.", e->paths[index], width, height, side, side);
    if (shorter > side * 6.0)
        warn(e, "%s: %g x %g is reduced to %g x %g: small text and objects are lost; use a larger model or a part of it.",
             e->paths[index], width, height, side, side);
}

static void check_pictures(struct explanation *e)
{
    for (size_t i = 0; i < e->n_images; i++) {
        pali_image_source source = PALI_IMAGE_SOURCE_INIT;
        if (pali_image_get_source(e->images[i], &source, NULL) == PALI_OK)
            check_source(e, e->paths[i], &source);
        check_size(e, i);
    }
}

/* ---- the checkpoint ---- */

static void check_checkpoint(struct explanation *e)
{
    char *missing = NULL, *unexpected = NULL;
    int64_t eos, pad;

    if (!e->checkpoint) {
        warn(e, "The directory has no weights.");
    } else if (pali_checkpoint_compare(e->checkpoint, e->config, &missing, &unexpected, NULL) == PALI_OK) {
        if (*missing)
            warn(e, "The checkpoint lacks %.*s%s.", (int)strcspn(missing, "\n"), missing,
                 strchr(missing, '\n') && strchr(missing, '\n')[1] ? " and others" : "");
        if (*unexpected)
            warn(e, "The checkpoint has %.*s, which the model does not know%s.", (int)strcspn(unexpected, "\n"),
                 unexpected, strchr(unexpected, '\n') && strchr(unexpected, '\n')[1] ? ", and others" : "");
    }
    pali_free(missing);
    pali_free(unexpected);
    eos = explain_integer(e, "generation_config.eos_token_id", -1);
    pad = explain_integer(e, "generation_config.pad_token_id", -2);
    if (eos == pad)
        warn(e, "generation_config.json has one id for eos and pad.");
    if (explain_integer(e, "generation_config.do_sample", 0))
        warn(e, "generation_config.json asks for sampling: answers are drawn, unless the temperature is -1 (greedy).");
    if (explain_integer(e, "preprocessor_config.image_seq_length", 0) !=
        explain_integer(e, "text_config.num_image_tokens", 0))
        warn(e, "The processor makes %" PRId64 " tokens a picture and the tower %" PRId64 ".",
             explain_integer(e, "preprocessor_config.image_seq_length", 0),
             explain_integer(e, "text_config.num_image_tokens", 0));
}

void explain_warnings(struct explanation *e)
{
    outline_open_list(&e->outline, "warnings");
    check_spelling(e);
    check_task(e);
    check_tokens(e);
    check_window(e);
    check_pictures(e);
    check_checkpoint(e);
    if (!e->outline.json && !e->outline.filled[1])
        puts("  none");
    outline_close(&e->outline);
}
