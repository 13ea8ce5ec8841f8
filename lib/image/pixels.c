/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pixel_values as transformers 5.23 computes them: SiglipImageProcessorPil rescales in double, rounds to float32 and
 * normalises; SiglipImageProcessor folds the factor into mean and deviation. A level 0…255 of a channel has one value,
 * so both are a table of 256 entries.
 */
#include "image/pixels.h"

#include "core/error.h"

static float pillow_value(int level, const struct pali__pixel_options *options, int channel)
{
    float value = (float)level;
    if (options->do_rescale)
        value = (float)((double)level * options->rescale_factor);
    if (options->do_normalize) {
        value = value - (float)options->mean[channel];
        value = value / (float)options->std[channel];
    }
    return value;
}

static float torchvision_value(int level, const struct pali__pixel_options *options, int channel)
{
    float value = (float)level, mean = (float)options->mean[channel], std = (float)options->std[channel];
    if (options->do_rescale && options->do_normalize) {
        const float factor = (float)(1.0 / options->rescale_factor);
        mean = mean * factor;
        std = std * factor;
    } else if (options->do_rescale) {
        return value * (float)options->rescale_factor;
    }
    if (options->do_normalize) {
        value = value - mean;
        value = value / std;
    }
    return value;
}

static void write_values(float *out, const pali_image *image, const struct pali__pixel_options *options)
{
    const size_t n_pixels = (size_t)options->width * (size_t)options->height;
    for (int channel = 0; channel < 3; channel++) {
        float table[256];
        for (int level = 0; level < 256; level++)
            table[level] = options->resample == PALI_RESAMPLE_TORCHVISION ? torchvision_value(level, options, channel)
                                                                          : pillow_value(level, options, channel);
        const uint8_t *pixel = pali_image_pixels(image) + channel;
        for (size_t i = 0; i < n_pixels; i++, pixel += 3)
            *out++ = table[*pixel];
    }
}

pali_status pali__image_pixel_values(float *out, const pali_image *image, const struct pali__pixel_options *options,
                                     pali_error **error)
{
    const bool fits = pali_image_width(image) == options->width && pali_image_height(image) == options->height;
    if (!fits && !options->do_resize)
        return pali__fail(error, PALI_ERROR_SHAPE, "the picture is %ld x %ld, expected %ld x %ld as do_resize is false",
                          (long)pali_image_width(image), (long)pali_image_height(image), (long)options->width,
                          (long)options->height);
    if (fits) {
        write_values(out, image, options);
        return PALI_OK;
    }
    pali_image *resized = NULL;
    TRY(pali_image_resize(&resized, image, options->width, options->height, options->resample, error));
    write_values(out, resized, options);
    pali_image_free(resized);
    return PALI_OK;
}
