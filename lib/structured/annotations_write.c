/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects as JSON in the form of COCO's instances. */
#include <paligemma/annotations.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/options.h"
#include "core/utf8_length.h"

void pali_coco_options_init(pali_coco_options *options)
{
    static const pali_coco_options defaults = PALI_COCO_OPTIONS_INIT;
    if (options)
        *options = defaults;
}

/* What is being written. */
struct writing {
    struct pali__text json;
    const pali_detections *detections;
    const pali_coco_options *options;
    int32_t width, height;
    int64_t *category_ids;   /* of each object */
    uint8_t *mask;           /* [height, width], or NULL */
    pali_error **error;
};

#define PRINT(writing, ...)                                                                                            \
    do {                                                                                                               \
        if (!pali__text_printf(&(writing)->json, __VA_ARGS__))                                                         \
            return pali__no_memory((writing)->error, (writing)->json.size + 64);                                       \
    } while (0)

/* In quotes; what is not UTF-8 becomes U+FFFD. */
static pali_status print_string(struct writing *writing, const char *text)
{
    PRINT(writing, "\"");
    for (size_t left = strlen(text); left;) {
        const size_t size = pali__utf8_length(text, left);
        const unsigned char c = (unsigned char)*text;
        if (size == 0)
            PRINT(writing, "\xef\xbf\xbd");
        else if (c == '"' || c == '\\')
            PRINT(writing, "\\%c", c);
        else if (c < 0x20)
            PRINT(writing, "\\u%04x", c);
        else
            PRINT(writing, "%.*s", (int)size, text);
        text += size ? size : 1;
        left -= size ? size : 1;
    }
    PRINT(writing, "\"");
    return PALI_OK;
}

/* The shortest decimal number that reads back as `value`, with a point whatever the host's locale. */
static pali_status print_number(struct writing *writing, double value)
{
    char text[40];
    const int from = floor(value) == value && fabs(value) < 1e15 ? 15 : 1; /* 40, not 4e+01 */
    for (int digits = from; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    for (char *c = text; *c; c++)
        if (!strchr("0123456789+-e", *c))
            *c = '.';
    PRINT(writing, "%s", text);
    return PALI_OK;
}

/* The id of `label`, if an option or an earlier object than `index` has it; else 0. *largest: the largest id so far. */
static int64_t known_category(const struct writing *writing, size_t index, const char *label, int64_t *largest)
{
    int64_t found = 0;
    *largest = (int64_t)writing->options->n_categories;
    for (size_t i = 0; i < writing->options->n_categories && !found; i++)
        if (strcmp(writing->options->categories[i], label) == 0)
            found = (int64_t)i + 1;
    for (size_t i = 0; i < index; i++) {
        if (!found && strcmp(pali_detections_get(writing->detections, i)->label, label) == 0)
            found = writing->category_ids[i];
        if (writing->category_ids[i] > *largest)
            *largest = writing->category_ids[i];
    }
    return found;
}

static pali_status print_category(struct writing *writing, int64_t id, const char *name)
{
    PRINT(writing, "%s{\"id\": %lld, \"name\": ", id > 1 ? ", " : "", (long long)id);
    TRY(print_string(writing, name));
    PRINT(writing, "}");
    return PALI_OK;
}

/* Gives every label its id and writes them all; an object without label has 0. */
static pali_status print_categories(struct writing *writing)
{
    for (size_t i = 0; i < writing->options->n_categories; i++)
        TRY(print_category(writing, (int64_t)i + 1, writing->options->categories[i]));
    for (size_t i = 0; i < pali_detections_count(writing->detections); i++) {
        const char *label = pali_detections_get(writing->detections, i)->label;
        int64_t largest = 0;
        if (!label[0])
            continue;
        writing->category_ids[i] = known_category(writing, i, label, &largest);
        if (!writing->category_ids[i]) {
            writing->category_ids[i] = largest + 1;
            TRY(print_category(writing, largest + 1, label));
        }
    }
    return PALI_OK;
}

static pali_status print_counts(struct writing *writing, const uint32_t *counts, size_t n_counts)
{
    if (!writing->options->uncompressed_rle) {
        char *text = NULL;
        TRY(pali_rle_to_text(&text, counts, n_counts, writing->error));
        pali_status status = print_string(writing, text);
        pali_free(text);
        return status;
    }
    for (size_t i = 0; i < n_counts; i++)
        PRINT(writing, "%s%lu", i ? ", " : "[", (unsigned long)counts[i]);
    PRINT(writing, "]");
    return PALI_OK;
}

/* `segmentation`, and its area. */
static pali_status print_mask(struct writing *writing, const pali_detection *item, double *area)
{
    float small[PALI_SEGMENT_SIDE * PALI_SEGMENT_SIDE];
    uint32_t *counts = NULL;
    size_t n_counts = 0;
    TRY(pali_mask_decoder_decode(writing->options->mask_decoder, item->seg, small, writing->error));
    TRY(pali_segment_paste(writing->mask, small, item, writing->width, writing->height, PALI_SEGMENT_HARD,
                           writing->error));
    TRY(pali_rle_encode(&counts, &n_counts, writing->mask, writing->width, writing->height, writing->error));
    *area = 0.0;
    for (size_t i = 1; i < n_counts; i += 2)
        *area += counts[i];
    pali_status status = pali__text_printf(&writing->json, ", \"segmentation\": {\"size\": [%ld, %ld], \"counts\": ",
                                           (long)writing->height, (long)writing->width)
                             ? print_counts(writing, counts, n_counts)
                             : pali__no_memory(writing->error, writing->json.size + 64);
    pali_free(counts);
    TRY(status);
    PRINT(writing, "}");
    return PALI_OK;
}

static pali_status print_annotation(struct writing *writing, size_t index)
{
    const pali_detection *item = pali_detections_get(writing->detections, index);
    const double x = item->x_min * writing->width, y = item->y_min * writing->height;
    const double x_end = item->x_max * writing->width, y_end = item->y_max * writing->height;
    /* A model may name corners in the wrong order: COCO has no negative sizes. */
    const double bbox[4] = { fmin(x, x_end), fmin(y, y_end), fabs(x_end - x), fabs(y_end - y) };
    double area = bbox[2] * bbox[3];
    PRINT(writing, "%s{\"id\": %zu, \"image_id\": %lld, \"category_id\": %lld, \"category_name\": ", index ? ", " : "",
          index + 1, (long long)(writing->options->image_id ? writing->options->image_id : 1),
          (long long)writing->category_ids[index]);
    TRY(print_string(writing, item->label));
    for (int i = 0; i < 4; i++) {
        PRINT(writing, "%s", i ? ", " : ", \"bbox\": [");
        TRY(print_number(writing, bbox[i]));
    }
    PRINT(writing, "]");
    if (item->seg && writing->mask)
        TRY(print_mask(writing, item, &area));
    PRINT(writing, ", \"area\": ");
    TRY(print_number(writing, area));
    if (writing->options->confidences) {
        PRINT(writing, ", \"score\": ");
        TRY(print_number(writing, writing->options->confidences[index].mean));
        PRINT(writing, ", \"score_min\": ");
        TRY(print_number(writing, writing->options->confidences[index].min));
    }
    PRINT(writing, ", \"iscrowd\": 0, \"text_begin\": %zu, \"text_end\": %zu}", item->text_begin, item->text_end);
    return PALI_OK;
}

static pali_status print_all(struct writing *writing)
{
    const pali_coco_options *options = writing->options;
    PRINT(writing, "{\"images\": [{\"id\": %lld, \"width\": %ld, \"height\": %ld",
          (long long)(options->image_id ? options->image_id : 1), (long)writing->width, (long)writing->height);
    if (options->file_name) {
        PRINT(writing, ", \"file_name\": ");
        TRY(print_string(writing, options->file_name));
    }
    PRINT(writing, "}], \"categories\": [");
    TRY(print_categories(writing));
    PRINT(writing, "], \"annotations\": [");
    for (size_t i = 0; i < pali_detections_count(writing->detections); i++)
        TRY(print_annotation(writing, i));
    PRINT(writing, "]}");
    return PALI_OK;
}

static pali_status check(const pali_coco_options *options, int32_t width, int32_t height,
                         const pali_detections *detections, pali_error **error)
{
    if (width < 1 || height < 1 || width > 65535 || height > 65535)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "pali_detections_to_coco: the picture is %ld x %ld, expected sides of 1 to 65535",
                          (long)width, (long)height);
    for (size_t i = 0; i < options->n_categories; i++)
        if (!options->categories || !options->categories[i])
            return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_coco_options: categories[%zu] is NULL", i);
    for (size_t i = 0; options->confidences && i < pali_detections_count(detections); i++)
        if (!isfinite(options->confidences[i].mean) || !isfinite(options->confidences[i].min))
            return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_coco_options: confidences[%zu] is not a number", i);
    return PALI_OK;
}

pali_status pali_detections_to_coco(char **json, const pali_detections *detections, int32_t width, int32_t height,
                                    const pali_coco_options *options, pali_error **error)
{
    if (!json)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_detections_to_coco: json is NULL");
    *json = NULL;
    if (!detections)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_detections_to_coco: detections is NULL");
    pali_coco_options read;
    pali_coco_options_init(&read);
    TRY(pali__options_take(&read, sizeof read, options, "pali_coco_options", error));
    TRY(check(&read, width, height, detections, error));

    struct writing writing = { .detections = detections, .options = &read, .width = width, .height = height,
                               .error = error };
    const size_t n_ids = pali_detections_count(detections) + 1, n_pixels = (size_t)width * (size_t)height;
    writing.category_ids = pali__calloc(n_ids, sizeof *writing.category_ids);
    if (read.mask_decoder)
        writing.mask = pali__malloc(n_pixels);
    pali_status status = PALI_OK;
    if (!writing.category_ids || (read.mask_decoder && !writing.mask))
        status = pali__no_memory(error, n_pixels);
    else
        status = print_all(&writing);
    pali__free(writing.category_ids);
    pali__free(writing.mask);
    if (status == PALI_OK)
        *json = writing.json.data;
    else
        pali__text_clear(&writing.json);
    return status;
}
