/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/core: errors, memory, files, tensors, JSON. */
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/dtype.h"
#include "core/file.h"
#include "core/json_file.h"
#include "core/memory.h"
#include "core/tensor_set.h"
#include "core/utf8_length.h"
#include "test.h"

/* ---- an allocator of the host ---- */

struct counter {
    long live, total, fail_at; /* the allocation of that number fails; -1: none */
};

static void *counting_allocate(void *user, size_t size)
{
    struct counter *counter = user;
    if (counter->total++ == counter->fail_at)
        return NULL;
    counter->live++;
    return malloc(size);
}

static void counting_release(void *user, void *memory)
{
    struct counter *counter = user;
    counter->live -= memory != NULL;
    free(memory);
}

static void test_errors(void)
{
    pali_error *error = NULL;
    CHECK(strcmp(pali_error_message(NULL), "no error") == 0);
    CHECK(pali_error_status(NULL) == PALI_OK);
    pali_error_free(NULL);
    CHECK(pali__fail(NULL, PALI_ERROR_IO, "nobody listens") == PALI_ERROR_IO);

    CHECK(pali__fail(&error, PALI_ERROR_FORMAT, "field %s is %d", "x", 7) == PALI_ERROR_FORMAT);
    CHECK(strcmp(pali_error_message(error), "field x is 7") == 0);
    CHECK(pali__fail(&error, PALI_ERROR_IO, "later") == PALI_ERROR_IO);
    CHECK(pali__no_memory(&error, 1) == PALI_ERROR_MEMORY);
    CHECK(pali_error_status(error) == PALI_ERROR_FORMAT);
    CHECK(strcmp(pali_error_message(error), "field x is 7") == 0);
    pali_error_free(error);

    error = NULL;
    pali__fail(&error, PALI_ERROR_FORMAT, "a\nb\x01\xff\xc3\xa9 \xe2\x82");
    CHECK(strcmp(pali_error_message(error), "a?b??\xc3\xa9 ??") == 0);
    pali_error_free(error);

    static char endless[5000];
    for (size_t i = 0; i + 2 < sizeof endless; i += 2)
        memcpy(endless + i, "\xc3\xa9", 2);
    for (int shift = 0; shift < 3; shift++) {
        error = NULL;
        pali__fail(&error, PALI_ERROR_FORMAT, "%.*s%s", shift, "xx", endless);
        const char *message = pali_error_message(error);
        size_t size = strlen(message);
        CHECK(size > 2000 && size < 2048 && strcmp(message + size - 3, "...") == 0 && !strchr(message, '?'));
        pali_error_free(error);
    }
}

static void test_no_memory(void)
{
    static const struct {
        size_t size;
        const char *text;
    } cases[] = {
        { 0, " 1 bytes" }, { 1, " 1 bytes" }, { 1023, " 512 bytes" }, { 1024, " 1 KiB" },
        { (size_t)5 << 20, " 4 MiB" }, { SIZE_MAX, sizeof(size_t) == 8 ? " 512 TiB" : " 2 GiB" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pali_error *error = NULL;
        CHECK_FAILS(pali__no_memory(&error, cases[i].size), error, PALI_ERROR_MEMORY, cases[i].text);
    }

    /* A message that finds no memory says so, and is consistent with the status returned. */
    struct counter counter = { 0, 0, 0 };
    pali_allocator allocator = { counting_allocate, counting_release, &counter };
    pali_set_allocator(&allocator);
    pali_error *error = NULL;
    CHECK(pali__fail(&error, PALI_ERROR_IO, "x") == PALI_ERROR_MEMORY);
    CHECK(pali_error_status(error) == PALI_ERROR_MEMORY);
    pali_error_free(error);
    pali_set_allocator(NULL);
    CHECK(counter.live == 0);
}

static void test_names(void)
{
    CHECK(strcmp(pali_version(), "0.1.0") == 0);
    for (int status = 0; status >= -9; status--)
        CHECK(strcmp(pali_status_name((pali_status)status), "unknown status") != 0);
    CHECK(strcmp(pali_status_name((pali_status)5), "unknown status") == 0);
    CHECK(strcmp(pali_dtype_name(PALI_BFLOAT16), "bfloat16") == 0);
    CHECK(strcmp(pali_dtype_name((pali_dtype)0), "unknown") == 0);
    CHECK(strcmp(pali_dtype_name((pali_dtype)11), "unknown") == 0);
    static const size_t sizes[] = { 0, 4, 2, 2, 8, 8, 4, 2, 1, 1, 1, 0 };
    for (int dtype = 0; dtype < 12; dtype++)
        CHECK(pali_dtype_size((pali_dtype)dtype) == sizes[dtype]);
}

static void test_memory(void)
{
    struct counter counter = { 0, 0, -1 };
    pali_allocator allocator = { counting_allocate, counting_release, &counter };
    pali_set_allocator(&allocator);

    void *empty = pali__malloc(0);
    CHECK(empty != NULL);
    pali_free(empty);
    pali_free(NULL);
    CHECK(pali__calloc(SIZE_MAX / 2, 3) == NULL);
    CHECK(pali__aligned_malloc(SIZE_MAX - 8) == NULL);
    CHECK(counter.live == 0);
    for (size_t size = 0; size < 300; size += 7) {
        unsigned char *block = pali__aligned_malloc(size);
        CHECK(block && (uintptr_t)block % 64 == 0);
        if (block)
            memset(block, 0xaa, size);
        pali__aligned_free(block);
    }
    pali__aligned_free(NULL);

    char *text = pali__strdup("abc");
    text = pali__regrow(text, 4, 100);
    CHECK(text && strcmp(text, "abc") == 0);
    pali__free(text);

    size_t product = 99;
    CHECK(pali__size_product(&product, 0, NULL) && product == 1);
    CHECK(pali__size_product(&product, 3, (const int64_t[]){ 2, 0, 5 }) && product == 0);
    CHECK(pali__size_product(&product, 2, (const int64_t[]){ 1 << 20, 3 }) && product == 3 << 20);
    CHECK(!pali__size_product(&product, 2, (const int64_t[]){ -1, 3 }));
    CHECK(!pali__size_product(&product, 3, (const int64_t[]){ INT64_MAX, 2, 2 }));

    struct pali__text built = { NULL, 0, 0 };
    char expected[4000] = "";
    for (int i = 0; i < 500; i++) {
        CHECK(pali__text_printf(&built, "%d,", i) && pali__text_append(&built, "x", 1));
        snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "%d,x", i);
    }
    CHECK(built.size == strlen(expected) && strcmp(built.data, expected) == 0);
    CHECK(!pali__text_append(&built, "x", SIZE_MAX - 3));
    pali__text_clear(&built);
    CHECK(counter.live == 0 && counter.total > 50);
    pali_set_allocator(NULL);
}

static void test_half_floats(void)
{
    CHECK(pali__bf16_from_float(1.0f) == 0x3f80 && pali__float_from_bf16(0x3f80) == 1.0f);
    CHECK(pali__bf16_from_float(pali__float_from_bits(0x3f808000u)) == 0x3f80); /* tie to even */
    CHECK(pali__bf16_from_float(pali__float_from_bits(0x3f818000u)) == 0x3f82);
    CHECK(isnan(pali__float_from_bf16(pali__bf16_from_float(pali__float_from_bits(0x7f800001u)))));
    CHECK(pali__float_from_f16(0x3c00) == 1.0f && pali__float_from_f16(0xc000) == -2.0f);
    CHECK(pali__float_from_f16(0x0001) == 1.0f / 16777216.0f && pali__float_from_f16(0x8001) < 0.0f);
    CHECK(pali__float_from_f16(0x7bff) == 65504.0f && isinf(pali__float_from_f16(0xfc00)));
}

static void test_utf8(void)
{
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {
        { "a", 1 },           { "\xc3\xa9", 2 },         { "\xe2\x96\x81", 3 },     { "\xf0\x9f\x98\x80", 4 },
        { "\x80", 0 },        { "\xc0\xaf", 0 },         { "\xc1\xbf", 0 },         { "\xe0\x9f\xbf", 0 },
        { "\xed\xa0\x80", 0 }, { "\xf0\x8f\xbf\xbf", 0 }, { "\xf4\x90\x80\x80", 0 }, { "\xf5\x80\x80\x80", 0 },
        { "\xe2\x96", 0 },    { "\xff", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_MSG(pali__utf8_length(cases[i].text, strlen(cases[i].text)) == cases[i].length, "case %zu", i);
    CHECK(pali__utf8_length("", 0) == 0);
}

/* ---- tensors ---- */

static void test_tensors(void)
{
    const int64_t shape[] = { 2, 3, 4 };
    int data = 0;
    pali_tensor tensor = pali_tensor_view(&data, PALI_FLOAT32, 3, shape);
    CHECK(tensor.data == &data && tensor.rank == 3 && tensor.shape[2] == 4 && tensor.shape[3] == 0);
    CHECK(tensor.strides[0] == 12 && tensor.strides[1] == 4 && tensor.strides[2] == 1);
    CHECK(pali_tensor_count(&tensor) == 24);
    tensor = pali_tensor_view(NULL, PALI_FLOAT32, 0, NULL);
    CHECK(pali_tensor_count(&tensor) == 1);
    CHECK(pali_tensor_count(NULL) == 0);
    tensor = pali_tensor_view(&data, PALI_FLOAT32, 9, shape);
    CHECK(pali_dtype_size(tensor.dtype) == 0 && tensor.data == NULL);
    const int64_t huge[] = { INT64_MAX, INT64_MAX, INT64_MAX };
    tensor = pali_tensor_view(&data, PALI_FLOAT32, 3, huge);
    CHECK(pali_tensor_count(&tensor) == INT64_MAX && tensor.strides[0] == INT64_MAX);
}

static void test_tensor_set(void)
{
    struct pali__tensor_set set = { NULL, 0, 0 };
    pali_error *error = NULL;
    pali_tensor *made = NULL;
    const int64_t shape[] = { 2, 3 }, negative[] = { -1 }, huge[] = { INT64_MAX, INT64_MAX };
    CHECK_OK(pali__tensor_set_add(&set, "a", PALI_INT64, 2, shape, &made, &error), error);
    CHECK(made && (uintptr_t)made->data % 64 == 0);
    for (int i = 0; i < 6; i++)
        ((int64_t *)made->data)[i] = i;
    char name[16];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "t%d", i);
        CHECK_OK(pali__tensor_set_add(&set, name, PALI_UINT8, 1, shape, NULL, &error), error);
    }
    CHECK(set.count == 41 && pali__tensor_set_get(&set, "zzz") == NULL);

    /* A tensor of the set itself may be copied over itself, or under a new name while the set grows. */
    CHECK_OK(pali__tensor_set_copy(&set, "a", pali__tensor_set_get(&set, "a"), &error), error);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "c%d", i);
        CHECK_OK(pali__tensor_set_copy(&set, name, pali__tensor_set_get(&set, "a"), &error), error);
    }
    const pali_tensor *copy = pali__tensor_set_get(&set, "c49");
    CHECK(copy && ((int64_t *)copy->data)[5] == 5 && set.count == 91);

    pali_tensor view = pali_tensor_view(copy ? copy->data : NULL, PALI_INT64, 2, shape);
    view.strides[0] = 1;
    view.strides[1] = 2;
    CHECK_FAILS(pali__tensor_set_copy(&set, "a", &view, &error), error, PALI_ERROR_ARGUMENT, "contiguous");
    view = pali_tensor_view(NULL, PALI_INT64, 2, shape);
    CHECK_FAILS(pali__tensor_set_copy(&set, "a", &view, &error), error, PALI_ERROR_ARGUMENT, "no data");
    view.dtype = (pali_dtype)0;
    CHECK_FAILS(pali__tensor_set_copy(&set, "a", &view, &error), error, PALI_ERROR_ARGUMENT, "dtype 0");
    view.rank = 9;
    view.dtype = PALI_BOOL;
    CHECK_FAILS(pali__tensor_set_copy(&set, "a", &view, &error), error, PALI_ERROR_ARGUMENT, "rank 9");
    CHECK_FAILS(pali__tensor_set_add(&set, "n", PALI_BOOL, 1, negative, NULL, &error), error, PALI_ERROR_ARGUMENT,
                "-1");
    CHECK_FAILS(pali__tensor_set_add(&set, "n", PALI_BOOL, 2, huge, NULL, &error), error, PALI_ERROR_ARGUMENT,
                "more bytes");
    CHECK(pali__tensor_set_get(&set, "n") == NULL && pali__tensor_set_get(&set, "a") != NULL);

    const int64_t empty[] = { 0, 3 };
    view = pali_tensor_view(NULL, PALI_FLOAT32, 2, empty);
    CHECK_OK(pali__tensor_set_copy(&set, "empty", &view, &error), error);
    pali__tensor_set_clear(&set);
    CHECK(set.count == 0);
}

/* ---- files ---- */

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    if (!file)
        return;
    fwrite(text, 1, strlen(text), file);
    fclose(file);
}

static void test_reading(void)
{
    const char *path = test_path(test_scratch(), "core_read.txt");
    pali_error *error = NULL;
    char *text = NULL;
    size_t size = 99;
    struct pali__map map;
    write_text(path, "hello");
    CHECK_OK(pali__file_read(&text, &size, path, 5, &error), error);
    CHECK(text && size == 5 && strcmp(text, "hello") == 0);
    pali__free(text);
    CHECK_FAILS(pali__file_read(&text, &size, path, 4, &error), error, PALI_ERROR_LIMIT, "core_read.txt");
    CHECK(text == NULL && size == 0);
    CHECK_OK(pali__map_open(&map, path, &error), error);
    CHECK(map.size == 5 && memcmp(map.data, "hello", 5) == 0);
    pali__map_close(&map);
    pali__map_close(&map);

    write_text(path, "");
    CHECK_OK(pali__file_read(&text, &size, path, 100, &error), error);
    CHECK(text && size == 0 && text[0] == '\0');
    pali__free(text);
    CHECK_OK(pali__map_open(&map, path, &error), error);
    CHECK(map.size == 0 && map.data != NULL);
    pali__map_close(&map);

    CHECK(pali__file_exists(path));
    remove(path);
    CHECK(!pali__file_exists(path));
    CHECK_FAILS(pali__file_read(&text, &size, path, 100, &error), error, PALI_ERROR_IO, "core_read.txt");
    CHECK_FAILS(pali__map_open(&map, path, &error), error, PALI_ERROR_IO, "core_read.txt");
    CHECK_FAILS(pali__file_read(&text, &size, test_scratch(), 100, &error), error, PALI_ERROR_IO, "directory");
    CHECK_FAILS(pali__map_open(&map, test_scratch(), &error), error, PALI_ERROR_IO, "directory");
    CHECK_FAILS(pali__map_open(&map, "/dev/null", &error), error, PALI_ERROR_IO, "regular");
    CHECK_OK(pali__file_read(&text, &size, "/dev/null", 100, &error), error);
    CHECK(size == 0);
    pali__free(text);
    CHECK_FAILS(pali__file_read(&text, &size, "/dev/zero", 1000000, &error), error, PALI_ERROR_LIMIT, "/dev/zero");

    char *joined = pali__path_join("a/", "b");
    CHECK(joined && strcmp(joined, "a/b") == 0);
    pali__free(joined);
    joined = pali__path_join("a", "b");
    CHECK(joined && strcmp(joined, "a/b") == 0);
    pali__free(joined);
}

static void test_writing(void)
{
    const char *path = test_path(test_scratch(), "core_write.bin");
    pali_error *error = NULL;
    struct pali__writer *first = NULL, *second = NULL;
    static char block[100000];
    memset(block, 'b', sizeof block);
    remove(path);
    CHECK_OK(pali__writer_open(&first, path, &error), error);
    CHECK_OK(pali__writer_open(&second, path, &error), error); /* both at once, each with a file of its own */
    CHECK_OK(pali__writer_write(first, "abc", 3, &error), error);
    CHECK_OK(pali__writer_write(first, block, sizeof block, &error), error);
    CHECK_OK(pali__writer_write(first, block, 0, &error), error);
    CHECK_OK(pali__writer_write(first, "xyz", 3, &error), error);
    CHECK(!pali__file_exists(path));
    CHECK_OK(pali__writer_commit(first, &error), error);
    CHECK_OK(pali__writer_write(second, "lost", 4, &error), error);
    pali__writer_abort(second);
    pali__writer_abort(NULL);

    char *text = NULL;
    size_t size = 0;
    CHECK_OK(pali__file_read(&text, &size, path, 1000000, &error), error);
    CHECK(size == sizeof block + 6 && text && memcmp(text, "abcbbb", 6) == 0 && strcmp(text + size - 4, "bxyz") == 0);
    pali__free(text);
    remove(path);

    CHECK_FAILS(pali__writer_open(&first, test_scratch(), &error), error, PALI_ERROR_IO, "directory");
    CHECK(first == NULL);
    CHECK_FAILS(pali__writer_open(&first, "/nonexistent/x", &error), error, PALI_ERROR_IO, "/nonexistent/x");
    CHECK_OK(pali__writer_open(&first, "/dev/null", &error), error);
    CHECK_OK(pali__writer_write(first, "abc", 3, &error), error);
    CHECK_OK(pali__writer_commit(first, &error), error);
    struct stat status;
    CHECK(stat("/dev/null", &status) == 0 && S_ISCHR(status.st_mode));
    if (stat("/dev/full", &status) == 0) {
        CHECK_OK(pali__writer_open(&first, "/dev/full", &error), error);
        CHECK_OK(pali__writer_write(first, "abc", 3, &error), error);
        CHECK_FAILS(pali__writer_commit(first, &error), error, PALI_ERROR_IO, "/dev/full");
    }
}

/* ---- JSON ---- */

static pali_status parse(struct json_object **root, const char *text, pali_error **error)
{
    return pali__json_parse(root, text, strlen(text), 4, "x.json", error);
}

static void test_json(void)
{
    pali_error *error = NULL;
    struct json_object *root = NULL;
    const char *good = " {\"i\": 7, \"f\": 1e-06, \"s\": \"a:\\\"\\\\\", \"n\": null, \"b\": true,"
                       " \"a\": [1, {\"x\": 2}], \"big\": 1000000000000000019884624838656, \"o\": {}} \n";
    CHECK_OK(parse(&root, good, &error), error);
    int64_t integer = 0;
    double number = 0;
    bool flag = false;
    CHECK(pali__json_int(pali__json_get(root, "i"), &integer) && integer == 7);
    CHECK(pali__json_float(pali__json_get(root, "i"), &number) && number == 7.0);
    CHECK(pali__json_float(pali__json_get(root, "f"), &number) && number == 1e-6);
    CHECK(!pali__json_int(pali__json_get(root, "f"), &integer));
    CHECK(!pali__json_int(pali__json_get(root, "big"), &integer));
    CHECK(pali__json_float(pali__json_get(root, "big"), &number) && number == 1e30);
    CHECK(strcmp(pali__json_string(pali__json_get(root, "s")), "a:\"\\") == 0);
    CHECK(pali__json_string(pali__json_get(root, "i")) == NULL);
    CHECK(pali__json_get(root, "n") == NULL && pali__json_has(root, "n") && !pali__json_has(root, "zz"));
    CHECK(pali__json_bool(pali__json_get(root, "b"), &flag) && flag && !pali__json_bool(NULL, &flag));
    CHECK(pali__json_count(pali__json_get(root, "a")) == 2 && pali__json_count(root) == 8);
    CHECK(pali__json_at(pali__json_get(root, "a"), 9) == NULL && pali__json_at(root, 0) == NULL);
    CHECK(!pali__json_repeats_key(good, strlen(good), root));
    pali__json_free(root);

    static const char *const twice[] = { "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"c\":2,\"b\":3}}",
                                         "{\"x\":[{\"a\":1,\"\\u0061\":1}]}" };
    for (size_t i = 0; i < sizeof twice / sizeof twice[0]; i++) {
        CHECK_OK(parse(&root, twice[i], &error), error);
        CHECK(pali__json_repeats_key(twice[i], strlen(twice[i]), root));
        pali__json_free(root);
    }

    static const struct {
        const char *text, *message;
    } bad[] = {
        { "", "too early" },          { "{\"a\":", "too early" },        { "[1]", "an array" },
        { "7 ", "an integer" },           { "{} x", "malformed" },           { "{'a':1}", "malformed" },
        { "{/* c */}", "malformed" }, { "{\"a\":\"\\u0000\"}", "NUL" },  { "{\"\xff\":1}", "malformed" },
        { "{\"a\":[[[[[1]]]]]}", "malformed" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_FAILS(parse(&root, bad[i].text, &error), error, PALI_ERROR_FORMAT, bad[i].message);
    CHECK_OK(parse(&root, "{\"a\":\"\\\\u0000\"}", &error), error); /* a backslash and "u0000" */
    pali__json_free(root);
    const char *huge = "{\"a\": -123456789012345678901,\"b\":[0.12345678901234567890123, 1e-00000000000000000000001,"
                       "1E00000000000000000000002,123456789012345678901], \"c 123456789012345678901\\\"\": 1}";
    CHECK_OK(parse(&root, huge, &error), error);
    CHECK(pali__json_float(pali__json_get(root, "a"), &number) && number == -123456789012345678901.0);
    struct json_object *numbers = pali__json_get(root, "b");
    CHECK(pali__json_float(pali__json_at(numbers, 0), &number) && number == 0.12345678901234567890123);
    CHECK(pali__json_float(pali__json_at(numbers, 1), &number) && number == 0.1);
    CHECK(pali__json_float(pali__json_at(numbers, 2), &number) && number == 100.0);
    CHECK(pali__json_float(pali__json_at(numbers, 3), &number) && number == 123456789012345678901.0);
    CHECK(pali__json_has(root, "c 123456789012345678901\""));
    pali__json_free(root);
    CHECK_FAILS(parse(&root, "{\"a\":123456789012345678901", &error), error, PALI_ERROR_FORMAT, "too early");
    CHECK_FAILS(parse(&root, "{\"a\":123456789012345678901x}", &error), error, PALI_ERROR_FORMAT, "malformed");
    const char *foreign = "{\"Größe\":\"\xc2\x80你😀\\n\xef\xbf\xbf\xf4\x8f\xbf\xbf\",\"b\":123456789012345678901,\"é\":\"\\\\ü\"}";
    CHECK_OK(parse(&root, foreign, &error), error);
    CHECK(strcmp(pali__json_string(pali__json_get(root, "Größe")),
                 "\xc2\x80你😀\n\xef\xbf\xbf\xf4\x8f\xbf\xbf") == 0);
    CHECK(strcmp(pali__json_string(pali__json_get(root, "é")), "\\ü") == 0);
    pali__json_free(root);
    CHECK_FAILS(parse(&root, "{\"ö\":\"ä\",x}", &error), error, PALI_ERROR_FORMAT, "byte 11");
    CHECK_FAILS(parse(&root, "{\"a\":\"\\ö\"}", &error), error, PALI_ERROR_FORMAT, "UTF-8");
    CHECK_FAILS(parse(&root, "{\"a\":ö}", &error), error, PALI_ERROR_FORMAT, "malformed");
    CHECK_FAILS(parse(&root, "{\"a\":\"ö", &error), error, PALI_ERROR_FORMAT, "too early");
    CHECK_OK(parse(&root, "{\"a\":NaN}", &error), error);
    CHECK(!pali__json_float(pali__json_get(root, "a"), &number));
    pali__json_free(root);
    CHECK(pali__json_parse(&root, "{}\0", 3, 4, "x.json", &error) == PALI_ERROR_FORMAT);
    pali_error_free(error);
}

int main(void)
{
    test_errors();
    test_no_memory();
    test_names();
    test_memory();
    test_half_floats();
    test_utf8();
    test_tensors();
    test_tensor_set();
    test_reading();
    test_writing();
    test_json();
    return test_report("core");
}
