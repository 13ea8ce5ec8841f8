/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The demonstration model on its fixed set of unseen pictures (examples/tiny/make_test_set.py): the oracle's tokens in
 * float32, and the score that the model is there for: 95 % of the answers right, 90 % of the boxes with IoU >= 0.7.
 */
#include <json-c/json.h>
#include <stdbool.h>

#include <paligemma/paligemma.h>

#include "test.h"

#define MAX_NEW_TOKENS 40

struct score {
    int n_answers, n_right, n_boxes, n_hits;
};

static struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    CHECK_MSG(json_object_object_get_ex(object, key, &value), "expected.json: no %s", key);
    return value;
}

static const char *text_of(struct json_object *entry, const char *key)
{
    return json_object_get_string(member(entry, key));
}

static double overlap(const double a[4], const double b[4])
{
    double height = fmin(a[2], b[2]) - fmax(a[0], b[0]), width = fmin(a[3], b[3]) - fmax(a[1], b[1]);
    double common = height > 0.0 && width > 0.0 ? height * width : 0.0;
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common);
}

/* Right boxes, in 1024ths as (y0, x0, y1, x1), against those that the answer names, in order. */
static void score_boxes(struct score *score, struct json_object *boxes, const char *answer)
{
    pali_detections *found = NULL;
    pali_error *error = NULL;
    size_t n = json_object_array_length(boxes);

    CHECK_OK(pali_detections_parse(&found, answer, NULL, &error), error);
    for (size_t i = 0; i < n; i++) {
        const pali_detection *box = pali_detections_get(found, i);
        double right[4];
        for (size_t j = 0; j < 4; j++)
            right[j] = json_object_get_double(json_object_array_get_idx(json_object_array_get_idx(boxes, i), j)) / 1024.0;
        score->n_boxes++;
        if (box && pali_detections_count(found) == n)
            score->n_hits += overlap(right, (double[]){ box->y_min, box->x_min, box->y_max, box->x_max }) >= 0.7;
    }
    pali_detections_free(found);
}

static void check_tokens(struct json_object *entry, const pali_generation *generation)
{
    struct json_object *expected = member(entry, "token_ids");
    size_t count = 0, length = json_object_array_length(expected);
    const int64_t *ids = pali_generation_token_ids(generation, 0, &count);
    bool same = count == length;

    for (size_t i = 0; same && i < count; i++)
        same = ids[i] == json_object_get_int64(json_object_array_get_idx(expected, i));
    CHECK_MSG(same, "%s, \"%s\": got \"%s\", the oracle \"%s\"", text_of(entry, "image"), text_of(entry, "prompt"),
              pali_generation_text(generation, 0), text_of(entry, "text"));
    CHECK(!strcmp(pali_generation_text(generation, 0), text_of(entry, "text")));
}

static void ask(pali_model *model, pali_processor *processor, struct json_object *entry, struct score *score)
{
    char file[256];
    pali_image *image = NULL;
    pali_inputs *inputs = NULL;
    pali_generation *generation = NULL;
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_error *error = NULL;

    options.max_new_tokens = MAX_NEW_TOKENS;
    snprintf(file, sizeof file, "tiny/%.200s", text_of(entry, "image"));
    CHECK_OK(pali_image_open(&image, test_path(test_data(), file), NULL, &error), error);
    CHECK_OK(pali_processor_apply(&inputs, processor, &image, 1, text_of(entry, "prompt"), NULL, &error), error);
    CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
    if (generation) {
        struct json_object *boxes = member(entry, "boxes");
        check_tokens(entry, generation);
        if (json_object_array_length(boxes) > 0) {
            score_boxes(score, boxes, pali_generation_text(generation, 0));
        } else {
            score->n_answers++;
            score->n_right += !strcmp(pali_generation_text(generation, 0), text_of(entry, "right_answer"));
        }
    }
    pali_generation_free(generation);
    pali_inputs_free(inputs);
    pali_image_free(image);
}

int main(void)
{
    const char *examples = getenv("PALI_TEST_EXAMPLES");
    const char *directory = test_path(examples ? examples : "examples", "tiny/model");
    struct json_object *entries = json_object_from_file(test_path(test_data(), "tiny/expected.json"));
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_processor *processor = NULL;
    struct score score = { 0 };
    pali_error *error = NULL;

    CHECK_MSG(entries != NULL, "%s", json_util_get_last_err());
    options.dtype = PALI_FLOAT32;
    CHECK_OK(pali_model_load(&model, directory, &options, &error), error);
    CHECK_OK(pali_processor_load(&processor, directory, NULL, &error), error);
    for (size_t i = 0; entries && model && processor && i < json_object_array_length(entries); i++)
        ask(model, processor, json_object_array_get_idx(entries, i), &score);

    printf("%d of %d answers right, %d of %d boxes with IoU >= 0.7\n", score.n_right, score.n_answers, score.n_hits,
           score.n_boxes);
    CHECK(score.n_answers >= 50 && score.n_right >= 0.95 * score.n_answers);
    CHECK(score.n_boxes >= 40 && score.n_hits >= 0.9 * score.n_boxes);
    pali_processor_free(processor);
    pali_model_free(model);
    json_object_put(entries);
    return test_report("tiny");
}
