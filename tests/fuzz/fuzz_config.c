/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as each of the JSON files that the configuration is read from. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <paligemma/config.h>

static const char *const names[] = { "config.json", "generation_config.json", "preprocessor_config.json",
                                     "processor_config.json", "tokenizer_config.json" };
enum { N_NAMES = sizeof names / sizeof names[0] };

static char directory[512];

static void write_file(const char *name, const void *data, size_t size)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
}

static void remove_file(const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    remove(path);
}

static void leave(void)
{
    for (int i = 0; i < N_NAMES; i++)
        remove_file(names[i]);
    rmdir(directory);
}

static void load(void)
{
    pali_config *config = NULL;
    pali_error *error = NULL;
    if ((pali_config_load(&config, directory, &error) == PALI_OK) != (error == NULL))
        abort();
    for (size_t i = 0; i < pali_config_count(config); i++) {
        int64_t value;
        if (pali_config_get_int(config, pali_config_name(config, i), &value, NULL) == PALI_OK && value == INT64_MIN)
            abort();
    }
    pali_config_free(config);
    pali_error_free(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char plain[] = "{\"model_type\":\"paligemma\"}";
    if (!directory[0]) {
        const char *scratch = getenv("PALI_TEST_SCRATCH");
        snprintf(directory, sizeof directory, "%s/fuzz_config-%ld", scratch ? scratch : "/tmp", (long)getpid());
        if (mkdir(directory, 0777) != 0)
            abort();
        atexit(leave);
    }
    write_file(names[0], data, size);
    load();
    write_file(names[0], plain, sizeof plain - 1);
    for (int i = 1; i < N_NAMES; i++) {
        write_file(names[i], data, size);
        load();
        remove_file(names[i]);
    }
    return 0;
}
