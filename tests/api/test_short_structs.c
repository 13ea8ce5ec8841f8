/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Structs of older callers: each options struct, cut to every length that an older header could have given it, works as
 * all defaults do, and nothing behind struct_size is read or written. The cut struct ends where a page ends whose
 * neighbour cannot be touched, so one byte too far is a crash. Newer callers: a longer struct of which the rest is zero
 * is taken, anything else there is refused.
 */
#include <paligemma/paligemma.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/struct_list.h"
#include "test.h"

/* ---- a place that ends at the end of the world ---- */

static unsigned char *page;
static size_t page_size;

static void open_page(void)
{
    int zero = open("/dev/zero", O_RDWR);
    page_size = (size_t)sysconf(_SC_PAGESIZE);
    page = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
    if (zero < 0 || page == MAP_FAILED || mprotect(page + page_size, page_size, PROT_NONE)) {
        perror("two pages");
        exit(1);
    }
    close(zero);
}

/* The first `size` bytes of `from`, with that as struct_size. */
static void *cut(const void *from, size_t size)
{
    unsigned char *place = page + page_size - size;
    memcpy(place, from, size);
    memcpy(place, &size, sizeof size);
    return place;
}

/* ---- what a call gave, as one number ---- */

static uint64_t digest(uint64_t so_far, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        so_far = (so_far ^ bytes[i]) * 1099511628211u;
    return so_far;
}

static uint64_t digest_tensor(uint64_t so_far, const pali_tensor *tensor)
{
    so_far = digest(so_far, tensor->shape, sizeof tensor->shape);
    return digest(so_far, tensor->data, (size_t)pali_tensor_count(tensor) * pali_dtype_size(tensor->dtype));
}

static uint64_t digest_text(char *text) /* and frees it */
{
    uint64_t of_text = text ? digest(1, text, strlen(text)) : 0;
    pali_free(text);
    return of_text;
}

/* ---- what the calls need ---- */

static const char *directory, *picture;
static pali_model *model;
static pali_processor *processor, *talking; /* the second has a chat template */
static pali_image *image;
static pali_inputs *inputs;
static pali_outputs *outputs; /* with attentions */
static pali_detections *detections;
static pali_mask *mask;
static const char *const words[] = { "red circle", "blue square" };
static const char objects[] = "<loc0100><loc0200><loc0500><loc0600> red circle";

/* The demonstration model's processor with a chat template beside it. */
static void open_talking(void)
{
    static const char *const files[] = { "config.json", "tokenizer.json", "tokenizer_config.json",
                                         "preprocessor_config.json", "special_tokens_map.json" };
    static char folder[512];
    pali_error *error = NULL;
    snprintf(folder, sizeof folder, "%s/talking", test_scratch());
    mkdir(folder, 0777);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *link = test_path(folder, files[i]);
        unlink(link);
        CHECK(symlink(test_path(directory, files[i]), link) == 0);
    }
    FILE *template = fopen(test_path(folder, "chat_template.jinja"), "w");
    CHECK(template && fputs("{{ messages[0].role }}{% if add_generation_prompt %}!{% endif %}", template) >= 0);
    CHECK(template && fclose(template) == 0);
    CHECK_OK(pali_processor_load(&talking, folder, NULL, &error), error);
}

static void open_all(void)
{
    pali_error *error = NULL;
    pali_forward_options all = PALI_FORWARD_OPTIONS_INIT;
    all.output_attentions = 1;
    CHECK_OK(pali_model_load(&model, directory, NULL, &error), error);
    CHECK_OK(pali_processor_load(&processor, directory, NULL, &error), error);
    CHECK_OK(pali_image_open(&image, picture, NULL, &error), error);
    CHECK_OK(pali_processor_apply(&inputs, processor, &image, 1, "caption en", NULL, &error), error);
    CHECK_OK(pali_model_forward(&outputs, model, inputs, &all, &error), error);
    CHECK_OK(pali_detections_parse(&detections, objects, NULL, &error), error);
    CHECK_OK(pali_mask_create(&mask, pali_model_config(model), inputs, NULL, &error), error);
    open_talking();
    if (test_failures)
        exit(1);
}

static void close_all(void)
{
    pali_mask_free(mask);
    pali_detections_free(detections);
    pali_outputs_free(outputs);
    pali_inputs_free(inputs);
    pali_image_free(image);
    pali_processor_free(talking);
    pali_processor_free(processor);
    pali_model_free(model);
}

/* ---- one call for each struct, with `options` or NULL; a struct without one does not compile ---- */

static pali_status call_pali_image_options(const pali_image_options *options, uint64_t *got, pali_error **error)
{
    pali_image *opened = NULL;
    pali_status status = pali_image_open(&opened, picture, options, error);
    if (opened)
        *got = digest(1, pali_image_pixels(opened),
                      3 * (size_t)pali_image_width(opened) * (size_t)pali_image_height(opened));
    pali_image_free(opened);
    return status;
}

static pali_status call_pali_apply_options(const pali_apply_options *options, uint64_t *got, pali_error **error)
{
    pali_inputs *made = NULL;
    pali_status status = pali_processor_apply(&made, processor, &image, 1, "caption en", options, error);
    *got = 1;
    for (size_t i = 0; i < pali_inputs_count(made); i++)
        *got = digest_tensor(*got, pali_inputs_get(made, pali_inputs_name(made, i)));
    pali_inputs_free(made);
    return status;
}

static pali_status call_pali_processor_options(const pali_processor_options *options, uint64_t *got, pali_error **error)
{
    pali_processor *whole = processor;
    pali_processor *loaded = NULL;
    pali_status status = pali_processor_load(&loaded, directory, options, error);
    if (loaded) { /* the resampling that it chose is seen in what it makes of a picture */
        processor = loaded;
        status = call_pali_apply_options(NULL, got, error);
        processor = whole;
    }
    pali_processor_free(loaded);
    return status;
}

static pali_status call_pali_model_options(const pali_model_options *options, uint64_t *got, pali_error **error)
{
    pali_model *loaded = NULL;
    pali_status status = pali_model_load(&loaded, directory, options, error);
    if (loaded)
        *got = (uint64_t)pali_model_dtype(loaded);
    pali_model_free(loaded);
    return status;
}

static pali_status call_pali_cache_options(const pali_cache_options *options, uint64_t *got, pali_error **error)
{
    pali_cache *made = NULL;
    pali_status status = pali_cache_create(&made, model, options, error);
    if (made)
        *got = (uint64_t)pali_cache_rows(made) * 1000003u + pali_cache_size_bytes(made);
    pali_cache_free(made);
    return status;
}

static uint64_t digest_outputs(pali_outputs *made) /* and frees them */
{
    uint64_t of_all = 1;
    for (size_t i = 0; i < pali_outputs_count(made); i++)
        of_all = digest_tensor(of_all, pali_outputs_get(made, pali_outputs_name(made, i)));
    pali_outputs_free(made);
    return of_all;
}

static pali_status call_pali_forward_options(const pali_forward_options *options, uint64_t *got, pali_error **error)
{
    pali_outputs *made = NULL;
    pali_status status = pali_model_forward(&made, model, inputs, options, error);
    *got = digest_outputs(made);
    return status;
}

static pali_status call_pali_embed_options(const pali_embed_options *options, uint64_t *got, pali_error **error)
{
    pali_outputs *made = NULL;
    pali_status status = pali_embed(&made, model, inputs, options, error);
    *got = digest_outputs(made);
    return status;
}

static pali_status call_pali_generate_options(const pali_generate_options *options, uint64_t *got, pali_error **error)
{
    pali_generation *made = NULL;
    pali_status status = pali_generate(&made, model, inputs, options, error);
    size_t n = 0;
    const int64_t *ids = made ? pali_generation_token_ids(made, 0, &n) : NULL;
    *got = ids ? digest(1, ids, n * sizeof *ids) : 0;
    pali_generation_free(made);
    return status;
}

static pali_status call_pali_image_features_options(const pali_image_features_options *options, uint64_t *got,
                                                    pali_error **error)
{
    pali_image_features *made = NULL;
    pali_status status =
        pali_model_image_features(&made, model, pali_inputs_get(inputs, "pixel_values"), options, error);
    if (made)
        *got = digest_tensor(1, pali_image_features_tensor(made));
    pali_image_features_free(made);
    return status;
}

/* What a call has written into the folder, which is then removed; 0 if there is none. */
static uint64_t take_folder(const char *out)
{
    uint64_t sum = 0;
    struct dirent *entry;
    DIR *written = opendir(out);
    while (written && (entry = readdir(written)))
        if (entry->d_name[0] != '.') {
            sum += digest(1, entry->d_name, strlen(entry->d_name)); /* whatever the order */
            unlink(test_path(out, entry->d_name));
        }
    if (written)
        closedir(written);
    rmdir(out);
    return sum;
}

static pali_status call_pali_save_options(const pali_save_options *options, uint64_t *got, pali_error **error)
{
    char out[512];
    snprintf(out, sizeof out, "%s/saved", test_scratch());
    take_folder(out);
    pali_status status = pali_checkpoint_save(test_path(test_data(), "models/pg1"), out, options, error);
    *got = take_folder(out);
    return status;
}

static pali_status call_pali_quantize_options(const pali_quantize_options *options, uint64_t *got, pali_error **error)
{
    char out[512];
    snprintf(out, sizeof out, "%s/quantized", test_scratch());
    take_folder(out);
    pali_status status = pali_quantize(test_path(test_data(), "models/pg1"), out, options, error);
    *got = take_folder(out);
    return status;
}

static pali_status call_pali_compare_options(const pali_compare_options *options, uint64_t *got, pali_error **error)
{
    static float left[2] = { 1.0f, 2.0f }, right[2] = { 1.0f, 2.00015f };
    static const int64_t shape[1] = { 2 };
    pali_tensor of_left = pali_tensor_view(left, PALI_FLOAT32, 1, shape);
    pali_tensor of_right = pali_tensor_view(right, PALI_FLOAT32, 1, shape);
    pali_inputs *a = NULL, *b = NULL;
    pali_comparison *made = NULL;
    pali_status status = pali_inputs_create(&a, error);
    if (!status)
        status = pali_inputs_create(&b, error);
    if (!status)
        status = pali_inputs_set(a, "x", &of_left, error);
    if (!status)
        status = pali_inputs_set(b, "x", &of_right, error);
    if (!status)
        status = pali_compare(&made, a, b, options, error);
    *got = made ? pali_comparison_first(made) : 99; /* 1: they agree, which only both tolerances together allow */
    CHECK(status || *got == 1);
    pali_comparison_free(made);
    pali_inputs_free(a);
    pali_inputs_free(b);
    return status;
}

static pali_status call_pali_mask_options(const pali_mask_options *options, uint64_t *got, pali_error **error)
{
    pali_mask *made = NULL;
    pali_status status = pali_mask_create(&made, pali_model_config(model), inputs, options, error);
    if (made)
        *got = digest_tensor(1, pali_mask_layer(made, 0));
    pali_mask_free(made);
    return status;
}

static pali_status call_pali_mask_text_options(const pali_mask_text_options *options, uint64_t *got, pali_error **error)
{
    char *text = NULL;
    pali_status status = pali_mask_text(&text, mask, options, error);
    *got = digest_text(text);
    return status;
}

static pali_status call_pali_heat_map_options(const pali_heat_map_options *options, uint64_t *got, pali_error **error)
{
    float *map = NULL;
    int64_t grid = 0;
    pali_status status = pali_heat_map(&map, &grid, pali_model_config(model), inputs, outputs, options, error);
    *got = map ? digest(1, map, (size_t)(grid * grid) * sizeof *map) : 0;
    pali_free(map);
    return status;
}

static pali_status call_pali_constraint_options(const pali_constraint_options *options, uint64_t *got,
                                                pali_error **error)
{
    pali_constraint *made = NULL;
    pali_status status = pali_constraint_detect(&made, processor, words, 2, options, error);
    pali_generate_options constrained = PALI_GENERATE_OPTIONS_INIT;
    constrained.constraint = made;
    constrained.max_new_tokens = 24;
    if (!status)
        status = call_pali_generate_options(&constrained, got, error);
    pali_constraint_free(made);
    return status;
}

static pali_status call_pali_score_options(const pali_score_options *options, uint64_t *got, pali_error **error)
{
    pali_scores *made = NULL;
    pali_status status = pali_score(&made, model, inputs, words, 2, options, error);
    double total = made ? pali_scores_total(made, 0) : 0.0;
    *got = digest(1, &total, sizeof total);
    pali_scores_free(made);
    return status;
}

static pali_status call_pali_detections_options(const pali_detections_options *options, uint64_t *got,
                                                pali_error **error)
{
    pali_detections *made = NULL;
    pali_status status = pali_detections_parse(&made, objects, options, error);
    if (made)
        *got = digest(1, &pali_detections_get(made, 0)->y_min, sizeof(double));
    pali_detections_free(made);
    return status;
}

static pali_status call_pali_draw_options(const pali_draw_options *options, uint64_t *got, pali_error **error)
{
    pali_image *drawn = NULL;
    pali_status status = pali_image_resize(&drawn, image, 64, 64, PALI_RESAMPLE_PILLOW, error);
    if (!status)
        status = pali_detections_draw(detections, drawn, options, error);
    if (drawn)
        *got = digest(1, pali_image_pixels(drawn), 3 * 64 * 64);
    pali_image_free(drawn);
    return status;
}

static pali_status call_pali_coco_options(const pali_coco_options *options, uint64_t *got, pali_error **error)
{
    char *json = NULL;
    pali_detections *read = NULL;
    pali_status status = pali_detections_to_coco(&json, detections, 100, 100, options, error);
    if (!status)
        status = pali_detections_from_coco(&read, json, 0, 0, options, error);
    *got = digest_text(json) + pali_detections_count(read);
    pali_detections_free(read);
    return status;
}

static pali_status call_pali_chat_options(const pali_chat_options *options, uint64_t *got, pali_error **error)
{
    char *text = NULL;
    pali_status status = pali_processor_apply_chat_template(
        &text, talking, "[{\"role\": \"user\", \"content\": \"x\"}]", options, error);
    CHECK(status || strcmp(text, "user") == 0);
    *got = digest_text(text);
    return status;
}

/* ---- each struct at each length ---- */

typedef pali_status any_call(const void *options, uint64_t *got, pali_error **error);

static void try_lengths(const char *name, any_call *call, const void *defaults, size_t full)
{
    static unsigned char longer[4096];
    const size_t smallest = sizeof(size_t);
    uint64_t expected = 0, got = 0;
    pali_error *error = NULL;

    CHECK_OK(call(NULL, &expected, &error), error);
    for (size_t size = smallest; size <= full; size += 8) {
        got = 0;
        pali_status status = call(cut(defaults, size), &got, &error);
        CHECK_MSG(status == PALI_OK, "%s of %zu bytes: %s", name, size, pali_error_message(error));
        CHECK_MSG(got == expected, "%s of %zu bytes does something else than all defaults", name, size);
        pali_error_free(error);
        error = NULL;
    }

    memset(longer, 0, sizeof longer);
    memcpy(longer, defaults, full);
    got = 0;
    CHECK_OK(call(cut(longer, full + 64), &got, &error), error);
    CHECK_MSG(got == expected, "%s with zeros behind it", name);
    longer[full + 63] = 1;
    pali_status status = call(cut(longer, full + 64), &got, &error);
    CHECK_MSG(status == PALI_ERROR_UNSUPPORTED, "%s with something unknown behind it: %s", name,
              pali_status_name(status));
    pali_error_free(error);
    error = NULL;
    size_t tiny = smallest - 1;
    memcpy(longer, &tiny, sizeof tiny);
    status = call(longer, &got, &error);
    CHECK_MSG(status == PALI_ERROR_ARGUMENT, "%s with struct_size %zu: %s", name, tiny, pali_status_name(status));
    pali_error_free(error);
}

/* The calls above as one type of function: C has no other pointer that fits all of them. */
#define AS_ANY_CALL(type, MACRO)                                                                                       \
    static pali_status any_##type(const void *options, uint64_t *got, pali_error **error)                              \
    {                                                                                                                  \
        return call_##type(options, got, error);                                                                       \
    }
OPTIONS_STRUCTS(AS_ANY_CALL)

static void test_options(void)
{
#define TRY_ONE(type, MACRO)                                                                                           \
    do {                                                                                                               \
        const type defaults = MACRO##_INIT;                                                                            \
        try_lengths(#type, any_##type, &defaults, sizeof defaults);                                                    \
    } while (0);
    OPTIONS_STRUCTS(TRY_ONE)
#undef TRY_ONE
}

/* ---- structs that the library fills ---- */

static pali_status fill_pali_timing(void *to, pali_error **error)
{
    pali_generation *made = NULL;
    pali_status status = pali_generate(&made, model, inputs, NULL, error);
    if (!status)
        status = pali_generation_timing(made, to, error);
    pali_generation_free(made);
    return status;
}

static pali_status fill_pali_image_source(void *to, pali_error **error)
{
    return pali_image_get_source(image, to, error);
}

static pali_status fill_pali_machine(void *to, pali_error **error)
{
    return pali_machine_measure(to, model, 8, error);
}

static pali_status fill_pali_memory_forecast(void *to, pali_error **error)
{
    return pali_model_forecast_memory(to, directory, NULL, 8, error);
}

static void try_filled(const char *name, pali_status (*fill)(void *to, pali_error **error), size_t full, size_t step)
{
    for (size_t size = sizeof(size_t); size <= full; size += step) {
        static const unsigned char zero[512];
        pali_error *error = NULL;
        size_t left;
        void *to = cut(zero, size);
        pali_status status = fill(to, &error);
        CHECK_MSG(status == PALI_OK, "%s of %zu bytes: %s", name, size, pali_error_message(error));
        memcpy(&left, to, sizeof left);
        CHECK_MSG(left == size, "%s of %zu bytes has struct_size %zu afterwards", name, size, left);
        if (size > 16)
            CHECK_MSG(memcmp((char *)to + 8, zero, size - 8) != 0, "%s of %zu bytes was not filled", name, size);
        pali_error_free(error);
    }
}

static void test_filled(void)
{
    /* A measurement takes a second: three lengths of that one, the others at all. */
    static const size_t step_of_pali_timing = 8, step_of_pali_image_source = 8, step_of_pali_machine = 32,
                        step_of_pali_memory_forecast = 8;
#define FILL_ONE(type, MACRO) try_filled(#type, fill_##type, sizeof(type), step_of_##type);
    FILLED_STRUCTS(FILL_ONE)
#undef FILL_ONE
}

int main(void)
{
    static char model_path[1024], picture_path[1024];
    const char *examples = getenv("PALI_TEST_EXAMPLES");
    snprintf(model_path, sizeof model_path, "%s/tiny/model", examples ? examples : "examples");
    snprintf(picture_path, sizeof picture_path, "%s/pictures/shapes.png", examples ? examples : "examples");
    directory = model_path;
    picture = picture_path;
    open_page();
    open_all();
    test_options();
    test_filled();
    close_all();
    return test_report("test_short_structs");
}
