/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/checkpoint: safetensors files, good, hostile, cut off and damaged; shards and their index. */
#include <stdint.h>
#include <sys/stat.h>

#include <paligemma/checkpoint.h>

#include "checkpoint/safetensors.h"
#include "checkpoint/tensors.h"
#include "core/file.h"
#include "core/memory.h"
#include "test.h"

/* ---- making files ---- */

struct bytes {
    unsigned char data[8192];
    size_t size;
};

static struct bytes make(const char *header, size_t data_size)
{
    struct bytes made;
    size_t length = strlen(header);
    for (int i = 0; i < 8; i++)
        made.data[i] = (unsigned char)((uint64_t)length >> (8 * i));
    memcpy(made.data + 8, header, length);
    for (size_t i = 0; i < data_size; i++)
        made.data[8 + length + i] = (unsigned char)i;
    made.size = 8 + length + data_size;
    return made;
}

/* Parses an exact copy on the heap, so that the sanitizer sees a read past its end. */
static pali_status parse_copy(const unsigned char *data, size_t size, pali_error **error)
{
    unsigned char *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    struct pali__safetensors file;
    pali_status status = pali__safetensors_parse(&file, copy, size, "x.safetensors", error);
    unsigned sum = 0;
    for (size_t i = 0; status == PALI_OK && i < file.count; i++) {
        const unsigned char *bytes = file.tensors[i].tensor.data;
        for (size_t j = 0; j < pali__tensor_size(&file.tensors[i].tensor); j++)
            sum += bytes[j];
    }
    CHECK(sum < UINT32_MAX);
    if (status == PALI_OK)
        pali__safetensors_close(&file);
    free(copy);
    return status;
}

static pali_status parse_header(const char *header, size_t data_size, pali_error **error)
{
    struct bytes made = make(header, data_size);
    return parse_copy(made.data, made.size, error);
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    if (!file)
        return;
    CHECK(fwrite(data, 1, size, file) == size);
    fclose(file);
}

/* ---- headers written by hand ---- */

static void test_accepted(void)
{
    static const struct {
        const char *header;
        size_t data_size;
    } cases[] = {
        { "{}", 0 },
        { "{}    ", 0 },
        { "{\"__metadata__\":{\"format\":\"pt\"}}", 0 },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}", 24 },
        { "{\"scalar\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]}}", 8 },
        { "{\"none\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[0,0]}}", 0 },
        { "{\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[2,5]},"
          "\"n\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[2,2]},"
          "\"a\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[0,2]}}",
          5 },
        { "{\"a\":{\"dtype\":\"I8\",\"shape\":[1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1 },
        { "{\"a:\\\"{\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[0,2],\"more\":[1]}}", 2 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pali_error *error = NULL;
        CHECK_OK(parse_header(cases[i].header, cases[i].data_size, &error), error);
    }
}

static void test_refused(void)
{
    static const struct {
        const char *header;
        size_t data_size;
        pali_status status;
        const char *fragment;
    } cases[] = {
        { "", 0, PALI_ERROR_FORMAT, "begin with '{'" },
        { "[]", 0, PALI_ERROR_FORMAT, "begin with '{'" },
        { " {}", 0, PALI_ERROR_FORMAT, "begin with '{'" },
        { "{", 0, PALI_ERROR_FORMAT, "too early" },
        { "{} {}", 0, PALI_ERROR_FORMAT, "malformed" },
        { "{\"a\":1}", 0, PALI_ERROR_FORMAT, "\"a\" is an integer" },
        { "{\"a\":null}", 0, PALI_ERROR_FORMAT, "\"a\" is null" },
        { "{\"a\":{}}", 0, PALI_ERROR_FORMAT, "no dtype" },
        { "{\"a\":{\"dtype\":3}}", 0, PALI_ERROR_FORMAT, "no dtype" },
        { "{\"a\":{\"dtype\":\"F8_E4M3\"}}", 0, PALI_ERROR_UNSUPPORTED, "F8_E4M3" },
        { "{\"a\":{\"dtype\":\"F32\"}}", 0, PALI_ERROR_FORMAT, "no shape" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":{}}}", 0, PALI_ERROR_FORMAT, "no shape" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,-1],\"data_offsets\":[0,4]}}", 4, PALI_ERROR_FORMAT, "dimension 1" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, PALI_ERROR_FORMAT, "dimension 0" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}", 4, PALI_ERROR_FORMAT,
          "dimension 0" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 0, PALI_ERROR_FORMAT,
          "more bytes" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, PALI_ERROR_FORMAT,
          "more bytes" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, PALI_ERROR_UNSUPPORTED,
          "9 dimensions" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, PALI_ERROR_FORMAT, "data_offsets" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, PALI_ERROR_FORMAT, "data_offsets" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1, PALI_ERROR_FORMAT, "data_offsets" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[-1,0]}}", 1, PALI_ERROR_FORMAT, "bytes -1 to 0" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]}}", 1, PALI_ERROR_FORMAT, "bytes 1 to 0" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 1, PALI_ERROR_FORMAT,
          "has 1 bytes of data" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[9223372036854775806,9223372036854775807]}}", 1,
          PALI_ERROR_FORMAT, "data_offsets" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1, PALI_ERROR_FORMAT, "need 2" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2, PALI_ERROR_FORMAT, "hole" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 2, PALI_ERROR_FORMAT, "file has 2" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
          "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
          3, PALI_ERROR_FORMAT, "overlap" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
          "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
          1, PALI_ERROR_FORMAT, "twice" },
        { "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, PALI_ERROR_FORMAT,
          "twice" },
        { "{\"a\\u0000\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, PALI_ERROR_FORMAT, "NUL" },
        { "{\"\xff\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, PALI_ERROR_FORMAT, "malformed" },
        { "{\"a\":[[[[[[[[[[[[]]]]]]]]]]]]}", 0, PALI_ERROR_FORMAT, "malformed" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pali_error *error = NULL;
        CHECK_FAILS(parse_header(cases[i].header, cases[i].data_size, &error), error, cases[i].status,
                    cases[i].fragment);
    }

    struct bytes made = make("{}", 0);
    pali_error *error = NULL;
    made.data[7] = 0xff;
    CHECK_FAILS(parse_copy(made.data, made.size, &error), error, PALI_ERROR_FORMAT, "18374686479671623682 bytes");
}

/* ---- damage ---- */

static const char sample[] =
    "{\"__metadata__\":{\"format\":\"pt\"},\"w.a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
    "\"w.b\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[16,22]},"
    "\"w.c\":{\"dtype\":\"BOOL\",\"shape\":[2,1],\"data_offsets\":[22,24]}}   ";

static void test_truncated(void)
{
    struct bytes made = make(sample, 24);
    pali_error *error = NULL;
    for (size_t size = 0; size < made.size; size++)
        CHECK_FAILS(parse_copy(made.data, size, &error), error, PALI_ERROR_FORMAT, "x.safetensors");
    CHECK_OK(parse_copy(made.data, made.size, &error), error);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Whatever happens to the bytes, the answer is a status; an error has a message. */
static void test_mutated(void)
{
    static const char interesting[] = "\"{}[]:,\\0129-.eE utnf\x80\xff";
    struct bytes whole = make(sample, 24);
    uint32_t state = 1;
    int n_refused = 0;
    for (int round = 0; round < 20000; round++) {
        struct bytes made = whole;
        for (uint32_t n = 1 + next_random(&state) % 3; n > 0; n--) {
            size_t at = next_random(&state) % made.size;
            uint32_t how = next_random(&state) % 4;
            if (how == 0)
                made.data[at] ^= (unsigned char)(1u << next_random(&state) % 8);
            else if (how == 1)
                made.data[at] = (unsigned char)interesting[next_random(&state) % (sizeof interesting - 1)];
            else if (how == 2)
                memmove(made.data + at, made.data + at + 1, --made.size - at);
            else
                memmove(made.data + at + 1, made.data + at, made.size++ - at);
        }
        pali_error *error = NULL;
        pali_status status = parse_copy(made.data, made.size, &error);
        CHECK((status == PALI_OK) == (error == NULL));
        n_refused += status != PALI_OK;
        pali_error_free(error);
    }
    CHECK(n_refused > 10000);
}

/* ---- writing ---- */

static void test_round_trip(void)
{
    const char *path = test_path(test_scratch(), "round.safetensors");
    pali_error *error = NULL;
    struct pali__tensor_set set = { NULL, 0, 0 }, read = { NULL, 0, 0 };
    static const char *const names[] = { "b", "\"quoted\\\"", "line\nbreak", "caf\xc3\xa9", "a", "z", "empty", "i8" };
    static const pali_dtype dtypes[] = { PALI_BOOL,  PALI_FLOAT32, PALI_INT64,   PALI_BFLOAT16,
                                         PALI_INT16, PALI_FLOAT64, PALI_FLOAT16, PALI_INT8 };
    for (int i = 0; i < 8; i++) {
        const int64_t shape[] = { 3, i == 6 ? 0 : i + 1 };
        pali_tensor *tensor = NULL;
        CHECK_OK(pali__tensor_set_add(&set, names[i], dtypes[i], i % 3, shape, &tensor, &error), error);
        for (size_t j = 0; tensor && j < pali__tensor_size(tensor); j++)
            ((unsigned char *)tensor->data)[j] = (unsigned char)(j * 7 + (size_t)i);
    }
    CHECK_OK(pali__safetensors_save(&set, path, &error), error);
    CHECK_OK(pali__safetensors_load(&read, path, &error), error);
    CHECK(read.count == set.count);
    for (size_t i = 0; i < set.count; i++) {
        const pali_tensor *a = &set.entries[i].tensor, *b = pali__tensor_set_get(&read, set.entries[i].name);
        CHECK_MSG(b && a->dtype == b->dtype && a->rank == b->rank && memcmp(a->shape, b->shape, sizeof a->shape) == 0 &&
                      memcmp(a->data, b->data, pali__tensor_size(a)) == 0,
                  "tensor %s", set.entries[i].name);
    }

    struct pali__safetensors file; /* Every tensor is aligned in the file itself. */
    CHECK_OK(pali__safetensors_open(&file, path, &error), error);
    for (size_t i = 0; i < file.count; i++)
        CHECK((uintptr_t)file.tensors[i].tensor.data % pali_dtype_size(file.tensors[i].tensor.dtype) == 0);
    pali__safetensors_close(&file);
    pali__tensor_set_clear(&read);

    CHECK_FAILS(pali__safetensors_save(&set, test_scratch(), &error), error, PALI_ERROR_IO, "directory");
    const int64_t one[] = { 1 };
    pali__tensor_set_add(&set, "bad\xff", PALI_INT8, 1, one, NULL, NULL);
    CHECK_FAILS(pali__safetensors_save(&set, path, &error), error, PALI_ERROR_ARGUMENT, "UTF-8");
    pali__tensor_set_clear(&set);
    pali__tensor_set_add(&set, "__metadata__", PALI_INT8, 1, one, NULL, NULL);
    CHECK_FAILS(pali__safetensors_save(&set, path, &error), error, PALI_ERROR_ARGUMENT, "__metadata__");
    pali__tensor_set_clear(&set);
    CHECK_OK(pali__safetensors_save(&set, path, &error), error);
    CHECK_OK(pali__safetensors_load(&set, path, &error), error);
    CHECK(set.count == 0);
    remove(path);
    CHECK_FAILS(pali__safetensors_load(&set, path, &error), error, PALI_ERROR_IO, "round.safetensors");
}

/* ---- directories ---- */

static char directory[512];

static void put(const char *name, const void *data, size_t size) { write_file(test_path(directory, name), data, size); }
static void put_text(const char *name, const char *text) { put(name, text, strlen(text)); }

static void put_tensors(const char *name, const char *header, size_t data_size)
{
    struct bytes made = make(header, data_size);
    put(name, made.data, made.size);
}

static void empty_directory(void)
{
    static const char *const names[] = { "model.safetensors", "model.safetensors.index.json", "one.safetensors",
                                         "two.safetensors" };
    snprintf(directory, sizeof directory, "%s/checkpoint", test_scratch());
    mkdir(directory, 0777);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        remove(test_path(directory, names[i]));
}

#define U8(name, begin, end, size) \
    "\"" name "\":{\"dtype\":\"U8\",\"shape\":[" #size "],\"data_offsets\":[" #begin "," #end "]}"

static void test_single(void)
{
    pali_error *error = NULL;
    pali_checkpoint *checkpoint = NULL;
    empty_directory();
    CHECK_FAILS(pali_checkpoint_open(&checkpoint, "/nonexistent", &error), error, PALI_ERROR_IO, "does not exist");
    CHECK_FAILS(pali_checkpoint_open(&checkpoint, directory, &error), error, PALI_ERROR_IO, "neither");
    CHECK_FAILS(pali_checkpoint_open(&checkpoint, NULL, &error), error, PALI_ERROR_ARGUMENT, "path");
    CHECK_FAILS(pali_checkpoint_open(NULL, directory, &error), error, PALI_ERROR_ARGUMENT, "out");

    put_tensors("model.safetensors",
                "{" U8("language_model.model.norm.weight", 0, 1, 1) "," U8("vision_tower.vision_model.x", 1, 3, 2)
                "," U8("a", 3, 4, 1) "}", 4);
    CHECK_OK(pali_checkpoint_open(&checkpoint, directory, &error), error);
    CHECK(pali_checkpoint_count(checkpoint) == 3);
    CHECK(strcmp(pali_checkpoint_name(checkpoint, 0), "a") == 0);
    CHECK(strcmp(pali_checkpoint_name(checkpoint, 2), "vision_tower.vision_model.x") == 0);
    CHECK(strcmp(pali__checkpoint_canonical(checkpoint, 2), "vision_tower.x") == 0);
    CHECK(pali_checkpoint_name(checkpoint, 3) == NULL && pali__checkpoint_canonical(checkpoint, 3) == NULL);
    const pali_tensor *found = pali__checkpoint_find(checkpoint, "vision_tower.x");
    CHECK(found && found->shape[0] == 2 && ((const unsigned char *)found->data)[0] == 1);
    CHECK(pali__checkpoint_find(checkpoint, "vision_tower.vision_model.x") == NULL);
    CHECK(pali__checkpoint_find(checkpoint, "language_model.norm.weight") != NULL);
    pali_tensor tensor;
    CHECK_OK(pali_checkpoint_tensor(checkpoint, 2, &tensor, &error), error);
    CHECK(tensor.data == (found ? found->data : NULL));
    CHECK_FAILS(pali_checkpoint_tensor(checkpoint, 3, &tensor, &error), error, PALI_ERROR_ARGUMENT, "index 3");
    CHECK(pali_checkpoint_size(checkpoint) > 100);
    pali_checkpoint_free(checkpoint);
    pali_checkpoint_free(NULL);

    put_tensors("model.safetensors",
                "{" U8("language_model.model.x", 0, 1, 1) "," U8("model.language_model.x", 1, 2, 1) "}", 2);
    CHECK_FAILS(pali_checkpoint_open(&checkpoint, directory, &error), error, PALI_ERROR_FORMAT, "the same tensor");
    CHECK(checkpoint == NULL);

    /* The data begins after an odd number of bytes. */
    const char *odd = "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    struct bytes made = make(odd, 4);
    put("model.safetensors", made.data, made.size);
    if ((8 + strlen(odd)) % 4 != 0)
        CHECK_FAILS(pali_checkpoint_open(&checkpoint, directory, &error), error, PALI_ERROR_UNSUPPORTED, "multiple");
    struct pali__tensor_set set = { NULL, 0, 0 };
    CHECK_OK(pali__safetensors_load(&set, test_path(directory, "model.safetensors"), &error), error);
    const pali_tensor *copied = pali__tensor_set_get(&set, "w");
    CHECK(copied && memcmp(copied->data, "\0\1\2\3", 4) == 0);
    pali__tensor_set_clear(&set);

    put("model.safetensors", "", 0);
    CHECK_FAILS(pali_checkpoint_open(&checkpoint, directory, &error), error, PALI_ERROR_FORMAT, "model.safetensors");
}

static void test_shards(void)
{
    pali_error *error = NULL;
    pali_checkpoint *checkpoint = NULL;
    empty_directory();
    put_tensors("one.safetensors", "{" U8("b", 0, 1, 1) "," U8("extra", 1, 2, 1) "}", 2);
    put_tensors("two.safetensors", "{" U8("a", 0, 1, 1) "," U8("b", 1, 4, 3) "}", 4);
    put_text("model.safetensors.index.json", "{\"metadata\":{\"total_size\":3},"
                                             "\"weight_map\":{\"b\":\"one.safetensors\","
                                             "\"a\":\"two.safetensors\"}}");
    CHECK_OK(pali_checkpoint_open(&checkpoint, directory, &error), error);
    CHECK(pali_checkpoint_count(checkpoint) == 3);
    const pali_tensor *b = pali__checkpoint_find(checkpoint, "b");
    CHECK(b && b->shape[0] == 1); /* of the shard that the index names */
    CHECK(pali__checkpoint_find(checkpoint, "extra") != NULL);
    pali_checkpoint_free(checkpoint);

    static const struct {
        const char *index;
        pali_status status;
        const char *fragment;
    } bad[] = {
        { "", PALI_ERROR_FORMAT, "index.json" },
        { "{}", PALI_ERROR_FORMAT, "weight_map" },
        { "{\"weight_map\":[]}", PALI_ERROR_FORMAT, "weight_map" },
        { "{\"weight_map\":{}}", PALI_ERROR_FORMAT, "weight_map" },
        { "{\"weight_map\":{\"a\":3}}", PALI_ERROR_FORMAT, "an integer" },
        { "{\"weight_map\":{\"a\":null}}", PALI_ERROR_FORMAT, "null" },
        { "{\"weight_map\":{\"a\":\"../two.safetensors\"}}", PALI_ERROR_FORMAT, "../two" },
        { "{\"weight_map\":{\"a\":\"/etc/passwd\"}}", PALI_ERROR_FORMAT, "plain file name" },
        { "{\"weight_map\":{\"a\":\"..\"}}", PALI_ERROR_FORMAT, "plain file name" },
        { "{\"weight_map\":{\"a\":\"\"}}", PALI_ERROR_FORMAT, "plain file name" },
        { "{\"weight_map\":{\"a\":\"three.safetensors\"}}", PALI_ERROR_IO, "three.safetensors" },
        { "{\"weight_map\":{\"a\":\"one.safetensors\"}}", PALI_ERROR_FORMAT, "lacks tensor \"a\"" },
        { "{\"weight_map\":{\"zz\":\"one.safetensors\"}}", PALI_ERROR_FORMAT, "lacks tensor \"zz\"" },
        { "{\"weight_map\":{\"a\":\"two.safetensors\",\"extra\":\"one.safetensors\"}}", PALI_ERROR_FORMAT,
          "\"b\" stands in" },
        { "{\"weight_map\":{\"a\":\"two.safetensors\",\"a\":\"one.safetensors\"}}", PALI_ERROR_FORMAT, "twice" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put_text("model.safetensors.index.json", bad[i].index);
        CHECK_FAILS(pali_checkpoint_open(&checkpoint, directory, &error), error, bad[i].status, bad[i].fragment);
    }
    empty_directory();
}

int main(void)
{
    test_accepted();
    test_refused();
    test_truncated();
    test_mutated();
    test_round_trip();
    test_single();
    test_shards();
    return test_report("safetensors");
}
