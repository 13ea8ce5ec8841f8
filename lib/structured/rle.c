/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * COCO's run-length encoding (cocoapi, common/maskApi.c). The text form: the first three runs are written as they are,
 * each further one as its difference from the one two before; a number is cut into groups of 5 bits, lowest first, the
 * last one's top bit being the sign; each group is one character, 48 + group, + 32 if more follow.
 */
#include <paligemma/segmentation.h>

#include <stdbool.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"

/* Runs, as they come. */
struct runs {
    uint32_t *counts;
    size_t n, capacity;
};

static bool push_run(struct runs *runs, uint32_t count)
{
    if (runs->n == runs->capacity) {
        const size_t capacity = runs->capacity ? runs->capacity * 2 : 16;
        uint32_t *counts = pali__regrow(runs->counts, runs->n * sizeof *counts, capacity * sizeof *counts);
        if (!counts)
            return false;
        runs->counts = counts;
        runs->capacity = capacity;
    }
    runs->counts[runs->n++] = count;
    return true;
}

static pali_status check_sides(const char *function, int32_t width, int32_t height, pali_error **error)
{
    if (width < 0 || height < 0 || (int64_t)width * height > UINT32_MAX)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "%s: the mask is %ld x %ld, expected no negative side and at most 4294967295 pixels",
                          function, (long)width, (long)height);
    return PALI_OK;
}

pali_status pali_rle_encode(uint32_t **counts, size_t *n_counts, const uint8_t *mask, int32_t width, int32_t height,
                            pali_error **error)
{
    if (!counts || !n_counts || !mask)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_rle_encode: %s is NULL",
                          !counts ? "counts" : !n_counts ? "n_counts" : "mask");
    *counts = NULL;
    *n_counts = 0;
    TRY(check_sides("pali_rle_encode", width, height, error));
    struct runs runs = { 0 };
    uint32_t length = 0;
    bool on = false, ok = true;
    for (int32_t x = 0; x < width; x++)
        for (int32_t y = 0; y < height && ok; y++) {
            if ((mask[(size_t)y * (size_t)width + (size_t)x] != 0) != on) {
                ok = push_run(&runs, length);
                on = !on;
                length = 0;
            }
            length++;
        }
    if (!ok || !push_run(&runs, length)) {
        pali__free(runs.counts);
        return pali__no_memory(error, runs.n * 2 * sizeof *runs.counts);
    }
    *counts = runs.counts;
    *n_counts = runs.n;
    return PALI_OK;
}

pali_status pali_rle_decode(uint8_t *mask, const uint32_t *counts, size_t n_counts, int32_t width, int32_t height,
                            pali_error **error)
{
    if (!mask || (!counts && n_counts))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_rle_decode: %s is NULL", mask ? "counts" : "mask");
    TRY(check_sides("pali_rle_decode", width, height, error));
    const uint64_t n_pixels = (uint64_t)width * (uint64_t)height;
    uint64_t total = 0;
    for (size_t i = 0; i < n_counts && total <= n_pixels; i++)
        total += counts[i];
    if (total != n_pixels)
        return pali__fail(error, PALI_ERROR_FORMAT,
                          "pali_rle_decode: the runs have %s than the %llu pixels of %ld x %ld",
                          total > n_pixels ? "more" : "fewer", (unsigned long long)n_pixels, (long)width, (long)height);
    uint64_t at = 0;
    for (size_t i = 0; i < n_counts; i++)
        for (uint32_t k = 0; k < counts[i]; k++, at++)
            mask[(size_t)(at % (uint64_t)height) * (size_t)width + (size_t)(at / (uint64_t)height)] = i % 2;
    return PALI_OK;
}

static bool append_number(struct pali__text *text, int64_t value)
{
    for (bool more = true; more;) {
        char group = (char)(value & 31);
        value >>= 5; /* arithmetic, with every compiler that we are built with */
        more = group & 16 ? value != -1 : value != 0;
        group = (char)(48 + group + (more ? 32 : 0));
        if (!pali__text_append(text, &group, 1))
            return false;
    }
    return true;
}

pali_status pali_rle_to_text(char **text, const uint32_t *counts, size_t n_counts, pali_error **error)
{
    if (!text)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_rle_to_text: text is NULL");
    *text = NULL;
    if (!counts && n_counts)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_rle_to_text: counts is NULL");
    struct pali__text written = { NULL, 0, 0 };
    bool ok = pali__text_append(&written, "", 0);
    for (size_t i = 0; i < n_counts && ok; i++)
        ok = append_number(&written, i > 2 ? (int64_t)counts[i] - counts[i - 2] : (int64_t)counts[i]);
    if (!ok) {
        pali__text_clear(&written);
        return pali__no_memory(error, n_counts * 7);
    }
    *text = written.data;
    return PALI_OK;
}

/* One number at *at, which moves past it; false for what is none. */
static bool read_number(const char **at, int64_t *value)
{
    uint64_t bits = 0;
    for (int shift = 0; shift < 40; shift += 5) {
        const int group = **at - 48;
        if (group < 0 || group > 63)
            return false;
        ++*at;
        bits |= (uint64_t)(group & 31) << shift;
        if (!(group & 32)) {
            *value = (int64_t)bits - (group & 16 ? (int64_t)1 << (shift + 5) : 0);
            return true;
        }
    }
    return false;
}

pali_status pali_rle_from_text(uint32_t **counts, size_t *n_counts, const char *text, pali_error **error)
{
    if (!counts || !n_counts || !text)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_rle_from_text: %s is NULL",
                          !counts ? "counts" : !n_counts ? "n_counts" : "text");
    *counts = NULL;
    *n_counts = 0;
    struct runs runs = { 0 };
    for (const char *at = text; *at;) {
        int64_t value = 0;
        const char *begin = at;
        bool ok = read_number(&at, &value);
        if (ok && runs.n > 2)
            value += runs.counts[runs.n - 2];
        if (!ok || value < 0 || value > UINT32_MAX) {
            pali__free(runs.counts);
            return pali__fail(error, PALI_ERROR_FORMAT, "pali_rle_from_text: no run length is written at byte %zu",
                              (size_t)(begin - text));
        }
        if (!push_run(&runs, (uint32_t)value)) {
            pali__free(runs.counts);
            return pali__no_memory(error, runs.n * 2 * sizeof *runs.counts);
        }
    }
    *counts = runs.counts;
    *n_counts = runs.n;
    return PALI_OK;
}
