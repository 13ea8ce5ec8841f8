/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory that machines and their control groups leave, on machines of files (core/available_memory.h); the forecast
 * of a model against what loading it allocates; and a model that does not fit.
 */
#include <sys/stat.h>

#include <paligemma/forecast.h>

#include "core/available_memory.h"
#include "model/network.h"
#include "parity/fixtures.h"

static char root[1024];

/* A file of the machine, with the folders above it. */
static void machine_file(const char *path, const char *text)
{
    char full[2048];

    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *at = strchr(full + strlen(root) + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        mkdir(full, 0777);
        *at = '/';
    }
    FILE *file = fopen(full, "w");
    CHECK_MSG(file != NULL, "%s", full);
    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

/* With none of the files that an earlier run may have left. */
static void new_machine(const char *name)
{
    static const char *const groups[] = { "", "/user", "/user/job", "/memory" };
    static const char *const files[] = { "memory.max", "memory.current", "memory.stat", "memory.limit_in_bytes",
                                         "memory.usage_in_bytes" };
    char path[2048];

    snprintf(root, sizeof root, "%.900s/%s", test_scratch(), name);
    mkdir(root, 0777);
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        for (size_t j = 0; j < sizeof files / sizeof *files; j++) {
            snprintf(path, sizeof path, "%s/sys/fs/cgroup%s/%s", root, groups[i], files[j]);
            remove(path);
        }
    }
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    remove(path);
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    remove(path);
    pali__available_memory_root = root;
}

static void machines(void)
{
    new_machine("nothing");
    CHECK(pali__available_memory() == -1);

    new_machine("plain");
    machine_file("/proc/meminfo", "MemTotal:       24000000 kB\nMemFree:  100 kB\nMemAvailable:   20000000 kB\n");
    CHECK(pali__available_memory() == 20000000LL * 1024);
    machine_file("/proc/self/cgroup", "0::/\n"); /* of which nothing can be seen */
    CHECK(pali__available_memory() == 20000000LL * 1024);

    new_machine("v2");
    machine_file("/proc/meminfo", "MemAvailable:   20000000 kB\n");
    machine_file("/proc/self/cgroup", "0::/user/job\n");
    machine_file("/sys/fs/cgroup/user/job/memory.max", "max\n");
    machine_file("/sys/fs/cgroup/user/job/memory.current", "7000000000\n");
    CHECK(pali__available_memory() == 20000000LL * 1024);
    machine_file("/sys/fs/cgroup/user/job/memory.max", "9000000000\n");
    CHECK(pali__available_memory() == 2000000000LL);
    machine_file("/sys/fs/cgroup/user/job/memory.stat", "anon 1\ninactive_file 3000000000\nactive_file 1000000000\n"
                                                        "unevictable 0\n");
    CHECK(pali__available_memory() == 6000000000LL);
    machine_file("/sys/fs/cgroup/user/memory.max", "5000000000\n"); /* a parent's is less */
    machine_file("/sys/fs/cgroup/user/memory.current", "4500000000\n");
    CHECK(pali__available_memory() == 500000000LL);
    machine_file("/sys/fs/cgroup/user/memory.current", "5500000000\n"); /* over its limit */
    CHECK(pali__available_memory() == 0);
    machine_file("/sys/fs/cgroup/user/memory.max", "nonsense\n");
    CHECK(pali__available_memory() == 6000000000LL);

    new_machine("v1");
    machine_file("/proc/meminfo", "MemAvailable:   20000000 kB\n");
    machine_file("/proc/self/cgroup", "11:cpu,memory_not:/x\n9:blkio,memory:/docker/abc\n1:name=systemd:/y\n");
    machine_file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "8000000000\n"); /* as a container sees it */
    machine_file("/sys/fs/cgroup/memory/memory.usage_in_bytes", "3000000000\n");
    machine_file("/sys/fs/cgroup/memory/memory.stat", "cache 1\ntotal_inactive_file 500000000\n"
                                                      "total_active_file 500000000\n");
    CHECK(pali__available_memory() == 6000000000LL);
    machine_file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    CHECK(pali__available_memory() == 20000000LL * 1024);
    pali__available_memory_root = "";
    CHECK(pali__available_memory() != 0);
}

static void forecasts(void)
{
    const char *path = fixture_path("pg2", NULL);
    pali_memory_forecast forecast = PALI_MEMORY_FORECAST_INIT, more = PALI_MEMORY_FORECAST_INIT, other = forecast;
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_error *error = NULL;

    CHECK_OK(pali_model_forecast_memory(&forecast, path, NULL, 10, &error), error);
    CHECK_OK(pali_model_forecast_memory(&more, path, NULL, 30, &error), error);
    CHECK(forecast.weights_mapped > 0 && forecast.weights_copied > 0 && forecast.vision > 0);
    CHECK(more.cache - forecast.cache == 20 * forecast.cache_per_token && more.activations > forecast.activations);
    CHECK(forecast.total == forecast.weights_mapped + forecast.weights_copied + forecast.cache +
                                (forecast.vision > forecast.activations ? forecast.vision : forecast.activations));

    CHECK_OK(pali_model_load(&model, path, NULL, &error), error); /* the cache's own word for its size */
    pali_cache_options cache_options = PALI_CACHE_OPTIONS_INIT;
    pali_cache *cache = NULL;
    cache_options.capacity = 100;
    CHECK_OK(pali_cache_create(&cache, model, &cache_options, &error), error);
    int64_t kinds = 100 * (2 + (int64_t)sizeof(int64_t));
    CHECK((int64_t)pali_cache_size_bytes(cache) == 100 * forecast.cache_per_token + kinds);
    pali_cache_free(cache);
    pali_model_free(model);

    options.copy_weights = 1; /* all that was mapped is copied */
    CHECK_OK(pali_model_forecast_memory(&other, path, &options, 10, &error), error);
    CHECK(other.weights_mapped == 0 && other.weights_copied == forecast.weights_mapped + forecast.weights_copied);
    options.copy_weights = 0;
    options.int8_head = 1;
    CHECK_OK(pali_model_forecast_memory(&other, path, &options, 10, &error), error);
    CHECK(other.weights_copied > forecast.weights_copied && other.weights_mapped == forecast.weights_mapped);
    options.int8_head = 0;
    options.dtype = PALI_BFLOAT16; /* a float32 checkpoint is converted, to half its size */
    CHECK_OK(pali_model_forecast_memory(&other, fixture_path("pg2-f32", NULL), NULL, 10, &error), error);
    CHECK_OK(pali_model_forecast_memory(&more, fixture_path("pg2-f32", NULL), &options, 10, &error), error);
    CHECK(more.weights_mapped < other.weights_mapped && more.weights_copied > other.weights_copied);
    CHECK(2 * (more.weights_copied - other.weights_copied) == other.weights_mapped - more.weights_mapped);

    CHECK_FAILS(pali_model_forecast_memory(NULL, path, NULL, 1, &error), error, PALI_ERROR_ARGUMENT, "forecast");
    CHECK_FAILS(pali_model_forecast_memory(&other, NULL, NULL, 1, &error), error, PALI_ERROR_ARGUMENT, "path");
    CHECK_FAILS(pali_model_forecast_memory(&other, path, NULL, -1, &error), error, PALI_ERROR_ARGUMENT, "n_tokens");
    CHECK_FAILS(pali_model_forecast_memory(&other, "/nowhere", NULL, 1, &error), error, PALI_ERROR_IO, "/nowhere");
    options.dtype = PALI_INT8;
    CHECK_FAILS(pali_model_forecast_memory(&other, path, &options, 1, &error), error, PALI_ERROR_ARGUMENT, "int8");
}

static void refusals(void)
{
    const char *path = fixture_path("pg2", NULL);
    pali_memory_forecast forecast = PALI_MEMORY_FORECAST_INIT;
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_error *error = NULL;
    char line[64];

    new_machine("small");
    CHECK_OK(pali_model_forecast_memory(&forecast, path, NULL, 128, &error), error);
    CHECK(forecast.available == -1);
    CHECK_OK(pali_model_load(&model, path, NULL, &error), error); /* nobody says what the machine has */
    pali_model_free(model);

    machine_file("/proc/self/cgroup", "0::/\n");
    snprintf(line, sizeof line, "%lld\n", (long long)forecast.total - 1);
    machine_file("/sys/fs/cgroup/memory.max", line);
    model = NULL;
    CHECK_FAILS(pali_model_load(&model, path, NULL, &error), error, PALI_ERROR_MEMORY, "ignore_memory");
    CHECK(model == NULL);
    options.ignore_memory = 1;
    CHECK_OK(pali_model_load(&model, path, &options, &error), error);
    pali_model_free(model);
    snprintf(line, sizeof line, "%lld\n", (long long)forecast.total);
    machine_file("/sys/fs/cgroup/memory.max", line);
    CHECK_OK(pali_model_load(&model, path, NULL, &error), error);
    pali_model_free(model);
    pali__available_memory_root = "";
}

int main(void)
{
    machines();
    forecasts();
    refusals();
    return test_report("memory forecast");
}
