/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma info: what a checkpoint directory holds, without loading the model. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "commands.h"
#include "json_write.h"

static const struct usage usage = {
    "info",
    "Describes a checkpoint directory: configuration, tensors, and which of them are missing or unexpected.",
    "DIR"
};

enum { N_DTYPES = PALI_BOOL + 1 };

struct info {
    const char *path;
    bool all_tensors;
    pali_config *config;
    pali_checkpoint *checkpoint;
    char *missing, *unexpected; /* a name a line */
    int64_t n_tokens;           /* of prompt and answer, in the forecast */
    bool has_forecast;          /* not of a checkpoint that lacks something */
    pali_memory_forecast forecast;
    int64_t parameters;
    struct {
        int64_t tensors, bytes;
    } by_dtype[N_DTYPES];
};

static int64_t tensor_bytes(const pali_tensor *tensor)
{
    return pali_tensor_count(tensor) * (int64_t)pali_dtype_size(tensor->dtype);
}

static bool ends_in(const char *name, const char *ending)
{
    size_t length = strlen(name), size = strlen(ending);
    return length >= size && strcmp(name + length - size, ending) == 0;
}

/* Of a quantized matrix the weights count, which weight_shape tells where codes are packed, and not their scales. */
static int64_t parameters_of(const char *name, const pali_tensor *tensor)
{
    int64_t sizes[2];
    if (ends_in(name, ".weight_packed") || ends_in(name, ".weight_scale") || ends_in(name, ".weight_zero_point"))
        return 0;
    if (!ends_in(name, ".weight_shape") || tensor->dtype != PALI_INT64 || pali_tensor_count(tensor) != 2)
        return pali_tensor_count(tensor);
    memcpy(sizes, tensor->data, sizeof sizes);
    bool sensible = sizes[0] > 0 && sizes[1] > 0 && sizes[0] < INT32_MAX && sizes[1] < INT32_MAX;
    return sensible ? sizes[0] * sizes[1] : 0;
}

static pali_status collect(struct info *info, pali_error **error)
{
    pali_status status = pali_config_load(&info->config, info->path, error);
    if (status == PALI_OK)
        status = pali_checkpoint_open(&info->checkpoint, info->path, error);
    if (status == PALI_OK)
        status =
            pali_checkpoint_compare(info->checkpoint, info->config, &info->missing, &info->unexpected, error);
    for (size_t i = 0; status == PALI_OK && i < pali_checkpoint_count(info->checkpoint); i++) {
        pali_tensor tensor;
        status = pali_checkpoint_tensor(info->checkpoint, i, &tensor, error);
        if (status == PALI_OK) {
            size_t dtype = (int)tensor.dtype > 0 && (int)tensor.dtype < N_DTYPES ? (size_t)tensor.dtype : 0;
            info->parameters += parameters_of(pali_checkpoint_name(info->checkpoint, i), &tensor);
            info->by_dtype[dtype].tensors++;
            info->by_dtype[dtype].bytes += tensor_bytes(&tensor);
        }
    }
    return status;
}

/* A checkpoint that no model can be loaded from is described without a forecast. */
static void forecast(struct info *info, const struct common *common)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_error *error = NULL;
    set_model_options(&options, common);
    pali_memory_forecast_init(&info->forecast);
    info->has_forecast =
        pali_model_forecast_memory(&info->forecast, info->path, &options, info->n_tokens, &error) == PALI_OK;
    pali_error_free(error);
}

/* ---- for people ---- */

/* The field's value, whatever its kind, as JSON or as plain text. */
static void print_field(const pali_config *config, const char *name, bool json)
{
    int64_t whole;
    double real;
    const char *text;
    if (pali_config_get_int(config, name, &whole, NULL) == PALI_OK)
        printf("%" PRId64, whole);
    else if (pali_config_get_float(config, name, &real, NULL) == PALI_OK)
        json_write_number(real);
    else if (pali_config_get_string(config, name, &text, NULL) == PALI_OK && json)
        json_write_text(text);
    else if (pali_config_get_string(config, name, &text, NULL) == PALI_OK)
        fputs(text, stdout);
    else
        fputs(json ? "null" : "not set", stdout);
}

static void print_bytes(int64_t bytes)
{
    static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB" };
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1000.0 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        value /= 1000.0;
    printf(unit ? "%.2f %s" : "%.0f %s", value, units[unit]);
}

/* A name a line, indented, under a title that counts them. */
static void print_names(const char *title, const char *names)
{
    size_t count = 0;
    for (const char *at = names; *at; at++)
        count += *at == '\n' || at[1] == '\0';
    printf("%s %zu%s\n", title, count, count ? ":" : "");
    while (*names) {
        size_t size = strcspn(names, "\n");
        if (size)
            printf("  %.*s\n", (int)size, names);
        names += size + (names[size] == '\n');
    }
}

static pali_status print_tensor_list(const struct info *info, pali_error **error)
{
    for (size_t i = 0; i < pali_checkpoint_count(info->checkpoint); i++) {
        pali_tensor tensor;
        pali_status status = pali_checkpoint_tensor(info->checkpoint, i, &tensor, error);
        if (status != PALI_OK)
            return status;
        printf("  %-76s %-9s ", pali_checkpoint_name(info->checkpoint, i), pali_dtype_name(tensor.dtype));
        json_write_ids(tensor.shape, (size_t)tensor.rank);
        putchar('\n');
    }
    return PALI_OK;
}

static void print_memory(const char *name, int64_t bytes)
{
    printf("  %-48s ", name);
    print_bytes(bytes);
    putchar('\n');
}

static void print_forecast(const struct info *info)
{
    const pali_memory_forecast *forecast = &info->forecast;
    if (!info->has_forecast)
        return;
    printf("\nmemory for one picture and %" PRId64 " tokens of prompt and answer\n", info->n_tokens);
    print_memory("weights in the mapped files", forecast->weights_mapped);
    print_memory("weights converted or copied", forecast->weights_copied);
    print_memory("vision tower, while it runs", forecast->vision);
    print_memory("decoder's activations", forecast->activations);
    print_memory("keys and values in float32", forecast->cache);
    print_memory("keys and values of a token", forecast->cache_per_token);
    print_memory("together", forecast->total);
    if (forecast->available < 0)
        printf("  %-48s not known\n", "this machine has free");
    else
        print_memory("this machine has free", forecast->available);
    if (forecast->available >= 0 && forecast->total > forecast->available)
        puts("  it does not fit: loading is refused without --ignore-memory");
}

static pali_status print_text(const struct info *info, pali_error **error)
{
    printf("%s\n\nconfiguration\n", info->path);
    for (size_t i = 0; i < pali_config_count(info->config); i++) {
        const char *name = pali_config_name(info->config, i);
        printf("  %-48s ", name);
        print_field(info->config, name, false);
        putchar('\n');
    }

    printf("\ntensors %zu, %" PRId64 " parameters (%.3f billion), files of ", pali_checkpoint_count(info->checkpoint),
           info->parameters, (double)info->parameters * 1e-9);
    print_bytes(pali_checkpoint_size(info->checkpoint));
    putchar('\n');
    for (int i = 0; i < N_DTYPES; i++)
        if (info->by_dtype[i].tensors) {
            printf("  %-9s %6" PRId64 " tensors  ", pali_dtype_name((pali_dtype)i), info->by_dtype[i].tensors);
            print_bytes(info->by_dtype[i].bytes);
            putchar('\n');
        }
    if (info->all_tensors) {
        putchar('\n');
        pali_status status = print_tensor_list(info, error);
        if (status != PALI_OK)
            return status;
    }
    print_forecast(info);
    putchar('\n');
    print_names("missing", info->missing);
    print_names("unexpected", info->unexpected);
    return PALI_OK;
}

/* ---- for programs ---- */

static void print_json_names(char *names)
{
    bool first = true;
    putchar('[');
    for (char *name = strtok(names, "\n"); name; name = strtok(NULL, "\n"), first = false) {
        fputs(first ? "" : ", ", stdout);
        json_write_text(name);
    }
    putchar(']');
}

static pali_status print_json_tensors(const struct info *info, pali_error **error)
{
    putchar('{');
    for (size_t i = 0; i < pali_checkpoint_count(info->checkpoint); i++) {
        pali_tensor tensor;
        pali_status status = pali_checkpoint_tensor(info->checkpoint, i, &tensor, error);
        if (status != PALI_OK)
            return status;
        fputs(i ? ", " : "", stdout);
        json_write_tensor(pali_checkpoint_name(info->checkpoint, i), &tensor);
    }
    putchar('}');
    return PALI_OK;
}

static void print_json_forecast(const struct info *info)
{
    const pali_memory_forecast *forecast = &info->forecast;
    if (!info->has_forecast) {
        fputs("null", stdout);
        return;
    }
    printf("{\"tokens\": %" PRId64 ", \"weights_mapped\": %" PRId64 ", \"weights_copied\": %" PRId64
           ", \"vision\": %" PRId64 ", \"activations\": %" PRId64 ", \"cache_per_token\": %" PRId64
           ", \"cache\": %" PRId64 ", \"total\": %" PRId64 ", \"available\": ",
           info->n_tokens, forecast->weights_mapped, forecast->weights_copied, forecast->vision, forecast->activations,
           forecast->cache_per_token, forecast->cache, forecast->total);
    if (forecast->available < 0)
        fputs("null}", stdout);
    else
        printf("%" PRId64 "}", forecast->available);
}

static pali_status print_json(const struct info *info, pali_error **error)
{
    bool first = true;
    fputs("{\"path\": ", stdout);
    json_write_text(info->path);
    fputs(", \"config\": {", stdout);
    for (size_t i = 0; i < pali_config_count(info->config); i++) {
        const char *name = pali_config_name(info->config, i);
        fputs(i ? ", " : "", stdout);
        json_write_text(name);
        fputs(": ", stdout);
        print_field(info->config, name, true);
    }
    printf("}, \"tensor_count\": %zu, \"parameters\": %" PRId64 ", \"file_bytes\": %" PRId64 ", \"dtypes\": {",
           pali_checkpoint_count(info->checkpoint), info->parameters, pali_checkpoint_size(info->checkpoint));
    for (int i = 0; i < N_DTYPES; i++)
        if (info->by_dtype[i].tensors) {
            printf("%s\"%s\": {\"tensors\": %" PRId64 ", \"bytes\": %" PRId64 "}", first ? "" : ", ",
                   pali_dtype_name((pali_dtype)i), info->by_dtype[i].tensors, info->by_dtype[i].bytes);
            first = false;
        }
    fputs("}, \"memory\": ", stdout);
    print_json_forecast(info);
    fputs(", \"missing\": ", stdout);
    print_json_names(info->missing);
    fputs(", \"unexpected\": ", stdout);
    print_json_names(info->unexpected);
    fputs(", \"tensors\": ", stdout);
    pali_status status = print_json_tensors(info, error);
    if (status == PALI_OK)
        puts("}");
    return status;
}

int cmd_info(int argc, char **argv)
{
    struct common common = { 0 };
    struct info info = { .n_tokens = 128 };
    const char *directory = NULL;
    struct option options[] = {
        COMMON_OPTIONS(common, false),
        { NULL, "--tensors", NULL, OPTION_SWITCH, false, &info.all_tensors, 0, 0, "list every tensor", false },
        { NULL, "--tokens", "N", OPTION_INT, false, &info.n_tokens, 0, 1 << 24,
          "tokens of prompt and answer in the forecast of memory (default 128)", false },
    };
    int status = options_parse(&usage, options, sizeof options / sizeof options[0], &directory, argc, argv);
    if (status != OPTIONS_GO_ON)
        return status;
    if (directory && common.model)
        return usage_error(&usage, "DIR and -m both name a checkpoint");
    if (!directory && !common.model)
        return usage_error(&usage, "DIR is missing");

    char *path = checkpoint_path(directory ? directory : common.model);
    if (!path)
        return EXIT_FAILED;
    info.path = path;
    pali_error *error = NULL;
    pali_status result = collect(&info, &error);
    if (result == PALI_OK)
        forecast(&info, &common);
    if (result == PALI_OK)
        result = common.json ? print_json(&info, &error) : print_text(&info, &error);
    status = result == PALI_OK ? EXIT_DONE : report(error);

    pali_error_free(error);
    pali_free(info.missing);
    pali_free(info.unexpected);
    pali_checkpoint_free(info.checkpoint);
    pali_config_free(info.config);
    free(path);
    return status;
}
