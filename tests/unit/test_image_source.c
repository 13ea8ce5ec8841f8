/* SPDX-License-Identifier: BSD-2-Clause */
/* What a picture was before it became RGB, against what Pillow says of the same files. */
#include <stdbool.h>

#include <paligemma/paligemma.h>

#include "test.h"

static void check_file(const char *name, const char *format, const char *mode, int width, int height, int orientation,
                       int transparency, bool turn)
{
    char path[600];
    pali_image_options options = PALI_IMAGE_OPTIONS_INIT;
    pali_image_source source;
    pali_image *image = NULL;
    pali_error *error = NULL;

    snprintf(path, sizeof path, "%.400s/images/%.100s", test_data(), name);
    options.exif_orientation = turn;
    pali_image_source_init(&source);
    CHECK_OK(pali_image_open(&image, path, &options, &error), error);
    CHECK_OK(pali_image_get_source(image, &source, &error), error);
    CHECK_MSG(source.format && !strcmp(source.format, format), "%s", name);
    CHECK_MSG(!strcmp(source.mode, mode), "%s: %s, not %s", name, source.mode, mode);
    CHECK_MSG(source.width == width && source.height == height, "%s: %d x %d", name, source.width, source.height);
    CHECK_MSG(source.orientation == orientation, "%s: orientation %d", name, source.orientation);
    CHECK_MSG(source.transparency == transparency, "%s: transparency %d", name, source.transparency);
    CHECK(source.turned == (turn && orientation > 1));
    CHECK((pali_image_width(image) == width) == (!turn || orientation < 5 || width == height));
    pali_image_free(image);
}

static void from_pixels(void)
{
    static const uint8_t rgb[6] = { 1, 2, 3, 4, 5, 6 };
    pali_image_source source = PALI_IMAGE_SOURCE_INIT;
    pali_image *image = NULL, *resized = NULL;
    pali_error *error = NULL;

    CHECK_OK(pali_image_create(&image, rgb, 2, 1, 0, &error), error);
    CHECK_OK(pali_image_resize(&resized, image, 5, 4, PALI_RESAMPLE_PILLOW, &error), error);
    CHECK_OK(pali_image_get_source(resized, &source, &error), error);
    CHECK(source.format == NULL && !strcmp(source.mode, "RGB") && source.width == 5 && source.height == 4 && source.bits == 8);
    source.struct_size = offsetof(pali_image_source, width);
    source.width = 77;
    CHECK_OK(pali_image_get_source(image, &source, &error), error);
    CHECK(source.width == 77 && source.struct_size == offsetof(pali_image_source, width));
    source.struct_size = 0;
    CHECK_FAILS(pali_image_get_source(image, &source, &error), error, PALI_ERROR_ARGUMENT, "struct_size");
    CHECK_FAILS(pali_image_get_source(NULL, &source, &error), error, PALI_ERROR_ARGUMENT, "image");
    pali_image_free(image);
    pali_image_free(resized);
}

int main(void)
{
    char path[600], name[128], format[16], mode[16];
    int width, height, orientation, transparency, n = 0;

    snprintf(path, sizeof path, "%.400s/images/modes.txt", test_data());
    FILE *file = fopen(path, "r");
    while (file && fscanf(file, "%127s %15s %15s %d %d %d %d", name, format, mode, &width, &height, &orientation,
                          &transparency) == 7) {
        check_file(name, format, mode, width, height, orientation, transparency, false);
        check_file(name, format, mode, width, height, orientation, transparency, true);
        n++;
    }
    CHECK_MSG(n > 80, "%d pictures", n);
    if (file)
        fclose(file);
    from_pixels();
    return test_report("image source");
}
