/* SPDX-License-Identifier: BSD-2-Clause */
/* Decoding against Pillow's bytes, truncation, orientation, raw pictures, drawing, writing, pixel_values. */
#include "../test.h"

#include <paligemma/image.h>
#include <paligemma/inputs.h>

#include "core/file.h"
#include "core/memory.h"
#include "image/pixels.h"

static const char *const pictures[] = {
    "gray1.png", "gray1-adam7.png", "gray1-trns.png", "gray2.png", "gray2-adam7.png", "gray2-trns.png", "gray4.png",
    "gray4-adam7.png", "gray4-trns.png", "gray8.png", "gray8-adam7.png", "gray8-trns.png", "gray16.png",
    "gray16-adam7.png", "gray16-trns.png", "rgb8.png", "rgb8-adam7.png", "rgb8-trns.png", "rgb16.png",
    "rgb16-adam7.png", "rgb16-trns.png", "graya8.png", "graya8-adam7.png", "graya16.png", "graya16-adam7.png",
    "rgba8.png", "rgba8-adam7.png", "rgba16.png", "rgba16-adam7.png", "palette1.png", "palette1-adam7.png",
    "palette1-trns.png", "palette2.png", "palette2-adam7.png", "palette2-trns.png", "palette4.png",
    "palette4-adam7.png", "palette4-trns.png", "palette8.png", "palette8-adam7.png", "palette8-trns.png",
    "palette8-short.png", "rgb8-key257.png", "rgb8-gamma.png", "rgb8-exif.png", "pixel.png", "row-adam7.png",
    "column-adam7.png", "small-adam7.png", "color444.jpg", "color422.jpg", "color420.jpg", "color440.jpg",
    "color411.jpg", "color444-progressive.jpg", "color422-progressive.jpg", "color420-progressive.jpg", "restart.jpg",
    "coarse.jpg", "fine.jpg", "rgb.jpg", "gray.jpg", "gray-progressive.jpg", "cmyk.jpg", "cmyk-progressive.jpg",
    "ycck.jpg", "cmyk-bare.jpg", "pixel.jpg", "exif1.jpg", "exif2.jpg", "exif3.jpg", "exif4.jpg",
    "exif5.jpg", "exif6.jpg", "exif7.jpg", "exif8.jpg", "bitmap.pbm", "plain.pbm", "dense.pbm", "gray1.pgm",
    "color1.ppm", "plain1.pgm", "plain1.ppm", "gray100.pgm", "color100.ppm", "plain100.pgm", "plain100.ppm",
    "gray255.pgm", "color255.ppm", "plain255.pgm", "plain255.ppm", "gray1000.pgm", "color1000.ppm", "plain1000.pgm",
    "plain1000.ppm", "gray65535.pgm", "color65535.ppm", "plain65535.pgm", "plain65535.ppm",
};
#define N_PICTURES (sizeof pictures / sizeof pictures[0])

static const char *image_path(const char *name)
{
    char inside[64];
    snprintf(inside, sizeof inside, "images/%.50s", name);
    return test_path(test_data(), inside);
}

static pali_inputs *load_expected(const char *name)
{
    pali_inputs *tensors = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_inputs_load(&tensors, image_path(name), &error), error);
    if (!tensors)
        exit(1);
    return tensors;
}

/* The tensor "name" or "name|variant"; NULL if there is none. */
static const pali_tensor *expected_tensor(const pali_inputs *tensors, const char *name, const char *variant)
{
    char key[256];
    snprintf(key, sizeof key, "%s%s%s", name, variant ? "|" : "", variant ? variant : "");
    return pali_inputs_get(tensors, key);
}

static void check_same(const pali_image *image, const pali_tensor *want, const char *name)
{
    CHECK_MSG(want != NULL, "%s", name);
    if (!image || !want)
        return;
    bool fits = pali_image_height(image) == want->shape[0] && pali_image_width(image) == want->shape[1];
    CHECK_MSG(fits, "%s: %d x %d", name, pali_image_width(image), pali_image_height(image));
    if (!fits)
        return;
    size_t n = (size_t)pali_tensor_count(want), different = 0;
    const uint8_t *bytes = want->data, *pixels = pali_image_pixels(image);
    for (size_t i = 0; i < n; i++)
        different += bytes[i] != pixels[i];
    CHECK_MSG(different == 0, "%s: %zu of %zu bytes differ", name, different, n);
}

static void test_pictures(const pali_inputs *expected)
{
    for (size_t i = 0; i < N_PICTURES; i++) {
        static const char *const variants[] = { NULL, "white", "exif" };
        for (int v = 0; v < 3; v++) {
            const pali_tensor *want = expected_tensor(expected, pictures[i], variants[v]);
            pali_image_options options = PALI_IMAGE_OPTIONS_INIT;
            pali_image *image = NULL;
            pali_error *error = NULL;
            options.alpha = v == 1 ? PALI_ALPHA_WHITE : PALI_ALPHA_DROP;
            options.exif_orientation = v == 2;
            CHECK_OK(pali_image_open(&image, image_path(pictures[i]), &options, &error), error);
            check_same(image, want ? want : expected_tensor(expected, pictures[i], NULL), pictures[i]);
            pali_image_free(image);
        }
    }
}

/* Every beginning of every picture is an error, or the picture where Pillow too has seen enough of it. */
static void test_truncation(const pali_inputs *expected)
{
    for (size_t i = 0; i < N_PICTURES; i++) {
        const pali_tensor *want = expected_tensor(expected, pictures[i], NULL);
        const pali_tensor *whole_tensor = expected_tensor(expected, pictures[i], "whole");
        char *data = NULL;
        size_t size = 0;
        pali_error *error = NULL;
        CHECK_OK(pali__file_read(&data, &size, image_path(pictures[i]), 1 << 20, &error), error);
        CHECK_MSG(whole_tensor != NULL, "%s", pictures[i]);
        if (!data || !whole_tensor) {
            pali__free(data);
            continue;
        }
        size_t whole = (size_t)*(const int64_t *)whole_tensor->data;
        for (size_t length = 0; length < size; length++) {
            pali_image *image = NULL;
            char *part = malloc(length ? length : 1); /* its own block, so that a sanitizer sees its end */
            memcpy(part, data, length);
            pali_status status = pali_image_decode(&image, part, length, NULL, &error);
            free(part);
            CHECK_MSG((status == PALI_OK) == (length >= whole), "%s cut at %zu (whole from %zu): %s", pictures[i], length,
                      whole, pali_error_message(error));
            CHECK_MSG((status == PALI_OK) == (image != NULL), "%s cut at %zu", pictures[i], length);
            if (image)
                check_same(image, want, pictures[i]);
            pali_image_free(image);
            pali_error_free(error);
            error = NULL;
        }
        pali__free(data);
    }
}

/* Every byte of every picture changed: no crash, and no picture without PALI_OK. */
static void test_corruption(void)
{
    for (size_t i = 0; i < N_PICTURES; i++) {
        char *data = NULL;
        size_t size = 0;
        pali_error *error = NULL;
        CHECK_OK(pali__file_read(&data, &size, image_path(pictures[i]), 1 << 20, &error), error);
        pali_image_options options = PALI_IMAGE_OPTIONS_INIT;
        options.max_pixels = 100000;
        options.exif_orientation = 1;
        for (size_t at = 0; data && at < size; at++) {
            const unsigned mask = at % 3 == 0 ? 0xffu : 1u << at % 8;
            pali_image *image = NULL;
            data[at] = (char)((unsigned char)data[at] ^ mask);
            pali_status status = pali_image_decode(&image, data, size, &options, NULL);
            data[at] = (char)((unsigned char)data[at] ^ mask);
            CHECK_MSG((status == PALI_OK) == (image != NULL), "%s changed at %zu", pictures[i], at);
            pali_image_free(image);
        }
        pali__free(data);
    }
}

/* A wrong checksum is damage even where the pixels could still be had. */
static void test_checksum(void)
{
    char *data = NULL;
    size_t size = 0;
    pali_image *image = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali__file_read(&data, &size, image_path("rgb8.png"), 1 << 20, &error), error);
    data[size - 13] = (char)~data[size - 13]; /* the last byte of IDAT, before the 12 of IEND */
    CHECK_FAILS(pali_image_decode(&image, data, size, NULL, &error), error, PALI_ERROR_FORMAT, "CRC");
    pali__free(data);
}

static void test_errors(void)
{
    static const char bomb[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x02\0\0\0\xc1\x3e\x4d\x06";
    pali_image_options options = PALI_IMAGE_OPTIONS_INIT;
    pali_image *image = NULL;
    pali_error *error = NULL;

    CHECK_FAILS(pali_image_open(&image, image_path("absent.png"), NULL, &error), error, PALI_ERROR_IO, "absent.png");
    CHECK_FAILS(pali_image_open(&image, image_path("expected.safetensors"), NULL, &error), error,
                PALI_ERROR_UNSUPPORTED, "expected.safetensors: not a PNG, JPEG or PNM picture");
    CHECK_FAILS(pali_image_decode(&image, "", 0, NULL, &error), error, PALI_ERROR_FORMAT, "empty");
    CHECK_FAILS(pali_image_decode(&image, bomb, sizeof bomb - 1, NULL, &error), error, PALI_ERROR_FORMAT, "PNG");
    CHECK_FAILS(pali_image_decode(&image, "P5 99999999 99999999 255\n", 25, NULL, &error), error, PALI_ERROR_LIMIT,
                "99999999 x 99999999");
    CHECK_FAILS(pali_image_decode(&image, "P6 0 4 255\n", 11, NULL, &error), error, PALI_ERROR_FORMAT, "0 x 4");
    CHECK_FAILS(pali_image_decode(&image, "P6 4 4 65536\n", 13, NULL, &error), error, PALI_ERROR_FORMAT, "65536");
    CHECK_FAILS(pali_image_decode(&image, "P6 4 4 255\n123", 14, NULL, &error), error, PALI_ERROR_FORMAT, "truncated");
    CHECK_FAILS(pali_image_decode(&image, "P2 1 1 9\n 10 ", 13, NULL, &error), error, PALI_ERROR_FORMAT, "at most 9");
    CHECK_FAILS(pali_image_decode(&image, "P1 2 1\n 2 0", 11, NULL, &error), error, PALI_ERROR_FORMAT, "0 nor 1");
    CHECK_FAILS(pali_image_decode(&image, "P2 x", 4, NULL, &error), error, PALI_ERROR_FORMAT, "the width");
    options.max_pixels = 17 * 23 - 1;
    CHECK_FAILS(pali_image_open(&image, image_path("rgb8.png"), &options, &error), error, PALI_ERROR_LIMIT, "390 pixels");
    CHECK_FAILS(pali_image_open(&image, image_path("fine.jpg"), &options, &error), error, PALI_ERROR_LIMIT, "23 x 17");
    options.max_pixels = 17 * 23;
    CHECK_OK(pali_image_open(&image, image_path("rgb8.png"), &options, &error), error);
    pali_image_free(image);
    options.max_pixels = 0;
    CHECK_FAILS(pali_image_open(&image, image_path("rgb8.png"), &options, &error), error, PALI_ERROR_ARGUMENT,
                "max_pixels");
    pali_image_options_init(&options);
    options.alpha = (pali_alpha)7;
    CHECK_FAILS(pali_image_open(&image, image_path("rgb8.png"), &options, &error), error, PALI_ERROR_ARGUMENT, "alpha");
    CHECK(image == NULL);
    pali_image_free(NULL);
}

static void test_create(void)
{
    static const uint8_t rgb[2 * 8] = { 1, 2, 3, 4, 5, 6, 0, 0, 7, 8, 9, 10, 11, 12, 0, 0 };
    pali_image *image = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_image_create(&image, rgb, 2, 2, 8, &error), error);
    CHECK(pali_image_width(image) == 2 && pali_image_height(image) == 2);
    CHECK(memcmp(pali_image_pixels(image), "\1\2\3\4\5\6\7\10\11\12\13\14", 12) == 0);
    pali_image_free(image);
    CHECK_FAILS(pali_image_create(&image, rgb, 3, 1, 8, &error), error, PALI_ERROR_ARGUMENT, "stride is 8");
    CHECK_FAILS(pali_image_create(&image, rgb, 0, 1, 0, &error), error, PALI_ERROR_ARGUMENT, "0 x 1");
    CHECK_FAILS(pali_image_create(&image, NULL, 1, 1, 0, &error), error, PALI_ERROR_ARGUMENT, "NULL");
}

static bool is_drawn(const pali_image *image, int x, int y)
{
    return pali_image_pixels(image)[(y * pali_image_width(image) + x) * 3] == 200;
}

static int count_drawn(const pali_image *image)
{
    int n = 0;
    for (int y = 0; y < pali_image_height(image); y++)
        for (int x = 0; x < pali_image_width(image); x++)
            n += is_drawn(image, x, y);
    return n;
}

static void test_draw_and_save(void)
{
    static const uint8_t color[3] = { 200, 100, 50 };
    static const struct {
        double x_min, y_min, x_max, y_max;
        int thickness, n_drawn;
    } boxes[] = {
        { 2, 1, 8, 6, 1, 2 * 6 + 2 * 3 }, { 2, 1, 8, 6, 2, 30 - 2 }, { 2, 1, 8, 6, 9, 30 }, { -5, -5, 50, 50, 1, 32 },
        { 3, 3, 3, 3, 1, 1 },             { 10, 8, 10, 8, 1, 1 },    { 11, 2, 12, 4, 1, 0 }, { 2, 1, 8, 6, 0, 0 },
        { 8, 1, 2, 6, 1, 0 },             { NAN, 1, 2, 6, 1, 0 },    { -1e300, 2, 1e300, 3, 1, 10 },
        { 2.4, 1.5, 7.6, 5.5, 1, 2 * 6 + 2 * 2 },
    };
    uint8_t blank[10 * 8 * 3] = { 0 };
    pali_error *error = NULL;
    for (size_t i = 0; i < sizeof boxes / sizeof boxes[0]; i++) {
        pali_image *image = NULL;
        CHECK_OK(pali_image_create(&image, blank, 10, 8, 0, &error), error);
        pali_image_draw_box(image, boxes[i].x_min, boxes[i].y_min, boxes[i].x_max, boxes[i].y_max, boxes[i].thickness,
                            color);
        CHECK_MSG(count_drawn(image) == boxes[i].n_drawn, "box %zu: %d pixels", i, count_drawn(image));
        if (i == 0)
            CHECK(is_drawn(image, 2, 1) && is_drawn(image, 7, 5) && !is_drawn(image, 8, 5) && !is_drawn(image, 3, 2));
        pali_image_free(image);
    }
    pali_image_draw_box(NULL, 0, 0, 1, 1, 1, color);

    pali_image *image = NULL, *again = NULL;
    const char *path = test_path(test_scratch(), "test_image.png");
    CHECK_OK(pali_image_open(&image, image_path("color420.jpg"), NULL, &error), error);
    CHECK_OK(pali_image_save_png(image, path, &error), error);
    CHECK_OK(pali_image_open(&again, path, NULL, &error), error);
    CHECK(again && pali_image_width(again) == 61 && pali_image_height(again) == 45 &&
          memcmp(pali_image_pixels(image), pali_image_pixels(again), 61 * 45 * 3) == 0);
    CHECK_FAILS(pali_image_save_png(image, image_path("no-folder/x.png"), &error), error, PALI_ERROR_IO, "no-folder");
    remove(path);
    pali_image_free(image);
    pali_image_free(again);
}

/* The cases of make_image_fixtures.py. */
static const struct {
    const char *name;
    bool do_rescale, do_normalize;
    double factor, mean[3], std[3];
} cases[] = {
    { "half", true, true, 1.0 / 255, { 0.5, 0.5, 0.5 }, { 0.5, 0.5, 0.5 } },
    { "imagenet", true, true, 1.0 / 255, { 0.485, 0.456, 0.406 }, { 0.229, 0.224, 0.225 } },
    { "rescale", true, false, 1.0 / 255, { 0, 0, 0 }, { 1, 1, 1 } },
    { "factor", true, true, 0.01, { 0.1, 0.2, 0.3 }, { 0.7, 0.8, 0.9 } },
    { "normalize", false, true, 1.0 / 255, { 100, 110, 120 }, { 60, 61, 62.5 } },
};

static void test_pixel_values(void)
{
    static const char *const sources[] = { "scene", "ramp" }, *const backends[] = { "pillow", "torchvision" };
    pali_inputs *expected = load_expected("pixel_values.safetensors");
    pali_error *error = NULL;
    for (int s = 0; s < 2; s++) {
        const pali_tensor *source = pali_inputs_get(expected, sources[s]);
        pali_image *image = NULL;
        CHECK_OK(pali_image_create(&image, source->data, (int32_t)source->shape[1], (int32_t)source->shape[0], 0, &error),
                 error);
        for (int b = 0; b < 2; b++)
            for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
                struct pali__pixel_options options = { 16, 16, b ? PALI_RESAMPLE_TORCHVISION : PALI_RESAMPLE_PILLOW, true,
                                                       cases[c].do_rescale, cases[c].do_normalize, cases[c].factor,
                                                       { 0 }, { 0 } };
                char key[64];
                float values[3 * 16 * 16];
                memcpy(options.mean, cases[c].mean, sizeof options.mean);
                memcpy(options.std, cases[c].std, sizeof options.std);
                snprintf(key, sizeof key, "%s|%s|%s", sources[s], backends[b], cases[c].name);
                const pali_tensor *want = pali_inputs_get(expected, key);
                CHECK_OK(pali__image_pixel_values(values, image, &options, &error), error);
                CHECK_MSG(want && memcmp(values, want->data, sizeof values) == 0, "%s", key);
                options.do_resize = false;
                if (s == 0)
                    CHECK_FAILS(pali__image_pixel_values(values, image, &options, &error), error, PALI_ERROR_SHAPE,
                                "53 x 37");
            }
        pali_image_free(image);
    }
    pali_inputs_free(expected);
}

int main(void)
{
    pali_inputs *expected = load_expected("expected.safetensors");
    test_pictures(expected);
    test_truncation(expected);
    test_corruption();
    test_checksum();
    test_errors();
    test_create();
    test_draw_and_save();
    test_pixel_values();
    pali_inputs_free(expected);
    return test_report("test_image");
}
