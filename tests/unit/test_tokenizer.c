/* SPDX-License-Identifier: BSD-2-Clause */
/* The tokenizer on small files: what the oracle does with texts and ids, and files that are not as they should be. */
#include "test.h"

#include "core/file.h"
#include "core/memory.h"
#include "tokenizer/json_scan.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_json.h"

/* ---- equal to the oracle ---- */

struct fixture_case {
    char *text; /* NULL: decoding alone */
    size_t text_size;
    int64_t ids[4096];
    size_t n_ids;
    char *decoded[2]; /* all tokens; without special ones */
    size_t decoded_size[2];
};

static char *read_text(struct pali__scan *json, size_t *size)
{
    struct pali__slice slice = { "", 0 };
    pali_error *error = NULL;
    bool more = false;
    CHECK_OK(pali__scan_element(json, &more, &error), error);
    *size = 0;
    if (pali__scan_peek(json) == 'n') {
        CHECK_OK(pali__scan_null(json, &error), error);
        return NULL;
    }
    CHECK_OK(pali__scan_string(json, &slice, &error), error);
    *size = slice.size;
    return pali__strndup(slice.data, slice.size);
}

static void read_case(struct pali__scan *json, struct fixture_case *one)
{
    pali_error *error = NULL;
    bool more = false;
    CHECK_OK(pali__scan_open_array(json, &error), error);
    one->text = read_text(json, &one->text_size);
    one->n_ids = 0;
    CHECK_OK(pali__scan_element(json, &more, &error), error);
    CHECK_OK(pali__scan_open_array(json, &error), error);
    while (pali__scan_element(json, &more, &error) == PALI_OK && more &&
           one->n_ids < sizeof one->ids / sizeof one->ids[0])
        CHECK_OK(pali__scan_integer(json, &one->ids[one->n_ids++], &error), error);
    for (int i = 0; i < 2; i++)
        one->decoded[i] = read_text(json, &one->decoded_size[i]);
    CHECK_OK(pali__scan_element(json, &more, &error), error);
    CHECK(!more);
}

/* What a program that streams does: byte pieces are gathered until another piece follows. */
static void check_stream(const struct pali__tokenizer *tokenizer, const struct fixture_case *one, int skip, size_t line)
{
    struct pali__text streamed = { NULL, 0, 0 };
    size_t size;
    bool is_byte, has_bytes = false;
    for (size_t i = 0; i < one->n_ids; i++) {
        const char *piece = pali__tokenizer_piece(tokenizer, one->ids[i], skip != 0, &size, &is_byte);
        CHECK(piece != NULL && (!is_byte || size == 1));
        has_bytes = has_bytes || is_byte;
        CHECK(pali__text_append(&streamed, piece, size));
    }
    if (!has_bytes)
        CHECK_MSG(streamed.size == one->decoded_size[skip] &&
                      (streamed.size == 0 || memcmp(streamed.data, one->decoded[skip], streamed.size) == 0),
                  "line %zu", line);
    pali__text_clear(&streamed);
}

static void check_case(const struct pali__tokenizer *tokenizer, const struct fixture_case *one, size_t line)
{
    pali_error *error = NULL;
    if (one->text) {
        int64_t *ids = NULL;
        size_t n_ids = 0;
        CHECK_OK(pali__tokenizer_encode(tokenizer, one->text, one->text_size, &ids, &n_ids, &error), error);
        CHECK_MSG(ids && n_ids == one->n_ids && memcmp(ids, one->ids, n_ids * sizeof *ids) == 0, "line %zu", line);
        pali__free(ids);
    }
    for (int skip = 0; skip < 2; skip++) {
        char *text = NULL;
        size_t size = 0;
        CHECK_OK(pali__tokenizer_decode(tokenizer, one->ids, one->n_ids, skip != 0, &text, &size, &error), error);
        CHECK_MSG(text && size == one->decoded_size[skip] && memcmp(text, one->decoded[skip], size + 1) == 0,
                  "line %zu: %s", line, text);
        pali__free(text);
        check_stream(tokenizer, one, skip, line);
    }
}

static void test_fixture(const char *name, size_t least_cases)
{
    static struct fixture_case one;
    char path[256], *text = NULL;
    size_t size = 0, n_cases = 0;
    struct pali__tokenizer *tokenizer = NULL;
    pali_error *error = NULL;
    snprintf(path, sizeof path, "tokenizer/%s.json", name);
    CHECK_OK(pali__tokenizer_load(&tokenizer, test_path(test_data(), path), &error), error);
    snprintf(path, sizeof path, "tokenizer/%s.jsonl", name);
    CHECK_OK(pali__file_read(&text, &size, test_path(test_data(), path), (size_t)1 << 24, &error), error);
    struct pali__scan json;
    pali__scan_init(&json, path, text ? text : "", size);
    while (tokenizer && pali__scan_peek(&json) == '[') {
        read_case(&json, &one);
        check_case(tokenizer, &one, ++n_cases);
        pali__free(one.text);
        pali__free(one.decoded[0]);
        pali__free(one.decoded[1]);
    }
    CHECK_MSG(n_cases >= least_cases && json.at == size, "%s: %zu cases, byte %zu of %zu", name, n_cases, json.at,
              size);
    pali__scan_clear(&json);
    pali__free(text);
    pali__tokenizer_free(tokenizer);
}

/* ---- the interface ---- */

static void test_interface(void)
{
    struct pali__tokenizer *tokenizer = NULL;
    pali_error *error = NULL;
    int64_t *ids = NULL;
    size_t n_ids = 0, size = 0;
    char *text = NULL;
    CHECK_OK(pali__tokenizer_load(&tokenizer, test_path(test_data(), "tokenizer/gemma_strings.json"), &error), error);
    if (!tokenizer)
        return;
    int64_t image = pali__tokenizer_id(tokenizer, "<image>"), count = pali__tokenizer_size(tokenizer);
    CHECK(image == count - 1);
    CHECK(pali__tokenizer_id(tokenizer, "<bos>") == 2 && pali__tokenizer_id(tokenizer, "\n\n") == 7);
    CHECK(pali__tokenizer_id(tokenizer, "") == -1 && pali__tokenizer_id(tokenizer, "<imag") == -1);

    CHECK_FAILS(pali__tokenizer_encode(tokenizer, "cat\xC3(", 5, &ids, &n_ids, &error), error, PALI_ERROR_ARGUMENT,
                "byte offset 3");
    CHECK_FAILS(pali__tokenizer_encode(tokenizer, "0123456789\xED\xA0\x80", 13, &ids, &n_ids, &error), error,
                PALI_ERROR_ARGUMENT, "byte offset 10");
    CHECK(ids == NULL && n_ids == 0);
    int64_t wrong[] = { 2, count };
    CHECK_FAILS(pali__tokenizer_decode(tokenizer, wrong, 2, false, &text, &size, &error), error, PALI_ERROR_ARGUMENT,
                "at index 1");
    wrong[0] = -1;
    CHECK_FAILS(pali__tokenizer_decode(tokenizer, wrong, 1, false, &text, &size, &error), error, PALI_ERROR_ARGUMENT,
                "found -1");
    CHECK(text == NULL);

    bool is_byte = true;
    CHECK(pali__tokenizer_piece(tokenizer, count, false, &size, &is_byte) != NULL && size == 0 && !is_byte);
    CHECK(pali__tokenizer_piece(tokenizer, -1, false, &size, &is_byte) != NULL && size == 0);
    const char *piece = pali__tokenizer_piece(tokenizer, image, true, &size, &is_byte);
    CHECK(piece != NULL && size == 0);
    piece = pali__tokenizer_piece(tokenizer, image, false, &size, &is_byte);
    CHECK(size == 7 && memcmp(piece, "<image>", 7) == 0);
    piece = pali__tokenizer_piece(tokenizer, pali__tokenizer_id(tokenizer, "<0xFF>"), true, &size, &is_byte);
    CHECK(size == 1 && is_byte && (unsigned char)piece[0] == 0xFF);
    piece = pali__tokenizer_piece(tokenizer, pali__tokenizer_id(tokenizer, "\xE2\x96\x81the"), true, &size, &is_byte);
    CHECK(size == 4 && !is_byte && memcmp(piece, " the", 4) == 0);
    pali__tokenizer_free(tokenizer);
    pali__tokenizer_free(NULL);
    CHECK_FAILS(pali__tokenizer_load(&tokenizer, test_path(test_data(), "tokenizer/none.json"), &error), error,
                PALI_ERROR_IO, "none.json");
    CHECK(tokenizer == NULL);
}

/* ---- files that are not as they should be ---- */

static pali_status parse(const char *text, size_t size, pali_error **error)
{
    struct pali__tokenizer *tokenizer = NULL;
    char *copy = pali__strndup(text, size); /* A block of its own lets a sanitizer see reads past the end. */
    pali_status status = pali__tokenizer_parse(&tokenizer, "t.json", copy, size, error);
    CHECK((status == PALI_OK) == (tokenizer != NULL));
    if (tokenizer) {
        static const char sample[] = "a b<image>\xC3\xA9\n ab";
        int64_t *ids = NULL;
        size_t n_ids = 0, decoded_size;
        char *decoded = NULL;
        CHECK(pali__tokenizer_encode(tokenizer, sample, sizeof sample - 1, &ids, &n_ids, NULL) == PALI_OK);
        CHECK(pali__tokenizer_decode(tokenizer, ids, n_ids, false, &decoded, &decoded_size, NULL) == PALI_OK);
        pali__free(ids);
        pali__free(decoded);
    }
    pali__tokenizer_free(tokenizer);
    pali__free(copy);
    return status;
}

#define NORMALIZER "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\xE2\x96\x81\"}"
#define UNMARK "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\xE2\x96\x81\"},\"content\":\" \"}"
#define DECODER "{\"type\":\"Sequence\",\"decoders\":[" UNMARK ",{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}]}"
#define ADDED "{\"id\":5,\"content\":\"<image>\",\"special\":true}"
#define VOCAB "\"<unk>\":0,\"\xE2\x96\x81\":1,\"a\":2,\"b\":3,\"ab\":4"

/* A file of which one part is as given and the others as they should be (NULL). */
struct parts {
    const char *added, *normalizer, *pre_tokenizer, *decoder, *model, *vocab, *merges;
};

static size_t write_parts(char *out, size_t size, struct parts parts)
{
    return (size_t)snprintf(
        out, size,
        "{\"version\":\"1.0\",\"added_tokens\":[%s],\"normalizer\":%s,\"pre_tokenizer\":%s,\"decoder\":%s,\"model\":{%s,"
        "\"vocab\":{%s},\"merges\":[%s]}}",
        parts.added ? parts.added : ADDED, parts.normalizer ? parts.normalizer : NORMALIZER,
        parts.pre_tokenizer ? parts.pre_tokenizer : "null", parts.decoder ? parts.decoder : DECODER,
        parts.model ? parts.model : "\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"byte_fallback\":true",
        parts.vocab ? parts.vocab : VOCAB, parts.merges ? parts.merges : "\"a b\"");
}

static void test_parts(void)
{
    static const struct {
        struct parts parts;
        pali_status status;
        const char *fragment;
    } cases[] = {
        { { 0 }, PALI_OK, "no error" },
        { { .normalizer = "null" }, PALI_OK, "no error" },
        { { .normalizer = "{\"type\":\"Sequence\",\"normalizers\":[" NORMALIZER "]}" }, PALI_OK, "no error" },
        { { .added = "" }, PALI_OK, "no error" },
        { { .merges = "[\"a\",\"b\"]" }, PALI_OK, "no error" },
        { { .merges = "\"#version: 0.2\",\"a b\"" }, PALI_OK, "no error" },
        { { .merges = "" }, PALI_OK, "no error" },
        { { .vocab = "\"<unk>\":0,\"a\":3,\"b\":7,\"ab\":9", .added = "" }, PALI_OK, "no error" },
        { { .model = "\"type\":\"BPE\",\"dropout\":0.0,\"unk_token\":null" }, PALI_OK, "no error" },
        /* kinds that are not Gemma's */
        { { .model = "\"type\":\"WordPiece\"" }, PALI_ERROR_UNSUPPORTED,
          "model.type: expected \"BPE\", found \"WordPiece\"" },
        { { .model = "\"type\":\"BPE\",\"dropout\":0.1" }, PALI_ERROR_UNSUPPORTED, "model.dropout" },
        { { .model = "\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\"" }, PALI_ERROR_UNSUPPORTED, "</w>" },
        { { .normalizer = "{\"type\":\"NFKC\"}" }, PALI_ERROR_UNSUPPORTED, "found \"NFKC\"" },
        { { .normalizer = "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" \"},\"content\":\"_\"}" },
          PALI_ERROR_UNSUPPORTED, "regular expression" },
        { { .normalizer = "{\"type\":\"Sequence\",\"normalizers\":[" NORMALIZER ",{\"type\":\"Lowercase\"}]}" },
          PALI_ERROR_UNSUPPORTED, "Lowercase" },
        { { .pre_tokenizer = "{\"type\":\"Metaspace\"}" }, PALI_ERROR_UNSUPPORTED, "pre_tokenizer" },
        { { .normalizer = "null",
            .pre_tokenizer = "{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},\"invert\":false}" },
          PALI_ERROR_UNSUPPORTED, "pre_tokenizer" },
        { { .decoder = "null" }, PALI_ERROR_UNSUPPORTED, "decoder" },
        { { .decoder = UNMARK }, PALI_ERROR_UNSUPPORTED, "found 1 of these steps" },
        { { .decoder = "{\"type\":\"ByteLevel\"}" }, PALI_ERROR_UNSUPPORTED, "ByteLevel" },
        { { .added = "{\"id\":5,\"content\":\"x\",\"single_word\":true}" }, PALI_ERROR_UNSUPPORTED, "single_word" },
        /* contradictions */
        { { .merges = "\"a b\",\"a c\"" }, PALI_ERROR_FORMAT, "merge 1, \"a\" with \"c\"" },
        { { .merges = "\"b a\"" }, PALI_ERROR_FORMAT, "found \"ba\"" },
        { { .merges = "\"a b c\"" }, PALI_ERROR_FORMAT, "two pieces with one space" },
        { { .merges = "\"ab\"" }, PALI_ERROR_FORMAT, "two pieces with one space" },
        { { .merges = "\" \"" }, PALI_ERROR_FORMAT, "found \"\"" },
        { { .merges = "[\"a\"]" }, PALI_ERROR_FORMAT, "a string" },
        { { .merges = "[\"a\",\"b\",\"c\"]" }, PALI_ERROR_FORMAT, "the end of a pair" },
        { { .merges = "[]" }, PALI_ERROR_FORMAT, "a string" },
        { { .merges = "7" }, PALI_ERROR_FORMAT, "a string" },
        { { .vocab = VOCAB ",\"c\":4" }, PALI_ERROR_FORMAT, "\"ab\" with id 4" },
        { { .vocab = VOCAB ",\"a\":9" }, PALI_ERROR_FORMAT, "\"a\" with id 2" },
        { { .vocab = VOCAB ",\"c\":-1" }, PALI_ERROR_FORMAT, "found -1" },
        { { .vocab = VOCAB ",\"c\":4194304" }, PALI_ERROR_FORMAT, "found 4194304" },
        { { .vocab = VOCAB ",\"c\":65535", .added = "" }, PALI_OK, "no error" },
        { { .vocab = VOCAB ",\"c\":65536" }, PALI_ERROR_FORMAT, "expected an id from 0 to 65535, found 65536" },
        { { .vocab = VOCAB ",\"c\":99999999999999999999" }, PALI_ERROR_FORMAT, "reasonable size" },
        { { .vocab = VOCAB ",\"c\":5.0" }, PALI_ERROR_FORMAT, "an integer" },
        { { .vocab = VOCAB ",\"c\":\"5\"" }, PALI_ERROR_FORMAT, "an integer" },
        { { .vocab = VOCAB ",\"\":5" }, PALI_ERROR_FORMAT, "empty" },
        { { .vocab = VOCAB ",\"\xC0\x80\":5" }, PALI_ERROR_FORMAT, "valid UTF-8" },
        { { .vocab = VOCAB ",\"\\ud800\":5" }, PALI_ERROR_FORMAT, "surrogate" },
        { { .vocab = VOCAB ",\"\\ud83d\\u0041\":5" }, PALI_ERROR_FORMAT, "surrogate" },
        { { .vocab = VOCAB ",\"\\q\":5" }, PALI_ERROR_FORMAT, "an escape" },
        { { .vocab = VOCAB ",\"\n\":5" }, PALI_ERROR_FORMAT, "control characters" },
        { { .vocab = VOCAB ",\"c\":05" }, PALI_ERROR_FORMAT, "a value" },
        { { .vocab = "\"a\":2,\"b\":3,\"ab\":4" }, PALI_ERROR_FORMAT, "model.unk_token" },
        { { .added = "{\"id\":6,\"content\":\"x\"}" }, PALI_ERROR_FORMAT, "expected id 5, found 6" },
        { { .added = "{\"id\":5,\"content\":\"a\"}" }, PALI_ERROR_FORMAT, "expected id 2, found 5" },
        { { .added = "{\"id\":5,\"content\":\"\"}" }, PALI_ERROR_FORMAT, "empty" },
        { { .added = "{\"id\":5}" }, PALI_ERROR_FORMAT, "\"content\"" },
        { { .added = "{\"content\":\"x\"}" }, PALI_ERROR_FORMAT, "found -1" },
        { { .added = ADDED "," ADDED }, PALI_ERROR_FORMAT, "once" },
        { { .vocab = "\"<unk>\":0,\"a\":3,\"b\":5,\"ab\":9,\"c\":10" }, PALI_ERROR_FORMAT, "\"b\" with id 5" },
        { { .model = "\"type\":\"BPE\",\"vocab\":{}" }, PALI_ERROR_FORMAT, "\"vocab\" once" },
        { { .model = "\"dropout\":null" }, PALI_ERROR_FORMAT, "\"type\"" },
        { { .model = "\"type\":7" }, PALI_ERROR_FORMAT, "a string" },
    };
    char text[4096];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pali_error *error = NULL;
        size_t size = write_parts(text, sizeof text, cases[i].parts);
        pali_status status = parse(text, size, &error);
        CHECK_MSG(status == cases[i].status, "case %zu: %s", i, pali_error_message(error));
        CHECK_MSG(strstr(pali_error_message(error), cases[i].fragment) != NULL, "case %zu: %s", i,
                  pali_error_message(error));
        CHECK(status == PALI_OK || strncmp(pali_error_message(error), "t.json: ", 8) == 0);
        CHECK_MSG(strchr(pali_error_message(error), '\n') == NULL, "case %zu", i);
        pali_error_free(error);
    }
}

static void test_whole_files(void)
{
    static const char *const texts[] = { "", " ", "null", "[]", "{}", "{", "{\"model\"", "{\"model\":{}} x",
                                         "{\"model\":null}", "\xEF\xBB\xBF{}", "{\"model\":{\"type\":\"BPE\"}}", "{'model':1}",
                                         "{\"a\":1,}",
                                         "{\"version\":\"2.0\",\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}",
                                         "{\"model\":{\"type\":\"BPE\",\"vocab\":[],\"merges\":{}}}" };
    pali_error *error = NULL;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        CHECK_MSG(parse(texts[i], strlen(texts[i]), &error) != PALI_OK, "%s", texts[i]);
        CHECK(error != NULL);
        pali_error_free(error);
        error = NULL;
    }
    char deep[4096];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"x\":", 5);
    CHECK_FAILS(parse(deep, sizeof deep, &error), error, PALI_ERROR_LIMIT, "levels of nesting");
    CHECK_FAILS(parse("{\"x\0\":1}", 9, &error), error, PALI_ERROR_FORMAT, "\\x00");
}

/* Every beginning of a good file, and good files with a few bytes changed: an answer, whichever it is. */
static void test_damaged(void)
{
    char text[4096], damaged[4096];
    uint32_t state = 1;
    size_t size = write_parts(text, sizeof text, (struct parts){ 0 });
    for (size_t cut = 0; cut < size; cut++)
        CHECK(parse(text, cut, NULL) != PALI_OK);
    for (int round = 0; round < 4000; round++) {
        memcpy(damaged, text, size);
        for (int i = 0; i <= round % 4; i++) {
            state = state * 1664525u + 1013904223u;
            size_t at = (state >> 8) % size;
            state = state * 1664525u + 1013904223u;
            damaged[at] = state & 1u << 30 ? text[(state >> 8) % size] : (char)(state >> 16);
        }
        parse(damaged, size, NULL);
    }
}

/* ---- no memory ---- */

struct ration {
    long left;
};

static void *rationed_allocate(void *user, size_t size)
{
    struct ration *ration = user;
    return ration->left-- > 0 ? malloc(size) : NULL;
}

static void rationed_release(void *user, void *memory)
{
    (void)user;
    free(memory);
}

/* Loading, encoding and decoding with every allocation failing in turn. */
static void test_memory(void)
{
    static const char sample[] = "the cat <loc0001> \xF0\x9F\x99\x82 standing in a long row of words";
    struct ration ration = { 0 };
    const pali_allocator rationed = { rationed_allocate, rationed_release, &ration };
    const char *path = test_path(test_data(), "tokenizer/gemma_pairs.json");
    bool is_done = false;
    for (long n = 0; !is_done && n < 10000; n++) {
        struct pali__tokenizer *tokenizer = NULL;
        int64_t *ids = NULL;
        size_t n_ids = 0, size = 0;
        char *text = NULL;
        pali_error *error = NULL;
        ration.left = n;
        pali_set_allocator(&rationed);
        pali_status status = pali__tokenizer_load(&tokenizer, path, &error);
        if (status == PALI_OK)
            status = pali__tokenizer_encode(tokenizer, sample, sizeof sample - 1, &ids, &n_ids, &error);
        if (status == PALI_OK)
            status = pali__tokenizer_decode(tokenizer, ids, n_ids, false, &text, &size, &error);
        is_done = status == PALI_OK;
        CHECK(is_done || status == PALI_ERROR_MEMORY);
        CHECK(!is_done || (size == sizeof sample - 1 && memcmp(text, sample, size) == 0));
        pali__free(text);
        pali__free(ids);
        pali__tokenizer_free(tokenizer);
        pali_error_free(error);
        pali_set_allocator(NULL);
    }
    CHECK(is_done);
}

int main(void)
{
    test_fixture("gemma_strings", 200);
    test_fixture("gemma_pairs", 20);
    test_fixture("odd_fused", 100);
    test_fixture("odd_single", 60);
    test_fixture("plain", 60);
    test_interface();
    test_parts();
    test_whole_files();
    test_damaged();
    test_memory();
    return test_report("tokenizer");
}
