/* SPDX-License-Identifier: BSD-2-Clause */
/* Resizing against Pillow's and torchvision's bytes, and extreme shapes. */
#include "../test.h"

#include <paligemma/image.h>
#include <paligemma/inputs.h>

static pali_image *image_of(const pali_tensor *pixels)
{
    pali_image *image = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_image_create(&image, pixels->data, (int32_t)pixels->shape[1], (int32_t)pixels->shape[0], 0, &error),
             error);
    return image;
}

/* Tensors are named SOURCE and SOURCE|BACKEND|WxH (make_image_fixtures.py). */
static void test_oracle(void)
{
    pali_inputs *tensors = NULL;
    pali_error *error = NULL;
    int n_compared = 0;
    CHECK_OK(pali_inputs_load(&tensors, test_path(test_data(), "images/resize.safetensors"), &error), error);
    for (size_t i = 0; tensors && i < pali_inputs_count(tensors); i++) {
        const char *name = pali_inputs_name(tensors, i), *backend = strchr(name, '|');
        char source[64];
        if (!backend)
            continue;
        snprintf(source, sizeof source, "%.*s", (int)(backend - name), name);
        const pali_tensor *want = pali_inputs_get(tensors, name);
        pali_image *image = image_of(pali_inputs_get(tensors, source)), *resized = NULL;
        pali_resample resample = PALI_RESAMPLE_PILLOW;
        if (strncmp(backend, "|torchvision|", 13) == 0)
            resample = PALI_RESAMPLE_TORCHVISION;
        else if (strncmp(backend, "|pillow12|", 10) == 0)
            resample = PALI_RESAMPLE_PILLOW_12;
        CHECK_OK(pali_image_resize(&resized, image, (int32_t)want->shape[1], (int32_t)want->shape[0], resample, &error),
                 error);
        size_t n = (size_t)pali_tensor_count(want), different = 0;
        for (size_t k = 0; resized && k < n; k++)
            different += pali_image_pixels(resized)[k] != ((const uint8_t *)want->data)[k];
        CHECK_MSG(different == 0, "%s: %zu of %zu bytes differ", name, different, n);
        n_compared++;
        pali_image_free(image);
        pali_image_free(resized);
    }
    CHECK_MSG(n_compared >= 40, "%d pictures compared", n_compared);
    pali_inputs_free(tensors);
}

static void check_constant(int32_t width, int32_t height, int32_t new_width, int32_t new_height)
{
    static const pali_resample resamples[] = { PALI_RESAMPLE_PILLOW, PALI_RESAMPLE_TORCHVISION, PALI_RESAMPLE_PILLOW_12 };
    size_t n = (size_t)width * (size_t)height * 3;
    uint8_t *pixels = malloc(n);
    pali_image *image = NULL;
    pali_error *error = NULL;
    memset(pixels, 255, n);
    CHECK_OK(pali_image_create(&image, pixels, width, height, 0, &error), error);
    free(pixels);
    for (int r = 0; r < 3; r++) {
        pali_image *resized = NULL;
        CHECK_OK(pali_image_resize(&resized, image, new_width, new_height, resamples[r], &error), error);
        size_t n_new = (size_t)new_width * (size_t)new_height * 3, white = 0;
        for (size_t i = 0; resized && i < n_new; i++)
            white += pali_image_pixels(resized)[i] == 255;
        CHECK_MSG(white == n_new, "%d x %d to %d x %d: %zu of %zu white", width, height, new_width, new_height, white,
                  n_new);
        pali_image_free(resized);
    }
    pali_image_free(image);
}

static void test_extremes(void)
{
    check_constant(1, 1, 65535, 1);
    check_constant(1, 1, 1, 65535);
    check_constant(2, 2, 3, 3);
    check_constant(100000, 1, 1, 1);
    check_constant(1, 100000, 3, 2);
    check_constant(5000, 2, 4999, 3);
    check_constant(2, 5000, 3, 4999);
    check_constant(65535, 1, 65535, 1);
}

static void test_errors(void)
{
    static const uint8_t pixel[3] = { 1, 2, 3 };
    pali_image *image = NULL, *resized = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_image_create(&image, pixel, 1, 1, 0, &error), error);
    CHECK_FAILS(pali_image_resize(&resized, image, 0, 5, PALI_RESAMPLE_PILLOW, &error), error, PALI_ERROR_ARGUMENT,
                "0 x 5");
    CHECK_FAILS(pali_image_resize(&resized, image, 5, 65536, PALI_RESAMPLE_PILLOW, &error), error, PALI_ERROR_ARGUMENT,
                "5 x 65536");
    CHECK_FAILS(pali_image_resize(&resized, image, 5, 5, (pali_resample)9, &error), error, PALI_ERROR_ARGUMENT,
                "resample is 9");
    CHECK_FAILS(pali_image_resize(&resized, NULL, 5, 5, PALI_RESAMPLE_PILLOW, &error), error, PALI_ERROR_ARGUMENT,
                "NULL");
    CHECK(resized == NULL);
    pali_image_free(image);
}

int main(void)
{
    test_oracle();
    test_extremes();
    test_errors();
    return test_report("test_resize");
}
