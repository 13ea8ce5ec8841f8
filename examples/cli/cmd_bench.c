/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma bench: how long each stage takes, and how near it comes to what this machine can do. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "arguments.h"
#include "bench_work.h"
#include "commands.h"
#include "json_write.h"
#include "resources.h"

static const struct usage usage = {
    "bench",
    "Times the stages of a checkpoint and compares them with the machine's own limits, measured in between.",
    NULL
};

struct bench {
    struct common common;
    int64_t image_size, prompt_tokens, new_tokens, rows, runs;
};

enum { MOST_RUNS = 100 };

/* One value for each run. */
struct series {
    double values[MOST_RUNS];
    int64_t count;
};

struct session {
    pali_model *model;
    pali_inputs *inputs; /* `rows` equal prompts without pictures, and one picture's pixel values apart from them */
    pali_tensor pixels;
    pali_error *error;
    struct shapes shapes;
    double load_s;
    int64_t peak_rss; /* after the first run: measuring the machine takes memory of its own */
    struct series image_s, prefill_s, decode_rate, read_rate, vision_rate, decoder_rate;
    pali_machine machine;
};

/* ---- the figures ---- */

static void add(struct series *series, double value)
{
    series->values[series->count++] = value;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(struct series *series)
{
    qsort(series->values, (size_t)series->count, sizeof(double), by_value);
    int64_t half = series->count / 2;
    return series->count % 2 ? series->values[half] : 0.5 * (series->values[half - 1] + series->values[half]);
}

static double smallest(struct series *series)
{
    qsort(series->values, (size_t)series->count, sizeof(double), by_value);
    return series->values[0];
}

static double largest(struct series *series)
{
    qsort(series->values, (size_t)series->count, sizeof(double), by_value);
    return series->values[series->count - 1];
}

/* ---- inputs ---- */

static pali_status set_ids(struct session *session, const char *name, int64_t *values, int64_t rows, int64_t length)
{
    pali_tensor tensor = pali_tensor_view(values, PALI_INT64, 2, (int64_t[]){ rows, length });
    return pali_inputs_set(session->inputs, name, &tensor, &session->error);
}

/* Image tokens, then ids that any vocabulary has. What they say does not matter for the time they take. */
static pali_status make_prompt(struct session *session, const struct bench *bench)
{
    int64_t length = bench->prompt_tokens, rows = bench->rows;
    int64_t *ids = malloc((size_t)(rows * length) * sizeof *ids);
    if (!ids) {
        report_text("out of memory");
        return PALI_ERROR_MEMORY;
    }
    for (int64_t i = 0; i < rows * length; i++)
        ids[i] = i % length < session->shapes.patches ? session->shapes.image_token : 2 + i % 97;
    pali_status status = pali_inputs_create(&session->inputs, &session->error);
    if (status == PALI_OK)
        status = set_ids(session, "input_ids", ids, rows, length);
    free(ids);
    return status;
}

static bool make_pixels(struct session *session, int64_t rows)
{
    int64_t size = session->shapes.image_size, channels = session->shapes.channels;
    int64_t count = rows * channels * size * size;
    float *pixels = malloc((size_t)count * sizeof *pixels);
    for (int64_t i = 0; pixels && i < count; i++)
        pixels[i] = (float)(i % 255) / 127.5f - 1.0f;
    session->pixels = pali_tensor_view(pixels, PALI_FLOAT32, 4, (int64_t[]){ rows, channels, size, size });
    return pixels != NULL;
}

/* ---- one run ---- */

static pali_status measure_machine(struct session *session, const struct bench *bench)
{
    pali_status status =
        pali_machine_measure(&session->machine, session->model, bench->prompt_tokens, &session->error);
    if (status != PALI_OK)
        return status;
    add(&session->read_rate, session->machine.read_bytes_per_s);
    add(&session->vision_rate, session->machine.vision_flops_per_s);
    add(&session->decoder_rate, session->machine.decoder_flops_per_s);
    return PALI_OK;
}

static pali_status run_once(struct session *session, const struct bench *bench)
{
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_image_features *features = NULL;
    pali_generation *answer = NULL;
    pali_timing timing = PALI_TIMING_INIT;

    double begin = seconds();
    pali_status status =
        pali_model_image_features(&features, session->model, &session->pixels, NULL, &session->error);
    double image_s = seconds() - begin;
    options.max_new_tokens = options.min_new_tokens = bench->new_tokens;
    options.features = features;
    if (status == PALI_OK)
        status = pali_generate(&answer, session->model, session->inputs, &options, &session->error);
    if (status == PALI_OK)
        status = pali_generation_timing(answer, &timing, &session->error);
    if (status == PALI_OK) {
        add(&session->image_s, image_s / (double)bench->rows);
        add(&session->prefill_s, timing.prefill_s / (double)bench->rows);
        add(&session->decode_rate, (double)timing.decode_tokens / timing.decode_s);
    }
    pali_generation_free(answer);
    pali_image_features_free(features);
    return status;
}

/* ---- the report ---- */

/* A stage's work, best and median, and the machine's limit in the same minute. */
struct stage {
    const char *name, *unit;
    double best, median;
    double flops, bytes; /* of one picture, one prompt, or one step of all rows */
    double limit;        /* in `unit`, from the machine's rates */
    double share;        /* of the limit that the best run reached */
};

enum { IMAGE, PREFILL, DECODE, N_STAGES };

static void make_stages(struct session *session, const struct bench *bench, struct stage *stages)
{
    const struct shapes *shapes = &session->shapes;
    int64_t weight_size = pali_model_dtype(session->model) == PALI_BFLOAT16 ? 2 : 4;
    int64_t middle = bench->prompt_tokens + bench->new_tokens / 2; /* tokens in the cache, on average */
    double rows = (double)bench->rows;

    stages[IMAGE] = (struct stage){ .name = "image", .unit = "s", .best = smallest(&session->image_s),
                                    .median = median(&session->image_s), .flops = image_flops(shapes),
                                    .bytes = vision_bytes(shapes, weight_size) };
    stages[IMAGE].limit = stages[IMAGE].flops / largest(&session->vision_rate);
    stages[IMAGE].share = stages[IMAGE].limit / stages[IMAGE].best;

    stages[PREFILL] = (struct stage){ .name = "prefill", .unit = "s", .best = smallest(&session->prefill_s),
                                      .median = median(&session->prefill_s),
                                      .flops = prefill_flops(shapes, bench->prompt_tokens),
                                      .bytes = decoder_bytes(shapes, weight_size) };
    stages[PREFILL].limit = stages[PREFILL].flops / largest(&session->decoder_rate);
    stages[PREFILL].share = stages[PREFILL].limit / stages[PREFILL].best;

    stages[DECODE] = (struct stage){ .name = "decode", .unit = "tokens/s", .best = largest(&session->decode_rate),
                                     .median = median(&session->decode_rate),
                                     .flops = rows * prefill_flops(shapes, 1),
                                     .bytes = decoder_bytes(shapes, weight_size) + rows * cache_bytes(shapes, middle) };
    stages[DECODE].limit = rows * largest(&session->read_rate) / stages[DECODE].bytes;
    stages[DECODE].share = stages[DECODE].best / stages[DECODE].limit;
}

static void print_json(struct session *session, const struct bench *bench, const struct stage *stages)
{
    const pali_machine *machine = &session->machine;

    printf("{\"image_size\": %" PRId64 ", \"prompt_tokens\": %" PRId64 ", \"new_tokens\": %" PRId64
           ", \"rows\": %" PRId64 ", \"runs\": %" PRId64 ", \"dtype\": \"%s\", \"load_s\": ",
           session->shapes.image_size, bench->prompt_tokens, bench->new_tokens, bench->rows, bench->runs,
           pali_dtype_name(pali_model_dtype(session->model)));
    json_write_number(session->load_s);
    printf(", \"peak_rss_bytes\": %" PRId64 ", \"machine\": {\"threads\": %d, \"instruction_set\": \"%s\", "
           "\"gemm_dtype\": \"%s\", \"read_bytes_per_s\": ", session->peak_rss, (int)machine->threads,
           machine->instruction_set, pali_dtype_name(machine->gemm_dtype));
    json_write_number(largest(&session->read_rate));
    fputs(", \"vision_flops_per_s\": ", stdout);
    json_write_number(largest(&session->vision_rate));
    fputs(", \"decoder_flops_per_s\": ", stdout);
    json_write_number(largest(&session->decoder_rate));
    fputs("}", stdout);
    for (int i = 0; i < N_STAGES; i++) {
        const char *key = i == IMAGE ? "image_s" : i == PREFILL ? "prefill_s" : "decode_tokens_per_s";
        const struct {
            const char *name;
            double value;
        } fields[] = { { "best", stages[i].best },   { "median", stages[i].median }, { "bytes", stages[i].bytes },
                       { "flops", stages[i].flops }, { "limit", stages[i].limit },   { "share", stages[i].share } };
        printf(", \"%s\": {", key);
        for (size_t j = 0; j < sizeof fields / sizeof fields[0]; j++) {
            printf("%s\"%s\": ", j ? ", " : "", fields[j].name);
            json_write_number(fields[j].value);
        }
        putchar('}');
    }
    puts("}");
}

static void print_table(struct session *session, const struct bench *bench, const struct stage *stages)
{
    const pali_machine *machine = &session->machine;

    printf("machine: %d threads, %s; reads %.1f GB/s; oneDNN multiplies %s at %.0f GFLOPS (tower), %.0f (decoder)\n",
           (int)machine->threads, machine->instruction_set, 1e-9 * largest(&session->read_rate),
           pali_dtype_name(machine->gemm_dtype), 1e-9 * largest(&session->vision_rate),
           1e-9 * largest(&session->decoder_rate));
    printf("model: %s, %" PRId64 " px; %" PRId64 " row%s of %" PRId64 " tokens, %" PRId64 " new; %" PRId64
           " runs; loaded in %.3f s; peak memory %.0f MB\n\n",
           pali_dtype_name(pali_model_dtype(session->model)), session->shapes.image_size, bench->rows,
           bench->rows == 1 ? "" : "s", bench->prompt_tokens, bench->new_tokens, bench->runs, session->load_s,
           1e-6 * (double)session->peak_rss);
    printf("%-8s %10s %10s %10s  %-8s %8s %9s %9s\n", "stage", "best", "median", "limit", "", "share", "GFLOP", "GB");
    for (int i = 0; i < N_STAGES; i++)
        printf("%-8s %10.3f %10.3f %10.3f  %-8s %7.1f%% %9.1f %9.3f\n", stages[i].name, stages[i].best,
               stages[i].median, stages[i].limit, stages[i].unit, 100.0 * stages[i].share, 1e-9 * stages[i].flops,
               1e-9 * stages[i].bytes);
}

/* ---- the whole ---- */

static pali_status load(struct session *session, struct bench *bench, const char *path)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    set_model_options(&options, &bench->common);

    double begin = seconds();
    pali_status status = pali_model_load(&session->model, path, &options, &session->error);
    session->load_s = seconds() - begin;
    if (status == PALI_OK)
        status = shapes_read(&session->shapes, pali_model_config(session->model), &session->error);
    return status;
}

/* What the flags ask for must be something that this checkpoint can do. */
static int settle(const struct session *session, struct bench *bench)
{
    const struct shapes *shapes = &session->shapes;

    if (bench->image_size && bench->image_size != shapes->image_size)
        return report_text("the checkpoint takes pictures of %" PRId64 " px, not of %" PRId64, shapes->image_size,
                           bench->image_size);
    if (bench->prompt_tokens == 0)
        bench->prompt_tokens = shapes->patches + 4;
    if (bench->prompt_tokens <= shapes->patches)
        return report_text("--prompt-tokens counts the %" PRId64 " image tokens too and should be more than that",
                           shapes->patches);
    return EXIT_DONE;
}

static int run(struct session *session, struct bench *bench, const char *path)
{
    struct stage stages[N_STAGES];

    pali_status status = load(session, bench, path);
    if (status != PALI_OK)
        return report(session->error);
    if (settle(session, bench) != EXIT_DONE)
        return EXIT_FAILED;
    if (!make_pixels(session, bench->rows))
        return report_text("out of memory");
    status = make_prompt(session, bench);
    for (int64_t i = 0; status == PALI_OK && i < bench->runs; i++) {
        status = run_once(session, bench);
        if (i == 0)
            session->peak_rss = peak_rss_bytes();
        if (status == PALI_OK)
            status = measure_machine(session, bench);
    }
    if (status != PALI_OK)
        return session->error ? report(session->error) : EXIT_FAILED;
    make_stages(session, bench, stages);
    if (bench->common.json)
        print_json(session, bench, stages);
    else
        print_table(session, bench, stages);
    return EXIT_DONE;
}

int cmd_bench(int argc, char **argv)
{
    struct bench bench = { .new_tokens = 32, .rows = 1, .runs = 3 };
    struct session session = { .machine = PALI_MACHINE_INIT };
    struct option options[] = {
        COMMON_OPTIONS(bench.common, true),
        { NULL, "--image-size", "S", OPTION_INT, false, &bench.image_size, 1, 1e6,
          "fail unless the checkpoint takes pictures of this size", false },
        { NULL, "--prompt-tokens", "N", OPTION_INT, false, &bench.prompt_tokens, 1, 1e6,
          "tokens of a prompt, those of the picture included (default: the picture's and 4)", false },
        { NULL, "--new-tokens", "N", OPTION_INT, false, &bench.new_tokens, 2, 1e6, "tokens of an answer (default 32)",
          false },
        { NULL, "--rows", "N", OPTION_INT, false, &bench.rows, 1, 256, "prompts answered together (default 1)",
          false },
        { NULL, "--runs", "N", OPTION_INT, false, &bench.runs, 1, MOST_RUNS, "runs to choose the best from (default 3)",
          false },
    };
    int status = options_parse(&usage, options, sizeof options / sizeof options[0], NULL, argc, argv);
    if (status != OPTIONS_GO_ON)
        return status;

    char *path = checkpoint_path(bench.common.model);
    if (!path)
        return EXIT_FAILED;
    status = run(&session, &bench, path);
    pali_error_free(session.error);
    pali_inputs_free(session.inputs);
    pali_model_free(session.model);
    free(session.pixels.data);
    free(path);
    return status;
}
