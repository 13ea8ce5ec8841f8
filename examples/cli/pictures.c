/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures in. */
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
    return open_images_of_lines(paths, NULL, count);
}

pali_image **open_images_of_lines(const char *const *paths, const size_t *lines, size_t count)
{
    pali_error *error = NULL;
    pali_image **images = calloc(count + 1, sizeof *images);
    if (!images) {
        report_text("out of memory");
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        if (pali_image_open(&images[i], paths[i], NULL, &error) != PALI_OK) {
            if (lines)
                report_text("line %zu: %s", lines[i], pali_error_message(error));
            else
                report(error);
            pali_error_free(error);
            free_images(images, count);
            return NULL;
        }
    return images;
}
