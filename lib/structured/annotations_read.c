/* SPDX-License-Identifier: BSD-2-Clause */
/* COCO's instances back to objects: what annotations_write.c writes, and what other tools write in that form. */
#include <paligemma/annotations.h>

#include <stdbool.h>
#include <string.h>

#include "core/json_file.h"
#include "core/memory.h"
#include "core/options.h"
#include "structured/detections.h"

enum { JSON_DEPTH = 16, PIXEL_LIMIT = 178956970 /* as for pictures: a short text can claim any number */ };

/* What is being read. */
struct reading {
    struct json_object *annotations, *categories;
    int64_t image_id; /* 0: every annotation counts */
    int32_t width, height;
    const pali_mask_decoder *mask_decoder;
    uint8_t *mask; /* [height, width] */
    pali_error **error;
};

static bool read_side(struct json_object *value, int32_t *side)
{
    int64_t number;
    if (!pali__json_int(value, &number) || number < 1 || number > 65535)
        return false;
    *side = (int32_t)number;
    return true;
}

/* Which picture is meant, and its size, unless the caller gave that. */
static pali_status find_image(struct reading *reading, struct json_object *images)
{
    struct json_object *image = NULL;
    const size_t n_images = pali__json_count(images);
    for (size_t i = 0; i < n_images; i++) {
        int64_t id = 0;
        const bool has_id = pali__json_int(pali__json_get(pali__json_at(images, i), "id"), &id);
        if (n_images == 1 && !reading->image_id)
            reading->image_id = has_id ? id : 0;
        if ((has_id && id == reading->image_id) || (n_images == 1 && !reading->image_id))
            image = pali__json_at(images, i);
    }
    if (n_images > 1 && !reading->image_id)
        return pali__fail(reading->error, PALI_ERROR_ARGUMENT,
                          "pali_detections_from_coco: the file has %zu images and image_id does not say which",
                          n_images);
    if (n_images && !image)
        return pali__fail(reading->error, PALI_ERROR_ARGUMENT,
                          "pali_detections_from_coco: none of the file's images has the id %lld",
                          (long long)reading->image_id);
    if (reading->width && reading->height)
        return PALI_OK;
    if (!read_side(pali__json_get(image, "width"), &reading->width) ||
        !read_side(pali__json_get(image, "height"), &reading->height))
        return pali__fail(reading->error, PALI_ERROR_FORMAT,
                          "pali_detections_from_coco: no size is given, and the file's image has no width and height "
                          "of 1 to 65535");
    return PALI_OK;
}

static bool is_wanted(const struct reading *reading, struct json_object *annotation)
{
    int64_t id;
    const bool has_id = pali__json_int(pali__json_get(annotation, "image_id"), &id);
    return !reading->image_id || !has_id || id == reading->image_id;
}

/* The annotation's label, borrowed; "" if it has none. */
static const char *find_label(const struct reading *reading, struct json_object *annotation)
{
    const char *name = pali__json_string(pali__json_get(annotation, "category_name"));
    int64_t id, other;
    if (name)
        return name;
    if (!pali__json_int(pali__json_get(annotation, "category_id"), &id))
        return "";
    for (size_t i = 0; i < pali__json_count(reading->categories); i++) {
        struct json_object *category = pali__json_at(reading->categories, i);
        if (pali__json_int(pali__json_get(category, "id"), &other) && other == id)
            name = pali__json_string(pali__json_get(category, "name"));
    }
    return name ? name : "";
}

static double within(double value) { return value < 0.0 ? 0.0 : value > 1.0 ? 1.0 : value; }

static pali_status read_box(const struct reading *reading, size_t index, struct json_object *annotation,
                            pali_detection *item)
{
    struct json_object *bbox = pali__json_get(annotation, "bbox");
    double box[4] = { 0 };
    bool ok = pali__json_kind(bbox) == PALI__JSON_ARRAY && pali__json_count(bbox) == 4;
    for (size_t i = 0; i < 4 && ok; i++)
        ok = pali__json_float(pali__json_at(bbox, i), &box[i]);
    if (!ok || box[2] < 0.0 || box[3] < 0.0)
        return pali__fail(reading->error, PALI_ERROR_FORMAT,
                          "pali_detections_from_coco: annotations[%zu].bbox is not [x, y, width, height]", index);
    item->x_min = within(box[0] / reading->width);
    item->y_min = within(box[1] / reading->height);
    item->x_max = within((box[0] + box[2]) / reading->width);
    item->y_max = within((box[1] + box[3]) / reading->height);
    return PALI_OK;
}

/* A list of numbers, or COCO's text. */
static pali_status read_counts(const struct reading *reading, size_t index, struct json_object *value,
                               uint32_t **counts, size_t *n_counts)
{
    const char *text = pali__json_string(value);
    if (text)
        return pali_rle_from_text(counts, n_counts, text, reading->error);
    if (pali__json_kind(value) != PALI__JSON_ARRAY)
        return pali__fail(reading->error, PALI_ERROR_FORMAT,
                          "pali_detections_from_coco: annotations[%zu].segmentation.counts is %s, a string or an array "
                          "was expected",
                          index, pali__json_kind_name(pali__json_kind(value)));
    *n_counts = pali__json_count(value);
    *counts = pali__calloc(*n_counts + 1, sizeof **counts);
    if (!*counts)
        return pali__no_memory(reading->error, (*n_counts + 1) * sizeof **counts);
    for (size_t i = 0; i < *n_counts; i++) {
        int64_t number;
        if (!pali__json_int(pali__json_at(value, i), &number) || number < 0 || number > UINT32_MAX)
            return pali__fail(reading->error, PALI_ERROR_FORMAT,
                              "pali_detections_from_coco: annotations[%zu].segmentation.counts[%zu] is no run length",
                              index, i);
        (*counts)[i] = (uint32_t)number;
    }
    return PALI_OK;
}

/* The mask in the picture becomes the 16 indices. */
static pali_status read_mask(const struct reading *reading, size_t index, struct json_object *segmentation,
                             const pali_detection *item, int32_t *seg)
{
    struct json_object *size = pali__json_get(segmentation, "size");
    float small[PALI_SEGMENT_SIDE * PALI_SEGMENT_SIDE];
    uint32_t *counts = NULL;
    size_t n_counts = 0;
    int32_t height = 0, width = 0;
    if (pali__json_kind(segmentation) == PALI__JSON_ARRAY)
        return pali__fail(reading->error, PALI_ERROR_UNSUPPORTED,
                          "pali_detections_from_coco: annotations[%zu].segmentation is a list of polygons, run lengths "
                          "were expected",
                          index);
    if (!read_side(pali__json_at(size, 0), &height) || !read_side(pali__json_at(size, 1), &width))
        return pali__fail(reading->error, PALI_ERROR_FORMAT,
                          "pali_detections_from_coco: annotations[%zu].segmentation.size is not [height, width]",
                          index);
    if (height != reading->height || width != reading->width)
        return pali__fail(reading->error, PALI_ERROR_SHAPE,
                          "pali_detections_from_coco: annotations[%zu].segmentation is of a picture of %ld x %ld, "
                          "%ld x %ld was expected",
                          index, (long)width, (long)height, (long)reading->width, (long)reading->height);
    pali_status status = read_counts(reading, index, pali__json_get(segmentation, "counts"), &counts, &n_counts);
    if (status == PALI_OK)
        status = pali_rle_decode(reading->mask, counts, n_counts, width, height, reading->error);
    pali__free(counts);
    TRY(status);
    TRY(pali_segment_crop(small, reading->mask, width, height, item, reading->error));
    return pali_mask_decoder_encode(reading->mask_decoder, small, seg, reading->error);
}

/* All annotations of the picture. `labels_at` is where the next label goes. */
static pali_status read_items(const struct reading *reading, struct pali_detections *detections)
{
    char *labels_at = detections->labels;
    for (size_t i = 0; i < pali__json_count(reading->annotations); i++) {
        struct json_object *annotation = pali__json_at(reading->annotations, i);
        struct json_object *segmentation = pali__json_get(annotation, "segmentation");
        if (!is_wanted(reading, annotation))
            continue;
        pali_detection *item = &detections->items[detections->count];
        int32_t *seg = detections->seg + detections->count * PALI__N_SEG;
        const char *label = find_label(reading, annotation);
        TRY(read_box(reading, i, annotation, item));
        if (segmentation && reading->mask) {
            TRY(read_mask(reading, i, segmentation, item, seg));
            item->seg = seg;
        }
        item->label = labels_at;
        memcpy(labels_at, label, strlen(label) + 1);
        labels_at += strlen(label) + 1;
        detections->count++;
    }
    return PALI_OK;
}

static pali_status read_root(pali_detections **out, struct reading *reading, struct json_object *root)
{
    size_t count = 0, labels_size = 0;
    reading->annotations = pali__json_get(root, "annotations");
    reading->categories = pali__json_get(root, "categories");
    if (pali__json_kind(reading->annotations) != PALI__JSON_ARRAY)
        return pali__fail(reading->error, PALI_ERROR_FORMAT,
                          "pali_detections_from_coco: annotations is %s, an array was "
                          "expected", pali__json_kind_name(pali__json_kind(reading->annotations)));
    TRY(find_image(reading, pali__json_get(root, "images")));
    if (reading->mask_decoder) {
        const size_t n_pixels = (size_t)reading->width * (size_t)reading->height;
        if (n_pixels > PIXEL_LIMIT)
            return pali__fail(reading->error, PALI_ERROR_LIMIT,
                              "pali_detections_from_coco: the picture has %zu pixels, the limit is %d", n_pixels,
                              PIXEL_LIMIT);
        reading->mask = pali__malloc(n_pixels);
        if (!reading->mask)
            return pali__no_memory(reading->error, n_pixels);
    }
    for (size_t i = 0; i < pali__json_count(reading->annotations); i++)
        if (is_wanted(reading, pali__json_at(reading->annotations, i))) {
            count++;
            labels_size += strlen(find_label(reading, pali__json_at(reading->annotations, i))) + 1;
        }
    TRY(pali__detections_new(out, count, labels_size, reading->error));
    return read_items(reading, *out);
}

pali_status pali_detections_from_coco(pali_detections **out, const char *json, int32_t width, int32_t height,
                                      const pali_coco_options *options, pali_error **error)
{
    if (!out)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_detections_from_coco: out is NULL");
    *out = NULL;
    if (!json)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_detections_from_coco: json is NULL");
    if (width < 0 || height < 0 || width > 65535 || height > 65535)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "pali_detections_from_coco: the picture is %ld x %ld, expected sides of 0 to 65535",
                          (long)width, (long)height);
    pali_coco_options read;
    pali_coco_options_init(&read);
    TRY(pali__options_take(&read, sizeof read, options, "pali_coco_options", error));

    struct reading reading = { .image_id = read.image_id, .width = width, .height = height,
                               .mask_decoder = read.mask_decoder, .error = error };
    struct json_object *root = NULL;
    TRY(pali__json_parse(&root, json, strlen(json), JSON_DEPTH, "annotations", error));
    pali_status status = read_root(out, &reading, root);
    pali__json_free(root);
    pali__free(reading.mask);
    if (status != PALI_OK) {
        pali_detections_free(*out);
        *out = NULL;
    }
    return status;
}
