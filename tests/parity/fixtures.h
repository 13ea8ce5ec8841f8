/* SPDX-License-Identifier: BSD-2-Clause */
/* The model fixtures of tests/oracle/make_model_fixtures.py: folders tests/data/models/NAME with cases. */
#ifndef PALI_TESTS_PARITY_FIXTURES_H
#define PALI_TESTS_PARITY_FIXTURES_H

#include <dirent.h>
#include <stdbool.h>

#include <paligemma/paligemma.h>

#include "test.h"

static const char *const fixture_models[] = { "pg1", "pg2", "pg1-bf16", "pg1-lone-head", "pg2-f16", "pg2-f32",
                                              "llama", "llama-untied", "mistral" };
#define N_FIXTURE_MODELS (sizeof fixture_models / sizeof *fixture_models)

static inline const char *fixture_path(const char *model, const char *file)
{
    static char buffers[4][1024];
    static int turn;
    char *buffer = buffers[turn++ % 4];
    snprintf(buffer, sizeof buffers[0], "%s/models/%s%s%s", test_data(), model, file ? "/" : "", file ? file : "");
    return buffer;
}

static inline pali_inputs *fixture_tensors(const char *model, const char *name, const char *kind)
{
    char file[256];
    pali_inputs *tensors = NULL;
    pali_error *error = NULL;
    snprintf(file, sizeof file, "%.200s.%.20s.safetensors", name, kind);
    CHECK_OK(pali_inputs_load(&tensors, fixture_path(model, file), &error), error);
    return tensors;
}

/* Calls `visit` with the name of every case whose file ends in `ending`; returns how many there were. */
static inline int fixture_cases(const char *model, const char *ending, void (*visit)(const char *model, const char *name))
{
    DIR *directory = opendir(fixture_path(model, NULL));
    struct dirent *entry;
    int count = 0;

    CHECK_MSG(directory != NULL, "no fixtures in %s", fixture_path(model, NULL));
    while (directory && (entry = readdir(directory)) != NULL) {
        size_t length = strlen(entry->d_name), end = strlen(ending);
        char name[256];
        if (length <= end || length >= sizeof name || strcmp(entry->d_name + length - end, ending))
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(length - end), entry->d_name);
        visit(model, name);
        count++;
    }
    if (directory)
        closedir(directory);
    return count;
}

#endif
