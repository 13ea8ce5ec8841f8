/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects drawn on the picture: masks in colour, boxes, labels on a patch of the box's colour. */
#include <paligemma/annotations.h>

#include <string.h>

#include "core/memory.h"
#include "core/options.h"
#include "image/image_internal.h"

void pali_draw_options_init(pali_draw_options *options)
{
    static const pali_draw_options defaults = PALI_DRAW_OPTIONS_INIT;
    if (options)
        *options = defaults;
}

/* The caller's options over the defaults, checked, with the sizes that depend on the picture. */
static pali_status read_options(pali_draw_options *to, const pali_draw_options *from, const pali_image *image,
                                pali_error **error)
{
    pali_draw_options_init(to);
    TRY(pali__options_take(to, sizeof *to, from, "pali_draw_options", error));
    if (!(to->mask_opacity >= 0.0 && to->mask_opacity <= 1.0))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_draw_options: mask_opacity is %f, expected 0 to 1",
                          to->mask_opacity);
    if (to->thickness < -1)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_draw_options: thickness is %ld, expected at least -1",
                          (long)to->thickness);
    if (to->text_scale < -1 || to->text_scale > 1000)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_draw_options: text_scale is %ld, expected -1 to 1000",
                          (long)to->text_scale);
    const int32_t shorter = image->width < image->height ? image->width : image->height;
    if (to->thickness == 0)
        to->thickness = shorter < 200 ? 1 : shorter / 100;
    if (to->text_scale == 0)
        to->text_scale = shorter < 400 ? 1 : shorter < 200000 ? shorter / 200 : 1000;
    return PALI_OK;
}

/* The label's colour: its hash (FNV-1a, mixed) chooses one of 24 hues in one of two strengths. */
static void label_colour(uint8_t *rgb, const char *label)
{
    uint32_t hash = 2166136261u;
    for (; *label; label++)
        hash = (hash ^ (uint32_t)(unsigned char)*label) * 16777619u;
    hash = (hash ^ hash >> 16) * 0x7feb352du;
    hash ^= hash >> 15;
    const unsigned hue = hash % 24, high = hash / 24 % 2 ? 235 : 195, low = 30;
    const unsigned sector = hue / 4, ramp = (high - low) * (hue % 4) / 4;
    const unsigned up = low + ramp, down = high - ramp;
    const unsigned colours[6][3] = { { high, up, low },  { down, high, low }, { low, high, up },
                                     { low, down, high }, { up, low, high },  { high, low, down } };
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)colours[sector][c];
}

static pali_status draw_mask(pali_image *image, uint8_t *mask, const pali_detection *item,
                             const pali_draw_options *options, pali_error **error)
{
    float small[PALI_SEGMENT_SIDE * PALI_SEGMENT_SIDE];
    uint8_t rgb[3];
    TRY(pali_mask_decoder_decode(options->mask_decoder, item->seg, small, error));
    TRY(pali_segment_paste(mask, small, item, image->width, image->height, PALI_SEGMENT_SOFT, error));
    label_colour(rgb, item->label);
    pali_image_blend(image, mask, options->mask_opacity, rgb);
    return PALI_OK;
}

static pali_status draw_masks(const pali_detections *detections, pali_image *image, const pali_draw_options *options,
                              pali_error **error)
{
    const size_t n_pixels = (size_t)image->width * (size_t)image->height;
    uint8_t *mask = pali__malloc(n_pixels);
    if (!mask)
        return pali__no_memory(error, n_pixels);
    pali_status status = PALI_OK;
    for (size_t i = 0; i < pali_detections_count(detections) && status == PALI_OK; i++) {
        const pali_detection *item = pali_detections_get(detections, i);
        if (item->seg)
            status = draw_mask(image, mask, item, options, error);
    }
    pali__free(mask);
    return status;
}

/* Above the box if there is room, else inside it; never outside the picture's sides if it fits. */
static pali_status draw_label(pali_image *image, const pali_detection *item, const pali_confidence *confidence,
                              int32_t scale, pali_error **error)
{
    static const uint8_t black[3] = { 0, 0, 0 }, white[3] = { 255, 255, 255 };
    struct pali__text text = { NULL, 0, 0 };
    bool ok = pali__text_append(&text, item->label, strlen(item->label));
    if (ok && confidence) {
        const double mean = confidence->mean;
        const int percent = mean >= 1.0 ? 100 : mean > 0.0 ? (int)(mean * 100.0 + 0.5) : 0;
        ok = pali__text_printf(&text, "%s%d.%02d", text.size ? " " : "", percent / 100, percent % 100);
    }
    if (!ok) {
        pali__text_clear(&text);
        return pali__no_memory(error, strlen(item->label) + 8);
    }
    int32_t width, height;
    pali_image_text_size(text.data, scale, &width, &height);
    int32_t x = (int32_t)(item->x_min * image->width + 0.5), y = (int32_t)(item->y_min * image->height + 0.5);
    if (x > image->width - width)
        x = image->width > width ? image->width - width : 0;
    if (y >= height)
        y -= height;

    uint8_t rgb[3];
    label_colour(rgb, item->label);
    const unsigned light = 299u * rgb[0] + 587u * rgb[1] + 114u * rgb[2]; /* ITU-R BT.601, in thousandths */
    if (text.size) {
        pali__image_fill(image, x, y, (int64_t)x + width + scale, (int64_t)y + height, rgb);
        pali_image_draw_text(image, x + scale, y, text.data, scale, light > 140000u ? black : white);
    }
    pali__text_clear(&text);
    return PALI_OK;
}

pali_status pali_detections_draw(const pali_detections *detections, pali_image *image, const pali_draw_options *options,
                                 pali_error **error)
{
    if (!detections || !image)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_detections_draw: %s is NULL",
                          detections ? "image" : "detections");
    pali_draw_options read;
    TRY(read_options(&read, options, image, error));
    const size_t count = pali_detections_count(detections);
    if (read.mask_decoder && read.mask_opacity > 0.0)
        TRY(draw_masks(detections, image, &read, error));
    for (size_t i = 0; i < count && read.thickness > 0; i++) {
        const pali_detection *item = pali_detections_get(detections, i);
        uint8_t rgb[3];
        label_colour(rgb, item->label);
        pali_image_draw_box(image, item->x_min * image->width, item->y_min * image->height, item->x_max * image->width,
                            item->y_max * image->height, read.thickness, rgb);
    }
    for (size_t i = 0; i < count && read.text_scale > 0; i++)
        TRY(draw_label(image, pali_detections_get(detections, i), read.confidences ? &read.confidences[i] : NULL,
                       read.text_scale, error));
    return PALI_OK;
}
