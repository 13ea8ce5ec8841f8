/* SPDX-License-Identifier: BSD-2-Clause */
/* Run lengths against pycocotools' (make_structured_fixtures.py), and texts that are none. */
#include <paligemma/segmentation.h>

#include "core/json_file.h"
#include "test.h"

static int64_t get_int(struct json_object *object, const char *key)
{
    int64_t value = -1;
    CHECK(pali__json_int(pali__json_get(object, key), &value));
    return value;
}

/* The runs are those of `want`, and become the text and come back from it. */
static void check_runs(const uint32_t *counts, size_t n_counts, struct json_object *want, const char *want_text)
{
    pali_error *error = NULL;
    char *text = NULL;
    uint32_t *again = NULL;
    size_t n_again = 0;
    CHECK(n_counts == pali__json_count(want));
    for (size_t i = 0; i < n_counts && i < pali__json_count(want); i++) {
        int64_t value = -1;
        CHECK(pali__json_int(pali__json_at(want, i), &value) && value == (int64_t)counts[i]);
    }
    CHECK_OK(pali_rle_to_text(&text, counts, n_counts, &error), error);
    CHECK_MSG(text && strcmp(text, want_text) == 0, "%s, not %s", text ? text : "nothing", want_text);
    CHECK_OK(pali_rle_from_text(&again, &n_again, want_text, &error), error);
    CHECK(n_again == n_counts && (n_counts == 0 || memcmp(again, counts, n_counts * sizeof *counts) == 0));
    pali_free(again);
    pali_free(text);
}

static void check_mask(struct json_object *item)
{
    const int32_t width = (int32_t)get_int(item, "width"), height = (int32_t)get_int(item, "height");
    const char *pixels = pali__json_string(pali__json_get(item, "pixels"));
    const char *text = pali__json_string(pali__json_get(item, "text"));
    const size_t n_pixels = (size_t)width * (size_t)height;
    uint8_t *mask = malloc(n_pixels);
    uint32_t *counts = NULL;
    size_t n_counts = 0;
    pali_error *error = NULL;
    CHECK_OK(pali_rle_from_text(&counts, &n_counts, text, &error), error);
    CHECK_OK(pali_rle_decode(mask, counts, n_counts, width, height, &error), error);
    for (size_t i = 0; pixels && i < n_pixels; i++)
        CHECK(mask[i] == pixels[i] - '0');
    pali_free(counts);
    counts = NULL;
    for (size_t i = 0; i < n_pixels; i++)
        mask[i] = mask[i] ? 200 : 0; /* anything but 0 is on */
    CHECK_OK(pali_rle_encode(&counts, &n_counts, mask, width, height, &error), error);
    check_runs(counts, n_counts, pali__json_get(item, "counts"), text);
    pali_free(counts);
    free(mask);
}

static void test_oracle(void)
{
    struct json_object *root = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali__json_load(&root, test_path(test_data(), "structured/rle.json"), 1 << 20, &error), error);
    struct json_object *masks = pali__json_get(root, "masks");
    CHECK(pali__json_count(masks) >= 10);
    for (size_t i = 0; i < pali__json_count(masks); i++)
        check_mask(pali__json_at(masks, i));
    pali__json_free(root);
}

static void test_extremes(void)
{
    static const uint32_t counts[] = { 0, UINT32_MAX, 1, 0, UINT32_MAX, 7 };
    pali_error *error = NULL;
    char *text = NULL;
    uint32_t *again = NULL;
    size_t n_again = 0;
    CHECK_OK(pali_rle_to_text(&text, counts, 6, &error), error);
    CHECK_OK(pali_rle_from_text(&again, &n_again, text, &error), error);
    CHECK(n_again == 6 && memcmp(again, counts, sizeof counts) == 0);
    pali_free(again);
    pali_free(text);
    CHECK_OK(pali_rle_to_text(&text, NULL, 0, &error), error);
    CHECK(text && text[0] == '\0');
    pali_free(text);
}

static void test_errors(void)
{
    static const uint32_t runs[] = { 3, 2 };
    static const char *const wrong[] = { "/", "0o", "P", "PPPPPPPPP0", "oooooooooo", "O", "0\xff", "11 1", "1111\x7f" };
    uint8_t mask[6];
    uint32_t *counts = NULL;
    size_t n_counts = 9;
    char *text = NULL;
    pali_error *error = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK_FAILS(pali_rle_from_text(&counts, &n_counts, wrong[i], &error), error, PALI_ERROR_FORMAT, "at byte");
        CHECK(counts == NULL && n_counts == 0);
    }
    CHECK_FAILS(pali_rle_decode(mask, runs, 2, 3, 2, &error), error, PALI_ERROR_FORMAT, "fewer than the 6 pixels");
    CHECK_FAILS(pali_rle_decode(mask, runs, 2, 2, 2, &error), error, PALI_ERROR_FORMAT, "more than the 4 pixels");
    CHECK_FAILS(pali_rle_decode(mask, runs, 2, -1, 2, &error), error, PALI_ERROR_ARGUMENT, "-1 x 2");
    CHECK_FAILS(pali_rle_decode(NULL, runs, 2, 1, 2, &error), error, PALI_ERROR_ARGUMENT, "mask is NULL");
    CHECK_FAILS(pali_rle_encode(&counts, &n_counts, mask, 100000, 100000, &error), error, PALI_ERROR_ARGUMENT,
                "100000");
    CHECK_FAILS(pali_rle_encode(&counts, &n_counts, NULL, 1, 1, &error), error, PALI_ERROR_ARGUMENT, "mask is NULL");
    CHECK_FAILS(pali_rle_to_text(&text, NULL, 1, &error), error, PALI_ERROR_ARGUMENT, "counts is NULL");
    CHECK_FAILS(pali_rle_from_text(&counts, &n_counts, NULL, &error), error, PALI_ERROR_ARGUMENT, "text is NULL");
}

int main(void)
{
    test_oracle();
    test_extremes();
    test_errors();
    return test_report("test_rle");
}
