/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects as the text that the model is trained on: the reverse of detections.c. */
#include "structured/detections.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/memory.h"

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static pali_status check_label(const char *label, size_t index, pali_error **error)
{
    const size_t size = strlen(label);
    if (label[strcspn(label, ";<>")] != '\0')
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "pali_detections_encode: the label of object %zu, \"%.200s\", contains ';', '<' or '>'",
                          index, label);
    if (size && (is_space(label[0]) || is_space(label[size - 1])))
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "pali_detections_encode: the label of object %zu, \"%.200s\", begins or ends with a space",
                          index, label);
    return PALI_OK;
}

/* Half to even, as numpy and TensorFlow round. */
static int loc_number(double coordinate, int32_t scale)
{
    const double number = rint(coordinate * scale);
    return number < 0.0 ? 0 : number > PALI__LOC_COUNT - 1 ? PALI__LOC_COUNT - 1 : (int)number;
}

static pali_status append_object(struct pali__text *text, const pali_detection *item, size_t index, int32_t scale,
                                 pali_error **error)
{
    const double coordinates[PALI__N_LOC] = { item->y_min, item->x_min, item->y_max, item->x_max };
    const char *label = item->label ? item->label : "";
    TRY(check_label(label, index, error));
    bool ok = index == 0 || pali__text_append(text, " ; ", 3);
    for (int i = 0; i < PALI__N_LOC; i++) {
        if (!isfinite(coordinates[i]))
            return pali__fail(error, PALI_ERROR_ARGUMENT,
                              "pali_detections_encode: a coordinate of object %zu is %f, expected a finite number",
                              index, coordinates[i]);
        ok = ok && pali__text_printf(text, "<loc%04d>", loc_number(coordinates[i], scale));
    }
    for (int i = 0; item->seg && i < PALI__N_SEG; i++) {
        if (item->seg[i] < 0 || item->seg[i] >= PALI__SEG_COUNT)
            return pali__fail(error, PALI_ERROR_ARGUMENT,
                              "pali_detections_encode: seg[%d] of object %zu is %ld, expected 0 to %d", i, index,
                              (long)item->seg[i], PALI__SEG_COUNT - 1);
        ok = ok && pali__text_printf(text, "<seg%03d>", (int)item->seg[i]);
    }
    if (label[0])
        ok = ok && pali__text_printf(text, " %s", label);
    return ok ? PALI_OK : pali__no_memory(error, text->size + strlen(label) + 64);
}

pali_status pali_detections_encode(char **text, const pali_detection *items, size_t count,
                                   const pali_detections_options *options, pali_error **error)
{
    if (!text)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_detections_encode: text is NULL");
    *text = NULL;
    if (!items && count)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_detections_encode: items is NULL");
    pali_detections_options read;
    TRY(pali__detections_options_read(&read, options, error));

    struct pali__text written = { NULL, 0, 0 };
    pali_status status = pali__text_append(&written, "", 0) ? PALI_OK : pali__no_memory(error, 1);
    for (size_t i = 0; i < count && status == PALI_OK; i++)
        status = append_object(&written, &items[i], i, read.scale, error);
    if (status == PALI_OK)
        *text = written.data;
    else
        pali__text_clear(&written);
    return status;
}
