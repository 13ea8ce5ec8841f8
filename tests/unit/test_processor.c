/* SPDX-License-Identifier: BSD-2-Clause */
/* Prompts and pictures against PaliGemmaProcessor of transformers 5.23.0 (tests/oracle/make_processor_fixtures.py). */
#include "../test.h"

#include <paligemma/processor.h>

#include "processor/inputs_internal.h"

#define MAX_TEXTS 8
#define MAX_IMAGES 16

static pali_inputs *cases;
static pali_image *pictures[4];
static pali_processor *with_preprocessor, *with_torchvision, *config_only;

static void load_all(void)
{
    pali_processor_options torchvision = PALI_PROCESSOR_OPTIONS_INIT;
    pali_error *error = NULL;
    torchvision.resample = PALI_RESAMPLE_TORCHVISION;
    CHECK_OK(pali_inputs_load(&cases, test_path(test_data(), "processor/cases.safetensors"), &error), error);
    const char *path = test_path(test_data(), "processor/with_preprocessor");
    CHECK_OK(pali_processor_load(&with_preprocessor, path, NULL, &error), error);
    CHECK_OK(pali_processor_load(&with_torchvision, path, &torchvision, &error), error);
    CHECK_OK(pali_processor_load(&config_only, test_path(test_data(), "processor/config_only"), NULL, &error), error);
    if (!cases || !with_preprocessor || !with_torchvision || !config_only)
        exit(1);
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "picture.%d", i);
        const pali_tensor *pixels = pali_inputs_get(cases, name);
        CHECK_OK(pali_image_create(&pictures[i], pixels->data, (int32_t)pixels->shape[1], (int32_t)pixels->shape[0], 0,
                                   &error),
                 error);
    }
}

/* The tensor "DIRECTORY|NAME|part" of the case that `setup`, its "DIRECTORY|NAME|setup", begins with; or NULL. */
static const pali_tensor *part_of(const char *setup, const char *part)
{
    char name[128];
    snprintf(name, sizeof name, "%.*s%s", (int)(strlen(setup) - strlen("setup")), setup, part);
    return pali_inputs_get(cases, name);
}

/* Strings that end with NUL, one after the other. */
static bool split(const char **strings, size_t n, const pali_tensor *bytes)
{
    if (!bytes)
        return false;
    const char *at = bytes->data;
    for (size_t i = 0; i < n; i++, at += strlen(at) + 1)
        strings[i] = at;
    return true;
}

static void check_tensor(const pali_inputs *inputs, const char *name, const pali_tensor *want, const char *setup)
{
    const pali_tensor *tensor = pali_inputs_get(inputs, name);
    CHECK_MSG(tensor && want, "%s: %s", setup, name);
    if (!tensor || !want)
        return;
    bool same_shape = tensor->dtype == want->dtype && tensor->rank == want->rank &&
                      memcmp(tensor->shape, want->shape, sizeof want->shape) == 0;
    CHECK_MSG(same_shape, "%s: shape of %s: [%lld, %lld], expected [%lld, %lld]", setup, name,
              (long long)tensor->shape[0], (long long)tensor->shape[1], (long long)want->shape[0],
              (long long)want->shape[1]);
    if (same_shape)
        CHECK_MSG(memcmp(tensor->data, want->data,
                         (size_t)pali_tensor_count(want) * pali_dtype_size(want->dtype)) == 0,
                  "%s: values of %s", setup, name);
}

static void run_case(const char *setup, const pali_processor *processor, const char *pixels_name)
{
    const int64_t *numbers = pali_inputs_get(cases, setup)->data;
    const pali_tensor *counts = part_of(setup, "images_per_text");
    const size_t n_texts = (size_t)numbers[0], n_images = (size_t)numbers[1];
    const char *texts[MAX_TEXTS], *suffixes[MAX_TEXTS];
    size_t images_per_text[MAX_TEXTS];
    pali_image *images[MAX_IMAGES];
    pali_apply_options options = PALI_APPLY_OPTIONS_INIT;
    pali_inputs *inputs = NULL;
    pali_error *error = NULL;

    CHECK(n_texts <= MAX_TEXTS && n_images <= MAX_IMAGES && split(texts, n_texts, part_of(setup, "texts")));
    for (size_t i = 0; i < n_images; i++)
        images[i] = pictures[i % 4];
    if (split(suffixes, n_texts, part_of(setup, "suffixes")))
        options.suffixes = suffixes;
    for (size_t i = 0; counts && i < n_texts; i++)
        images_per_text[i] = (size_t)((const int64_t *)counts->data)[i];
    options.images_per_text = counts ? images_per_text : NULL;
    options.padding_side = numbers[2] ? PALI_PADDING_RIGHT : PALI_PADDING_LEFT;
    options.pad_to = numbers[3];

    CHECK_OK(pali_processor_apply_batch(&inputs, processor, images, n_images, texts, n_texts, &options, &error), error);
    static const char *const names[] = { "input_ids", "attention_mask", "token_type_ids", "labels" };
    for (int i = 0; i < 4; i++)
        check_tensor(inputs, names[i], part_of(setup, names[i]), setup);
    if (part_of(setup, pixels_name))
        check_tensor(inputs, "pixel_values", part_of(setup, pixels_name), setup);
    CHECK(pali_inputs_count(inputs) == 5);
    pali_inputs_free(inputs);

    if (n_texts == 1 && !counts) { /* the short form takes any number of pictures for its one text */
        inputs = NULL;
        CHECK_OK(pali_processor_apply(&inputs, processor, images, n_images, texts[0], &options, &error), error);
        check_tensor(inputs, "input_ids", part_of(setup, "input_ids"), setup);
        pali_inputs_free(inputs);
    }
}

static void test_cases(void)
{
    int n_cases = 0;
    for (size_t i = 0; i < pali_inputs_count(cases); i++) {
        const char *name = pali_inputs_name(cases, i), *end = strrchr(name, '|');
        if (!end || strcmp(end, "|setup") != 0)
            continue;
        n_cases++;
        if (strncmp(name, "config_only|", 12) == 0) {
            run_case(name, config_only, "pixel_values");
        } else {
            run_case(name, with_preprocessor, "pixel_values");
            run_case(name, with_torchvision, "pixel_values_torchvision");
        }
    }
    CHECK_MSG(n_cases >= 35, "%d cases", n_cases);
}

static void fails(const char *const *texts, size_t n_texts, size_t n_images, const char *const *suffixes,
                  const size_t *counts, pali_status status, const char *message)
{
    pali_apply_options options = PALI_APPLY_OPTIONS_INIT;
    pali_inputs *inputs = NULL;
    pali_error *error = NULL;
    options.suffixes = suffixes;
    options.images_per_text = counts;
    CHECK_FAILS(pali_processor_apply_batch(&inputs, with_preprocessor, pictures, n_images, texts, n_texts, &options, &error),
                error, status, message);
    CHECK(inputs == NULL);
}

#define TEXTS(...) ((const char *const[]){ __VA_ARGS__ })
#define COUNTS(...) ((const size_t[]){ __VA_ARGS__ })

static void test_errors(void)
{
    /* Refused by the oracle too. */
    fails(TEXTS("<image>a"), 1, 2, NULL, NULL, PALI_ERROR_SHAPE, "1 <image> in all, but there are 2 pictures");
    fails(TEXTS("<image><image>a"), 1, 1, NULL, NULL, PALI_ERROR_SHAPE, "2 <image> in all");
    fails(TEXTS("a", "b"), 2, 1, NULL, NULL, PALI_ERROR_SHAPE, "1 pictures for 2 texts");
    fails(TEXTS("a", "b"), 2, 3, NULL, NULL, PALI_ERROR_SHAPE, "3 pictures for 2 texts");
    fails(TEXTS("<image>a", "b"), 2, 2, NULL, NULL, PALI_ERROR_SHAPE, "1 <image> in all");
    fails(TEXTS("a"), 1, 1, TEXTS("x<image>"), NULL, PALI_ERROR_SHAPE, "suffix 0: it contains <image>");
    fails(TEXTS("a", "b"), 2, 2, TEXTS("x", NULL), NULL, PALI_ERROR_ARGUMENT, "suffix 1 is NULL");

    fails(TEXTS("a", "b"), 2, 3, NULL, COUNTS(1, 1), PALI_ERROR_SHAPE, "counts 2 pictures, but there are 3");
    fails(TEXTS("a", "b"), 2, 2, NULL, COUNTS(1, SIZE_MAX), PALI_ERROR_SHAPE, "more than the 2 pictures");
    fails(TEXTS("<image>a", "<image>b"), 2, 2, NULL, COUNTS(2, 0), PALI_ERROR_SHAPE, "images_per_text says 2");
    fails(TEXTS("a"), 1, 0, NULL, NULL, PALI_ERROR_ARGUMENT, "no picture");
    fails(TEXTS("a"), 0, 1, NULL, NULL, PALI_ERROR_ARGUMENT, "no text");
    fails(TEXTS("a", NULL), 2, 2, NULL, NULL, PALI_ERROR_ARGUMENT, "text 1 is NULL");
    fails(TEXTS("a\xff"), 1, 1, NULL, NULL, PALI_ERROR_ARGUMENT, "UTF-8");

    pali_apply_options options = PALI_APPLY_OPTIONS_INIT;
    pali_image *none[1] = { NULL };
    pali_inputs *inputs = NULL;
    pali_error *error = NULL;
    CHECK_FAILS(pali_processor_apply(&inputs, with_preprocessor, none, 1, "a", NULL, &error), error, PALI_ERROR_ARGUMENT,
                "picture 0 is NULL");
    options.max_length = 6;
    CHECK_FAILS(pali_processor_apply(&inputs, with_preprocessor, pictures, 1, "aa", &options, &error), error,
                PALI_ERROR_LIMIT, "8 tokens, more than max_length, 6");
    options.max_length = 8;
    CHECK_OK(pali_processor_apply(&inputs, with_preprocessor, pictures, 1, "aa", &options, &error), error);
    pali_inputs_free(inputs);
    options.pad_to = 7;
    CHECK_FAILS(pali_processor_apply(&inputs, with_preprocessor, pictures, 1, "aa", &options, &error), error,
                PALI_ERROR_LIMIT, "pad_to, 7");
    options.pad_to = -1;
    CHECK_FAILS(pali_processor_apply(&inputs, with_preprocessor, pictures, 1, "aa", &options, &error), error,
                PALI_ERROR_ARGUMENT, "pad_to is -1");
    pali_apply_options_init(&options);
    options.padding_side = (pali_padding_side)5;
    CHECK_FAILS(pali_processor_apply(&inputs, with_preprocessor, pictures, 1, "aa", &options, &error), error,
                PALI_ERROR_ARGUMENT, "padding_side is 5");
    CHECK_FAILS(pali_processor_apply(&inputs, NULL, pictures, 1, "aa", NULL, &error), error, PALI_ERROR_ARGUMENT,
                "processor is NULL");

    pali_processor *processor = NULL;
    CHECK_FAILS(pali_processor_load(&processor, test_path(test_data(), "processor/absent"), NULL, &error), error,
                PALI_ERROR_IO, "absent");
    pali_processor_options load_options = PALI_PROCESSOR_OPTIONS_INIT;
    load_options.resample = (pali_resample)8;
    CHECK_FAILS(pali_processor_load(&processor, test_data(), &load_options, &error), error, PALI_ERROR_ARGUMENT,
                "resample is 8");
    CHECK(processor == NULL);
}

static void test_counts(void)
{
    /* A text may have no picture when another has; the oracle's nested lists allow that. */
    pali_apply_options options = PALI_APPLY_OPTIONS_INIT;
    pali_inputs *inputs = NULL;
    pali_error *error = NULL;
    options.images_per_text = COUNTS(2, 0);
    CHECK_OK(pali_processor_apply_batch(&inputs, with_preprocessor, pictures, 2, TEXTS("a", "b"), 2, &options, &error),
             error);
    const pali_tensor *mask = pali_inputs_get(inputs, "attention_mask");
    CHECK(mask->shape[1] == 2 * 4 + 3);
    int64_t n_real = 0;
    for (int i = 0; i < 11; i++)
        n_real += ((const int64_t *)mask->data)[11 + i];
    CHECK(n_real == 3);
    pali_inputs_free(inputs);
}

static void test_text(void)
{
    static const char text[] = "the cat <loc0001>\n<image>\xc3\xa9";
    int64_t *ids = NULL;
    size_t n_ids = 0;
    char *decoded = NULL, **rows = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_processor_encode(with_preprocessor, text, strlen(text), &ids, &n_ids, &error), error);
    CHECK_OK(pali_processor_decode(with_preprocessor, ids, n_ids, 0, &decoded, &error), error);
    CHECK_MSG(strcmp(decoded, text) == 0, "%s", decoded);
    pali_free(decoded);
    CHECK_OK(pali_processor_decode(with_preprocessor, ids, n_ids, 1, &decoded, &error), error);
    CHECK_MSG(strcmp(decoded, "the cat <loc0001>\n\xc3\xa9") == 0, "%s", decoded);
    pali_free(decoded);

    CHECK(n_ids >= 6);
    CHECK_OK(pali_processor_batch_decode(with_preprocessor, ids, 3, 2, 0, &rows, &error), error);
    for (size_t i = 0; i < 3; i++) {
        CHECK_OK(pali_processor_decode(with_preprocessor, ids + 2 * i, 2, 0, &decoded, &error), error);
        CHECK_MSG(strcmp(rows[i], decoded) == 0, "row %zu: %s", i, rows[i]);
        pali_free(decoded);
    }
    pali_free(rows);
    CHECK_OK(pali_processor_batch_decode(with_preprocessor, NULL, 0, 0, 0, &rows, &error), error);
    pali_free(rows);

    ids[1] = 1 << 30;
    CHECK(pali_processor_decode(with_preprocessor, ids, n_ids, 0, &decoded, NULL) == PALI_ERROR_ARGUMENT);
    CHECK(pali_processor_batch_decode(with_preprocessor, ids, 2, 2, 0, &rows, NULL) == PALI_ERROR_ARGUMENT);
    CHECK(decoded == NULL && rows == NULL);
    pali_free(ids);
    CHECK_FAILS(pali_processor_encode(with_preprocessor, "\x80", 1, &ids, &n_ids, &error), error, PALI_ERROR_ARGUMENT,
                "UTF-8");
}

static void test_references(void)
{
    pali_processor *processor = NULL;
    pali_inputs *inputs = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_processor_load(&processor, test_path(test_data(), "processor/config_only"), NULL, &error), error);
    CHECK_OK(pali_processor_apply(&inputs, processor, pictures, 1, "a", NULL, &error), error);
    pali_processor_free(processor); /* the inputs keep it */
    CHECK(pali__tokenizer_size(pali__processor_tokenizer(inputs->processor)) > 256);
    pali_inputs_free(inputs);
    pali_processor_free(NULL);
}

/* A text as it stands: the ids that encode gives, causal, and nothing else. */
static void test_continuation(void)
{
    static const char text[] = " and a cat<loc0001>";
    pali_inputs *inputs = NULL, *none = NULL;
    pali_error *error = NULL;
    int64_t *ids = NULL;
    size_t n = 0;

    CHECK_OK(pali_processor_encode(config_only, text, strlen(text), &ids, &n, &error), error);
    CHECK_OK(pali_processor_apply_continuation(&inputs, config_only, text, &error), error);
    const pali_tensor *row = pali_inputs_get(inputs, "input_ids"), *types = pali_inputs_get(inputs, "token_type_ids");
    CHECK(pali_inputs_count(inputs) == 3 && row && row->rank == 2 && row->shape[0] == 1 && row->shape[1] == (int64_t)n);
    CHECK(n > 2 && !memcmp(row->data, ids, n * sizeof *ids) && ((const int64_t *)types->data)[n - 1] == 1);
    CHECK(((const int64_t *)pali_inputs_get(inputs, "attention_mask")->data)[0] == 1);
    CHECK_FAILS(pali_processor_apply_continuation(&none, config_only, "", &error), error, PALI_ERROR_ARGUMENT, "no text");
    CHECK_FAILS(pali_processor_apply_continuation(&none, config_only, "a <image>", &error), error, PALI_ERROR_ARGUMENT,
                "<image>");
    CHECK_FAILS(pali_processor_apply_continuation(&none, config_only, NULL, &error), error, PALI_ERROR_ARGUMENT,
                "text is NULL");
    CHECK_FAILS(pali_processor_apply_continuation(&none, config_only, "\xff", &error), error, PALI_ERROR_ARGUMENT, "UTF-8");
    CHECK(none == NULL);
    pali_free(ids);
    pali_inputs_free(inputs);
}

/* A set of one's own that belongs to the processor: the answer to it would have text; the processor may go first. */
static void test_own_inputs(void)
{
    pali_inputs *inputs = NULL, *none = NULL;
    pali_error *error = NULL;
    int64_t ids[] = { 2, 3 };
    const pali_tensor row = pali_tensor_view(ids, PALI_INT64, 2, (int64_t[]){ 1, 2 });

    CHECK_OK(pali_processor_inputs(&inputs, config_only, &error), error);
    CHECK(pali_inputs_count(inputs) == 0);
    CHECK_OK(pali_inputs_set(inputs, "input_ids", &row, &error), error);
    CHECK(pali_inputs_count(inputs) == 1);
    CHECK_FAILS(pali_processor_inputs(&none, NULL, &error), error, PALI_ERROR_ARGUMENT, "processor is NULL");
    CHECK_FAILS(pali_processor_inputs(NULL, config_only, &error), error, PALI_ERROR_ARGUMENT, "out is NULL");
    CHECK(none == NULL);
    pali_inputs_free(inputs);
}

int main(void)
{
    load_all();
    test_cases();
    test_errors();
    test_counts();
    test_text();
    test_references();
    test_continuation();
    test_own_inputs();
    for (int i = 0; i < 4; i++)
        pali_image_free(pictures[i]);
    pali_inputs_free(cases);
    pali_processor_free(with_preprocessor);
    pali_processor_free(with_torchvision);
    pali_processor_free(config_only);
    return test_report("test_processor");
}
