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

int main(void)
{
    CHECK(strcmp(pali_quantization_scheme_name(PALI_INT4_WEIGHT_ONLY), "int4_weight_only") == 0);
    CHECK(strcmp(pali_quantization_scheme_name((pali_quantization_scheme)0), "unknown") == 0);
    cancelled(PALI_INT8_WEIGHT_ONLY);
    cancelled(PALI_INT4_WEIGHT_ONLY);
    cancelled(PALI_INT8_DYNAMIC);
    mistakes();
    return test_report("test_quantize");
}
