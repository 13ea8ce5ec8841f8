/* SPDX-License-Identifier: BSD-2-Clause */
/* Boxes and masks in an answer: the forms of PARITY §15, and texts that only look like them. */
#include <paligemma/structured.h>

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

static void test_arguments(void)
{
    pali_detections *detections = (pali_detections *)&test_checks;
    pali_error *error = NULL;
    CHECK_FAILS(pali_detections_parse(NULL, "", NULL, &error), error, PALI_ERROR_ARGUMENT, "out");
    CHECK_FAILS(pali_detections_parse(&detections, NULL, NULL, &error), error, PALI_ERROR_ARGUMENT, "text");
    CHECK(detections == NULL);
    pali_detections_free(NULL);
    CHECK(pali_detections_count(NULL) == 0 && pali_detections_get(NULL, 0) == NULL);
}

int main(void)
{
    test_boxes();
    test_masks();
    test_labels_and_places();
    test_no_object();
    test_arguments();
    return test_report("test_detections");
}
