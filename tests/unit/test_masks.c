/* SPDX-License-Identifier: BSD-2-Clause */
/* The mask VQ-VAE against PyTorch, and masks in pictures against numpy and Pillow (make_structured_fixtures.py). */
#include <time.h>

#include <paligemma/inputs.h>
#include <paligemma/segmentation.h>

#include "mask_weights.h"

enum { N_PIXELS = PALI_SEGMENT_SIDE * PALI_SEGMENT_SIDE };

static pali_inputs *fixtures;
static pali_mask_decoder *decoder;

static double largest_difference(const float *a, const float *b)
{
    double largest = 0.0;
    for (int i = 0; i < N_PIXELS; i++) {
        double difference = fabs((double)a[i] - (double)b[i]);
        if (!(difference <= largest))
            largest = difference;
    }
    return largest;
}

static void test_decode(void)
{
    const pali_tensor *seg = pali_inputs_get(fixtures, "seg"), *want = pali_inputs_get(fixtures, "mask");
    pali_error *error = NULL;
    float *mask = malloc(N_PIXELS * sizeof *mask);
    double largest = 0.0;
    CHECK(want->shape[0] >= 4 && want->shape[1] == PALI_SEGMENT_SIDE && want->shape[2] == PALI_SEGMENT_SIDE);
    for (int64_t n = 0; n < want->shape[0]; n++) {
        CHECK_OK(pali_mask_decoder_decode(decoder, (int32_t *)seg->data + n * PALI_SEG_TOKENS, mask, &error), error);
        largest = fmax(largest, largest_difference(mask, (const float *)want->data + n * N_PIXELS));
    }
    /* Values up to 4, through twelve layers of float32 sums of up to 1,152 products. */
    CHECK_MSG(largest < 2e-5, "%g", largest);
    printf("decoder: largest difference %g\n", largest);
    free(mask);
}

static void test_encode(void)
{
    const pali_tensor *blob = pali_inputs_get(fixtures, "blob"), *want = pali_inputs_get(fixtures, "blob_seg");
    pali_error *error = NULL;
    float *mask = malloc(N_PIXELS * sizeof *mask);
    CHECK(want->shape[0] >= 4);
    CHECK(pali_mask_decoder_has_encoder(decoder) == 1);
    for (int64_t n = 0; n < want->shape[0]; n++) {
        int32_t seg[PALI_SEG_TOKENS];
        for (int i = 0; i < N_PIXELS; i++)
            mask[i] = (float)((uint8_t *)blob->data)[n * N_PIXELS + i] / 255.0f;
        CHECK_OK(pali_mask_decoder_encode(decoder, mask, seg, &error), error);
        for (int i = 0; i < PALI_SEG_TOKENS; i++)
            CHECK_MSG(seg[i] == ((int32_t *)want->data)[n * PALI_SEG_TOKENS + i], "mask %d, token %d: %d", (int)n, i,
                      (int)seg[i]);
    }
    free(mask);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

/* No check of speed, which depends on the machine: figures for docs/structured.md. */
static void print_times(void)
{
    static float mask[N_PIXELS];
    int32_t seg[PALI_SEG_TOKENS] = { 0 };
    double decode = 1e9, encode = 1e9;
    for (int i = 0; i < 5; i++) {
        double start = now();
        (void)pali_mask_decoder_decode(decoder, seg, mask, NULL);
        double middle = now();
        (void)pali_mask_decoder_encode(decoder, mask, seg, NULL);
        encode = fmin(encode, now() - middle);
        decode = fmin(decode, middle - start);
    }
    printf("decode %.2f ms, encode %.2f ms\n", decode, encode);
}

/* "FORM|K|Y1,X1,Y2,X2|WxH" */
static void check_paste(const char *name, const pali_tensor *want)
{
    const pali_segment_form form = name[0] == 'h' ? PALI_SEGMENT_HARD : PALI_SEGMENT_SOFT;
    const double scale = form == PALI_SEGMENT_HARD ? 1023.0 : 1024.0;
    int mask, y1, x1, y2, x2, width, height;
    CHECK(sscanf(name + 5, "%d|%d,%d,%d,%d|%dx%d", &mask, &y1, &x1, &y2, &x2, &width, &height) == 7);
    const pali_detection box = { y1 / scale, x1 / scale, y2 / scale, x2 / scale, "", NULL, 0, 0 };
    const float *values = (const float *)pali_inputs_get(fixtures, "mask")->data + mask * N_PIXELS;
    uint8_t *out = malloc((size_t)width * (size_t)height);
    pali_error *error = NULL;
    CHECK(want->shape[0] == height && want->shape[1] == width);
    CHECK_OK(pali_segment_paste(out, values, &box, width, height, form, &error), error);
    int n_different = 0;
    for (int i = 0; i < width * height; i++)
        n_different += out[i] != ((const uint8_t *)want->data)[i];
    CHECK_MSG(n_different == 0, "%s: %d pixels differ", name, n_different);
    free(out);
}

/* "crop|Y1,X1,Y2,X2|mask"; the picture's mask is beside it. */
static void check_crop(const char *name, const pali_tensor *want)
{
    char picture_name[64];
    int y1, x1, y2, x2;
    CHECK(sscanf(name + 5, "%d,%d,%d,%d|", &y1, &x1, &y2, &x2) == 4);
    snprintf(picture_name, sizeof picture_name, "crop|%d,%d,%d,%d|picture", y1, x1, y2, x2);
    const pali_tensor *picture = pali_inputs_get(fixtures, picture_name);
    const pali_detection box = { y1 / 1023.0, x1 / 1023.0, y2 / 1023.0, x2 / 1023.0, "", NULL, 0, 0 };
    static float mask[N_PIXELS];
    pali_error *error = NULL;
    CHECK_OK(pali_segment_crop(mask, picture->data, (int32_t)picture->shape[1], (int32_t)picture->shape[0], &box,
                               &error),
             error);
    double largest = largest_difference(mask, want->data);
    CHECK_MSG(largest < 1e-6, "%s: %g", name, largest); /* PyTorch's weights are float32 */
}

static void test_pictures(void)
{
    int n_pasted = 0, n_cropped = 0;
    for (size_t i = 0; i < pali_inputs_count(fixtures); i++) {
        const char *name = pali_inputs_name(fixtures, i);
        const pali_tensor *tensor = pali_inputs_get(fixtures, name);
        if (strncmp(name, "hard|", 5) == 0 || strncmp(name, "soft|", 5) == 0) {
            check_paste(name, tensor);
            n_pasted++;
        } else if (strncmp(name, "crop|", 5) == 0 && strstr(name, "|mask")) {
            check_crop(name, tensor);
            n_cropped++;
        }
    }
    CHECK_MSG(n_pasted >= 30 && n_cropped >= 4, "%d pasted, %d cropped", n_pasted, n_cropped);
}

static void test_pixels(void)
{
    int32_t box[4];
    pali_detection object = { 0.5, 0.25, 1.0, 0.75, "", NULL, 0, 0 };
    CHECK(pali_detection_pixels(&object, 10, 5, PALI_SEGMENT_HARD, box) == 1);
    CHECK(box[0] == 2 && box[1] == 2 && box[2] == 7 && box[3] == 5);
    CHECK(pali_detection_pixels(&object, 10, 5, PALI_SEGMENT_SOFT, box) == 1); /* 2.5 and 7.5 to even */
    CHECK(box[0] == 2 && box[1] == 2 && box[2] == 8 && box[3] == 5);
    object.x_max = 0.26;
    CHECK(pali_detection_pixels(&object, 10, 5, PALI_SEGMENT_HARD, box) == 0);
    const double wrong[] = { -0.01, 1.01, NAN, INFINITY, -1e300 };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        object.x_max = wrong[i];
        CHECK(pali_detection_pixels(&object, 10, 5, PALI_SEGMENT_SOFT, box) == 0 && box[2] == 0);
    }
    CHECK(pali_detection_pixels(NULL, 10, 5, PALI_SEGMENT_SOFT, box) == 0);
    CHECK(pali_detection_pixels(&object, 10, 5, PALI_SEGMENT_SOFT, NULL) == 0);
}

/* A value that is no number is off, in either form. */
static void test_not_a_number(void)
{
    static float mask[N_PIXELS];
    uint8_t out[9];
    pali_error *error = NULL;
    const pali_detection whole = { 0, 0, 1, 1, "", NULL, 0, 0 };
    for (int i = 0; i < N_PIXELS; i++)
        mask[i] = NAN;
    for (int form = 0; form < 2; form++) {
        CHECK_OK(pali_segment_paste(out, mask, &whole, 3, 3, (pali_segment_form)form, &error), error);
        for (int i = 0; i < 9; i++)
            CHECK(out[i] == 0);
    }
}

static void test_arguments(void)
{
    static float mask[N_PIXELS];
    uint8_t pixels[4] = { 0 };
    int32_t seg[PALI_SEG_TOKENS] = { 0 };
    pali_error *error = NULL;
    const pali_detection whole = { 0, 0, 1, 1, "", NULL, 0, 0 }, none = { 0.2, 0.2, 0.2, 0.2, "", NULL, 0, 0 };
    CHECK_FAILS(pali_mask_decoder_decode(decoder, NULL, mask, &error), error, PALI_ERROR_ARGUMENT, "seg is NULL");
    seg[7] = 128;
    CHECK_FAILS(pali_mask_decoder_decode(decoder, seg, mask, &error), error, PALI_ERROR_ARGUMENT, "seg[7] is 128");
    seg[7] = -1;
    CHECK_FAILS(pali_mask_decoder_decode(decoder, seg, mask, &error), error, PALI_ERROR_ARGUMENT, "seg[7] is -1");
    CHECK_FAILS(pali_mask_decoder_encode(NULL, mask, seg, &error), error, PALI_ERROR_ARGUMENT, "decoder is NULL");
    CHECK_FAILS(pali_segment_paste(pixels, mask, &whole, 0, 2, PALI_SEGMENT_SOFT, &error), error, PALI_ERROR_ARGUMENT,
                "0 x 2");
    CHECK_FAILS(pali_segment_paste(pixels, mask, &whole, 2, 65536, PALI_SEGMENT_SOFT, &error), error,
                PALI_ERROR_ARGUMENT, "65536");
    CHECK_FAILS(pali_segment_paste(pixels, mask, &whole, 2, 2, (pali_segment_form)7, &error), error,
                PALI_ERROR_ARGUMENT, "form is 7");
    CHECK_FAILS(pali_segment_crop(mask, pixels, 2, 2, &none, &error), error, PALI_ERROR_ARGUMENT, "no pixels");
    CHECK_FAILS(pali_segment_crop(mask, NULL, 2, 2, &none, &error), error, PALI_ERROR_ARGUMENT, "NULL");
    pali_mask_decoder_free(NULL);
    CHECK(pali_mask_decoder_has_encoder(NULL) == 0);
}

/* Saves `set` and expects that it does not load. */
static void check_refused(struct pali__tensor_set *set, pali_status status, const char *fragment)
{
    const char *path = test_path(test_scratch(), "refused.safetensors");
    pali_mask_decoder *refused = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali__safetensors_save(set, path, &error), error);
    CHECK_FAILS(pali_mask_decoder_load(&refused, path, &error), error, status, fragment);
    CHECK(refused == NULL);
}

static void test_files(void)
{
    pali_mask_decoder *other = NULL;
    pali_error *error = NULL;
    static float mask[N_PIXELS];
    int32_t seg[PALI_SEG_TOKENS];
    CHECK_OK(pali_mask_decoder_load(&other, mask_weight_file("lone.safetensors", false), &error), error);
    CHECK(pali_mask_decoder_has_encoder(other) == 0);
    CHECK_FAILS(pali_mask_decoder_encode(other, mask, seg, &error), error, PALI_ERROR_UNSUPPORTED, "no encoder");
    pali_mask_decoder_free(other);

    struct pali__tensor_set set = { NULL, 0, 0 };
    const int64_t one[1] = { 1 }, wrong[4] = { 128, 64, 4, 5 }, right[1] = { 128 };
    pali_tensor *added = NULL;
    check_refused(&set, PALI_ERROR_FORMAT, "\"_vq_vae._embedding\" is missing");
    mask_weight_set(&set, false);
    CHECK_OK(pali__tensor_set_add(&set, "decoder.6.weight", PALI_FLOAT32, 4, wrong, &added, &error), error);
    memset(added->data, 0, (size_t)pali_tensor_count(added) * sizeof(float));
    check_refused(&set, PALI_ERROR_SHAPE, "\"decoder.6.weight\" has shape [128, 64, 4, 5], [128, 64, 4, 4]");
    mask_weight_set(&set, false);
    CHECK_OK(pali__tensor_set_add(&set, "decoder.0.bias", PALI_INT32, 1, right, &added, &error), error);
    memset(added->data, 0, 512);
    check_refused(&set, PALI_ERROR_UNSUPPORTED, "\"decoder.0.bias\" has type int32");
    mask_weight_set(&set, false);
    CHECK_OK(pali__tensor_set_add(&set, "encoder.0.bias", PALI_FLOAT32, 1, one, &added, &error), error);
    memset(added->data, 0, 4);
    check_refused(&set, PALI_ERROR_FORMAT, "\"encoder.0.weight\" is missing");
    pali__tensor_set_clear(&set);

    CHECK_FAILS(pali_mask_decoder_load(&other, test_path(test_data(), "structured/small.npz"), &error), error,
                PALI_ERROR_FORMAT, "small.npz': tensor \"_vq_vae._embedding\" is missing");
    CHECK_FAILS(pali_mask_decoder_load(&other, test_path(test_data(), "structured/compressed.npz"), &error), error,
                PALI_ERROR_UNSUPPORTED, "np.savez");
    CHECK_FAILS(pali_mask_decoder_load(&other, test_path(test_data(), "structured/none.npz"), &error), error,
                PALI_ERROR_IO, "none.npz");
    CHECK_FAILS(pali_mask_decoder_load(NULL, "x", &error), error, PALI_ERROR_ARGUMENT, "out is NULL");
    CHECK_FAILS(pali_mask_decoder_load(&other, NULL, &error), error, PALI_ERROR_ARGUMENT, "path is NULL");
}

int main(void)
{
    pali_error *error = NULL;
    CHECK_OK(pali_inputs_load(&fixtures, test_path(test_data(), "structured/masks.safetensors"), &error), error);
    CHECK_OK(pali_mask_decoder_load(&decoder, mask_weight_file("vae.safetensors", true), &error), error);
    if (fixtures && decoder) {
        test_decode();
        test_encode();
        test_pictures();
        print_times();
    }
    test_pixels();
    test_not_a_number();
    test_arguments();
    test_files();
    pali_mask_decoder_free(decoder);
    pali_inputs_free(fixtures);
    return test_report("test_masks");
}
