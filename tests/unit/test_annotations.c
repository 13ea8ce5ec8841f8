/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects drawn on a picture, and as JSON in COCO's form and back. */
#include <locale.h>

#include <paligemma/annotations.h>

#include "core/json_file.h"
#include "mask_weights.h"

#define LOC "<loc0100><loc0200><loc0600><loc0900>"
#define SEG "<seg001><seg017><seg033><seg049><seg065><seg081><seg097><seg113><seg002><seg018><seg034><seg050><seg066>" \
            "<seg082><seg098><seg114>"

static pali_mask_decoder *decoder;

static pali_detections *parse(const char *text)
{
    pali_detections *detections = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_detections_parse(&detections, text, NULL, &error), error);
    return detections;
}

static pali_image *blank(int32_t width, int32_t height, uint8_t level)
{
    uint8_t *pixels = malloc((size_t)width * (size_t)height * 3);
    pali_image *image = NULL;
    pali_error *error = NULL;
    memset(pixels, level, (size_t)width * (size_t)height * 3);
    CHECK_OK(pali_image_create(&image, pixels, width, height, 0, &error), error);
    free(pixels);
    return image;
}

static const uint8_t *pixel(const pali_image *image, int32_t x, int32_t y)
{
    return pali_image_pixels(image) + ((size_t)y * (size_t)pali_image_width(image) + (size_t)x) * 3;
}

static size_t n_different(const pali_image *a, const pali_image *b)
{
    const size_t n = (size_t)pali_image_width(a) * (size_t)pali_image_height(a) * 3;
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += pali_image_pixels(a)[i] != pali_image_pixels(b)[i];
    return count;
}

/* ---- drawing ---- */

static void test_text(void)
{
    static const uint8_t red[3] = { 255, 0, 0 };
    /* 'T' of the font, by eye: a bar of five pixels and a stem in its middle. */
    pali_image *image = blank(12, 12, 0);
    pali_image_draw_text(image, 2, 1, "T", 1, red);
    for (int32_t y = 0; y < 12; y++)
        for (int32_t x = 0; x < 12; x++) {
            const int on = (y == 2 && x >= 2 && x <= 6) || (x == 4 && y >= 2 && y <= 8);
            CHECK_MSG(pixel(image, x, y)[0] == (on ? 255 : 0) && pixel(image, x, y)[1] == 0, "%d, %d", x, y);
        }
    pali_image_free(image);

    int32_t width = -1, height = -1;
    pali_image_text_size("ab \xc3\xa9\xff", 3, &width, &height);
    CHECK(width == 5 * 6 * 3 && height == 27);
    pali_image_text_size(NULL, 1, &width, &height);
    CHECK(width == 0 && height == 0);
    pali_image_text_size("a", 0, &width, NULL);
    CHECK(width == 0);
}

/* Nothing is written outside the picture (sanitizers watch), and nothing far away inside it. */
static void test_text_clipped(void)
{
    static const uint8_t white[3] = { 255, 255, 255 };
    static const int32_t places[] = { INT32_MIN, -1000000, -7, -3, 0, 7, 11, 12, 1000000, INT32_MAX };
    const size_t n_places = sizeof places / sizeof places[0];
    for (size_t i = 0; i < n_places; i++)
        for (size_t k = 0; k < n_places; k++) {
            pali_image *image = blank(12, 12, 0), *before = blank(12, 12, 0);
            pali_image_draw_text(image, places[i], places[k], "#\xe7\x8c\xab", 1, white);
            pali_image_draw_text(image, places[i], places[k], "@", k % 2 ? 1000 : 1001, white);
            if (places[i] > 11 || places[k] > 11)
                CHECK(n_different(image, before) == 0);
            pali_image_free(before);
            pali_image_free(image);
        }
    pali_image_draw_text(NULL, 0, 0, "a", 1, white);
}

static void test_blend(void)
{
    static const uint8_t mask[4] = { 0, 255, 128, 1 }, colour[3] = { 200, 100, 0 };
    pali_image *image = blank(2, 2, 100);
    pali_image_blend(image, mask, 1.0, colour);
    CHECK(pixel(image, 0, 0)[0] == 100 && pixel(image, 1, 0)[0] == 200 && pixel(image, 1, 0)[2] == 0);
    CHECK(pixel(image, 0, 1)[0] == 150 && pixel(image, 0, 1)[1] == 100 && pixel(image, 0, 1)[2] == 50);
    CHECK(pixel(image, 1, 1)[0] == 100);
    pali_image_blend(image, mask, 0.0, colour);
    pali_image_blend(image, mask, NAN, colour);
    CHECK(pixel(image, 0, 0)[0] == 100 && pixel(image, 1, 0)[1] == 100);
    pali_image_free(image);
    image = blank(2, 2, 0);
    pali_image_blend(image, mask, 0.5, colour);
    CHECK(pixel(image, 1, 0)[0] == 100 && pixel(image, 1, 0)[1] == 50);
    pali_image_free(image);
}

static void draw(pali_image *image, const char *text, const pali_draw_options *options)
{
    pali_detections *detections = parse(text);
    pali_error *error = NULL;
    CHECK_OK(pali_detections_draw(detections, image, options, &error), error);
    pali_detections_free(detections);
}

static void test_draw(void)
{
    pali_draw_options options = PALI_DRAW_OPTIONS_INIT;
    pali_image *image = blank(128, 128, 50), *plain = blank(128, 128, 50), *again = blank(128, 128, 50);
    options.text_scale = -1;
    draw(image, LOC " cat", &options); /* x 25 to 112.5, y 12.5 to 75 */
    const uint8_t *colour = pixel(image, 25, 13);
    CHECK(colour[0] != 50 || colour[1] != 50);
    CHECK(memcmp(pixel(image, 112, 74), colour, 3) == 0 && memcmp(pixel(image, 60, 13), colour, 3) == 0);
    CHECK(pixel(image, 24, 40)[0] == 50 && pixel(image, 26, 40)[0] == 50 && pixel(image, 113, 74)[0] == 50);

    /* The label's colour is its own, whatever else is there. */
    draw(again, "<loc0000><loc0000><loc0010><loc0010> dog ; " LOC " cat", &options);
    CHECK(memcmp(pixel(again, 25, 13), colour, 3) == 0 && memcmp(pixel(again, 0, 0), colour, 3) != 0);

    options.thickness = -1;
    draw(plain, LOC " cat", &options);
    CHECK(pixel(plain, 25, 13)[0] == 50);
    options.text_scale = 1;
    draw(plain, LOC " cat", &options); /* a patch above the box */
    CHECK(memcmp(pixel(plain, 25, 4), colour, 3) == 0 && pixel(plain, 25, 13)[0] == 50);
    pali_image_free(image);
    pali_image_free(plain);
    pali_image_free(again);
}

static void test_draw_masks(void)
{
    pali_draw_options options = PALI_DRAW_OPTIONS_INIT;
    pali_image *with = blank(100, 90, 50), *without = blank(100, 90, 50);
    options.mask_decoder = decoder;
    options.thickness = options.text_scale = -1;
    draw(with, LOC SEG " cat", &options);
    const size_t n = n_different(with, without);
    CHECK_MSG(n > 1000 && n <= 3 * 68 * 44, "%zu", n);
    CHECK(pixel(with, 10, 10)[0] == 50 && pixel(with, 95, 80)[0] == 50);
    options.mask_opacity = 0.0;
    draw(without, LOC SEG " cat", &options);
    CHECK(pixel(without, 50, 30)[0] == 50);
    pali_image_free(with);
    pali_image_free(without);
}

/* Any box of any label in pictures of a few pixels, with confidences. */
static void test_draw_small(void)
{
    static const char *const texts[] = {
        "<loc0000><loc0000><loc0000><loc0000>", "<loc1023><loc1023><loc1023><loc1023> a",
        "<loc1023><loc1023><loc0000><loc0000> b", "<loc0000><loc0000><loc1023><loc1023>" SEG " a long label, longer",
        "<loc0500><loc0500><loc0501><loc0501>" SEG " \xe7\x8c\xab", "none",
    };
    const pali_confidence confidence = { 0.995, 0.5 };
    for (int32_t side = 1; side < 40; side += 6)
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
            pali_draw_options options = PALI_DRAW_OPTIONS_INIT;
            pali_image *image = blank(side, 41 - side, 0);
            options.mask_decoder = decoder;
            options.confidences = &confidence;
            options.thickness = side == 7 ? INT32_MAX : 0;
            options.text_scale = side == 13 ? 1000 : 0;
            draw(image, texts[i], &options);
            pali_image_free(image);
        }
}

static void test_draw_errors(void)
{
    pali_detections *detections = parse(LOC);
    pali_image *image = blank(4, 4, 0);
    pali_error *error = NULL;
    pali_draw_options options = PALI_DRAW_OPTIONS_INIT;
    options.mask_opacity = 1.5;
    CHECK_FAILS(pali_detections_draw(detections, image, &options, &error), error, PALI_ERROR_ARGUMENT, "1.5");
    options.mask_opacity = 0.5;
    options.thickness = -2;
    CHECK_FAILS(pali_detections_draw(detections, image, &options, &error), error, PALI_ERROR_ARGUMENT,
                "thickness is -2");
    options.thickness = 0;
    options.text_scale = 1001;
    CHECK_FAILS(pali_detections_draw(detections, image, &options, &error), error, PALI_ERROR_ARGUMENT, "text_scale");
    CHECK_FAILS(pali_detections_draw(NULL, image, NULL, &error), error, PALI_ERROR_ARGUMENT, "detections is NULL");
    CHECK_FAILS(pali_detections_draw(detections, NULL, NULL, &error), error, PALI_ERROR_ARGUMENT, "image is NULL");
    pali_image_free(image);
    pali_detections_free(detections);
}

/* ---- JSON ---- */

static char *to_coco(const char *text, const pali_coco_options *options)
{
    pali_detections *detections = parse(text);
    pali_error *error = NULL;
    char *json = NULL;
    CHECK_OK(pali_detections_to_coco(&json, detections, 80, 50, options, &error), error);
    pali_detections_free(detections);
    return json;
}

static void test_json(void)
{
    static const char *const categories[] = { "dog", "cat" };
    const pali_confidence confidences[2] = { { 0.75, 0.1 }, { 1.0, 1.0 } };
    pali_coco_options options = PALI_COCO_OPTIONS_INIT;
    options.confidences = confidences;
    options.file_name = "a \"b\"\n.png";
    options.categories = categories;
    options.n_categories = 2;
    options.image_id = 7;
    char *json = to_coco("x <loc0256><loc0512><loc0768><loc0640> cat ; <loc0000><loc0000><loc1023><loc1023> b\xff\\",
                         &options);
    const char *want =
        "{\"images\": [{\"id\": 7, \"width\": 80, \"height\": 50, \"file_name\": \"a \\\"b\\\"\\u000a.png\"}], "
        "\"categories\": [{\"id\": 1, \"name\": \"dog\"}, {\"id\": 2, \"name\": \"cat\"}, "
        "{\"id\": 3, \"name\": \"b\xef\xbf\xbd\\\\\"}], \"annotations\": ["
        "{\"id\": 1, \"image_id\": 7, \"category_id\": 2, \"category_name\": \"cat\", \"bbox\": [40, 12.5, 10, 25], "
        "\"area\": 250, \"score\": 0.75, \"score_min\": 0.1, \"iscrowd\": 0, \"text_begin\": 2, \"text_end\": 42}, "
        "{\"id\": 2, \"image_id\": 7, \"category_id\": 3, \"category_name\": \"b\xef\xbf\xbd\\\\\", "
        "\"bbox\": [0, 0, 79.921875, 49.951171875], \"area\": 3992.1913146972656, \"score\": 1, \"score_min\": 1, "
        "\"iscrowd\": 0, \"text_begin\": 45, \"text_end\": 85}]}";
    CHECK_MSG(json && strcmp(json, want) == 0, "%s", json);
    pali_free(json);
    json = to_coco("nothing", NULL);
    CHECK(json && strcmp(json, "{\"images\": [{\"id\": 1, \"width\": 80, \"height\": 50}], \"categories\": [], "
                               "\"annotations\": []}") == 0);
    pali_free(json);
}

/* Where the host writes decimal commas, JSON has points all the same. */
static void test_locale(void)
{
    static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (setlocale(LC_NUMERIC, names[i])) {
            char *json = to_coco("<loc0001><loc0001><loc1023><loc1023>", NULL);
            CHECK(json && strstr(json, "[0.078125, 0.048828125, ") != NULL);
            pali_free(json);
        }
    setlocale(LC_NUMERIC, "C");
}

/* The mask in the JSON is the one that paste makes, in either form; and its area is its number of pixels. */
static void test_json_mask(bool uncompressed)
{
    pali_coco_options options = PALI_COCO_OPTIONS_INIT;
    options.mask_decoder = decoder;
    options.uncompressed_rle = uncompressed;
    char *json = to_coco(LOC SEG " cat", &options);
    struct json_object *root = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali__json_parse(&root, json, strlen(json), 16, "json", &error), error);
    struct json_object *annotation = pali__json_at(pali__json_get(root, "annotations"), 0);
    struct json_object *counts = pali__json_get(pali__json_get(annotation, "segmentation"), "counts");
    uint32_t *runs = NULL;
    size_t n_runs = pali__json_count(counts);
    if (uncompressed) {
        runs = calloc(n_runs, sizeof *runs);
        for (size_t i = 0; i < n_runs; i++) {
            int64_t number = -1;
            CHECK(pali__json_int(pali__json_at(counts, i), &number));
            runs[i] = (uint32_t)number;
        }
    } else {
        CHECK_OK(pali_rle_from_text(&runs, &n_runs, pali__json_string(counts), &error), error);
    }

    static uint8_t found[80 * 50], want[80 * 50];
    static float mask[64 * 64];
    pali_detections *detections = parse(LOC SEG " cat");
    const pali_detection *item = pali_detections_get(detections, 0);
    CHECK_OK(pali_rle_decode(found, runs, n_runs, 80, 50, &error), error);
    CHECK_OK(pali_mask_decoder_decode(decoder, item->seg, mask, &error), error);
    CHECK_OK(pali_segment_paste(want, mask, item, 80, 50, PALI_SEGMENT_HARD, &error), error);
    int64_t n_on = 0, area = -1;
    for (int i = 0; i < 80 * 50; i++) {
        CHECK(found[i] == (want[i] ? 1 : 0));
        n_on += found[i];
    }
    CHECK(n_on > 100 && pali__json_int(pali__json_get(annotation, "area"), &area) && area == n_on);
    if (uncompressed)
        free(runs);
    else
        pali_free(runs);
    pali_detections_free(detections);
    pali__json_free(root);
    pali_free(json);
}

/* Text -> JSON -> text. Boxes come back exactly; a mask comes back as the encoder sees it. */
static void test_there_and_back(void)
{
    const char *text = LOC " red car ; <loc0003><loc0001><loc0999><loc1023> cat ; <loc0000><loc0000><loc0001><loc0001>";
    char *json = to_coco(text, NULL), *again = NULL;
    pali_detections *detections = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_detections_from_coco(&detections, json, 0, 0, NULL, &error), error);
    CHECK_OK(pali_detections_encode(&again, pali_detections_get(detections, 0), pali_detections_count(detections), NULL,
                                    &error), error);
    CHECK_MSG(again && strcmp(again, text) == 0, "%s", again);
    pali_free(again);
    pali_free(json);
    pali_detections_free(detections);

    pali_coco_options options = PALI_COCO_OPTIONS_INIT;
    options.mask_decoder = decoder;
    json = to_coco(LOC SEG " cat", &options);
    CHECK_OK(pali_detections_from_coco(&detections, json, 0, 0, &options, &error), error);
    const pali_detection *item = pali_detections_get(detections, 0);
    CHECK(item && item->seg != NULL && strcmp(item->label, "cat") == 0);

    static uint8_t pasted[80 * 50];
    static float mask[64 * 64];
    int32_t seg[16];
    pali_detections *first = parse(LOC SEG " cat");
    CHECK_OK(pali_mask_decoder_decode(decoder, pali_detections_get(first, 0)->seg, mask, &error), error);
    CHECK_OK(pali_segment_paste(pasted, mask, pali_detections_get(first, 0), 80, 50, PALI_SEGMENT_HARD, &error), error);
    CHECK_OK(pali_segment_crop(mask, pasted, 80, 50, pali_detections_get(first, 0), &error), error);
    CHECK_OK(pali_mask_decoder_encode(decoder, mask, seg, &error), error);
    CHECK(item && item->seg && memcmp(seg, item->seg, sizeof seg) == 0);
    pali_detections_free(first);
    pali_detections_free(detections);
    pali_free(json);
}

/* What other tools write: ids for names, several images, numbers as they like. */
static void test_foreign_json(void)
{
    static const char json[] =
        "{\"images\": [{\"id\": 3, \"width\": 200, \"height\": 100}, {\"id\": 4, \"width\": 10, \"height\": 10}],"
        "\"categories\": [{\"id\": 18, \"name\": \"dog\"}], \"annotations\": ["
        "{\"image_id\": 4, \"bbox\": [0, 0, 1, 1], \"category_id\": 18},"
        "{\"image_id\": 3, \"bbox\": [100, 25.0, 1e3, 50], \"category_id\": 18, \"segmentation\": [[1, 2]]},"
        "{\"image_id\": 3, \"bbox\": [-5, 0, 105, 100], \"category_id\": 99}]}";
    pali_coco_options options = PALI_COCO_OPTIONS_INIT;
    pali_detections *detections = NULL;
    pali_error *error = NULL;
    CHECK_FAILS(pali_detections_from_coco(&detections, json, 0, 0, NULL, &error), error, PALI_ERROR_ARGUMENT,
                "2 images");
    options.image_id = 5;
    CHECK_FAILS(pali_detections_from_coco(&detections, json, 0, 0, &options, &error), error, PALI_ERROR_ARGUMENT,
                "id 5");
    options.image_id = 3;
    CHECK_OK(pali_detections_from_coco(&detections, json, 0, 0, &options, &error), error);
    CHECK(pali_detections_count(detections) == 2);
    const pali_detection *dog = pali_detections_get(detections, 0), *other = pali_detections_get(detections, 1);
    CHECK(dog && dog->x_min == 0.5 && dog->x_max == 1.0 && dog->y_min == 0.25 && dog->y_max == 0.75 && !dog->seg);
    CHECK(dog && strcmp(dog->label, "dog") == 0);
    CHECK(other && other->x_min == 0.0 && other->x_max == 0.5 && strcmp(other->label, "") == 0);
    pali_detections_free(detections);
    options.mask_decoder = decoder;
    CHECK_FAILS(pali_detections_from_coco(&detections, json, 0, 0, &options, &error), error, PALI_ERROR_UNSUPPORTED,
                "annotations[1].segmentation is a list of polygons");
    CHECK(detections == NULL);
}

#define BOX "\"bbox\": [0, 0, 2, 2]"

static void test_wrong_json(void)
{
    static const struct {
        const char *json;
        pali_status status;
        const char *fragment;
    } cases[] = {
        { "", PALI_ERROR_FORMAT, "" },
        { "[]", PALI_ERROR_FORMAT, "" },
        { "{}", PALI_ERROR_FORMAT, "annotations is null" },
        { "{\"annotations\": {}}", PALI_ERROR_FORMAT, "annotations is an object" },
        { "{\"annotations\": [3]}", PALI_ERROR_FORMAT, "annotations[0].bbox" },
        { "{\"annotations\": [{\"bbox\": [1, 2, 3]}]}", PALI_ERROR_FORMAT, "annotations[0].bbox" },
        { "{\"annotations\": [{\"bbox\": [1, 2, -3, 4]}]}", PALI_ERROR_FORMAT, "annotations[0].bbox" },
        { "{\"annotations\": [{\"bbox\": [1, 2, \"3\", 4]}]}", PALI_ERROR_FORMAT, "annotations[0].bbox" },
        { "{\"annotations\": [{" BOX ", \"segmentation\": {}}]}", PALI_ERROR_FORMAT, "segmentation.size" },
        { "{\"annotations\": [{" BOX ", \"segmentation\": {\"size\": [2, 3]}}]}", PALI_ERROR_SHAPE, "of 3 x 2, 2 x 2" },
        { "{\"annotations\": [{" BOX ", \"segmentation\": {\"size\": [2, 2]}}]}", PALI_ERROR_FORMAT, "counts is null" },
        { "{\"annotations\": [{" BOX ", \"segmentation\": {\"size\": [2, 2], \"counts\": \"!\"}}]}", PALI_ERROR_FORMAT,
          "at byte 0" },
        { "{\"annotations\": [{" BOX ", \"segmentation\": {\"size\": [2, 2], \"counts\": [4, -1]}}]}", PALI_ERROR_FORMAT,
          "counts[1]" },
        { "{\"annotations\": [{" BOX ", \"segmentation\": {\"size\": [2, 2], \"counts\": [4, 1]}}]}", PALI_ERROR_FORMAT,
          "more than the 4 pixels" },
        { "{\"annotations\": [{\"bbox\": [1, 1, 0, 0], \"segmentation\": {\"size\": [2, 2], \"counts\": [4]}}]}",
          PALI_ERROR_ARGUMENT, "has no pixels" },
    };
    pali_coco_options options = PALI_COCO_OPTIONS_INIT;
    pali_detections *detections = NULL;
    pali_error *error = NULL;
    options.mask_decoder = decoder;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_FAILS(pali_detections_from_coco(&detections, cases[i].json, 2, 2, &options, &error), error,
                    cases[i].status, cases[i].fragment);
        CHECK_MSG(detections == NULL, "%s", cases[i].json);
    }
    CHECK_FAILS(pali_detections_from_coco(&detections, "{\"annotations\": []}", 0, 0, NULL, &error), error,
                PALI_ERROR_FORMAT, "no size is given");
    CHECK_FAILS(pali_detections_from_coco(&detections, "{\"annotations\": []}", 65535, 65535, &options, &error), error,
                PALI_ERROR_LIMIT, "4294836225 pixels");
    CHECK_FAILS(pali_detections_from_coco(&detections, "{\"annotations\": []}", -1, 1, NULL, &error), error,
                PALI_ERROR_ARGUMENT, "-1 x 1");
    CHECK_FAILS(pali_detections_from_coco(&detections, NULL, 1, 1, NULL, &error), error, PALI_ERROR_ARGUMENT, "NULL");
    CHECK_FAILS(pali_detections_from_coco(NULL, "{}", 1, 1, NULL, &error), error, PALI_ERROR_ARGUMENT, "NULL");
}

static void test_json_errors(void)
{
    static const char *const categories[] = { "a", NULL };
    const pali_confidence confidence = { NAN, 0.0 };
    pali_coco_options options = PALI_COCO_OPTIONS_INIT;
    pali_detections *detections = parse(LOC);
    pali_error *error = NULL;
    char *json = NULL;
    CHECK_FAILS(pali_detections_to_coco(&json, detections, 0, 5, NULL, &error), error, PALI_ERROR_ARGUMENT, "0 x 5");
    CHECK_FAILS(pali_detections_to_coco(&json, NULL, 5, 5, NULL, &error), error, PALI_ERROR_ARGUMENT, "detections");
    CHECK_FAILS(pali_detections_to_coco(NULL, detections, 5, 5, NULL, &error), error, PALI_ERROR_ARGUMENT, "json");
    options.categories = categories;
    options.n_categories = 2;
    CHECK_FAILS(pali_detections_to_coco(&json, detections, 5, 5, &options, &error), error, PALI_ERROR_ARGUMENT,
                "categories[1]");
    options.n_categories = 0;
    options.confidences = &confidence;
    CHECK_FAILS(pali_detections_to_coco(&json, detections, 5, 5, &options, &error), error, PALI_ERROR_ARGUMENT,
                "confidences[0]");
    CHECK(json == NULL);
    pali_detections_free(detections);
}

int main(void)
{
    pali_error *error = NULL;
    CHECK_OK(pali_mask_decoder_load(&decoder, mask_weight_file("vae.safetensors", true), &error), error);
    test_text();
    test_text_clipped();
    test_blend();
    test_draw();
    test_draw_masks();
    test_draw_small();
    test_draw_errors();
    test_json();
    test_locale();
    test_json_mask(false);
    test_json_mask(true);
    test_there_and_back();
    test_foreign_json();
    test_wrong_json();
    test_json_errors();
    pali_mask_decoder_free(decoder);
    return test_report("test_annotations");
}
