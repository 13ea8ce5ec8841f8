/* SPDX-License-Identifier: BSD-2-Clause */
/* Boxes and masks in an answer: the forms of PARITY §15, and texts that only look like them; and objects as text. */
#include <paligemma/structured.h>

#include "core/json_file.h"
#include "test.h"

#define SEG_4 "<seg000><seg127><seg064><seg001>"
#define SEG_16 SEG_4 SEG_4 SEG_4 SEG_4

static pali_detections *parse(const char *text)
{
    pali_detections *detections = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_detections_parse(&detections, text, NULL, &error), error);
    return detections;
}

/* The only object of `text` has this label and stands at these bytes. */
static void check_one(const char *text, const char *label, size_t begin, size_t end)
{
    pali_detections *detections = parse(text);
    CHECK_MSG(pali_detections_count(detections) == 1, "%s", text);
    const pali_detection *object = pali_detections_get(detections, 0);
    if (object) {
        CHECK_MSG(strcmp(object->label, label) == 0, "%s: label \"%s\"", text, object->label);
        CHECK_MSG(object->text_begin == begin && object->text_end == end, "%s: %zu to %zu", text, object->text_begin,
                  object->text_end);
    }
    pali_detections_free(detections);
}

static void check_none(const char *text)
{
    pali_detections *detections = parse(text);
    CHECK_MSG(pali_detections_count(detections) == 0, "%s", text);
    CHECK(pali_detections_get(detections, 0) == NULL);
    pali_detections_free(detections);
}

static void test_boxes(void)
{
    pali_detections *detections =
        parse("<loc0000><loc0256><loc0512><loc1023> red car ; <loc0001><loc0002><loc0003><loc0004> cat");
    CHECK(pali_detections_count(detections) == 2);
    const pali_detection *car = pali_detections_get(detections, 0), *cat = pali_detections_get(detections, 1);
    CHECK(car->y_min == 0.0 && car->x_min == 0.25 && car->y_max == 0.5 && car->x_max == 1023.0 / 1024.0);
    CHECK(strcmp(car->label, "red car") == 0 && car->seg == NULL);
    CHECK(car->text_begin == 0 && car->text_end == 44);
    CHECK(cat->y_min == 1.0 / 1024.0 && cat->x_max == 4.0 / 1024.0);
    CHECK(strcmp(cat->label, "cat") == 0);
    CHECK(cat->text_begin == 47 && cat->text_end == 87);
    CHECK(pali_detections_get(detections, 2) == NULL);
    pali_detections_free(detections);
}

static void test_masks(void)
{
    pali_detections *detections = parse("<loc0010><loc0020><loc0030><loc0040>" SEG_16 " dog");
    const pali_detection *dog = pali_detections_get(detections, 0);
    CHECK(dog && dog->seg != NULL);
    if (dog && dog->seg) {
        CHECK(dog->seg[0] == 0 && dog->seg[1] == 127 && dog->seg[14] == 64 && dog->seg[15] == 1);
        CHECK(strcmp(dog->label, "dog") == 0);
    }
    pali_detections_free(detections);

    /* Fewer than sixteen: a box without mask, and no label since tokens follow. */
    detections = parse("<loc0010><loc0020><loc0030><loc0040>" SEG_4 SEG_4 SEG_4 " dog");
    const pali_detection *box = pali_detections_get(detections, 0);
    CHECK(box && box->seg == NULL && strcmp(box->label, "") == 0 && box->text_end == 36);
    pali_detections_free(detections);

    /* A mask and a box beside each other keep their own. */
    detections = parse("<loc0010><loc0020><loc0030><loc0040> " SEG_16 "; <loc0010><loc0020><loc0030><loc0040>");
    CHECK(pali_detections_count(detections) == 2);
    CHECK(pali_detections_get(detections, 0)->seg != NULL && pali_detections_get(detections, 1)->seg == NULL);
    pali_detections_free(detections);
}

static void test_labels_and_places(void)
{
    check_one("<loc0001><loc0002><loc0003><loc0004>", "", 0, 36);
    check_one("<loc0001><loc0002><loc0003><loc0004>   ", "", 0, 36);
    check_one("<loc0001><loc0002><loc0003><loc0004>cat", "cat", 0, 39);
    check_one("I see <loc0001><loc0002><loc0003><loc0004>  big  cat  ; nothing", "big  cat", 6, 52);
    check_one("<loc0001><loc0002><loc0003><loc0004>\n\xc3\xa9l\xc3\xa9phant\n", "\xc3\xa9l\xc3\xa9phant", 0, 47);
    check_one("<loc0001><loc0002><loc0003><loc0004> cat <eos>", "cat", 0, 40);
    /* The first four of five count, as in the demo; a lone one in front does not hide the four behind the text. */
    check_one("<loc0001><loc0002><loc0003><loc0004><loc0005> cat", "", 0, 36);
    check_one("<loc0009> x <loc0001><loc0002><loc0003><loc0004> cat", "cat", 12, 52);
    check_one("<loc9999><loc0001><loc0002><loc0003><loc0004> cat", "cat", 9, 49);
}

static void test_no_object(void)
{
    check_none("");
    check_none("a cat on a mat");
    check_none("<loc0001><loc0002><loc0003>");
    check_none("<loc0001><loc0002><loc0003> <loc0004> cat");
    check_none("<loc0001><loc0002><loc0003><loc1024> cat");
    check_none("<loc0001><loc0002><loc0003><loc004> cat");
    check_none("<loc0001><loc0002><loc0003><loc0004");
    check_none("<loc<loc<loc<loc");
    check_none(SEG_16);
}

/* The oracle's object `want` (make_structured_fixtures.py) is `object`, on either scale. */
static void check_object(const char *text, const pali_detection *object, struct json_object *want, double scale)
{
    const double found[4] = { object->y_min, object->x_min, object->y_max, object->x_max };
    struct json_object *loc = pali__json_get(want, "loc"), *seg = pali__json_get(want, "seg");
    int64_t number = -1;
    for (size_t i = 0; i < 4; i++)
        CHECK(pali__json_int(pali__json_at(loc, i), &number) && found[i] == (double)number / scale);
    CHECK_MSG((seg != NULL) == (object->seg != NULL), "%s", text);
    for (size_t i = 0; seg && object->seg && i < 16; i++)
        CHECK(pali__json_int(pali__json_at(seg, i), &number) && number == object->seg[i]);
    CHECK_MSG(strcmp(object->label, pali__json_string(pali__json_get(want, "label"))) == 0, "%s: \"%s\"", text,
              object->label);
    CHECK_MSG(pali__json_int(pali__json_get(want, "begin"), &number) && number == (int64_t)object->text_begin,
              "%s: %zu", text, object->text_begin);
    CHECK_MSG(pali__json_int(pali__json_get(want, "end"), &number) && number == (int64_t)object->text_end, "%s: %zu",
              text, object->text_end);
}

static void test_oracle(void)
{
    struct json_object *root = NULL;
    pali_error *error = NULL;
    size_t n_objects = 0;
    CHECK_OK(pali__json_load(&root, test_path(test_data(), "structured/parsed.json"), 1 << 20, &error), error);
    struct json_object *texts = pali__json_get(root, "texts");
    for (size_t i = 0; i < pali__json_count(texts); i++) {
        struct json_object *item = pali__json_at(texts, i), *objects = pali__json_get(item, "objects");
        const char *text = pali__json_string(pali__json_get(item, "text"));
        pali_detections_options options = PALI_DETECTIONS_OPTIONS_INIT;
        options.scale = i % 2 ? 1023 : 1024;
        pali_detections *detections = NULL;
        CHECK_OK(pali_detections_parse(&detections, text, &options, &error), error);
        CHECK_MSG(pali_detections_count(detections) == pali__json_count(objects), "%s: %zu objects, not %zu", text,
                  pali_detections_count(detections), pali__json_count(objects));
        for (size_t k = 0; k < pali_detections_count(detections) && k < pali__json_count(objects); k++, n_objects++)
            check_object(text, pali_detections_get(detections, k), pali__json_at(objects, k), options.scale);
        pali_detections_free(detections);
    }
    CHECK_MSG(n_objects >= 300, "%zu objects", n_objects);
    pali__json_free(root);
}

/* Every <loc> number survives text -> objects -> text on either scale. */
static void test_there_and_back(void)
{
    for (int32_t scale = 1023; scale <= 1024; scale++) {
        pali_detections_options options = PALI_DETECTIONS_OPTIONS_INIT;
        options.scale = scale;
        for (int n = 0; n < 1024; n += 4) {
            char text[256], *again = NULL;
            pali_detections *detections = NULL;
            pali_error *error = NULL;
            snprintf(text, sizeof text,
                     "<loc%04d><loc%04d><loc%04d><loc%04d>%s%s ; <loc0000><loc0001><loc0002><loc1023>",
                     n, n + 1, n + 2, n + 3, n % 8 ? "" : SEG_16, n % 16 ? "" : " b\xc3\xa4r");
            CHECK_OK(pali_detections_parse(&detections, text, &options, &error), error);
            CHECK_OK(pali_detections_encode(&again, pali_detections_get(detections, 0),
                                            pali_detections_count(detections), &options, &error), error);
            CHECK_MSG(again && strcmp(again, text) == 0, "%s, not %s", again, text);
            pali_free(again);
            pali_detections_free(detections);
        }
    }
}

static void check_encoded(double y, double x, int32_t scale, const char *want)
{
    const pali_detection item = { y, x, 1.0, 1.0, "a", NULL, 0, 0 };
    pali_detections_options options = PALI_DETECTIONS_OPTIONS_INIT;
    pali_error *error = NULL;
    char *text = NULL;
    options.scale = scale;
    CHECK_OK(pali_detections_encode(&text, &item, 1, &options, &error), error);
    CHECK_MSG(text && strcmp(text, want) == 0, "%s, not %s", text, want);
    pali_free(text);
}

static void test_encode(void)
{
    check_encoded(0.5, 0.25, 1024, "<loc0512><loc0256><loc1023><loc1023> a");
    check_encoded(0.5, 0.25, 1023, "<loc0512><loc0256><loc1023><loc1023> a"); /* 511.5 to even, 255.75 */
    check_encoded(1.5 / 1023.0, 2.5 / 1023.0, 1023, "<loc0002><loc0002><loc1023><loc1023> a");
    check_encoded(-3.0, 1e300, 1024, "<loc0000><loc1023><loc1023><loc1023> a");

    int32_t seg[16] = { 0, 127 };
    pali_detection items[2] = { { 0, 0, 1, 1, NULL, NULL, 0, 0 }, { 0, 0, 1, 1, "b", seg, 0, 0 } };
    pali_error *error = NULL;
    char *text = NULL;
    CHECK_OK(pali_detections_encode(&text, items, 2, NULL, &error), error);
    CHECK(text && strcmp(text, "<loc0000><loc0000><loc1023><loc1023> ; <loc0000><loc0000><loc1023><loc1023>"
                               "<seg000><seg127><seg000><seg000><seg000><seg000><seg000><seg000><seg000><seg000><seg000>"
                               "<seg000><seg000><seg000><seg000><seg000> b") == 0);
    pali_free(text);
    CHECK_OK(pali_detections_encode(&text, NULL, 0, NULL, &error), error);
    CHECK(text && text[0] == '\0');
    pali_free(text);

    seg[3] = 128;
    CHECK_FAILS(pali_detections_encode(&text, items, 2, NULL, &error), error, PALI_ERROR_ARGUMENT,
                "seg[3] of object 1 is 128");
    items[1].seg = NULL;
    items[1].label = "a;b";
    CHECK_FAILS(pali_detections_encode(&text, items, 2, NULL, &error), error, PALI_ERROR_ARGUMENT, "contains ';'");
    items[1].label = " b";
    CHECK_FAILS(pali_detections_encode(&text, items, 2, NULL, &error), error, PALI_ERROR_ARGUMENT, "a space");
    items[0].x_max = NAN;
    CHECK_FAILS(pali_detections_encode(&text, items, 2, NULL, &error), error, PALI_ERROR_ARGUMENT, "object 0 is ");
    CHECK_FAILS(pali_detections_encode(&text, NULL, 2, NULL, &error), error, PALI_ERROR_ARGUMENT, "items");
    CHECK_FAILS(pali_detections_encode(NULL, items, 2, NULL, &error), error, PALI_ERROR_ARGUMENT, "text");
    CHECK(text == NULL);
}

static void test_arguments(void)
{
    pali_detections *detections = (pali_detections *)&test_checks;
    pali_detections_options options = PALI_DETECTIONS_OPTIONS_INIT;
    pali_error *error = NULL;
    CHECK_FAILS(pali_detections_parse(NULL, "", NULL, &error), error, PALI_ERROR_ARGUMENT, "out");
    CHECK_FAILS(pali_detections_parse(&detections, NULL, NULL, &error), error, PALI_ERROR_ARGUMENT, "text");
    CHECK(detections == NULL);
    options.scale = 1000;
    CHECK_FAILS(pali_detections_parse(&detections, "", &options, &error), error, PALI_ERROR_ARGUMENT, "scale is 1000");
    options.scale = 1024;
    options.struct_size = 0;
    CHECK_FAILS(pali_detections_parse(&detections, "", &options, &error), error, PALI_ERROR_ARGUMENT, "struct_size");
    pali_detections_free(NULL);
    CHECK(pali_detections_count(NULL) == 0 && pali_detections_get(NULL, 0) == NULL);
}

int main(void)
{
    test_boxes();
    test_masks();
    test_labels_and_places();
    test_no_object();
    test_oracle();
    test_there_and_back();
    test_encode();
    test_arguments();
    return test_report("test_detections");
}
