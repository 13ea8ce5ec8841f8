/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every allocation fails in turn. A scenario is run with its first allocation failing, then its second, and so on until
 * it gets through; then the same with all later ones failing too. Each run must end in success or PALI_ERROR_MEMORY,
 * with every block given back. What oneDNN, json-c, libpng and libjpeg allocate for themselves is not part of this.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include <paligemma/paligemma.h>

#include "mask_weights.h"
#include "quantized_checkpoint.h"
#include "test.h"

static atomic_long n_calls, n_live;
static long fail_at;        /* number of the first call that fails */
static bool fail_all_later; /* whether those after it fail too */

static void *allocate(void *user, size_t size)
{
    (void)user;
    long number = atomic_fetch_add(&n_calls, 1);
    if (number == fail_at || (fail_all_later && number > fail_at))
        return NULL;
    void *memory = malloc(size);
    if (memory)
        atomic_fetch_add(&n_live, 1);
    return memory;
}

static void release(void *user, void *memory)
{
    (void)user;
    if (memory)
        atomic_fetch_sub(&n_live, 1);
    free(memory);
}

typedef pali_status scenario(const char *folder, pali_error **error);

/* True once the scenario has been through without meeting a failed allocation. */
static bool run_once(const char *name, scenario *run, const char *folder)
{
    pali_error *error = NULL;
    atomic_store(&n_calls, 0);
    atomic_store(&n_live, 0);
    pali_status status = run(folder, &error);
    bool through = atomic_load(&n_calls) <= fail_at;

    if (through)
        CHECK_MSG(status == PALI_OK, "%s: %s", name, pali_error_message(error));
    else
        CHECK_MSG(status == PALI_OK || status == PALI_ERROR_MEMORY, "%s, allocation %ld: %s: %s", name, fail_at,
                  pali_status_name(status), pali_error_message(error));
    CHECK_MSG(pali_error_status(error) == status, "%s, allocation %ld: the error says %s", name, fail_at,
              pali_status_name(pali_error_status(error)));
    pali_error_free(error);
    CHECK_MSG(atomic_load(&n_live) == 0, "%s, allocation %ld: %ld blocks are left", name, fail_at,
              atomic_load(&n_live));
    return through;
}

static void run_scenario(const char *name, scenario *run, const char *folder)
{
    static const pali_allocator allocator = { allocate, release, NULL };
    pali_set_allocator(&allocator);
    for (int later = 0; later < 2; later++) {
        int before = test_failures;
        fail_all_later = later == 1;
        fail_at = 0;
        while (test_failures - before < 10 && !run_once(name, run, folder))
            fail_at++;
        if (!later)
            printf("%s: %ld allocations\n", name, fail_at);
    }
    pali_set_allocator(NULL);
}

/* ---- the scenarios; each frees what it has, whatever happened ---- */

static pali_status load_config(const char *folder, pali_error **error)
{
    pali_config *config = NULL;
    pali_status status = pali_config_load(&config, folder, error);
    CHECK((config == NULL) == (status != PALI_OK));
    pali_config_free(config);
    return status;
}

static pali_status compare_checkpoint(const char *folder, pali_error **error)
{
    pali_config *config = NULL;
    pali_checkpoint *checkpoint = NULL;
    char *missing = NULL, *unexpected = NULL;
    pali_status status = pali_config_load(&config, folder, error);
    if (status == PALI_OK)
        status = pali_checkpoint_open(&checkpoint, folder, error);
    if (status == PALI_OK)
        status = pali_checkpoint_compare(checkpoint, config, &missing, &unexpected, error);
    pali_free(missing);
    pali_free(unexpected);
    pali_checkpoint_free(checkpoint);
    pali_config_free(config);
    return status;
}

/* A picture of three by two pixels. */
static pali_status small_picture(pali_image **image, pali_error **error)
{
    static const uint8_t rgb[18] = { 255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9, 99, 99, 99, 199, 199, 199 };
    return pali_image_create(image, rgb, 3, 2, 0, error);
}

static pali_status apply_processor(const char *folder, pali_error **error)
{
    static const char *const texts[2] = { "caption en", "answer en what?" };
    static const char *const suffixes[2] = { "a cat", "b" };
    pali_processor *processor = NULL;
    pali_image *image = NULL;
    pali_inputs *inputs = NULL;
    int64_t *ids = NULL;
    size_t n_ids = 0;
    char *text = NULL;
    pali_apply_options options = PALI_APPLY_OPTIONS_INIT;
    options.suffixes = suffixes;

    pali_status status = pali_processor_load(&processor, folder, NULL, error);
    if (status == PALI_OK)
        status = small_picture(&image, error);
    if (status == PALI_OK) {
        pali_image *images[2] = { image, image };
        status = pali_processor_apply_batch(&inputs, processor, images, 2, texts, 2, &options, error);
    }
    if (status == PALI_OK)
        status = pali_processor_encode(processor, "a <loc0001> b", 13, &ids, &n_ids, error);
    if (status == PALI_OK)
        status = pali_processor_decode(processor, ids, n_ids, 1, &text, error);
    pali_inputs *continuation = NULL;
    if (status == PALI_OK)
        status = pali_processor_apply_continuation(&continuation, processor, " and so on", error);
    CHECK((continuation == NULL) == (status != PALI_OK));
    pali_free(text);
    pali_free(ids);
    pali_inputs_free(continuation);
    pali_inputs_free(inputs);
    pali_image_free(image);
    pali_processor_free(processor);
    return status;
}

static pali_status run_model(const char *folder, pali_error **error)
{
    static const int64_t heads[1] = { -1 };
    static const char *const stops[] = { "zz" };
    pali_model *model = NULL;
    pali_processor *processor = NULL;
    pali_image *image = NULL;
    pali_inputs *inputs = NULL;
    pali_cache *cache = NULL;
    pali_outputs *outputs = NULL;
    pali_image_features *features = NULL;
    pali_generation *answer = NULL;
    float *map = NULL;
    int64_t grid = 0;
    pali_model_options model_options = PALI_MODEL_OPTIONS_INIT;
    pali_forward_options forward_options = PALI_FORWARD_OPTIONS_INIT;
    pali_generate_options generate_options = PALI_GENERATE_OPTIONS_INIT;
    model_options.threads = 1;
    forward_options.output_hidden_states = 1;
    forward_options.output_attentions = 1;
    forward_options.output_vision_hidden_states = 1;
    forward_options.attention_heads = heads;
    forward_options.n_attention_heads = 1;
    forward_options.logits_to_keep = 1;
    generate_options.max_new_tokens = 3;
    generate_options.stop_strings = stops;
    generate_options.n_stop_strings = 1;

    pali_status status = pali_model_load(&model, folder, &model_options, error);
    if (status == PALI_OK)
        status = pali_processor_load(&processor, folder, NULL, error);
    if (status == PALI_OK)
        status = small_picture(&image, error);
    if (status == PALI_OK)
        status = pali_processor_apply(&inputs, processor, &image, 1, "caption en", NULL, error);
    if (status == PALI_OK)
        status = pali_cache_create(&cache, model, NULL, error);
    if (status == PALI_OK) {
        forward_options.cache = cache;
        status = pali_model_forward(&outputs, model, inputs, &forward_options, error);
    }
    if (status == PALI_OK)
        status = pali_image_features_create(&features, model, pali_outputs_get(outputs, "image_hidden_states"), 0, error);
    if (status == PALI_OK)
        status = pali_heat_map(&map, &grid, pali_model_config(model), inputs, outputs, NULL, error);
    if (status == PALI_OK)
        status = pali_generate(&answer, model, inputs, &generate_options, error);
    CHECK(status != PALI_OK || pali_generation_text(answer, 0) != NULL);

    pali_generation_free(answer);
    pali_free(map);
    pali_image_features_free(features);
    pali_outputs_free(outputs);
    pali_cache_free(cache);
    pali_inputs_free(inputs);
    pali_image_free(image);
    pali_processor_free(processor);
    pali_model_free(model);
    return status;
}

/* Two passes and an answer in one kind of cache; then copies of it, in memory and in a file. */
static pali_status use_cache(pali_model *model, const pali_cache_options *options, pali_error **error)
{
    static int64_t ids[60];
    static const int64_t swapped[3] = { 1, 0, 1 };
    pali_tensor prompt = pali_tensor_view(ids, PALI_INT64, 2, (int64_t[]){ 2, 30 });
    pali_cache *cache = NULL, *fork = NULL, *loaded = NULL;
    pali_inputs *inputs = NULL;
    pali_outputs *outputs = NULL;
    pali_generation *answer = NULL;
    pali_forward_options forward = PALI_FORWARD_OPTIONS_INIT;
    pali_generate_options generate = PALI_GENERATE_OPTIONS_INIT;
    const char *path = test_path(test_scratch(), "cache.safetensors");

    for (int i = 0; i < 60; i++)
        ids[i] = 20 + i;
    generate.max_new_tokens = 8;
    pali_status status = pali_cache_create(&cache, model, options, error);
    if (status == PALI_OK)
        status = pali_inputs_create(&inputs, error);
    if (status == PALI_OK)
        status = pali_inputs_set(inputs, "input_ids", &prompt, error);
    forward.cache = generate.cache = cache;
    if (status == PALI_OK)
        status = pali_model_forward(&outputs, model, inputs, &forward, error);
    if (status == PALI_OK)
        status = pali_generate(&answer, model, inputs, &generate, error);
    if (status == PALI_OK)
        status = pali_cache_fork(&fork, cache, error);
    if (status == PALI_OK)
        status = pali_cache_reorder(fork, swapped, 3, error);
    if (status == PALI_OK)
        status = pali_cache_save(fork, path, error);
    if (status == PALI_OK)
        status = pali_cache_load(&loaded, model, path, error);
    CHECK(status != PALI_OK || pali_cache_rows(loaded) == 3);

    pali_generation_free(answer);
    pali_outputs_free(outputs);
    pali_inputs_free(inputs);
    pali_cache_free(loaded);
    pali_cache_free(fork);
    pali_cache_free(cache);
    return status;
}

static pali_status use_caches(const char *folder, pali_error **error)
{
    pali_model *model = NULL;
    pali_model_options model_options = PALI_MODEL_OPTIONS_INIT;
    pali_cache_options options = PALI_CACHE_OPTIONS_INIT;
    pali_cache *prefix = NULL;
    model_options.threads = 1;
    options.rows = 2;
    options.sliding = 1;
    options.dtype = PALI_BFLOAT16;
    pali_status status = pali_model_load(&model, folder, &model_options, error);
    if (status == PALI_OK)
        status = use_cache(model, &options, error);
    options.rows = 1;
    if (status == PALI_OK)
        status = pali_cache_create(&prefix, model, &options, error);
    options.rows = 2;
    options.sliding = 0;
    options.prefix = prefix;
    if (status == PALI_OK)
        status = use_cache(model, &options, error);
    pali_cache_free(prefix);
    pali_model_free(model);
    return status;
}

static pali_status show_mask(const char *folder, pali_error **error)
{
    pali_config *config = NULL;
    pali_processor *processor = NULL;
    pali_image *image = NULL, *picture = NULL;
    pali_inputs *inputs = NULL;
    pali_mask *mask = NULL;
    pali_comparison *comparison = NULL;
    char *text = NULL;

    pali_status status = pali_config_load(&config, folder, error);
    if (status == PALI_OK)
        status = pali_processor_load(&processor, folder, NULL, error);
    if (status == PALI_OK)
        status = small_picture(&image, error);
    if (status == PALI_OK)
        status = pali_processor_apply(&inputs, processor, &image, 1, "caption en", NULL, error);
    if (status == PALI_OK)
        status = pali_mask_create(&mask, config, inputs, NULL, error);
    if (status == PALI_OK)
        status = pali_mask_text(&text, mask, NULL, error);
    if (status == PALI_OK)
        status = pali_mask_image(&picture, mask, 0, 0, 1, error);
    if (status == PALI_OK)
        status = pali_compare(&comparison, inputs, inputs, NULL, error);
    CHECK((text != NULL && picture != NULL && comparison != NULL) == (status == PALI_OK));
    pali_comparison_free(comparison);
    pali_free(text);
    pali_image_free(picture);
    pali_mask_free(mask);
    pali_inputs_free(inputs);
    pali_image_free(image);
    pali_processor_free(processor);
    pali_config_free(config);
    return status;
}

static int allow_all(void *user, int64_t row, const int64_t *ids, size_t n_ids, uint8_t *allowed, int64_t vocab_size)
{
    (void)user, (void)row, (void)ids, (void)n_ids;
    memset(allowed, 1, (size_t)vocab_size);
    return 0;
}

/* Choices with a mask and guesses, and suffixes as texts and as ids. */
static pali_status constrain_and_score(const char *folder, pali_error **error)
{
    static const char *const texts[] = { "red", "red cat", "no" };
    static const int64_t ids[] = { 9, 10, 11 };
    static const pali_token_list list = { ids, 3 };
    pali_model *model = NULL;
    pali_processor *processor = NULL;
    pali_image *image = NULL;
    pali_inputs *inputs = NULL;
    pali_constraint *constraint = NULL;
    pali_generation *answer = NULL;
    pali_scores *by_text = NULL, *by_ids = NULL;
    pali_model_options model_options = PALI_MODEL_OPTIONS_INIT;
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    model_options.threads = 1;
    options.token_mask = allow_all;
    options.prompt_lookup_num_tokens = 2;

    pali_status status = pali_model_load(&model, folder, &model_options, error);
    if (status == PALI_OK)
        status = pali_processor_load(&processor, folder, NULL, error);
    if (status == PALI_OK)
        status = small_picture(&image, error);
    if (status == PALI_OK)
        status = pali_processor_apply(&inputs, processor, &image, 1, "caption en", NULL, error);
    if (status == PALI_OK)
        status = pali_constraint_choices(&constraint, processor, texts, 3, error);
    options.constraint = constraint;
    if (status == PALI_OK)
        status = pali_generate(&answer, model, inputs, &options, error);
    if (status == PALI_OK)
        status = pali_score(&by_text, model, inputs, texts, 3, NULL, error);
    if (status == PALI_OK)
        status = pali_score_tokens(&by_ids, model, inputs, &list, 1, NULL, error);
    CHECK(status != PALI_OK || (pali_scores_count(by_text) == 3 && pali_scores_count(by_ids) == 1));

    pali_scores_free(by_ids);
    pali_scores_free(by_text);
    pali_generation_free(answer);
    pali_constraint_free(constraint);
    pali_inputs_free(inputs);
    pali_image_free(image);
    pali_processor_free(processor);
    pali_model_free(model);
    return status;
}

/* Of a tokenizer that has all the <loc>. */
static pali_status make_constraints(const char *folder, pali_error **error)
{
    static const char *const labels[] = { "red circle", "circle" };
    pali_processor *processor = NULL;
    pali_constraint *free_labels = NULL, *given_labels = NULL;

    pali_status status = pali_processor_load(&processor, folder, NULL, error);
    if (status == PALI_OK)
        status = pali_constraint_detect(&free_labels, processor, NULL, 0, NULL, error);
    if (status == PALI_OK)
        status = pali_constraint_segment(&given_labels, processor, labels, 2, NULL, error);
    CHECK((given_labels == NULL) == (status != PALI_OK));
    pali_constraint_free(free_labels);
    pali_constraint_free(given_labels);
    pali_processor_free(processor);
    return status;
}

/* With what each way of generating has of its own: 0 sampled, best of several; 1 beams, several of them. */
static pali_status generate_answers(const char *folder, int way, pali_error **error)
{
    static const int64_t ids[] = { 40, 41 };
    static const pali_token_list word = { ids, 2 };
    static int64_t prompt[] = { 2, 30, 31, 5 }, mask[] = { 1, 1, 1, 1 };
    static const int64_t shape[2] = { 1, 4 };
    pali_tensor prompt_view = pali_tensor_view(prompt, PALI_INT64, 2, shape);
    pali_tensor mask_view = pali_tensor_view(mask, PALI_INT64, 2, shape);
    pali_model *model = NULL;
    pali_inputs *inputs = NULL;
    pali_generation *answer = NULL;
    pali_model_options model_options = PALI_MODEL_OPTIONS_INIT;
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    model_options.threads = 1;
    options.max_new_tokens = 4;
    options.num_return_sequences = 2;
    options.temperature = way == 0 ? 1.0 : 0.0;
    options.top_p = way == 0 ? 0.9 : 0.0;
    options.best_of = way == 0 ? 3 : 0;
    options.num_beams = way == 0 ? 1 : 3;
    options.repetition_penalty = 1.1;
    options.force_words = &word;
    options.n_force_words = 1;
    options.top_logprobs = 2;

    pali_status status = pali_model_load(&model, folder, &model_options, error);
    if (status == PALI_OK)
        status = pali_inputs_create(&inputs, error);
    if (status == PALI_OK)
        status = pali_inputs_set(inputs, "input_ids", &prompt_view, error);
    if (status == PALI_OK)
        status = pali_inputs_set(inputs, "attention_mask", &mask_view, error);
    if (status == PALI_OK)
        status = pali_generate(&answer, model, inputs, &options, error);
    CHECK(status != PALI_OK || pali_generation_rows(answer) == 2);
    pali_generation_free(answer);
    pali_inputs_free(inputs);
    pali_model_free(model);
    return status;
}

static pali_status sample_answers(const char *folder, pali_error **error)
{
    return generate_answers(folder, 0, error);
}

static pali_status search_answers(const char *folder, pali_error **error)
{
    return generate_answers(folder, 1, error);
}

static pali_status convert_model(const char *folder, pali_error **error)
{
    pali_model *model = NULL;
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    options.dtype = PALI_BFLOAT16; /* of a float32 file: every weight is converted */
    pali_status status = pali_model_load(&model, folder, &options, error);
    pali_model_free(model);
    return status;
}

/* The adapter that belongs to the model folder "…/models/pg1" or "…/models/pg2". */
static const char *adapter_of(const char *folder)
{
    static char path[1024];
    bool second = strcmp(folder + strlen(folder) - 3, "pg2") == 0;
    snprintf(path, sizeof path, "%s/adapters/%s", test_data(), second ? "pg2-rs" : "pg1-head");
    return path;
}

static pali_status use_adapter(const char *folder, pali_error **error)
{
    pali_model *model = NULL;
    pali_adapter *adapter = NULL;
    pali_inputs *inputs = NULL;
    pali_outputs *outputs = NULL;
    pali_model_options model_options = PALI_MODEL_OPTIONS_INIT;
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    char path[1100];
    snprintf(path, sizeof path, "%s/basic.inputs.safetensors", folder);
    model_options.threads = 1;
    pali_status status = pali_model_load(&model, folder, &model_options, error);
    if (status == PALI_OK)
        status = pali_adapter_load(&adapter, model, adapter_of(folder), error);
    if (status == PALI_OK)
        status = pali_inputs_load(&inputs, path, error);
    options.adapter = adapter;
    if (status == PALI_OK)
        status = pali_model_forward(&outputs, model, inputs, &options, error);
    CHECK((outputs == NULL) == (status != PALI_OK));
    pali_outputs_free(outputs);
    pali_inputs_free(inputs);
    pali_adapter_free(adapter);
    pali_model_free(model);
    return status;
}

/* With the adapter that can be merged. */
static void merged_adapter(char out[1024], const char *folder)
{
    bool second = strcmp(folder + strlen(folder) - 3, "pg2") == 0;
    snprintf(out, 1024, "%s/adapters/%s", test_data(), second ? "pg2-rs" : "pg1-second");
}

static pali_status merge_adapter(const char *folder, pali_error **error)
{
    char path[1024];
    const char *const adapters[] = { path };
    pali_model *model = NULL;
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    merged_adapter(path, folder);
    options.dtype = PALI_BFLOAT16;
    options.adapters = adapters;
    options.n_adapters = 1;
    pali_status status = pali_model_load(&model, folder, &options, error);
    pali_model_free(model);
    return status;
}

static pali_status save_checkpoint(const char *folder, pali_error **error)
{
    char path[1024], out[1024], command[1100];
    const char *const adapters[] = { path };
    pali_save_options options = PALI_SAVE_OPTIONS_INIT;
    merged_adapter(path, folder);
    snprintf(out, sizeof out, "%s/saved", test_scratch());
    snprintf(command, sizeof command, "rm -rf '%s'", out);
    if (access(out, F_OK) == 0) /* the run before got through */
        CHECK(system(command) == 0);
    options.dtype = PALI_FLOAT16;
    options.adapters = adapters;
    options.n_adapters = 1;
    options.max_shard_size = 300000;
    return pali_checkpoint_save(folder, out, &options, error);
}

/* A calibration of the decoder and, behind the tower, the projector. */
static pali_status calibrate_checkpoint(const char *folder, pali_error **error)
{
    char out[1024], path[1100];
    pali_quantize_options options = PALI_QUANTIZE_OPTIONS_INIT;
    pali_inputs *inputs = NULL;

    snprintf(out, sizeof out, "%s/calibrated", test_scratch());
    snprintf(path, sizeof path, "rm -rf '%s'", out);
    if (access(out, F_OK) == 0) /* the run before got through */
        CHECK(system(path) == 0);
    snprintf(path, sizeof path, "%.1000s/basic.inputs.safetensors", folder);
    options.scheme = PALI_INT4_WEIGHT_ONLY;
    options.group_size = 32;
    options.zero_points = 1;
    options.parts = PALI_QUANTIZE_DECODER | PALI_QUANTIZE_PROJECTOR;
    options.threads = 1;
    pali_status status = pali_inputs_load(&inputs, path, error);
    if (status == PALI_OK) {
        options.calibration = (const pali_inputs *const[]){ inputs };
        options.n_calibration = 1;
        status = pali_quantize(folder, out, &options, error);
    }
    pali_inputs_free(inputs);
    return status;
}

static pali_status use_pictures(const char *folder, pali_error **error)
{
    static const char *const names[] = { "rgb8.png", "palette4-adam7.png", "color420-progressive.jpg", "cmyk.jpg",
                                         "exif6.jpg", "color1000.ppm" };
    pali_image_options options = PALI_IMAGE_OPTIONS_INIT;
    options.exif_orientation = 1;
    options.alpha = PALI_ALPHA_WHITE;
    pali_status status = PALI_OK;
    for (size_t i = 0; status == PALI_OK && i < sizeof names / sizeof names[0]; i++) {
        pali_image *image = NULL, *resized = NULL;
        status = pali_image_open(&image, test_path(folder, names[i]), &options, error);
        if (status == PALI_OK)
            status = pali_image_resize(&resized, image, 5, 7, PALI_RESAMPLE_PILLOW, error);
        if (status == PALI_OK)
            status = pali_image_save_png(resized, test_path(test_scratch(), "resized.png"), error);
        pali_image_free(resized);
        pali_image_free(image);
    }
    return status;
}

static pali_status carry_inputs(const char *folder, pali_error **error)
{
    static int64_t ids[4] = { 2, 5, 6, 7 };
    static const int64_t shape[2] = { 1, 4 };
    pali_tensor view = pali_tensor_view(ids, PALI_INT64, 2, shape);
    const char *path = test_path(folder, "carried.safetensors");
    pali_inputs *inputs = NULL, *again = NULL;
    pali_status status = pali_inputs_create(&inputs, error);
    if (status == PALI_OK)
        status = pali_inputs_set(inputs, "input_ids", &view, error);
    if (status == PALI_OK)
        status = pali_inputs_set(inputs, "attention_mask", &view, error);
    if (status == PALI_OK)
        status = pali_inputs_save(inputs, path, error);
    if (status == PALI_OK)
        status = pali_inputs_load(&again, path, error);
    pali_inputs_free(again);
    pali_inputs_free(inputs);
    return status;
}

#define LOC "<loc0001><loc0002><loc0700><loc0800>"
#define SEG_4 "<seg000><seg100><seg003><seg009>"

/* The mask decoder's file is made once, outside the scenario. */
static pali_status use_detections(const char *weights, pali_error **error)
{
    static const char *const text = LOC " a ; " LOC SEG_4 SEG_4 SEG_4 SEG_4 " b";
    pali_detections *detections = NULL, *again = NULL;
    pali_mask_decoder *decoder = NULL;
    pali_image *image = NULL;
    char *json = NULL, *written = NULL;
    pali_draw_options draw = PALI_DRAW_OPTIONS_INIT;
    pali_coco_options coco = PALI_COCO_OPTIONS_INIT;
    pali_status status = pali_detections_parse(&detections, text, NULL, error);
    CHECK(pali_detections_count(detections) == (status == PALI_OK ? 2u : 0u));
    if (status == PALI_OK)
        status = pali_mask_decoder_load(&decoder, weights, error);
    if (status == PALI_OK)
        status = small_picture(&image, error);
    draw.mask_decoder = coco.mask_decoder = decoder;
    if (status == PALI_OK)
        status = pali_detections_draw(detections, image, &draw, error);
    if (status == PALI_OK)
        status = pali_detections_to_coco(&json, detections, 20, 30, &coco, error);
    if (status == PALI_OK)
        status = pali_detections_from_coco(&again, json, 0, 0, &coco, error);
    if (status == PALI_OK)
        status = pali_detections_encode(&written, pali_detections_get(again, 0), 2, NULL, error);
    CHECK((json == NULL) == (again == NULL) || status != PALI_OK);
    pali_free(written);
    pali_free(json);
    pali_image_free(image);
    pali_mask_decoder_free(decoder);
    pali_detections_free(again);
    pali_detections_free(detections);
    return status;
}

static pali_status measure_detections(const char *folder, pali_error **error)
{
    static const char *const text = LOC " a";
    double logprobs[64] = { 0 };
    pali_processor *processor = NULL;
    pali_detections *detections = NULL;
    pali_confidence confidence = { 0, 0 };
    int64_t *ids = NULL;
    size_t n_ids = 0;
    pali_status status = pali_processor_load(&processor, folder, NULL, error);
    if (status == PALI_OK)
        status = pali_processor_encode(processor, text, strlen(text), &ids, &n_ids, error);
    if (status == PALI_OK)
        status = pali_detections_parse(&detections, text, NULL, error);
    if (status == PALI_OK && n_ids <= 64)
        status = pali_detections_confidence(&confidence, detections, processor, ids, logprobs, n_ids, error);
    CHECK(status != PALI_OK || confidence.mean == 1.0);
    pali_detections_free(detections);
    pali_free(ids);
    pali_processor_free(processor);
    return status;
}

/* A template that uses most of what the interpreter has. */
static pali_status render_chat(const char *folder, pali_error **error)
{
    static const char template[] =
        "{{ bos_token }}{% set ns = namespace(n=0) %}{% for m in messages if m.role != 'x' %}{% set ns.n = ns.n + 1 %}"
        "{{ m | tojson(indent=2) }}{{ m }}{{ [m.role ~ 'a', 'b' * 3][::-1] | join('-') | replace('a', 'c') | upper }}"
        "{{ m.items() | list | length }}{{ m.content.split('a')[0][1:] if m.content is string else dict(x=(1, 2.5)) }}"
        "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | first | string }}{% endfor %}"
        "{% set t %}block{% endset %}{{ t.strip() | trim }}{{ {'k': [ns.n]} == {'k': [1]} }}";
    static const char messages[] = "[{\"role\":\"user\",\"content\":\"banana\",\"thinking\":\"t\"},{\"role\":\"y\",\"content\":"
                                   "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"u\"}}]}]";
    pali_processor *processor = NULL;
    pali_chat_options options = PALI_CHAT_OPTIONS_INIT;
    char *text = NULL;
    options.chat_template = template;
    pali_status status = pali_processor_load(&processor, folder, NULL, error);
    if (status == PALI_OK)
        status = pali_processor_apply_chat_template(&text, processor, messages, &options, error);
    CHECK((text == NULL) == (status != PALI_OK));
    pali_free(text);
    pali_processor_free(processor);
    return status;
}

static pali_status embed(const char *folder, pali_error **error)
{
    static const char *const texts[2] = { "the cat", "red" };
    pali_processor *processor = NULL;
    pali_model *model = NULL;
    pali_image *image = NULL;
    pali_inputs *pages = NULL, *queries = NULL;
    pali_outputs *page = NULL, *query = NULL;
    pali_embed_options mean = PALI_EMBED_OPTIONS_INIT;
    mean.pooling = PALI_POOLING_MEAN;
    pali_status status = pali_processor_load(&processor, folder, NULL, error);
    if (status == PALI_OK)
        status = pali_model_load(&model, folder, NULL, error);
    if (status == PALI_OK)
        status = small_picture(&image, error);
    if (status == PALI_OK)
        status = pali_processor_apply_pages(&pages, processor, &image, 1, NULL, error);
    if (status == PALI_OK)
        status = pali_processor_apply_queries(&queries, processor, texts, 2, NULL, error);
    if (status == PALI_OK)
        status = pali_embed(&page, model, pages, NULL, error);
    if (status == PALI_OK)
        status = pali_embed(&query, model, queries, &mean, error);
    pali_outputs_free(page);
    pali_outputs_free(query);
    pali_inputs_free(pages);
    pali_inputs_free(queries);
    pali_image_free(image);
    pali_model_free(model);
    pali_processor_free(processor);
    return status;
}

static pali_status find_in_hub(const char *folder, pali_error **error)
{
    char *path = NULL;
    (void)folder;
    pali_status status = pali_hub_path(&path, "no-one/nothing", "v1", error);
    CHECK(status != PALI_OK && path == NULL);
    if (status == PALI_ERROR_IO) { /* as it should be: there is no such model */
        pali_error_free(*error);
        *error = NULL;
        status = PALI_OK;
    }
    return status;
}

/* Opened with a head in int8, an adapter beside it, and an answer. */
static pali_status use_quantized(const char *folder, pali_error **error)
{
    static int64_t ids[] = { 2, 30, 31, 5 };
    pali_tensor view = pali_tensor_view(ids, PALI_INT64, 2, (int64_t[]){ 1, 4 });
    pali_model *model = NULL;
    pali_adapter *adapter = NULL;
    pali_inputs *inputs = NULL;
    pali_generation *answer = NULL;
    pali_model_options model_options = PALI_MODEL_OPTIONS_INIT;
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    char path[1024];
    model_options.threads = 1;
    options.max_new_tokens = 2;
    snprintf(path, sizeof path, "%s/adapters/pg1-all", test_data());

    pali_status status = pali_model_load(&model, folder, &model_options, error);
    if (status == PALI_OK)
        status = pali_adapter_load(&adapter, model, path, error);
    options.adapter = adapter;
    if (status == PALI_OK)
        status = pali_inputs_create(&inputs, error);
    if (status == PALI_OK)
        status = pali_inputs_set(inputs, "input_ids", &view, error);
    if (status == PALI_OK)
        status = pali_generate(&answer, model, inputs, &options, error);
    CHECK((answer == NULL) == (status != PALI_OK));
    pali_generation_free(answer);
    pali_inputs_free(inputs);
    pali_adapter_free(adapter);
    pali_model_free(model);
    return status;
}

static pali_status save_quantized(const char *folder, pali_error **error)
{
    char out[1024], command[1100];
    pali_save_options options = PALI_SAVE_OPTIONS_INIT;
    snprintf(out, sizeof out, "%.1000s/saved-quantized", test_scratch());
    snprintf(command, sizeof command, "rm -rf '%s'", out);
    if (access(out, F_OK) == 0) /* the run before got through */
        CHECK(system(command) == 0);
    options.name_style = PALI_NAMES_MODULES_5;
    options.max_shard_size = 300000;
    return pali_checkpoint_save(folder, out, &options, error);
}

/* pg1 with each kind of parts: packed and not, zero points packed along the outputs, one scale for all. */
static void make_quantized(char folder[600])
{
    static const struct rule rules[] = { { "o_proj", 4, 128, true, true, PALI_BFLOAT16 },
                                         { "down_proj", 8, -1, true, true, PALI_FLOAT32 },
                                         { "gate_proj", 8, 0, false, true, PALI_FLOAT32 },
                                         { "position", 8, 0, true, false, PALI_FLOAT32 } };
    static const char config[] =
        "\"quantization_config\": {\"quant_method\": \"compressed-tensors\", \"config_groups\": {"
        "\"a\": {\"targets\": [\"re:.*o_proj\"], "
        "\"weights\": {\"num_bits\": 4, \"group_size\": 128, \"symmetric\": false}}, "
        "\"b\": {\"targets\": [\"re:.*down_proj\"], \"weights\": {\"symmetric\": false}}, "
        "\"c\": {\"targets\": [\"re:.*gate_proj\"], \"format\": \"int-quantized\", "
        "\"weights\": {\"strategy\": \"channel\", \"symmetric\": false}}, "
        "\"d\": {\"targets\": [\"re:.*position_embedding\"], \"weights\": {\"strategy\": \"channel\"}}}},";
    char source[600];
    snprintf(source, sizeof source, "%.500s/models/pg1", test_data());
    CHECK(access(source, F_OK) == 0);
    snprintf(folder, 600, "%.500s/quantized", test_scratch());
    write_quantized(source, folder, rules, sizeof rules / sizeof *rules, config, false, NULL);
}

int main(void)
{
    static const char *const models[] = { "models/pg1", "models/pg2" };
    char weights[1024];
    snprintf(weights, sizeof weights, "%s", mask_weight_file("vae.safetensors", true));
    run_scenario("detections", use_detections, weights);
    run_scenario("inputs", carry_inputs, test_scratch());
    const char *examples = getenv("PALI_TEST_EXAMPLES");
    char tiny[1024];
    snprintf(tiny, sizeof tiny, "%s/tiny/model", examples ? examples : "examples");
    run_scenario("constraints", make_constraints, tiny);
    char pictures[1024]; /* test_path's own buffers take turns */
    snprintf(pictures, sizeof pictures, "%s/images", test_data());
    run_scenario("pictures", use_pictures, pictures);
    run_scenario("hub", find_in_hub, NULL);
    char colpali[1024];
    snprintf(colpali, sizeof colpali, "%s/colpali/hf", test_data());
    run_scenario("chat", render_chat, colpali);
    run_scenario("embed", embed, colpali);
    char quantized[600];
    make_quantized(quantized);
    run_scenario("quantized config", load_config, quantized);
    run_scenario("quantized checkpoint", compare_checkpoint, quantized);
    run_scenario("quantized model", use_quantized, quantized);
    run_scenario("quantized save", save_quantized, quantized);
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        char folder[1024];
        snprintf(folder, sizeof folder, "%s/%s", test_data(), models[i]);
        printf("%s\n", models[i]);
        run_scenario("config", load_config, folder);
        run_scenario("checkpoint", compare_checkpoint, folder);
        run_scenario("processor", apply_processor, folder);
        run_scenario("mask", show_mask, folder);
        run_scenario("confidence", measure_detections, folder);
        run_scenario("conversion", convert_model, folder);
        run_scenario("model", run_model, folder);
        run_scenario("caches", use_caches, folder);
        run_scenario("answers", constrain_and_score, folder);
        run_scenario("samples", sample_answers, folder);
        run_scenario("beams", search_answers, folder);
        run_scenario("adapter", use_adapter, folder);
        run_scenario("merge", merge_adapter, folder);
        run_scenario("save", save_checkpoint, folder);
        run_scenario("calibration", calibrate_checkpoint, folder);
    }
    return test_report("test_allocation");
}
