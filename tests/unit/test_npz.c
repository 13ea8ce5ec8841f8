/* SPDX-License-Identifier: BSD-2-Clause */
/* What np.savez wrote, and archives that are wrong in one place each. */
#include <stdbool.h>

#include "checkpoint/npz.h"
#include "core/file.h"
#include "core/memory.h"
#include "test.h"

static char *archive;
static size_t archive_size;

static const pali_tensor *find(const struct pali__safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i].tensor;
    return NULL;
}

static void test_small(void)
{
    struct pali__safetensors file;
    pali_error *error = NULL;
    CHECK_OK(pali__named_tensors_open(&file, test_path(test_data(), "structured/small.npz"), &error), error);
    CHECK(file.count == 5);
    const pali_tensor *a = find(&file, "a.weight"), *scalar = find(&file, "scalar"), *half = find(&file, "half"),
                      *empty = find(&file, "empty"), *ids = find(&file, "ids");
    CHECK(a && a->dtype == PALI_FLOAT32 && a->rank == 2 && a->shape[0] == 2 && a->shape[1] == 3);
    CHECK(scalar && scalar->dtype == PALI_FLOAT64 && scalar->rank == 0);
    CHECK(half && half->dtype == PALI_FLOAT16 && half->rank == 1 && half->shape[0] == 2);
    CHECK(empty && empty->dtype == PALI_UINT8 && empty->shape[0] == 0 && empty->shape[1] == 4);
    CHECK(ids && ids->dtype == PALI_INT64 && ids->shape[0] == 3);
    if (a && scalar && ids) {
        static const float a_values[] = { 0, 1, 2, 3, 4, 5 };
        static const double scalar_value = 2.5;
        static const int64_t id_values[] = { 0, 1, 2 };
        CHECK(memcmp(a->data, a_values, sizeof a_values) == 0);
        CHECK(memcmp(scalar->data, &scalar_value, sizeof scalar_value) == 0);
        CHECK(memcmp(ids->data, id_values, sizeof id_values) == 0);
    }
    pali__safetensors_close(&file);
}

/* Where `bytes` stand in the archive for the `turn`-th time. */
static size_t place_of(const char *bytes, size_t size, int turn)
{
    for (size_t i = 0; i + size <= archive_size; i++)
        if (memcmp(archive + i, bytes, size) == 0 && turn-- == 0)
            return i;
    CHECK_MSG(0, "the archive lacks %s", bytes);
    return 0;
}

/* The archive with `size` bytes from `at` on replaced. */
static void check_changed(size_t at, const char *bytes, size_t size, pali_status expected, const char *fragment)
{
    unsigned char *changed = malloc(archive_size);
    struct pali__safetensors file;
    pali_error *error = NULL;
    memcpy(changed, archive, archive_size);
    memcpy(changed + at, bytes, size);
    CHECK_FAILS(pali__npz_parse(&file, changed, archive_size, "x.npz", &error), error, expected, fragment);
    CHECK(file.tensors == NULL && file.count == 0);
    free(changed);
}

static void test_zip(void)
{
    const size_t central = place_of("PK\1\2", 4, 0), end = place_of("PK\5\6", 4, 0);
    check_changed(end, "XX", 2, PALI_ERROR_FORMAT, "no end record");
    check_changed(end + 10, "\xff\xff", 2, PALI_ERROR_UNSUPPORTED, "zip64");
    check_changed(end + 10, "\xf0\x00", 2, PALI_ERROR_FORMAT, "no entry at byte");
    check_changed(end + 16, "\xf0\xff\xff\x7f", 4, PALI_ERROR_FORMAT, "past its end record");
    check_changed(end + 16, "\x01\x00\x00\x00", 4, PALI_ERROR_FORMAT, "no entry at byte 1");
    check_changed(central + 8, "\x01", 1, PALI_ERROR_UNSUPPORTED, "\"a.weight.npy\" is encrypted");
    check_changed(central + 10, "\x08", 1, PALI_ERROR_UNSUPPORTED,
                  "\"a.weight.npy\" is compressed (method 8); np.savez");
    check_changed(central + 16, "\x00", 1, PALI_ERROR_FORMAT, "\"a.weight.npy\" is damaged");
    check_changed(central + 20, "\x00", 1, PALI_ERROR_FORMAT, "has two sizes");
    check_changed(central + 20, "\xff\xff\xff\x7f\xff\xff\xff\x7f", 8, PALI_ERROR_FORMAT, "has 2147483647 bytes");
    check_changed(central + 28, "\xff\xff", 2, PALI_ERROR_FORMAT, "cut off");
    check_changed(central + 42, "\x05", 1, PALI_ERROR_FORMAT, "no zip member begins at byte 5");
    check_changed(central + 42, "\xff\xff\xff\xff", 4, PALI_ERROR_FORMAT, "no zip member begins");
}

/* Every byte of data counts: without the CRC some of these would pass. */
static void test_damage(void)
{
    const size_t data = place_of("\x93NUMPY", 6, 0);
    for (size_t i = 0; i < 150; i++) {
        const char other = (char)(archive[data + i] ^ 0x10);
        check_changed(data + i, &other, 1, PALI_ERROR_FORMAT, "\"a.weight.npy\" is damaged");
    }
}

static void test_cut(void)
{
    for (size_t size = 0; size < archive_size; size++) {
        struct pali__safetensors file;
        pali_error *error = NULL;
        unsigned char *cut = malloc(size ? size : 1);
        memcpy(cut, archive, size);
        CHECK_FAILS(pali__npz_parse(&file, cut, size, "x.npz", &error), error, PALI_ERROR_FORMAT, "x.npz");
        free(cut);
    }
}

/* CRC-32 as its definition says, a bit at a time. */
static uint32_t crc_of(const unsigned char *data, size_t size)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    return ~crc;
}

static void put(unsigned char *at, uint32_t value, int n)
{
    for (int i = 0; i < n; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

/* An archive of one member "x.npy" with these bytes. */
static size_t make_archive(unsigned char *out, const unsigned char *member, size_t size)
{
    memset(out, 0, 30 + 5 + size + 46 + 5 + 22);
    memcpy(out, "PK\3\4", 4);
    put(out + 26, 5, 2);
    memcpy(out + 30, "x.npy", 5);
    memcpy(out + 35, member, size);
    unsigned char *central = out + 35 + size, *end = central + 51;
    memcpy(central, "PK\1\2", 4);
    put(central + 16, crc_of(member, size), 4);
    put(central + 20, (uint32_t)size, 4);
    put(central + 24, (uint32_t)size, 4);
    put(central + 28, 5, 2);
    memcpy(central + 46, "x.npy", 5);
    memcpy(end, "PK\5\6", 4);
    put(end + 10, 1, 2);
    put(end + 16, (uint32_t)(central - out), 4);
    return (size_t)(end - out) + 22;
}

/* An .npy file with this header and `n_data` zero bytes: read as `rank` dimensions, or refused with `fragment`. */
static void check_header(const char *header, int version, size_t n_data, int rank, pali_status expected,
                         const char *fragment)
{
    unsigned char member[512] = "\x93NUMPY", packed[1024];
    const size_t begin = version == 1 ? 10 : 12;
    member[6] = (unsigned char)version;
    put(member + 8, (uint32_t)strlen(header), version == 1 ? 2 : 4);
    memcpy(member + begin, header, strlen(header));
    const size_t size = make_archive(packed, member, begin + strlen(header) + n_data);
    struct pali__safetensors file;
    pali_error *error = NULL;
    if (expected == PALI_OK) {
        CHECK_OK(pali__npz_parse(&file, packed, size, "x.npz", &error), error);
        CHECK_MSG(file.count == 1 && file.tensors[0].tensor.rank == rank, "%s", header);
        CHECK(file.count == 1 && strcmp(file.tensors[0].name, "x") == 0);
        pali__safetensors_close(&file);
    } else {
        CHECK_FAILS(pali__npz_parse(&file, packed, size, "x.npz", &error), error, expected, fragment);
    }
}

static void test_headers(void)
{
    static const char *const wrong[] = {
        "", "{", "{}", "[]", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), ",
        "{'descr': '<f4', 'fortran_order': False}", "{'descr': '<f4', 'shape': (2,)}",
        "{'fortran_order': False, 'shape': (2,)}", "{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 2}", "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2", "{'descr': '<f4', 'fortran_order': False, 'shape': (,)}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", "{'descr': '<f4', 'other': 1}", "{'descr",
        "{'descr': 'a much too long name of a type', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        check_header(wrong[i], 1, 8, 0, PALI_ERROR_FORMAT, "array \"x\" has a header that is not");
    check_header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }   \n", 1, 8, 1, PALI_OK, NULL);
    check_header("{\"shape\":(1,2),\"descr\":\"<f4\",\"fortran_order\":False}", 2, 8, 2, PALI_OK, NULL);
    check_header("{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", 3, 8, 1, PALI_OK, NULL);
    check_header("{'descr': '<f4', 'fortran_order': False, 'shape': ()}", 1, 4, 0, PALI_OK, NULL);
    check_header("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2)}", 1, 8, 0, PALI_ERROR_UNSUPPORTED,
                 "Fortran");
    check_header("{'descr': '>f4', 'fortran_order': False, 'shape': (2,)}", 1, 8, 0, PALI_ERROR_UNSUPPORTED, ">f4");
    check_header("{'descr': '|O', 'fortran_order': False, 'shape': (2,)}", 1, 8, 0, PALI_ERROR_UNSUPPORTED, "|O");
    check_header("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", 1, 8, 0, PALI_ERROR_FORMAT,
                 "8 bytes of data");
    check_header("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}", 1, 8, 0,
                 PALI_ERROR_FORMAT, "header");
    check_header("{'descr': '<f4', 'fortran_order': False, 'shape': (900000000000000000, 90)}", 1, 8, 0,
                 PALI_ERROR_FORMAT, "bytes of data");
    check_header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 4, 8, 0, PALI_ERROR_UNSUPPORTED,
                 "version 4");
}

int main(void)
{
    pali_error *error = NULL;
    CHECK_OK(pali__file_read(&archive, &archive_size, test_path(test_data(), "structured/small.npz"), 1 << 20, &error),
             error);
    test_small();
    if (archive) {
        test_zip();
        test_damage();
        test_cut();
    }
    test_headers();
    pali__free(archive);
    return test_report("test_npz");
}
