/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures in, and drawn on, out. */
#include <stdlib.h>

#include "commands.h"

void free_images(pali_image **images, size_t count)
{
    for (size_t i = 0; images && i < count; i++)
        pali_image_free(images[i]);
    free(images);
}

pali_image **open_images(const char *const *paths, size_t count)
{
    pali_error *error = NULL;
    pali_image **images = calloc(count + 1, sizeof *images);
    if (!images) {
        report_text("out of memory");
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        if (pali_image_open(&images[i], paths[i], NULL, &error) != PALI_OK) {
            report(error);
            pali_error_free(error);
            free_images(images, count);
            return NULL;
        }
    return images;
}

pali_status draw_answer(pali_image *image, const char *answer, const char *path, pali_error **error)
{
    static const uint8_t colours[][3] = { { 230, 25, 75 },  { 60, 180, 75 },  { 0, 130, 200 },
                                          { 245, 130, 48 }, { 145, 30, 180 }, { 0, 128, 128 } };
    pali_detections *detections = NULL;
    pali_status status = pali_detections_parse(&detections, answer ? answer : "", NULL, error);
    if (status != PALI_OK)
        return status;

    double width = pali_image_width(image), height = pali_image_height(image);
    double shorter = width < height ? width : height;
    int32_t thickness = shorter < 200.0 ? 1 : (int32_t)(shorter / 100.0);
    for (size_t i = 0; i < pali_detections_count(detections); i++) {
        const pali_detection *object = pali_detections_get(detections, i);
        pali_image_draw_box(image, object->x_min * width, object->y_min * height, object->x_max * width,
                            object->y_max * height, thickness, colours[i % (sizeof colours / sizeof colours[0])]);
    }
    pali_detections_free(detections);
    return pali_image_save_png(image, path, error);
}
