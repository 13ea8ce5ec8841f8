/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pali_quantize: what it refuses, and that a run that ends early, at whatever step, leaves nothing behind. That
 * compressed-tensors opens what it writes is tests/oracle/check_quantized.py's business; the rounding itself is
 * tests/kernels/test_round_weights.c's.
 */
#include <dirent.h>
#include <stdbool.h>

#include <paligemma/paligemma.h>

#include "test.h"

static char source[512], target[512];

static void choose(const char *fixture, const char *name)
{
    char command[1200];
    snprintf(source, sizeof source, "%.300s/models/%s", test_data(), fixture);
    snprintf(target, sizeof target, "%.300s/%s", test_scratch(), name);
    snprintf(command, sizeof command, "rm -rf '%s' '%s'.tmp-*", target, target);
    CHECK(system(command) == 0);
}

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

struct stop {
    int calls, at;
};

static int on_progress(void *user, const char *stage, double fraction)
{
    struct stop *stop = user;
    CHECK(strcmp(stage, "quantize") == 0 && fraction > 0.0 && fraction <= 1.0);
    return ++stop->calls == stop->at;
}

/* Once to the end, then stopped at every step. */
static void cancelled(pali_quantization_scheme scheme)
{
    pali_quantize_options options = PALI_QUANTIZE_OPTIONS_INIT;
    struct stop stop = { 0, 0 };
    pali_error *error = NULL;

    options.scheme = scheme;
    options.progress = on_progress;
    options.progress_user = &stop;
    options.threads = 1;
    options.max_shard_size = 100000;
    choose("pg1-bf16", "quantized");
    CHECK_OK(pali_quantize(source, target, &options, &error), error);
    CHECK(stop.calls > 50 && count_traces() == 1);
    for (int at = 1, calls = stop.calls; at <= calls; at++) {
        choose("pg1-bf16", "quantized");
        stop = (struct stop){ 0, at };
        CHECK_FAILS(pali_quantize(source, target, &options, &error), error, PALI_ERROR_CANCELLED, "cancelled");
        CHECK(stop.calls == at && count_traces() == 0);
    }
}

static void expect_refusal(pali_quantize_options options, const char *fragment)
{
    pali_error *error = NULL;
    CHECK_FAILS(pali_quantize(source, target, &options, &error), error, PALI_ERROR_ARGUMENT, fragment);
}

static void mistakes(void)
{
    pali_quantize_options options = PALI_QUANTIZE_OPTIONS_INIT;
    pali_error *error = NULL;
    char again[600];

    choose("pg1-bf16", "refused");
    CHECK_FAILS(pali_quantize(NULL, target, NULL, &error), error, PALI_ERROR_ARGUMENT, "in_dir is NULL");
    CHECK_FAILS(pali_quantize(source, NULL, NULL, &error), error, PALI_ERROR_ARGUMENT, "out_dir is NULL");
    CHECK_FAILS(pali_quantize(source, "", NULL, &error), error, PALI_ERROR_ARGUMENT, "out_dir is empty");
    options.group_size = 64;
    expect_refusal(options, "group_size is for int4");
    options.scheme = PALI_INT4_WEIGHT_ONLY;
    options.group_size = 48;
    expect_refusal(options, "32, 64 or 128");
    options.group_size = 0;
    options.parts = 16;
    expect_refusal(options, "parts");
    options.parts = 0;
    options.threads = -1;
    expect_refusal(options, "threads");
    options.threads = 4097;
    expect_refusal(options, "0…4096");
    options.threads = 0;
    options.scheme = (pali_quantization_scheme)7;
    expect_refusal(options, "scheme");
    options.scheme = PALI_INT8_WEIGHT_ONLY;
    options.parts = PALI_QUANTIZE_HEAD; /* tied: there is none */
    CHECK_FAILS(pali_quantize(source, target, &options, &error), error, PALI_ERROR_UNSUPPORTED, "nothing to quantize");
    CHECK(count_traces() == 0);
    CHECK_OK(pali_quantize(source, target, NULL, &error), error);
    snprintf(again, sizeof again, "%s-again", target);
    CHECK_FAILS(pali_quantize(target, again, NULL, &error), error, PALI_ERROR_UNSUPPORTED, "quantized already");
    CHECK_FAILS(pali_quantize(source, target, NULL, &error), error, PALI_ERROR_ARGUMENT, "");
    CHECK(count_traces() == 1);
}

/* Sets the first value of a bfloat16 tensor in a checkpoint's only file to what is no number. */
static void spoil(const char *directory, const char *name)
{
    char path[700], header[65536] = "", key[200];
    unsigned char length[8] = { 0 };
    size_t size = 0, begin = 0;

    snprintf(path, sizeof path, "%s/model.safetensors", directory);
    FILE *file = fopen(path, "r+b");
    CHECK(file && fread(length, 1, sizeof length, file) == sizeof length);
    for (int i = 0; i < 4; i++)
        size |= (size_t)length[i] << 8 * i;
    CHECK(size < sizeof header && fread(header, 1, size, file) == size);
    snprintf(key, sizeof key, "\"%s\"", name);
    const char *entry = strstr(header, key), *offsets = entry ? strstr(entry, "\"data_offsets\"") : NULL;
    CHECK(offsets && sscanf(strchr(offsets, '['), "[%zu", &begin) == 1);
    CHECK(fseek(file, (long)(sizeof length + size + begin), SEEK_SET) == 0 && fwrite("\xc0\x7f", 1, 2, file) == 2);
    fclose(file);
}

static void not_a_number(void)
{
    char command[2200], original[512];
    pali_error *error = NULL;

    choose("pg1-bf16", "spoilt");
    memcpy(original, source, sizeof original);
    snprintf(source, sizeof source, "%.300s/spoilt-source", test_scratch());
    snprintf(command, sizeof command, "rm -rf '%s' && cp -r '%s' '%s' && chmod -R u+w '%s'", source, original, source,
             source);
    CHECK(system(command) == 0);
    spoil(source, "model.language_model.layers.0.mlp.up_proj.weight");
    CHECK_FAILS(pali_quantize(source, target, NULL, &error), error, PALI_ERROR_FORMAT,
                "layers.0.mlp.up_proj.weight has an infinite value");
    CHECK(count_traces() == 1); /* the source alone, whose name begins so too */
}

/* A head of its own is a matrix like others. */
static void own_head(void)
{
    pali_quantize_options options = PALI_QUANTIZE_OPTIONS_INIT;
    pali_model_options keep = PALI_MODEL_OPTIONS_INIT;
    pali_checkpoint *checkpoint = NULL;
    pali_model *model = NULL;
    pali_error *error = NULL;
    int n_heads = 0, n_quantized = 0;

    choose("llama-untied", "own-head");
    options.parts = PALI_QUANTIZE_HEAD;
    CHECK_OK(pali_quantize(source, target, &options, &error), error);
    CHECK_OK(pali_checkpoint_open(&checkpoint, target, &error), error);
    for (size_t i = 0; i < pali_checkpoint_count(checkpoint); i++) {
        const char *name = pali_checkpoint_name(checkpoint, i);
        n_quantized += strstr(name, "weight_packed") != NULL;
        n_heads += strstr(name, "lm_head.weight_packed") != NULL;
    }
    CHECK(n_heads == 1 && n_quantized == 1);
    pali_checkpoint_free(checkpoint);
    keep.int8_head = -1;
    CHECK_OK(pali_model_load(&model, target, &keep, &error), error);
    pali_model_free(model);
}

int main(void)
{
    CHECK(strcmp(pali_quantization_scheme_name(PALI_INT4_WEIGHT_ONLY), "int4_weight_only") == 0);
    CHECK(strcmp(pali_quantization_scheme_name((pali_quantization_scheme)0), "unknown") == 0);
    cancelled(PALI_INT8_WEIGHT_ONLY);
    cancelled(PALI_INT4_WEIGHT_ONLY);
    cancelled(PALI_INT8_DYNAMIC);
    mistakes();
    not_a_number();
    own_head();
    return test_report("test_quantize");
}
