/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model as a handle: every style of tensor names, checkpoints that lack or exceed something, callers' mistakes,
 * progress and cancelling, references, and one model in many threads. Numbers are tests/parity's business.
 */
#include <pthread.h>
#include <stdbool.h>
#include <sys/stat.h>

#include <paligemma/paligemma.h>

#include "model/network.h"
#include "test.h"

#define FIXTURE "pg2-f32" /* style A, tied, no head in the file */

static char fixture[512];

static pali_inputs *tensors(const char *path)
{
    pali_inputs *all = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_inputs_load(&all, path, &error), error);
    return all;
}

static void copy_file(const char *from, const char *to)
{
    char block[4096];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    CHECK_MSG(in && out, "cannot copy %s to %s", from, to);
    for (size_t n; in && out && (n = fread(block, 1, sizeof block, in)) > 0;)
        CHECK(fwrite(block, 1, n, out) == n);
    if (in)
        fclose(in);
    if (out)
        fclose(out);
}

/* A checkpoint directory in the scratch folder with the fixture's config and the given tensors. */
static const char *write_checkpoint(const char *name, const pali_inputs *all)
{
    static char directory[512];
    char path[600], from[600];
    pali_error *error = NULL;

    snprintf(directory, sizeof directory, "%.300s/%.100s", test_scratch(), name);
    mkdir(directory, 0777);
    snprintf(from, sizeof from, "%s/config.json", fixture);
    snprintf(path, sizeof path, "%s/config.json", directory);
    copy_file(from, path);
    snprintf(path, sizeof path, "%s/model.safetensors", directory);
    CHECK_OK(pali_inputs_save(all, path, &error), error);
    return directory;
}

static pali_inputs *fixture_weights(void)
{
    char path[600];
    snprintf(path, sizeof path, "%s/model.safetensors", fixture);
    return tensors(path);
}

static pali_inputs *fixture_case(const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s.inputs.safetensors", fixture, name);
    return tensors(path);
}

static pali_model *load(const char *directory)
{
    pali_model *model = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_model_load(&model, directory, NULL, &error), error);
    return model;
}

static pali_outputs *forward(pali_model *model, const pali_inputs *inputs)
{
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_model_forward(&outputs, model, inputs, NULL, &error), error);
    return outputs;
}

static bool same_logits(const pali_outputs *a, const pali_outputs *b)
{
    const pali_tensor *x = pali_outputs_get(a, "logits"), *y = pali_outputs_get(b, "logits");
    return x && y && pali_tensor_count(x) == pali_tensor_count(y) &&
           !memcmp(x->data, y->data, (size_t)pali_tensor_count(x) * sizeof(float));
}

/* ---- names ---- */

struct style {
    const char *name, *language, *vision, *projector, *head;
};

/* The fixture's names (style A) with the prefixes of another style. */
static pali_inputs *renamed(const pali_inputs *all, const struct style *style)
{
    static const char *const from[] = { "language_model.model.", "vision_tower.vision_model.", "multi_modal_projector.",
                                        "language_model.lm_head." };
    const char *to[] = { style->language, style->vision, style->projector, style->head };
    pali_inputs *out = NULL;
    pali_error *error = NULL;

    CHECK_OK(pali_inputs_create(&out, &error), error);
    for (size_t i = 0; i < pali_inputs_count(all); i++) {
        const char *name = pali_inputs_name(all, i);
        char renamed_to[256] = "";
        for (size_t j = 0; j < 4 && !renamed_to[0]; j++)
            if (!strncmp(name, from[j], strlen(from[j])))
                snprintf(renamed_to, sizeof renamed_to, "%s%s", to[j], name + strlen(from[j]));
        CHECK_MSG(renamed_to[0], "%s is not of style A", name);
        CHECK_OK(pali_inputs_set(out, renamed_to, pali_inputs_get(all, name), &error), error);
    }
    return out;
}

static void name_styles(const pali_inputs *all, const pali_inputs *inputs, const pali_outputs *expected)
{
    static const struct style styles[] = {
        { "style-b", "model.language_model.", "model.vision_tower.vision_model.", "model.multi_modal_projector.",
          "lm_head." },
        { "style-c", "language_model.model.", "vision_tower.", "multi_modal_projector.", "language_model.lm_head." },
        { "style-d", "model.language_model.", "model.vision_tower.", "model.multi_modal_projector.", "lm_head." },
    };

    for (size_t i = 0; i < sizeof styles / sizeof *styles; i++) {
        pali_inputs *other = renamed(all, &styles[i]);
        pali_model *model = load(write_checkpoint(styles[i].name, other));
        pali_outputs *outputs = forward(model, inputs);
        CHECK_MSG(same_logits(outputs, expected), "%s", styles[i].name);
        pali_outputs_free(outputs);
        pali_model_free(model);
        pali_inputs_free(other);
    }
}

/* ---- what is missing, too many, or wrong ---- */

static const char *lacking = "language_model.model.layers.0.mlp.up_proj.weight";

static void refused(const char *name, const pali_inputs *all, pali_status status, const char *fragment)
{
    pali_model *model = NULL;
    pali_error *error = NULL;
    CHECK_FAILS(pali_model_load(&model, write_checkpoint(name, all), NULL, &error), error, status, fragment);
    CHECK(model == NULL);
}

static pali_inputs *without(const pali_inputs *all, const char *left_out)
{
    pali_inputs *out = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_inputs_create(&out, &error), error);
    for (size_t i = 0; i < pali_inputs_count(all); i++)
        if (strcmp(pali_inputs_name(all, i), left_out) != 0)
            CHECK_OK(pali_inputs_set(out, pali_inputs_name(all, i), pali_inputs_get(all, pali_inputs_name(all, i)),
                                     &error), error);
    return out;
}

static void unfit_checkpoints(const pali_inputs *all)
{
    static float one[1] = { 1.0f };
    static int64_t integers[4096];
    pali_inputs *changed = without(all, lacking);
    pali_tensor small = pali_tensor_view(one, PALI_FLOAT32, 1, (const int64_t[]){ 1 });
    pali_error *error = NULL;
    char *missing = NULL, *unexpected = NULL;
    pali_checkpoint *checkpoint = NULL;
    pali_config *config = NULL;

    refused("missing", changed, PALI_ERROR_FORMAT, "layers.0.mlp.up_proj.weight of shape");
    CHECK_OK(pali_inputs_set(changed, lacking, &small, &error), error);
    refused("misshapen", changed, PALI_ERROR_FORMAT, "and has [1]");
    CHECK_OK(pali_inputs_set(changed, "language_model.model.layers.77.extra", &small, &error), error);
    const char *directory = write_checkpoint("compared", changed);
    CHECK_OK(pali_checkpoint_open(&checkpoint, directory, &error), error);
    CHECK_OK(pali_config_load(&config, directory, &error), error);
    CHECK_OK(pali_checkpoint_compare(checkpoint, config, &missing, &unexpected, &error), error);
    CHECK(missing && strstr(missing, "up_proj.weight: shape [1], expected ["));
    CHECK(unexpected && !strcmp(unexpected, "language_model.model.layers.77.extra\n"));
    pali_free(missing);
    pali_free(unexpected);
    pali_checkpoint_free(checkpoint);
    pali_config_free(config);
    pali_inputs_free(changed);

    changed = without(all, "");
    CHECK_OK(pali_inputs_set(changed, "vision_tower.vision_model.embeddings.position_ids", &small, &error), error);
    pali_model_free(load(write_checkpoint("ignorable", changed)));
    CHECK_OK(pali_inputs_set(changed, "language_model.model.extra", &small, &error), error);
    refused("unexpected", changed, PALI_ERROR_FORMAT, "language_model.model.extra is unexpected");
    pali_inputs_free(changed);

    changed = without(all, "language_model.model.norm.weight");
    pali_tensor wrong_type = *pali_inputs_get(all, "language_model.model.norm.weight");
    CHECK(pali_tensor_count(&wrong_type) <= 4096);
    wrong_type.data = integers;
    wrong_type.dtype = PALI_INT64;
    CHECK_OK(pali_inputs_set(changed, "language_model.model.norm.weight", &wrong_type, &error), error);
    refused("integers", changed, PALI_ERROR_UNSUPPORTED, "and is int64");
    pali_inputs_free(changed);
}

/* ---- callers' mistakes ---- */

static void set_ids(pali_inputs *inputs, const char *name, int64_t *ids, int64_t n)
{
    pali_error *error = NULL;
    pali_tensor view = pali_tensor_view(ids, PALI_INT64, 2, (const int64_t[]){ 1, n });
    CHECK_OK(pali_inputs_set(inputs, name, &view, &error), error);
}

static void mistakes(pali_model *model)
{
    int64_t ids[3] = { 2, 5, 1000000 }, labels[3] = { -100, 5, -3 };
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_cache_options cache_options = PALI_CACHE_OPTIONS_INIT;
    pali_model_options model_options = PALI_MODEL_OPTIONS_INIT;
    pali_outputs *outputs = NULL;
    pali_inputs *inputs = NULL;
    pali_cache *cache = NULL;
    pali_model *other = NULL;
    pali_generation *generation = NULL;
    pali_error *error = NULL;

    CHECK_FAILS(pali_model_load(NULL, fixture, NULL, &error), error, PALI_ERROR_ARGUMENT, "out");
    CHECK_FAILS(pali_model_load(&other, "/no/such/folder", NULL, &error), error, PALI_ERROR_IO, "/no/such/folder");
    model_options.dtype = PALI_INT8;
    CHECK_FAILS(pali_model_load(&other, fixture, &model_options, &error), error, PALI_ERROR_ARGUMENT, "int8");
    CHECK_OK(pali_inputs_create(&inputs, &error), error);
    CHECK_FAILS(pali_model_forward(&outputs, model, inputs, NULL, &error), error, PALI_ERROR_ARGUMENT, "input_ids");
    CHECK_FAILS(pali_generate(&generation, model, inputs, NULL, &error), error, PALI_ERROR_ARGUMENT, "input_ids");
    set_ids(inputs, "input_ids", ids, 3);
    CHECK_FAILS(pali_model_forward(&outputs, model, inputs, NULL, &error), error, PALI_ERROR_ARGUMENT,
                "input_ids[2] is 1000000");
    ids[2] = 6;
    set_ids(inputs, "input_ids", ids, 3);
    set_ids(inputs, "token_type_ids", ids, 2);
    CHECK_FAILS(pali_model_forward(&outputs, model, inputs, NULL, &error), error, PALI_ERROR_SHAPE,
                "token_type_ids should be [1, 3] and is [1, 2]");
    pali_inputs_free(inputs);

    /* A label out of range: the cache must be as it was. */
    CHECK_OK(pali_inputs_create(&inputs, &error), error);
    set_ids(inputs, "input_ids", ids, 3);
    set_ids(inputs, "labels", labels, 3);
    CHECK_OK(pali_cache_create(&cache, model, NULL, &error), error);
    options.cache = cache;
    CHECK_FAILS(pali_model_forward(&outputs, model, inputs, &options, &error), error, PALI_ERROR_ARGUMENT,
                "labels[2] is -3");
    CHECK(pali_cache_length(cache, 0) == 0);
    labels[2] = -100;
    set_ids(inputs, "labels", labels, 3);
    CHECK_OK(pali_model_forward(&outputs, model, inputs, &options, &error), error);
    CHECK(pali_cache_length(cache, 0) == 3 && pali_outputs_get(outputs, "token_loss") != NULL);
    pali_outputs_free(outputs);
    CHECK_FAILS(pali_cache_truncate(cache, -1, &error), error, PALI_ERROR_ARGUMENT, "negative");
    pali_cache_free(cache);

    cache_options.rows = 2;
    CHECK_OK(pali_cache_create(&cache, model, &cache_options, &error), error);
    options.cache = cache;
    CHECK_FAILS(pali_model_forward(&outputs, model, inputs, &options, &error), error, PALI_ERROR_SHAPE,
                "the cache has 2 rows and the batch 1");
    pali_cache_free(cache);
    cache_options.rows = 0;
    CHECK_FAILS(pali_cache_create(&cache, model, &cache_options, &error), error, PALI_ERROR_ARGUMENT, "rows");
    pali_inputs_free(inputs);

    /* One picture where the text has none. */
    inputs = fixture_case("basic");
    set_ids(inputs, "input_ids", ids, 3);
    set_ids(inputs, "attention_mask", (int64_t[]){ 1, 1, 1 }, 3);
    set_ids(inputs, "token_type_ids", (int64_t[]){ 0, 0, 0 }, 3);
    CHECK_FAILS(pali_model_forward(&outputs, model, inputs, NULL, &error), error, PALI_ERROR_SHAPE,
                "image features and image tokens do not match");
    pali_generate_options generate_options = PALI_GENERATE_OPTIONS_INIT;
    generate_options.max_new_tokens = -5;
    CHECK_FAILS(pali_generate(&generation, model, inputs, &generate_options, &error), error, PALI_ERROR_ARGUMENT,
                "max_new_tokens");
    pali_inputs_free(inputs);
}

/* Init functions agree with their macros (test_struct_init compares them byte for byte) and are taken by every call. */
static void defaults(pali_model *model)
{
    pali_model_options model_options;
    pali_cache_options cache_options;
    pali_forward_options forward_options;
    pali_generate_options generate_options;
    pali_processor_options processor_options;
    pali_timing timing;
    pali_cache *cache = NULL;
    pali_model *again = NULL;
    pali_inputs *inputs = fixture_case("basic");
    pali_outputs *outputs = NULL;
    pali_generation *generation = NULL;
    pali_error *error = NULL;

    pali_model_options_init(&model_options);
    pali_cache_options_init(&cache_options);
    pali_forward_options_init(&forward_options);
    pali_generate_options_init(&generate_options);
    pali_processor_options_init(&processor_options);
    pali_timing_init(&timing);
    CHECK(processor_options.struct_size == sizeof processor_options && timing.struct_size == sizeof timing);
    CHECK_OK(pali_model_load(&again, fixture, &model_options, &error), error);
    CHECK_OK(pali_cache_create(&cache, model, &cache_options, &error), error);
    CHECK_OK(pali_model_forward(&outputs, model, inputs, &forward_options, &error), error);
    CHECK_OK(pali_generate(&generation, model, inputs, &generate_options, &error), error);
    CHECK_OK(pali_generation_timing(generation, &timing, &error), error);
    CHECK(timing.prompt_tokens > 0);
    pali_generation_free(generation);
    pali_outputs_free(outputs);
    pali_inputs_free(inputs);
    pali_cache_free(cache);
    pali_model_free(again);
}

/* ---- progress ---- */

static int count_calls(void *user, const char *stage, double fraction)
{
    CHECK(stage && fraction >= 0.0 && fraction <= 1.0);
    return ++*(int *)user < 0;
}

static int cancel_second(void *user, const char *stage, double fraction)
{
    (void)stage, (void)fraction;
    return ++*(int *)user == 2;
}

static void progress(pali_model *model, const pali_inputs *inputs)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_forward_options forward_options = PALI_FORWARD_OPTIONS_INIT;
    pali_generate_options generate_options = PALI_GENERATE_OPTIONS_INIT;
    pali_model *other = NULL;
    pali_outputs *outputs = NULL;
    pali_generation *generation = NULL;
    pali_error *error = NULL;
    int calls = 0;

    options.dtype = PALI_BFLOAT16; /* a float32 file: converted */
    options.progress = count_calls;
    options.progress_user = &calls;
    CHECK_OK(pali_model_load(&other, fixture, &options, &error), error);
    CHECK(calls > 10 && pali_model_dtype(other) == PALI_BFLOAT16);
    pali_model_free(other);
    calls = 0;
    options.progress = cancel_second;
    CHECK_FAILS(pali_model_load(&other, fixture, &options, &error), error, PALI_ERROR_CANCELLED, "cancelled");
    CHECK(other == NULL);
    calls = 0;
    forward_options.progress = generate_options.progress = cancel_second;
    forward_options.progress_user = generate_options.progress_user = &calls;
    CHECK_FAILS(pali_model_forward(&outputs, model, inputs, &forward_options, &error), error, PALI_ERROR_CANCELLED,
                "cancelled");
    calls = 0;
    CHECK_FAILS(pali_generate(&generation, model, inputs, &generate_options, &error), error, PALI_ERROR_CANCELLED,
                "cancelled");
}

/* ---- references and threads ---- */

/* A model freed first lives on in its cache and features. */
static void references(const pali_inputs *inputs)
{
    pali_model *model = load(fixture);
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_image_features *features = NULL;
    pali_cache *cache = NULL;
    pali_error *error = NULL;

    CHECK(pali_model_config(model) != NULL && pali_model_dtype(model) == PALI_FLOAT32);
    CHECK_OK(pali_model_image_features(&features, model, pali_inputs_get(inputs, "pixel_values"), NULL,
                                       &error), error);
    CHECK_OK(pali_cache_create(&cache, model, NULL, &error), error);
    options.cache = cache;
    options.features = features;
    pali_outputs *outputs = NULL;
    CHECK_OK(pali_model_forward(&outputs, model, inputs, &options, &error), error);
    pali_outputs_free(outputs);
    pali_model_free(model);
    CHECK(pali_cache_length(cache, 0) > 0 && pali_image_features_tensor(features)->shape[0] == 1);
    pali_image_features_free(features);
    pali_cache_free(cache);
}

struct worker {
    pthread_t thread;
    pali_model *model;
    const pali_inputs *inputs;
    const pali_outputs *expected;
    bool same;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    worker->same = true;
    for (int i = 0; i < 5; i++) {
        pali_outputs *outputs = NULL;
        if (pali_model_forward(&outputs, worker->model, worker->inputs, NULL, NULL) != PALI_OK ||
            !same_logits(outputs, worker->expected))
            worker->same = false;
        pali_outputs_free(outputs);
    }
    return NULL;
}

static void threads(pali_model *model, const pali_inputs *inputs, const pali_outputs *expected)
{
    struct worker workers[4];
    pali_error *error = NULL;

    for (int i = 0; i < 4; i++) {
        workers[i] = (struct worker){ .model = model, .inputs = inputs, .expected = expected };
        CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(workers[i].thread, NULL);
        CHECK(workers[i].same);
    }
    for (int n = 1; n <= 3; n++) { /* the number of OpenMP threads does not show */
        pali_model_options options = PALI_MODEL_OPTIONS_INIT;
        pali_model *other = NULL;
        options.threads = n;
        CHECK_OK(pali_model_load(&other, fixture, &options, &error), error);
        pali_outputs *outputs = forward(other, inputs);
        CHECK_MSG(same_logits(outputs, expected), "%d threads", n);
        pali_outputs_free(outputs);
        pali_model_free(other);
    }
}

static void saved(const pali_outputs *outputs)
{
    char path[600];
    pali_error *error = NULL;

    snprintf(path, sizeof path, "%.500s/outputs.safetensors", test_scratch());
    CHECK(pali_outputs_count(outputs) >= 2 && pali_outputs_name(outputs, pali_outputs_count(outputs)) == NULL);
    CHECK_OK(pali_outputs_save(outputs, path, &error), error);
    pali_inputs *again = tensors(path);
    for (size_t i = 0; again && i < pali_outputs_count(outputs); i++) {
        const pali_tensor *a = pali_outputs_get(outputs, pali_outputs_name(outputs, i));
        const pali_tensor *b = pali_inputs_get(again, pali_outputs_name(outputs, i));
        CHECK(b && pali_tensor_count(a) == pali_tensor_count(b) &&
              !memcmp(a->data, b->data, (size_t)pali_tensor_count(a) * sizeof(float)));
    }
    pali_inputs_free(again);
    CHECK_FAILS(pali_outputs_save(outputs, "/no/such/folder/x.safetensors", &error), error, PALI_ERROR_IO, "/no/such");
}

/* Bytes of the decoder's weights and the head's in float32, from the configuration alone. */
static int64_t decoder_size(const pali_model *model)
{
    static const char *const names[] = { "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                                         "num_key_value_heads", "head_dim", "vocab_size" };
    int64_t v[7] = { 0 };
    for (int i = 0; i < 7; i++) {
        char name[64];
        pali_error *error = NULL;
        snprintf(name, sizeof name, "text_config.%s", names[i]);
        CHECK_OK(pali_config_get_int(pali_model_config(model), name, &v[i], &error), error);
    }
    return 4 * (v[2] * v[0] * (2 * (v[3] + v[4]) * v[5] + 3 * v[1]) + v[0] * v[6]);
}

static void machine_limits(const pali_model *model)
{
    pali_machine machine = PALI_MACHINE_INIT;
    pali_error *error = NULL;

    CHECK_OK(pali_machine_measure(&machine, model, 9, &error), error);
    CHECK(machine.threads >= 1 && machine.instruction_set[0]);
    CHECK(machine.gemm_dtype == PALI_FLOAT32); /* the model is in float32 */
    CHECK(machine.vision_gemm_dtype == PALI_FLOAT32 && machine.decoder_gemm_dtype == PALI_FLOAT32);
    CHECK(machine.decoder_bytes == decoder_size(model) && machine.vision_bytes > 0);
    CHECK(machine.read_bytes_per_s > 1e8 && machine.read_bytes_per_s < 1e13);
    CHECK(machine.vision_flops_per_s > 0.0 && machine.decoder_flops_per_s > 0.0);
    machine = (pali_machine)PALI_MACHINE_INIT;
    machine.struct_size = offsetof(pali_machine, decoder_flops_per_s);
    machine.decoder_flops_per_s = -1.0;
    CHECK_OK(pali_machine_measure(&machine, model, 1, &error), error);
    CHECK(machine.vision_flops_per_s > 0.0 && machine.decoder_flops_per_s == -1.0);
    CHECK_FAILS(pali_machine_measure(&machine, model, 0, &error), error, PALI_ERROR_ARGUMENT, "n_tokens");
    CHECK_FAILS(pali_machine_measure(&machine, NULL, 1, &error), error, PALI_ERROR_ARGUMENT, "model is NULL");
    CHECK_FAILS(pali_machine_measure(NULL, model, 1, &error), error, PALI_ERROR_ARGUMENT, "machine is NULL");
    machine.struct_size = 0;
    CHECK_FAILS(pali_machine_measure(&machine, model, 1, &error), error, PALI_ERROR_ARGUMENT, "struct_size");
}

/* Copied weights stand outside of the mapped file, and give the same bits. */
static void copied_weights(const pali_inputs *inputs, const pali_outputs *expected)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_error *error = NULL;

    options.copy_weights = 1;
    CHECK_OK(pali_model_load(&model, fixture, &options, &error), error);
    const void *matrices[] = { model->network.decoder.embedding.data, model->network.decoder.head.data,
                               model->network.decoder.blocks[0].down.data,
                               model->network.vision.blocks[0].fc1.weight.data };
    for (size_t t = 0; t < pali_checkpoint_count(model->checkpoint); t++) {
        pali_tensor tensor;
        CHECK_OK(pali_checkpoint_tensor(model->checkpoint, t, &tensor, &error), error);
        for (size_t i = 0; i < sizeof matrices / sizeof matrices[0]; i++)
            CHECK(matrices[i] != tensor.data);
    }
    pali_outputs *outputs = forward(model, inputs);
    CHECK(same_logits(outputs, expected));
    pali_outputs_free(outputs);
    pali_model_free(model);
}

int main(void)
{
    snprintf(fixture, sizeof fixture, "%.300s/models/%s", test_data(), FIXTURE);
    pali_inputs *all = fixture_weights(), *inputs = fixture_case("basic");
    pali_model *model = load(fixture);
    pali_outputs *expected = forward(model, inputs);

    name_styles(all, inputs, expected);
    unfit_checkpoints(all);
    mistakes(model);
    defaults(model);
    progress(model, inputs);
    machine_limits(model);
    references(inputs);
    threads(model, inputs, expected);
    copied_weights(inputs, expected);
    saved(expected);
    pali_outputs_free(expected);
    pali_model_free(model);
    pali_inputs_free(inputs);
    pali_inputs_free(all);
    return test_report("model");
}
