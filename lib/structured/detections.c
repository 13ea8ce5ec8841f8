/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects in an answer (PARITY §15), after the grammar of the Hugging Face demo:
 *   object := 4 × "<locNNNN>"  spaces  [16 × "<segNNN>"]  spaces  [label]        label := run without ';' '<' '>'
 * Text that is no object is passed over, the separator " ; " too. An object's stretch of text ends with its label, or
 * with its last token if it has none.
 */
#include "structured/detections.h"

#include <stdbool.h>
#include <string.h>

#include "core/memory.h"
#include "core/options.h"

/* Where one object lies in the text. */
struct object {
    int32_t loc[PALI__N_LOC], seg[PALI__N_SEG];
    bool has_seg;
    size_t begin, location_end, label_begin, label_end, end;
};

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static const char *skip_spaces(const char *at)
{
    while (is_space(*at))
        at++;
    return at;
}

/* Reads `count` tokens "<", `name`, `digits` digits, ">" that stand without gaps; NULL if they are not all there. */
static const char *read_tokens(const char *at, const char *name, int digits, int32_t limit, int count, int32_t *values)
{
    for (int i = 0; i < count; i++) {
        size_t name_size = strlen(name);
        if (strncmp(at, name, name_size) != 0)
            return NULL;
        at += name_size;
        values[i] = 0;
        for (int d = 0; d < digits; d++, at++) {
            if (*at < '0' || *at > '9')
                return NULL;
            values[i] = values[i] * 10 + (*at - '0');
        }
        if (*at++ != '>' || values[i] >= limit)
            return NULL;
    }
    return at;
}

/* The first object at or after `from`. */
static bool find_object(struct object *object, const char *text, size_t from)
{
    for (const char *begin = strstr(text + from, "<loc"); begin; begin = strstr(begin + 1, "<loc")) {
        const char *at = read_tokens(begin, "<loc", 4, PALI__LOC_COUNT, PALI__N_LOC, object->loc);
        if (!at)
            continue;
        const char *after_seg = read_tokens(skip_spaces(at), "<seg", 3, PALI__SEG_COUNT, PALI__N_SEG, object->seg);
        object->has_seg = after_seg != NULL;
        if (after_seg)
            at = after_seg;

        const char *label = skip_spaces(at), *label_end = label + strcspn(label, ";<>");
        while (label_end > label && is_space(label_end[-1]))
            label_end--;
        object->begin = (size_t)(begin - text);
        object->location_end = (size_t)(at - text);
        object->label_begin = (size_t)(label - text);
        object->label_end = (size_t)(label_end - text);
        object->end = label_end > label ? object->label_end : object->location_end;
        return true;
    }
    return false;
}

/* Writes object `index`; its label becomes a string of its own in the copied text. */
static void store(struct pali_detections *detections, size_t index, const struct object *object, double scale)
{
    pali_detection *item = &detections->items[index];
    item->y_min = object->loc[0] / scale;
    item->x_min = object->loc[1] / scale;
    item->y_max = object->loc[2] / scale;
    item->x_max = object->loc[3] / scale;
    if (object->has_seg) {
        int32_t *seg = detections->seg + index * PALI__N_SEG;
        memcpy(seg, object->seg, sizeof object->seg);
        item->seg = seg;
    }
    detections->labels[object->label_end] = '\0';
    item->label = detections->labels + object->label_begin;
    item->text_begin = object->begin;
    item->text_end = object->end;
    detections->location_ends[index] = object->location_end;
}

static size_t count_objects(const char *text)
{
    struct object object;
    size_t count = 0;
    for (size_t at = 0; find_object(&object, text, at); at = object.end)
        count++;
    return count;
}

void pali_detections_options_init(pali_detections_options *options)
{
    static const pali_detections_options defaults = PALI_DETECTIONS_OPTIONS_INIT;
    if (options)
        *options = defaults;
}

pali_status pali__detections_options_read(pali_detections_options *to, const pali_detections_options *from,
                                          pali_error **error)
{
    pali_detections_options_init(to);
    TRY(pali__options_take(to, sizeof *to, from, "pali_detections_options", error));
    if (to->scale != 1024 && to->scale != 1023)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_detections_options: scale is %ld, expected 1024 or 1023",
                          (long)to->scale);
    return PALI_OK;
}

pali_status pali__detections_new(pali_detections **out, size_t count, size_t labels_size, pali_error **error)
{
    struct pali_detections *detections = pali__calloc(1, sizeof *detections);
    *out = NULL;
    if (!detections)
        return pali__no_memory(error, sizeof *detections);
    detections->items = pali__calloc(count + 1, sizeof *detections->items);
    detections->seg = pali__calloc(count + 1, PALI__N_SEG * sizeof *detections->seg);
    detections->location_ends = pali__calloc(count + 1, sizeof *detections->location_ends);
    detections->labels = pali__calloc(labels_size + 1, 1);
    if (!detections->items || !detections->seg || !detections->location_ends || !detections->labels) {
        pali_detections_free(detections);
        return pali__no_memory(error, labels_size + (count + 1) * (sizeof *detections->items + 64));
    }
    *out = detections;
    return PALI_OK;
}

pali_status pali_detections_parse(pali_detections **out, const char *text, const pali_detections_options *options,
                                  pali_error **error)
{
    if (!out)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_detections_parse: out is NULL");
    *out = NULL;
    if (!text)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_detections_parse: text is NULL");
    pali_detections_options read;
    TRY(pali__detections_options_read(&read, options, error));

    const size_t size = strlen(text);
    struct pali_detections *detections = NULL;
    TRY(pali__detections_new(&detections, count_objects(text), size, error));
    detections->text = pali__strndup(text, size);
    if (!detections->text) {
        pali_detections_free(detections);
        return pali__no_memory(error, size + 1);
    }
    memcpy(detections->labels, text, size);

    struct object object;
    for (size_t at = 0; find_object(&object, text, at); at = object.end)
        store(detections, detections->count++, &object, read.scale);
    *out = detections;
    return PALI_OK;
}

void pali_detections_free(pali_detections *detections)
{
    if (!detections)
        return;
    pali__free(detections->items);
    pali__free(detections->seg);
    pali__free(detections->location_ends);
    pali__free(detections->labels);
    pali__free(detections->text);
    pali__free(detections);
}

size_t pali_detections_count(const pali_detections *detections) { return detections ? detections->count : 0; }

const pali_detection *pali_detections_get(const pali_detections *detections, size_t index)
{
    return detections && index < detections->count ? &detections->items[index] : NULL;
}
