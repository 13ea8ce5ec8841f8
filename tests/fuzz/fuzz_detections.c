/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text as an answer. What is found lies inside the text and, written out again, is found again. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <paligemma/structured.h>

static void require(int condition)
{
    if (!condition)
        abort();
}

static void check_inside(const pali_detections *detections, size_t size)
{
    size_t end = 0;
    for (size_t i = 0; i < pali_detections_count(detections); i++) {
        const pali_detection *object = pali_detections_get(detections, i);
        require(object->text_begin >= end && object->text_end <= size && object->text_end >= object->text_begin + 36);
        require(object->y_min >= 0.0 && object->x_max <= 1.0);
        require(strlen(object->label) <= object->text_end - object->text_begin - 36);
        for (int k = 0; object->seg && k < 16; k++)
            require(object->seg[k] >= 0 && object->seg[k] < 128);
        end = object->text_end;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pali_detections *detections = NULL, *again = NULL;
    pali_detections_options options = PALI_DETECTIONS_OPTIONS_INIT;
    char *text = malloc(size + 1), *written = NULL;
    require(text != NULL);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    options.scale = size % 2 ? 1023 : 1024;
    require(pali_detections_parse(&detections, text, &options, NULL) == PALI_OK);
    check_inside(detections, strlen(text));

    require(pali_detections_encode(&written, pali_detections_get(detections, 0), pali_detections_count(detections),
                                   &options, NULL) == PALI_OK);
    require(pali_detections_parse(&again, written, &options, NULL) == PALI_OK);
    require(pali_detections_count(again) == pali_detections_count(detections));
    for (size_t i = 0; i < pali_detections_count(again); i++) {
        const pali_detection *a = pali_detections_get(detections, i), *b = pali_detections_get(again, i);
        require(a->y_min == b->y_min && a->x_min == b->x_min && a->y_max == b->y_max && a->x_max == b->x_max);
        require(strcmp(a->label, b->label) == 0 && (a->seg != NULL) == (b->seg != NULL));
    }
    pali_detections_free(again);
    pali_detections_free(detections);
    pali_free(written);
    free(text);
    return 0;
}
