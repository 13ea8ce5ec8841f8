/* SPDX-License-Identifier: BSD-2-Clause */
/* Options structs: the _INIT macro equals the _init function byte for byte, and shorter structs of older callers work. */
#include <paligemma/paligemma.h>

#include "api/struct_list.h"
#include "test.h"

/* Both are laid over memory full of ones first, so that a byte which one of them leaves alone is seen. */
#define CHECK_INIT(type, MACRO, init)                                                                                  \
    do {                                                                                                               \
        type by_function;                                                                                              \
        static const type by_macro = MACRO;                                                                            \
        memset(&by_function, 0xff, sizeof by_function);                                                                \
        init(&by_function);                                                                                            \
        CHECK_MSG(memcmp(&by_function, &by_macro, sizeof by_macro) == 0, #type);                                       \
        CHECK(by_macro.struct_size == sizeof(type));                                                                   \
        CHECK(offsetof(type, struct_size) == 0);                                                                       \
    } while (0)

static void test_macro_equals_function(void)
{
#define CHECK_ONE(type, MACRO) CHECK_INIT(type, MACRO##_INIT, type##_init);
    OPTIONS_STRUCTS(CHECK_ONE)
    FILLED_STRUCTS(CHECK_ONE)
#undef CHECK_ONE
}

/* A binary built with these sizes exists once 0.1 is out: they may grow, at the end, and never shrink or move. */
static void test_layout_of_0_1(void)
{
    if (sizeof(void *) != 8)
        return;
    CHECK(sizeof(pali_image_options) >= 56);
    CHECK(sizeof(pali_processor_options) >= 48);
    CHECK(sizeof(pali_apply_options) >= 80);
    CHECK(sizeof(pali_model_options) >= 64);
    CHECK(sizeof(pali_cache_options) >= 64);
    CHECK(sizeof(pali_forward_options) >= 112);
    CHECK(sizeof(pali_generate_options) >= 128);
    CHECK(sizeof(pali_detections_options) >= 48);
    CHECK(sizeof(pali_draw_options) >= 72);
    CHECK(sizeof(pali_coco_options) >= 96);
    CHECK(sizeof(pali_image_features_options) >= 72);
    CHECK(sizeof(pali_save_options) >= 136);
    CHECK(sizeof(pali_tensor) == 144);
    CHECK(offsetof(pali_image_options, max_pixels) == 16);
    CHECK(offsetof(pali_model_options, progress) == 16);
    CHECK(offsetof(pali_cache_options, capacity) == 16);
    CHECK(offsetof(pali_forward_options, logits_to_keep) == 24);
    CHECK(offsetof(pali_generate_options, on_token) == 56);
    CHECK(offsetof(pali_timing, decode_tokens) == 40);
    CHECK(offsetof(pali_draw_options, mask_opacity) == 24);
    CHECK(offsetof(pali_coco_options, categories) == 40);
}

/* Fields past struct_size belong to whatever lies behind the caller's struct: they must not be read. */
static void test_shorter_image_options(void)
{
    static const char picture[] = "P6 2 1 255\n\1\2\3\4\5\6";
    pali_image_options options = PALI_IMAGE_OPTIONS_INIT;
    pali_image *image = NULL;
    pali_error *error = NULL;
    options.max_pixels = 1;
    CHECK_FAILS(pali_image_decode(&image, picture, sizeof picture - 1, &options, &error), error, PALI_ERROR_LIMIT, "");
    CHECK(image == NULL);

    options.struct_size = offsetof(pali_image_options, max_pixels);
    CHECK_OK(pali_image_decode(&image, picture, sizeof picture - 1, &options, &error), error);
    CHECK(pali_image_width(image) == 2 && pali_image_height(image) == 1);
    pali_image_free(image);
}

static int cancel(void *user, const char *stage, double fraction)
{
    (void)stage, (void)fraction;
    ++*(int *)user;
    return 1;
}

static const char *tiny_model(void)
{
    const char *examples = getenv("PALI_TEST_EXAMPLES");
    const char *folder = examples ? examples : "examples";
    FILE *file = fopen(test_path(folder, "tiny/model/model.safetensors"), "rb");
    if (file)
        fclose(file);
    return file ? test_path(folder, "tiny/model") : NULL;
}

static void test_shorter_model_options(const char *path)
{
    int calls = 0;
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_error *error = NULL;
    options.dtype = PALI_FLOAT32;
    options.progress = cancel;
    options.progress_user = &calls;
    options.struct_size = offsetof(pali_model_options, progress);
    CHECK_OK(pali_model_load(&model, path, &options, &error), error);
    CHECK(calls == 0);
    CHECK(pali_model_dtype(model) == PALI_FLOAT32);

    pali_cache_options small = PALI_CACHE_OPTIONS_INIT;
    pali_cache *cache = NULL;
    small.rows = 2;
    small.capacity = -5; /* refused if it were read */
    small.struct_size = offsetof(pali_cache_options, capacity);
    CHECK_OK(pali_cache_create(&cache, model, &small, &error), error);
    CHECK(pali_cache_length(cache, 1) == 0);
    pali_cache_free(cache);
    pali_model_free(model);
}

static void test_shorter_apply_options(const char *path)
{
    static const uint8_t pixel[3] = { 10, 20, 30 };
    pali_processor *processor = NULL;
    pali_image *image = NULL;
    pali_inputs *inputs = NULL;
    pali_error *error = NULL;
    pali_apply_options options = PALI_APPLY_OPTIONS_INIT;
    options.max_length = 1;

    CHECK_OK(pali_processor_load(&processor, path, NULL, &error), error);
    CHECK_OK(pali_image_create(&image, pixel, 1, 1, 0, &error), error);
    CHECK_FAILS(pali_processor_apply(&inputs, processor, &image, 1, "caption en", &options, &error), error,
                PALI_ERROR_LIMIT, "");
    options.struct_size = offsetof(pali_apply_options, max_length);
    CHECK_OK(pali_processor_apply(&inputs, processor, &image, 1, "caption en", &options, &error), error);
    CHECK(pali_inputs_get(inputs, "input_ids") != NULL);
    pali_inputs_free(inputs);
    pali_image_free(image);
    pali_processor_free(processor);
}

static void test_shorter_timing(const char *path)
{
    static const uint8_t pixel[3] = { 10, 20, 30 };
    pali_model *model = NULL;
    pali_processor *processor = NULL;
    pali_image *image = NULL;
    pali_inputs *inputs = NULL;
    pali_generation *answer = NULL;
    pali_error *error = NULL;
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    options.max_new_tokens = 2;
    options.temperature = -1.0;
    options.struct_size = offsetof(pali_generate_options, temperature);

    CHECK_OK(pali_model_load(&model, path, NULL, &error), error);
    CHECK_OK(pali_processor_load(&processor, path, NULL, &error), error);
    CHECK_OK(pali_image_create(&image, pixel, 1, 1, 0, &error), error);
    CHECK_OK(pali_processor_apply(&inputs, processor, &image, 1, "caption en", NULL, &error), error);
    CHECK_OK(pali_generate(&answer, model, inputs, &options, &error), error);

    pali_timing timing = PALI_TIMING_INIT;
    timing.struct_size = offsetof(pali_timing, prompt_tokens);
    timing.prompt_tokens = -7;
    timing.decode_tokens = -7;
    CHECK_OK(pali_generation_timing(answer, &timing, &error), error);
    CHECK(timing.prefill_s > 0.0);
    CHECK(timing.prompt_tokens == -7 && timing.decode_tokens == -7);
    CHECK(timing.struct_size == offsetof(pali_timing, prompt_tokens));

    pali_generation_free(answer);
    pali_inputs_free(inputs);
    pali_image_free(image);
    pali_processor_free(processor);
    pali_model_free(model);
}

int main(void)
{
    test_macro_equals_function();
    test_layout_of_0_1();
    test_shorter_image_options();
    const char *model = tiny_model();
    if (model) {
        test_shorter_model_options(model);
        test_shorter_apply_options(model);
        test_shorter_timing(model);
    } else
        printf("examples/tiny/model is not there: only the structs that need no model were tried\n");
    return test_report("test_struct_init");
}
