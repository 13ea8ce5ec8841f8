/* SPDX-License-Identifier: BSD-2-Clause */
/* explain: the tokens and the pictures as the processor made them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "explain.h"
#include "json_write.h"

const int64_t *explain_ids(const struct explanation *e, const char *name, int64_t *length)
{
    const pali_tensor *tensor = pali_inputs_get(e->inputs, name);
    *length = tensor->shape[1];
    return tensor->data;
}

char *explain_token(const struct explanation *e, int64_t id)
{
    char *text = NULL;
    pali_processor_decode(e->processor, &id, 1, 0, &text, NULL);
    return text;
}

/* ---- tokens ---- */

/* What a token of the row is, besides text. `text` may be NULL. */
static const char *kind_of(const struct explanation *e, const char *text, int64_t position, int64_t length)
{
    int64_t n;
    const int64_t *ids = explain_ids(e, "input_ids", &n), *types = explain_ids(e, "token_type_ids", &n);
    if (ids[position] == explain_integer(e, "image_token_index", -1))
        return "picture";
    bool last_of_prefix = types[position] == 0 && (position + 1 == length || types[position + 1] != 0);

    if (ids[position] == explain_integer(e, "generation_config.bos_token_id", 2))
        return "bos";
    if (types[position] != 0)
        return position + 1 == length ? "suffix, eos" : "suffix";
    if (last_of_prefix)
        return text && strcmp(text, "\n") == 0 ? "newline" : "newline, merged with the prompt's own";
    return "prompt";
}

/* The same token from `position` to `end`, for programs. */
static void explain_run(struct explanation *e, int64_t position, int64_t end)
{
    int64_t length;
    const int64_t *ids = explain_ids(e, "input_ids", &length);
    char *text = explain_token(e, ids[position]);
    outline_open(&e->outline, NULL);
    outline_integer(&e->outline, "position", position);
    outline_integer(&e->outline, "count", end - position);
    outline_integer(&e->outline, "id", ids[position]);
    outline_quoted(&e->outline, "text", text);
    outline_text(&e->outline, "is", "%s", kind_of(e, text, position, length));
    outline_close(&e->outline);
    pali_free(text);
}

/* The same on one line, for people. */
static void list_run(struct explanation *e, int64_t position, int64_t end)
{
    int64_t length;
    const int64_t *ids = explain_ids(e, "input_ids", &length);
    char *text = explain_token(e, ids[position]), where[48];
    if (end > position + 1)
        snprintf(where, sizeof where, "%" PRId64 "-%" PRId64, position, end - 1);
    else
        snprintf(where, sizeof where, "%" PRId64, position);
    printf("  %-12s %8" PRId64 "  ", where, ids[position]);
    json_write_text(text);
    if (end > position + 1)
        printf(" × %" PRId64, end - position);
    printf("   %s\n", kind_of(e, text, position, length));
    pali_free(text);
}

void explain_tokens(struct explanation *e)
{
    int64_t length, image = explain_integer(e, "image_token_index", -1);
    const int64_t *ids = explain_ids(e, "input_ids", &length);

    outline_open_list(&e->outline, "tokens");
    for (int64_t i = 0; i < length;) {
        int64_t end = i + 1;
        while (ids[i] == image && end < length && ids[end] == image)
            end++;
        if (e->outline.json)
            explain_run(e, i, end);
        else
            list_run(e, i, end);
        i = end;
    }
    outline_close(&e->outline);
}

/* ---- pictures ---- */

static const char *conversion_of(const pali_image_source *source)
{
    if (strcmp(source->mode, "CMYK") == 0)
        return "CMYK to RGB, by Pillow's formula, without a colour profile";
    if (strcmp(source->mode, "I;16") == 0 || strcmp(source->mode, "I") == 0)
        return "16-bit gray to RGB, values above 255 clipped to 255, as Pillow does";
    if (source->bits == 16)
        return "16-bit samples to RGB by their high byte; alpha, if any, dropped";
    if (source->transparency)
        return "to RGB, transparency dropped";
    if (strcmp(source->mode, "P") == 0)
        return "palette to RGB";
    return strcmp(source->mode, "RGB") == 0 ? "none" : "gray to RGB";
}

/* Of the numbers that the tower gets. */
static void explain_pixels(struct explanation *e, int64_t index)
{
    const pali_tensor *pixels = pali_inputs_get(e->inputs, "pixel_values");
    int64_t n = pixels->shape[1] * pixels->shape[2] * pixels->shape[3];
    const float *values = (const float *)pixels->data + index * n;
    double low = (double)values[0], high = (double)values[0], sum = 0.0;
    for (int64_t i = 0; i < n; i++) {
        low = (double)values[i] < low ? (double)values[i] : low;
        high = (double)values[i] > high ? (double)values[i] : high;
        sum += (double)values[i];
    }
    outline_number(&e->outline, "pixel_values_min", low);
    outline_number(&e->outline, "pixel_values_max", high);
    outline_number(&e->outline, "pixel_values_mean", sum / (double)n);
}

static void explain_picture(struct explanation *e, size_t index)
{
    const pali_image *image = e->images[index];
    const pali_tensor *pixels = pali_inputs_get(e->inputs, "pixel_values");
    pali_image_source source = PALI_IMAGE_SOURCE_INIT;
    pali_image_get_source(image, &source, NULL);
    double stretch = (double)pixels->shape[3] / pali_image_width(image) * pali_image_height(image) /
                     (double)pixels->shape[2];

    outline_open(&e->outline, NULL);
    outline_quoted(&e->outline, "file", e->paths[index]);
    outline_text(&e->outline, "format", "%s", source.format ? source.format : "pixels");
    outline_text(&e->outline, "mode", "%s", source.mode);
    outline_integer(&e->outline, "bits", source.bits);
    outline_flag(&e->outline, "transparency", source.transparency != 0);
    outline_integer(&e->outline, "exif_orientation", source.orientation);
    outline_flag(&e->outline, "turned", source.turned != 0);
    outline_text(&e->outline, "conversion", "%s", conversion_of(&source));
    outline_integer(&e->outline, "width", pali_image_width(image));
    outline_integer(&e->outline, "height", pali_image_height(image));
    outline_integer(&e->outline, "resized_width", pixels->shape[3]);
    outline_integer(&e->outline, "resized_height", pixels->shape[2]);
    outline_number(&e->outline, "stretched_in_width", stretch);
    explain_pixels(e, (int64_t)index);
    outline_close(&e->outline);
}

static void explain_preprocessing(struct explanation *e)
{
    int64_t patches = explain_integer(e, "preprocessor_config.image_seq_length", 0), n_tokens = 0, length;
    const int64_t *ids = explain_ids(e, "input_ids", &length);
    for (int64_t i = 0; i < length; i++)
        n_tokens += ids[i] == explain_integer(e, "image_token_index", -1);
    outline_open(&e->outline, "preprocessing");
    outline_flag(&e->outline, "do_resize", explain_integer(e, "preprocessor_config.do_resize", 1) != 0);
    outline_text(&e->outline, "filter", "bicubic, a = -0.5, antialiased, as Pillow; the aspect ratio is not kept");
    outline_number(&e->outline, "rescale_factor", explain_number(e, "preprocessor_config.rescale_factor", 1.0 / 255));
    outline_number(&e->outline, "image_mean", explain_number(e, "preprocessor_config.image_mean.0", 0.5));
    outline_number(&e->outline, "image_std", explain_number(e, "preprocessor_config.image_std.0", 0.5));
    outline_integer(&e->outline, "pictures", (int64_t)e->n_images);
    outline_integer(&e->outline, "tokens_per_picture", patches);
    outline_integer(&e->outline, "image_tokens", n_tokens);
    outline_close(&e->outline);
}

void explain_pictures(struct explanation *e)
{
    explain_preprocessing(e);
    outline_open_list(&e->outline, "pictures");
    for (size_t i = 0; i < e->n_images; i++)
        explain_picture(e, i);
    outline_close(&e->outline);
}
