/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real Gemma tokenizer (256,000 pieces), if the environment variable PALI_SHARED_GEMMA names a folder with its
 * tokenizer.json and tokenization.jsonl: lines [text, ids] from the tokenizers library.
 */
#include <time.h>

#include "test.h"

#include "core/file.h"
#include "core/memory.h"
#include "tokenizer/json_scan.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool encodes_to(const struct pali__tokenizer *tokenizer, const char *text, size_t size, const int64_t *expected,
                       size_t n_expected)
{
    int64_t *ids = NULL;
    size_t n_ids = 0;
    pali_error *error = NULL;
    CHECK_OK(pali__tokenizer_encode(tokenizer, text, size, &ids, &n_ids, &error), error);
    bool same = ids && n_ids == n_expected && memcmp(ids, expected, n_ids * sizeof *ids) == 0;
    pali__free(ids);
    return same;
}

static bool decodes_to(const struct pali__tokenizer *tokenizer, const int64_t *ids, size_t n_ids, const char *expected,
                       size_t size)
{
    char *text = NULL;
    size_t text_size = 0;
    pali_error *error = NULL;
    CHECK_OK(pali__tokenizer_decode(tokenizer, ids, n_ids, false, &text, &text_size, &error), error);
    bool same = text && text_size == size && memcmp(text, expected, size) == 0;
    pali__free(text);
    return same;
}

/* Decoding gives the text back, unless it has space marks of its own, which come back as spaces. */
static bool comes_back(const char *text) { return strstr(text, "\xE2\x96\x81") == NULL && strstr(text, "<0x") == NULL; }

static void check_line(const struct pali__tokenizer *tokenizer, struct pali__scan *json, size_t line, size_t *n_back)
{
    static int64_t ids[1 << 16];
    struct pali__slice slice;
    pali_error *error = NULL;
    size_t n_ids = 0;
    bool more = false;
    CHECK_OK(pali__scan_open_array(json, &error), error);
    CHECK_OK(pali__scan_element(json, &more, &error), error);
    CHECK_OK(pali__scan_string(json, &slice, &error), error);
    char *text = pali__strndup(slice.data, slice.size);
    size_t size = slice.size;
    CHECK_OK(pali__scan_element(json, &more, &error), error);
    CHECK_OK(pali__scan_open_array(json, &error), error);
    while (pali__scan_element(json, &more, &error) == PALI_OK && more && n_ids < sizeof ids / sizeof ids[0])
        CHECK_OK(pali__scan_integer(json, &ids[n_ids++], &error), error);
    CHECK_OK(pali__scan_element(json, &more, &error), error);

    CHECK_MSG(encodes_to(tokenizer, text, size, ids, n_ids), "line %zu", line);
    if (comes_back(text)) {
        ++*n_back;
        CHECK_MSG(decodes_to(tokenizer, ids, n_ids, text, size), "line %zu", line);
    }
    pali__free(text);
}

static void test_lines(const struct pali__tokenizer *tokenizer, const char *folder)
{
    char *text = NULL;
    size_t size = 0, n_lines = 0, n_back = 0;
    pali_error *error = NULL;
    CHECK_OK(pali__file_read(&text, &size, test_path(folder, "tokenization.jsonl"), (size_t)1 << 28, &error), error);
    if (!text)
        return;
    struct pali__scan json;
    pali__scan_init(&json, "tokenization.jsonl", text, size);
    while (pali__scan_peek(&json) == '[')
        check_line(tokenizer, &json, ++n_lines, &n_back);
    CHECK(json.at == size);
    CHECK(n_lines > 0);
    printf("%zu lines, of which %zu were decoded again\n", n_lines, n_back);
    pali__scan_clear(&json);
    pali__free(text);
}

/* PARITY §3 and §4. */
static void test_known(const struct pali__tokenizer *tokenizer)
{
    static const char question[] = "Where is the cow standing?\n";
    static const int64_t question_ids[] = { 6006, 603, 573, 13910, 9980, 235336, 108 };
    CHECK(encodes_to(tokenizer, question, sizeof question - 1, question_ids, 7));
    static const char newlines[] = "\n\n<loc0000><loc1023><seg127><image><bos>";
    static const int64_t newline_ids[] = { 109, 256000, 257023, 257151, 257152, 2 };
    CHECK(encodes_to(tokenizer, newlines, sizeof newlines - 1, newline_ids, 6));
    CHECK(pali__tokenizer_size(tokenizer) == 257153);
    CHECK(pali__tokenizer_id(tokenizer, "<image>") == 257152);
    CHECK(pali__tokenizer_id(tokenizer, "<bos>") == 2);
    CHECK(pali__tokenizer_id(tokenizer, "<no such piece>") == -1);
}

/* Takes `text` over. */
static void time_encoding(const struct pali__tokenizer *tokenizer, const char *what, char *text, size_t size)
{
    int64_t *ids = NULL;
    size_t n_ids = 0;
    pali_error *error = NULL;
    double begin = seconds();
    CHECK_OK(pali__tokenizer_encode(tokenizer, text, size, &ids, &n_ids, &error), error);
    double taken = seconds() - begin;
    printf("%-18s %zu bytes to %zu ids in %.3f s\n", what, size, n_ids, taken);
    CHECK_MSG(taken < 5, "%s took %.3f s", what, taken);
    CHECK(decodes_to(tokenizer, ids, n_ids, text, size));
    pali__free(ids);
    pali__free(text);
}

/* As many whole copies of `unit` as make a megabyte. */
static void time_repeated(const struct pali__tokenizer *tokenizer, const char *what, const char *unit)
{
    size_t unit_size = strlen(unit), size = (size_t)1000000 / unit_size * unit_size;
    char *text = pali__malloc(size);
    for (size_t i = 0; i < size; i++)
        text[i] = unit[i % unit_size];
    time_encoding(tokenizer, what, text, size);
}

/* Scalar values without pattern, of all lengths in UTF-8; no space marks, which would not come back. */
static void time_random(const struct pali__tokenizer *tokenizer)
{
    static const uint32_t limits[] = { 0x80, 0x800, 0x10000, 0x110000 };
    uint32_t state = 7;
    size_t size = 0;
    char *text = pali__malloc(1000000);
    while (size < 1000000 - 4) {
        state = state * 1664525u + 1013904223u;
        uint32_t limit = limits[state >> 30];
        state = state * 1664525u + 1013904223u;
        uint32_t code = (state >> 8) % limit;
        if ((code < 0xD800 || code >= 0xE000) && code != 0x2581)
            size += pali__utf8_write(text + size, code);
    }
    time_encoding(tokenizer, "random characters", text, size);
}

static void test_long_texts(const struct pali__tokenizer *tokenizer)
{
    time_repeated(tokenizer, "prose", "The quick brown fox jumps over the lazy dog, ten times a minute. ");
    time_repeated(tokenizer, "one letter", "a");
    time_repeated(tokenizer, "spaces", " ");
    time_repeated(tokenizer, "newlines", "\n");
    time_repeated(tokenizer, "no spaces", "abracadabra");
    time_repeated(tokenizer, "Chinese", "\xE4\xB8\xAD\xE6\x96\x87\xE5\xAD\x97");
    time_repeated(tokenizer, "byte pieces", "\xF3\xB0\x80\x80");
    time_repeated(tokenizer, "half a token", "<loc00");
    time_random(tokenizer);
}

int main(void)
{
    const char *folder = getenv("PALI_SHARED_GEMMA");
    struct pali__tokenizer *tokenizer = NULL;
    pali_error *error = NULL;
    if (!folder)
        TEST_SKIP("PALI_SHARED_GEMMA does not name a folder with Gemma's tokenizer.json");
    double begin = seconds();
    CHECK_OK(pali__tokenizer_load(&tokenizer, test_path(folder, "tokenizer.json"), &error), error);
    double taken = seconds() - begin;
    printf("loaded in %.3f s\n", taken);
    CHECK_MSG(taken < 5, "took %.3f s", taken);
    if (tokenizer) {
        test_known(tokenizer);
        test_lines(tokenizer, folder);
        test_long_texts(tokenizer);
    }
    pali__tokenizer_free(tokenizer);
    return test_report("tokenizer_gemma");
}
