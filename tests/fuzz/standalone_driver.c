/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a fuzz target without libFuzzer, for ctest:
 *     fuzz_x [-mutations=N] FILE-OR-FOLDER…
 * Each file, then N (default 1000) mutations of it. They depend on the file's bytes only, so a failure can be repeated;
 * its number stands in the last line of the output when the variable PALI_FUZZ_VERBOSE is set.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LARGEST = 1 << 24 };

static uint64_t random_state;

static uint32_t next_random(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

/* On the heap and of the exact size, so that a sanitizer sees a read past the end. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

/* One change of `size` bytes in a buffer with room for 64 more; returns the new size. */
static size_t mutate(uint8_t *data, size_t size)
{
    static const uint8_t interesting[] = "\"{}[]:,\\/019-.eE tnu\x00\x01\x7f\x80\xff";
    if (size == 0) {
        data[0] = (uint8_t)next_random(256);
        return 1;
    }
    size_t at = next_random((uint32_t)size);
    size_t length = 1 + next_random(16);
    switch (next_random(7)) {
    case 0: data[at] ^= (uint8_t)(1u << next_random(8)); return size;
    case 1: data[at] = interesting[next_random(sizeof interesting - 1)]; return size;
    case 2: data[at] = (uint8_t)(data[at] + (next_random(2) ? 1 : 255)); return size;
    case 3: return at; /* cut off */
    case 4:            /* take out */
        if (length > size - at)
            length = size - at;
        memmove(data + at, data + at + length, size - at - length);
        return size - length;
    case 5: /* put twice */
        if (length > size - at)
            length = size - at;
        memmove(data + at + length, data + at, size - at);
        return size + length;
    default: /* overwrite with bytes from elsewhere */
        if (length > size - at)
            length = size - at;
        memmove(data + at, data + next_random((uint32_t)(size - length + 1)), length);
        return size;
    }
}

static int run_file(const char *path, long n_mutations)
{
    FILE *file = fopen(path, "rb");
    uint8_t *original = malloc(LARGEST + 64), *changed = malloc(LARGEST + 64);
    if (!file || !original || !changed) {
        fprintf(stderr, "cannot read %s\n", path);
        return 1;
    }
    size_t size = fread(original, 1, LARGEST, file);
    fclose(file);
    run(original, size);
    random_state = size;
    for (long i = 0; i < n_mutations; i++) {
        if (getenv("PALI_FUZZ_VERBOSE"))
            fprintf(stderr, "%s: mutation %ld\n", path, i);
        memcpy(changed, original, size);
        size_t changed_size = size;
        for (uint32_t n = 1 + next_random(4); n > 0; n--)
            if (changed_size <= size)
                changed_size = mutate(changed, changed_size);
        run(changed, changed_size);
    }
    free(original);
    free(changed);
    return 0;
}

static int skip_hidden(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static int run_path(const char *path, long n_mutations, int *n_files)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        ++*n_files;
        return run_file(path, n_mutations);
    }
    struct dirent **entries;
    int n_entries = scandir(path, &entries, skip_hidden, alphasort), failed = n_entries < 0;
    for (int i = 0; i < n_entries; i++) {
        char inner[4096];
        snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
        failed |= run_path(inner, n_mutations, n_files);
        free(entries[i]);
    }
    if (n_entries >= 0)
        free(entries);
    return failed;
}

int main(int argc, char **argv)
{
    long n_mutations = 1000;
    int failed = 0, n_files = 0;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-mutations=", 11) == 0)
            n_mutations = strtol(argv[i] + 11, NULL, 10);
        else
            failed |= run_path(argv[i], n_mutations, &n_files);
    }
    printf("%d files, %ld mutations of each\n", n_files, n_mutations);
    return failed || n_files == 0;
}
