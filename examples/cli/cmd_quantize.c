/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma quantize: a checkpoint directory written anew with weights of 8 or 4 bits. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arguments.h"
#include "calibration_lines.h"
#include "commands.h"
#include "json_write.h"
#include "written.h"

static const struct usage usage = {
    "quantize",
    "Writes the checkpoint IN_DIR anew as OUT_DIR with weights of 8 or 4 bits, in the format of compressed-tensors, which "
    "Transformers and vLLM open too.",
    "IN_DIR OUT_DIR"
};

struct quantize {
    const char *directories[2], *scheme, *parts, *max_shard_size, *calibrate;
    int64_t group_size, threads;
    bool zero_points, largest_value_scales, json;
    struct calibration calibration;
    pali_quantize_options options;
};

static bool take_scheme(struct quantize *quantize)
{
    static const struct {
        const char *name;
        pali_quantization_scheme scheme;
    } schemes[] = { { "int8_weight_only", PALI_INT8_WEIGHT_ONLY },
                    { "int4_weight_only", PALI_INT4_WEIGHT_ONLY },
                    { "int8_dynamic", PALI_INT8_DYNAMIC },
                    { "int8_dynamic_activation_int8_weight", PALI_INT8_DYNAMIC } };
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (strcmp(quantize->scheme, schemes[i].name) == 0)
            quantize->options.scheme = schemes[i].scheme;
    return quantize->options.scheme != 0;
}

/* "decoder,vision" to the sum of them. */
static bool take_parts(struct quantize *quantize)
{
    static const struct {
        const char *name;
        pali_quantization_part part;
    } known[] = { { "decoder", PALI_QUANTIZE_DECODER },
                  { "vision", PALI_QUANTIZE_VISION },
                  { "projector", PALI_QUANTIZE_PROJECTOR },
                  { "head", PALI_QUANTIZE_HEAD } };
    for (const char *at = quantize->parts; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        size_t size = strcspn(at, ","), i = 0;
        while (i < 4 && (strlen(known[i].name) != size || strncmp(at, known[i].name, size) != 0))
            i++;
        if (i == 4)
            return false;
        quantize->options.parts |= (int32_t)known[i].part;
    }
    return true;
}

static int check(struct quantize *quantize)
{
    bool int4;
    if (!quantize->directories[1])
        return usage_error(&usage, "%s is missing", quantize->directories[0] ? "OUT_DIR" : "IN_DIR");
    if (!take_scheme(quantize))
        return usage_error(&usage, "--scheme takes int8_weight_only, int4_weight_only or int8_dynamic, not \"%s\"",
                           quantize->scheme);
    int4 = quantize->options.scheme == PALI_INT4_WEIGHT_ONLY;
    if (!int4 && (quantize->group_size || quantize->zero_points))
        return usage_error(&usage, "%s is for int4_weight_only, not for %s",
                           quantize->group_size ? "--group-size" : "--zero-points", quantize->scheme);
    if (quantize->group_size && quantize->group_size != 32 && quantize->group_size != 64 &&
        quantize->group_size != 128)
        return usage_error(&usage, "--group-size takes 32, 64 or 128, not %" PRId64, quantize->group_size);
    if (!take_parts(quantize))
        return usage_error(&usage, "--parts takes some of decoder,vision,projector,head, not \"%s\"",
                           quantize->parts);
    if (!take_size(quantize->max_shard_size, &quantize->options.max_shard_size))
        return usage_error(&usage, "--max-shard-size takes a size such as 5GB or 500MiB, not \"%s\"",
                           quantize->max_shard_size);
    return OPTIONS_GO_ON;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/* What became of it: bytes of weights before and after, and how many matrices have scales. */
static int print_result(const struct quantize *quantize, const char *in_dir, double seconds)
{
    pali_checkpoint *before = NULL, *after = NULL;
    pali_error *error = NULL;
    size_t n_matrices = 0;
    int status = EXIT_DONE;
    if (pali_checkpoint_open(&before, in_dir, &error) != PALI_OK ||
        pali_checkpoint_open(&after, quantize->directories[1], &error) != PALI_OK) {
        status = report(error);
    } else {
        for (size_t i = 0; i < pali_checkpoint_count(after); i++)
            n_matrices += ends_with(pali_checkpoint_name(after, i), ".weight_scale");
        int64_t bytes_before = pali_checkpoint_size(before), bytes_after = pali_checkpoint_size(after);
        if (quantize->json) {
            fputs("{\"directory\": ", stdout);
            json_write_text(quantize->directories[1]);
            printf(", \"scheme\": \"%s\", \"quantized_matrices\": %zu, \"bytes_before\": %" PRId64
                   ", \"bytes_after\": %" PRId64 ", \"seconds\": %.3f}\n",
                   pali_quantization_scheme_name(quantize->options.scheme), n_matrices, bytes_before, bytes_after,
                   seconds);
        } else {
            printf("%zu matrices in %s: %.1f MB of weights became %.1f MB in %.1f s\n", n_matrices,
                   pali_quantization_scheme_name(quantize->options.scheme), 1e-6 * (double)bytes_before,
                   1e-6 * (double)bytes_after, seconds);
        }
    }
    pali_error_free(error);
    pali_checkpoint_free(before);
    pali_checkpoint_free(after);
    return status;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int run(struct quantize *quantize, const char *in_dir)
{
    static char title[] = "quantizing";
    pali_error *error = NULL;
    double begin = now();
    int status = EXIT_DONE;
    quantize->options.group_size = (int32_t)quantize->group_size;
    quantize->options.threads = (int32_t)quantize->threads;
    quantize->options.zero_points = quantize->zero_points;
    quantize->options.largest_value_scales = quantize->largest_value_scales;
    quantize->options.progress = on_written;
    quantize->options.progress_user = title;
    if (quantize->calibrate)
        status = calibration_read(&quantize->calibration, quantize->calibrate, in_dir);
    if (status != EXIT_DONE)
        return status;
    quantize->options.calibration = (const pali_inputs *const *)quantize->calibration.inputs;
    quantize->options.n_calibration = quantize->calibration.count;
    catch_interrupt();
    if (pali_quantize(in_dir, quantize->directories[1], &quantize->options, &error) != PALI_OK)
        status = interrupted() ? report_text("interrupted") : report(error);
    pali_error_free(error);
    return status == EXIT_DONE ? print_result(quantize, in_dir, now() - begin) : status;
}

int cmd_quantize(int argc, char **argv)
{
    struct quantize quantize = { .options = PALI_QUANTIZE_OPTIONS_INIT };
    struct option options[] = {
        { NULL, "--scheme", "SCHEME", OPTION_TEXT, true, &quantize.scheme, 0, 0,
          "int8_weight_only, int4_weight_only, or int8_dynamic, which rounds activations too", false },
        { NULL, "--group-size", "N", OPTION_INT, false, &quantize.group_size, 1, 65536,
          "of int4: inputs that share a scale, 32, 64 or 128 (default 128)", false },
        { NULL, "--zero-points", NULL, OPTION_SWITCH, false, &quantize.zero_points, 0, 0,
          "of int4: each group has a zero point", false },
        { NULL, "--parts", "LIST", OPTION_TEXT, false, &quantize.parts, 0, 0,
          "what is quantized, of decoder,vision,projector,head (default decoder); a head that is tied to the embedding "
          "stays as it is", false },
        { NULL, "--largest-value-scales", NULL, OPTION_SWITCH, false, &quantize.largest_value_scales, 0, 0,
          "scales that fit the largest weight, not those of the least squared error", false },
        { NULL, "--calibrate", "FILE", OPTION_TEXT, false, &quantize.calibrate, 0, 0,
          "run the model on these lines {\"image\": \"cat.jpg\", \"prompt\": \"caption en\", \"suffix\": \"a cat\"} to see "
          "which weights matter (GPTQ); the suffix, which is the answer, may be left out", false },
        { NULL, "--max-shard-size", "SIZE", OPTION_TEXT, false, &quantize.max_shard_size, 0, 0,
          "bytes of weights in a file: 500MB, 2GiB, … (default 5GB)", false },
        { NULL, "--threads", "N", OPTION_INT, false, &quantize.threads, 0, 4096, "threads (default: OpenMP's number)",
          false },
        { NULL, "--json", NULL, OPTION_SWITCH, false, &quantize.json, 0, 0, "print one JSON object", false },
    };
    int status = options_parse_several(&usage, options, sizeof options / sizeof options[0], quantize.directories, 2,
                                       argc, argv);
    if (status == OPTIONS_GO_ON)
        status = check(&quantize);
    if (status == OPTIONS_GO_ON) {
        char *path = checkpoint_path(quantize.directories[0]);
        status = path ? run(&quantize, path) : EXIT_FAILED;
        calibration_free(&quantize.calibration);
        free(path);
    }
    return status;
}
