/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pali_checkpoint_save: what is written loads again to the same logits, in every name style, dtype and number of
 * shards; nothing is overwritten, and a run that ends early leaves nothing behind. Transformers' opinion of the files is
 * tests/oracle/check_saved.py's business.
 */
#include <dirent.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include <paligemma/paligemma.h>

#include "checkpoint/tensors.h"
#include "core/dtype.h"
#include "test.h"

static const char *const fixtures[] = { "pg1", "pg2", "pg1-bf16", "pg1-lone-head", "pg2-f16", "pg2-f32" };
enum { N_FIXTURES = sizeof fixtures / sizeof *fixtures };

static char source[512]; /* the fixture in use */
static char target[512]; /* what is written */

static void choose(const char *fixture, const char *name)
{
    char command[1200];
    snprintf(source, sizeof source, "%.300s/models/%s", test_data(), fixture);
    snprintf(target, sizeof target, "%.300s/%s", test_scratch(), name);
    snprintf(command, sizeof command, "rm -rf '%s' '%s'.tmp-*", target, target);
    CHECK(system(command) == 0);
}

static bool is_there(const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", target, name);
    return access(path, F_OK) == 0;
}

/* Entries of the scratch folder that begin with the target's name: itself, or temporary ones. */
static int count_traces(void)
{
    const char *name = strrchr(target, '/') + 1;
    DIR *directory = opendir(test_scratch());
    int count = 0;
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        count += strncmp(entry->d_name, name, strlen(name)) == 0;
    if (directory)
        closedir(directory);
    return count;
}

static pali_status save(const pali_save_options *options, pali_error **error)
{
    return pali_checkpoint_save(source, target, options, error);
}

/* The logits of case "basic" in float32, a block of the caller's. */
static float *logits_of(const char *directory, size_t *count)
{
    char path[600];
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_inputs *inputs = NULL;
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;
    float *copy = NULL;

    options.dtype = PALI_FLOAT32;
    *count = 0;
    snprintf(path, sizeof path, "%s/basic.inputs.safetensors", source);
    CHECK_OK(pali_model_load(&model, directory, &options, &error), error);
    CHECK_OK(pali_inputs_load(&inputs, path, &error), error);
    CHECK_OK(pali_model_forward(&outputs, model, inputs, NULL, &error), error);
    const pali_tensor *logits = pali_outputs_get(outputs, "logits");
    if (logits) {
        *count = (size_t)pali_tensor_count(logits);
        copy = malloc(*count * sizeof *copy);
        memcpy(copy, logits->data, *count * sizeof *copy);
    }
    pali_outputs_free(outputs);
    pali_inputs_free(inputs);
    pali_model_free(model);
    return copy;
}

static double largest_difference(const float *a, const float *b, size_t count)
{
    double worst = a && b && count ? 0.0 : INFINITY;
    for (size_t i = 0; a && b && i < count; i++) {
        double difference = fabs((double)a[i] - (double)b[i]);
        worst = difference <= worst ? worst : difference;
    }
    return worst;
}

/* Every tensor has the name of the style and the dtype, and the head is there or not. */
static void check_tensors(pali_name_style style, pali_dtype dtype, bool has_head)
{
    pali_checkpoint *checkpoint = NULL;
    pali_error *error = NULL;
    bool head = false;

    CHECK_OK(pali_checkpoint_open(&checkpoint, target, &error), error);
    for (size_t i = 0; i < pali_checkpoint_count(checkpoint); i++) {
        const char *name = pali_checkpoint_name(checkpoint, i);
        char styled[256];
        pali_tensor tensor;
        CHECK(pali__styled_name(styled, sizeof styled, pali__checkpoint_canonical(checkpoint, i), style));
        CHECK_MSG(strcmp(styled, name) == 0, "%s is not %s", name, styled);
        CHECK_OK(pali_checkpoint_tensor(checkpoint, i, &tensor, &error), error);
        CHECK_MSG(dtype == 0 || tensor.dtype == dtype, "%s is %s", name, pali_dtype_name(tensor.dtype));
        head = head || strstr(name, "lm_head") != NULL;
    }
    CHECK(head == has_head);
    pali_checkpoint_free(checkpoint);
}

static void check_config(const char *dtype)
{
    pali_config *config = NULL;
    pali_error *error = NULL;
    const char *value = NULL;
    CHECK_OK(pali_config_load(&config, target, &error), error);
    CHECK_OK(pali_config_get_string(config, "dtype", &value, &error), error);
    CHECK_MSG(value && strcmp(value, dtype) == 0, "config.json says %s", value ? value : "nothing");
    pali_config_free(config);
}

/* ---- the same weights in every style ---- */

static void every_style(const char *fixture)
{
    size_t n_before = 0, n_after = 0;
    choose(fixture, "style");
    float *before = logits_of(source, &n_before);
    for (int style = PALI_NAMES_TRANSFORMERS_4; style <= PALI_NAMES_MODULES_5; style++) {
        for (int sharded = 0; sharded < 2; sharded++) {
            pali_save_options options = PALI_SAVE_OPTIONS_INIT;
            pali_error *error = NULL;
            choose(fixture, "style");
            options.name_style = (pali_name_style)style;
            options.max_shard_size = sharded ? 60000 : 0;
            options.write_tied_head = style % 2;
            CHECK_OK(save(&options, &error), error);
            CHECK(is_there("model.safetensors") == !sharded);
            CHECK(is_there("model.safetensors.index.json") == (sharded == 1));
            CHECK(is_there("config.json") && is_there("generation_config.json") && is_there("tokenizer.json"));
            CHECK(count_traces() == 1);
            check_tensors((pali_name_style)style, (pali_dtype)0, style % 2);
            float *after = logits_of(target, &n_after);
            CHECK_MSG(before && after && n_before == n_after &&
                          memcmp(before, after, n_before * sizeof *before) == 0,
                      "%s, style %d, sharded %d: other logits", fixture, style, sharded);
            free(after);
        }
    }
    free(before);
}

/* Without a tie the head is a weight of its own and always written. */
static void untied(void)
{
    char path[1100], command[4096];
    size_t n_before = 0, n_after = 0;
    pali_save_options options = PALI_SAVE_OPTIONS_INIT;
    pali_error *error = NULL;
    choose("pg2-f32", "untied-source");
    options.write_tied_head = 1;
    CHECK_OK(save(&options, &error), error);
    snprintf(command, sizeof command,
             "sed '1s/{/{\"tie_word_embeddings\": false,/' '%s/config.json' >'%s/c' && mv '%s/c' '%s/config.json' && "
             "cp '%s/basic.inputs.safetensors' '%s'",
             target, target, target, target, source, target);
    CHECK(system(command) == 0);
    snprintf(path, sizeof path, "%s", target);
    options.write_tied_head = 0;
    for (int style = PALI_NAMES_TRANSFORMERS_4; style <= PALI_NAMES_MODULES_5; style++) {
        choose("pg2-f32", "untied");
        snprintf(source, sizeof source, "%.500s", path);
        float *before = logits_of(source, &n_before);
        options.name_style = (pali_name_style)style;
        CHECK_OK(save(&options, &error), error);
        check_tensors(options.name_style, PALI_FLOAT32, true);
        float *after = logits_of(target, &n_after);
        CHECK(largest_difference(before, after, n_before == n_after ? n_before : 0) == 0.0);
        free(before);
        free(after);
    }
}

/* ---- other types ---- */

/* Widening is exact; narrowing costs what the type's steps are worth. */
static void every_dtype(const char *fixture)
{
    static const pali_dtype dtypes[] = { PALI_FLOAT32, PALI_BFLOAT16, PALI_FLOAT16 };
    static const double bounds[] = { 0.0, 0.5, 0.1 };
    size_t n_before = 0, n_after = 0;
    choose(fixture, "dtype");
    float *before = logits_of(source, &n_before);
    for (int i = 0; i < 3; i++) {
        pali_save_options options = PALI_SAVE_OPTIONS_INIT;
        pali_error *error = NULL;
        choose(fixture, "dtype");
        options.dtype = dtypes[i];
        CHECK_OK(save(&options, &error), error);
        check_tensors(PALI_NAMES_TRANSFORMERS_4, dtypes[i], false);
        check_config(pali_dtype_name(dtypes[i]));
        float *after = logits_of(target, &n_after);
        double difference = largest_difference(before, after, n_before == n_after ? n_before : 0);
        CHECK_MSG(difference <= bounds[i], "%s as %s: logits differ by %g", fixture, pali_dtype_name(dtypes[i]),
                  difference);
        free(after);
    }
    free(before);
}

/* Every float16 survives the way through float32; the values between two are rounded to the even one. */
static void float16(void)
{
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        uint16_t half = (uint16_t)bits;
        float value = pali__float_from_f16(half);
        bool is_nan = value != value;
        CHECK(is_nan ? (pali__f16_from_float(value) & 0x7fff) > 0x7c00 : pali__f16_from_float(value) == half);
        if ((half & 0x7fff) >= 0x7bff)
            continue;
        float next = pali__float_from_f16((uint16_t)(half + 1)), middle = value + (next - value) / 2;
        CHECK(pali__f16_from_float(middle) == (half & 1 ? half + 1 : half));
        CHECK(pali__f16_from_float(nextafterf(middle, value)) == half);
        CHECK(pali__f16_from_float(nextafterf(middle, next)) == half + 1);
    }
    CHECK(pali__f16_from_float(65519.0f) == 0x7bff && pali__f16_from_float(65520.0f) == 0x7c00);
    CHECK(pali__f16_from_float(1e30f) == 0x7c00 && pali__f16_from_float(-1e30f) == 0xfc00);
    CHECK(pali__f16_from_float(1e-30f) == 0 && pali__f16_from_float(-1e-30f) == 0x8000);
}

/* ---- shards ---- */

static void shard_sizes(void)
{
    static const int64_t limits[] = { 1, 1000, 100000, 10000000 };
    size_t n_shards[4] = { 0 };
    for (int i = 0; i < 4; i++) {
        pali_save_options options = PALI_SAVE_OPTIONS_INIT;
        pali_error *error = NULL;
        choose("pg2-f32", "shards");
        options.max_shard_size = limits[i];
        CHECK_OK(save(&options, &error), error);
        DIR *directory = opendir(target);
        for (struct dirent *entry; directory && (entry = readdir(directory));) {
            size_t size = strlen(entry->d_name);
            n_shards[i] += size > 12 && strcmp(entry->d_name + size - 12, ".safetensors") == 0;
        }
        if (directory)
            closedir(directory);
        pali_checkpoint *checkpoint = NULL;
        CHECK_OK(pali_checkpoint_open(&checkpoint, target, &error), error);
        if (i == 0) /* a shard for each tensor */
            CHECK(n_shards[0] == pali_checkpoint_count(checkpoint));
        pali_checkpoint_free(checkpoint);
    }
    CHECK(n_shards[0] > n_shards[1] && n_shards[1] > n_shards[2] && n_shards[2] > n_shards[3] && n_shards[3] == 1);
}

/* ---- what must not happen ---- */

static void nothing_is_overwritten(void)
{
    pali_error *error = NULL;
    choose("pg1", "taken");
    mkdir(target, 0777);
    CHECK_OK(save(NULL, &error), error); /* an empty directory is taken */
    CHECK(is_there("model.safetensors"));
    CHECK_FAILS(save(NULL, &error), error, PALI_ERROR_ARGUMENT, "is not empty");
    CHECK_FAILS(pali_checkpoint_save(target, target, NULL, &error), error, PALI_ERROR_ARGUMENT, "is not empty");
    CHECK(count_traces() == 1);

    char file[600];
    snprintf(file, sizeof file, "%s/config.json", target);
    CHECK_FAILS(pali_checkpoint_save(source, file, NULL, &error), error, PALI_ERROR_ARGUMENT,
                "is not an empty directory");
    choose("pg1", "slash");
    char slashed[600];
    snprintf(slashed, sizeof slashed, "%s//", target);
    CHECK_OK(pali_checkpoint_save(source, slashed, NULL, &error), error);
    CHECK(is_there("model.safetensors") && count_traces() == 1);
    snprintf(slashed, sizeof slashed, "%s/no/such/place", target);
    CHECK_FAILS(pali_checkpoint_save(source, slashed, NULL, &error), error, PALI_ERROR_IO, "No such file");
}

static int stop_late(void *user, const char *stage, double fraction)
{
    int *calls = user;
    CHECK(strcmp(stage, "save") == 0 && fraction > 0.0 && fraction <= 1.0);
    return ++*calls == 30;
}

static void cancelled(void)
{
    int calls = 0;
    pali_save_options options = PALI_SAVE_OPTIONS_INIT;
    pali_error *error = NULL;
    choose("pg1", "cancelled");
    options.progress = stop_late;
    options.progress_user = &calls;
    options.max_shard_size = 100000;
    CHECK_FAILS(save(&options, &error), error, PALI_ERROR_CANCELLED, "cancelled");
    CHECK(calls == 30 && count_traces() == 0);
}

static void mistakes(void)
{
    static const char *const nothing[] = { NULL };
    pali_save_options options = PALI_SAVE_OPTIONS_INIT;
    pali_error *error = NULL;
    choose("pg1", "mistakes");
    CHECK_FAILS(pali_checkpoint_save(NULL, target, NULL, &error), error, PALI_ERROR_ARGUMENT, "in_dir is NULL");
    CHECK_FAILS(pali_checkpoint_save(source, NULL, NULL, &error), error, PALI_ERROR_ARGUMENT, "out_dir is NULL");
    CHECK_FAILS(pali_checkpoint_save(source, "", NULL, &error), error, PALI_ERROR_ARGUMENT, "out_dir is empty");
    CHECK_FAILS(pali_checkpoint_save("no-such-folder", target, NULL, &error), error, PALI_ERROR_IO, "config.json");
    options.dtype = PALI_INT8;
    CHECK_FAILS(save(&options, &error), error, PALI_ERROR_ARGUMENT, "int8");
    options.dtype = (pali_dtype)0;
    options.name_style = (pali_name_style)9;
    CHECK_FAILS(save(&options, &error), error, PALI_ERROR_ARGUMENT, "name_style");
    options.name_style = (pali_name_style)0;
    options.max_shard_size = -1;
    CHECK_FAILS(save(&options, &error), error, PALI_ERROR_ARGUMENT, "max_shard_size");
    options.max_shard_size = 0;
    options.n_adapters = 1;
    CHECK_FAILS(save(&options, &error), error, PALI_ERROR_ARGUMENT, "adapters is NULL");
    options.adapters = nothing;
    CHECK_FAILS(save(&options, &error), error, PALI_ERROR_ARGUMENT, "adapters[0] is NULL");
    CHECK(count_traces() == 0);
}

int main(void)
{
    for (int i = 0; i < N_FIXTURES; i++)
        every_style(fixtures[i]);
    untied();
    for (int i = 0; i < N_FIXTURES; i++)
        every_dtype(fixtures[i]);
    float16();
    shard_sizes();
    nothing_is_overwritten();
    cancelled();
    mistakes();
    return test_report("test_save");
}
