/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a picture: decoded, turned, and resized a little. The last byte chooses the options. */
#include <stddef.h>
#include <stdint.h>

#include <paligemma/image.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const pali_resample resamples[] = { PALI_RESAMPLE_PILLOW, PALI_RESAMPLE_TORCHVISION };
    pali_image_options options = PALI_IMAGE_OPTIONS_INIT;
    pali_image *image = NULL, *resized = NULL;
    pali_error *error = NULL;
    const unsigned choice = size ? data[size - 1] : 0;

    options.alpha = choice & 1 ? PALI_ALPHA_WHITE : PALI_ALPHA_DROP;
    options.exif_orientation = (choice >> 1) & 1;
    options.max_pixels = 1 << 18;
    if (pali_image_decode(&image, data, size, &options, &error) == PALI_OK)
        (void)pali_image_resize(&resized, image, 1 + (int32_t)(choice >> 2), 20, resamples[(choice >> 2) & 1], &error);
    pali_image_free(resized);
    pali_image_free(image);
    pali_error_free(error);
    return 0;
}
