/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads what https://github.com/huggingface/safetensors#format describes, as strictly as its reference does. */
#include "checkpoint/safetensors.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/tensors.h"
#include "core/json_file.h"
#include "core/memory.h"

enum {
    LENGTH_SIZE = 8,
    HEADER_LIMIT = 100000000, /* the reference's limit */
    HEADER_DEPTH = 8
};

static const struct {
    const char *code;
    pali_dtype dtype;
} codes[] = {
    { "F32", PALI_FLOAT32 }, { "BF16", PALI_BFLOAT16 }, { "F16", PALI_FLOAT16 }, { "F64", PALI_FLOAT64 },
    { "I64", PALI_INT64 },   { "I32", PALI_INT32 },     { "I16", PALI_INT16 },   { "I8", PALI_INT8 },
    { "U8", PALI_UINT8 },    { "BOOL", PALI_BOOL },
};

const char *pali__safetensors_code(pali_dtype dtype)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].dtype == dtype)
            return codes[i].code;
    return NULL;
}

/* What is being read, for the functions below. */
struct reader {
    const char *path;
    const unsigned char *data; /* the bytes after the header */
    size_t size;
    pali_error **error;
};

static pali_status read_dtype(const struct reader *reader, const char *name, struct json_object *info,
                              pali_tensor *tensor)
{
    const char *code = pali__json_string(pali__json_get(info, "dtype"));
    if (!code)
        return pali__fail(reader->error, PALI_ERROR_FORMAT, "'%s': tensor \"%.200s\" has no dtype", reader->path, name);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strcmp(codes[i].code, code) == 0) {
            tensor->dtype = codes[i].dtype;
            return PALI_OK;
        }
    }
    return pali__fail(reader->error, PALI_ERROR_UNSUPPORTED, "'%s': tensor \"%.200s\" has unsupported dtype \"%.50s\"",
                      reader->path, name, code);
}

/* Sets *size to the bytes that the shape stands for. */
static pali_status read_shape(const struct reader *reader, const char *name, struct json_object *info,
                              pali_tensor *tensor, size_t *size)
{
    struct json_object *shape = pali__json_get(info, "shape");
    if (pali__json_kind(shape) != PALI__JSON_ARRAY)
        return pali__fail(reader->error, PALI_ERROR_FORMAT, "'%s': tensor \"%.200s\" has no shape", reader->path, name);
    size_t rank = pali__json_count(shape);
    if (rank > PALI_MAX_RANK)
        return pali__fail(reader->error, PALI_ERROR_UNSUPPORTED,
                          "'%s': tensor \"%.200s\" has %zu dimensions, at most %d are supported", reader->path, name,
                          rank, PALI_MAX_RANK);
    int64_t factors[PALI_MAX_RANK + 1] = { (int64_t)pali_dtype_size(tensor->dtype) };
    for (size_t i = 0; i < rank; i++)
        if (!pali__json_int(pali__json_at(shape, i), &factors[i + 1]) || factors[i + 1] < 0)
            return pali__fail(reader->error, PALI_ERROR_FORMAT,
                              "'%s': tensor \"%.200s\": size of dimension %zu is not a non-negative integer",
                              reader->path, name, i);
    if (!pali__size_product(size, (int)rank + 1, factors))
        return pali__fail(reader->error, PALI_ERROR_FORMAT,
                          "'%s': tensor \"%.200s\": its shape has more bytes than memory can address", reader->path,
                          name);
    *tensor = pali_tensor_view(NULL, tensor->dtype, (int32_t)rank, factors + 1);
    return PALI_OK;
}

static pali_status read_tensor(const struct reader *reader, const char *name, struct json_object *info,
                               pali_tensor *tensor)
{
    if (pali__json_kind(info) != PALI__JSON_OBJECT)
        return pali__fail(reader->error, PALI_ERROR_FORMAT,
                          "'%s': header entry \"%.200s\" is %s, an object was expected", reader->path, name,
                          pali__json_kind_name(pali__json_kind(info)));
    size_t size = 0;
    TRY(read_dtype(reader, name, info, tensor));
    TRY(read_shape(reader, name, info, tensor, &size));

    struct json_object *offsets = pali__json_get(info, "data_offsets");
    int64_t begin, end;
    if (pali__json_kind(offsets) != PALI__JSON_ARRAY || pali__json_count(offsets) != 2 ||
        !pali__json_int(pali__json_at(offsets, 0), &begin) || !pali__json_int(pali__json_at(offsets, 1), &end))
        return pali__fail(reader->error, PALI_ERROR_FORMAT, "'%s': tensor \"%.200s\" has no pair of data_offsets",
                          reader->path, name);
    if (begin < 0 || end < begin || (uint64_t)end > reader->size)
        return pali__fail(reader->error, PALI_ERROR_FORMAT,
                          "'%s': tensor \"%.200s\" lies at bytes %lld to %lld, the file has %zu bytes of data",
                          reader->path, name, (long long)begin, (long long)end, reader->size);
    if ((uint64_t)(end - begin) != size)
        return pali__fail(reader->error, PALI_ERROR_FORMAT,
                          "'%s': tensor \"%.200s\" has %lld bytes, its shape and dtype need %zu", reader->path, name,
                          (long long)(end - begin), size);
    tensor->data = (void *)(uintptr_t)(reader->data + begin);
    return PALI_OK;
}

size_t pali__tensor_size(const pali_tensor *tensor)
{
    return (size_t)pali_tensor_count(tensor) * pali_dtype_size(tensor->dtype);
}

static int by_place(const void *a, const void *b)
{
    const pali_tensor *x = &(*(struct pali__safetensors_tensor *const *)a)->tensor;
    const pali_tensor *y = &(*(struct pali__safetensors_tensor *const *)b)->tensor;
    uintptr_t begin_x = (uintptr_t)x->data, begin_y = (uintptr_t)y->data;
    if (begin_x != begin_y)
        return begin_x < begin_y ? -1 : 1;
    /* Empty ones come before what begins at the same byte. */
    size_t size_x = pali__tensor_size(x), size_y = pali__tensor_size(y);
    return (size_x > size_y) - (size_x < size_y);
}

/* The format allows no byte of the data to belong to two tensors or to none. */
static pali_status check_cover(const struct reader *reader, struct pali__safetensors *file)
{
    struct pali__safetensors_tensor **order = pali__calloc(file->count, sizeof *order);
    if (!order)
        return pali__no_memory(reader->error, file->count * sizeof *order);
    for (size_t i = 0; i < file->count; i++)
        order[i] = &file->tensors[i];
    if (file->count)
        qsort(order, file->count, sizeof *order, by_place);

    pali_status status = PALI_OK;
    size_t end = 0;
    for (size_t i = 0; i < file->count && status == PALI_OK; i++) {
        size_t begin = (size_t)((const unsigned char *)order[i]->tensor.data - reader->data);
        if (begin != end)
            status = pali__fail(reader->error, PALI_ERROR_FORMAT,
                                "'%s': tensor \"%.200s\" begins at byte %zu of the data, byte %zu was expected (%s)",
                                reader->path, order[i]->name, begin, end,
                                begin < end ? "two tensors overlap" : "there is a hole");
        end = begin + pali__tensor_size(&order[i]->tensor);
    }
    if (status == PALI_OK && end != reader->size)
        status = pali__fail(reader->error, PALI_ERROR_FORMAT,
                            "'%s': the tensors have %zu bytes, the file has %zu bytes of data", reader->path, end,
                            reader->size);
    pali__free(order);
    return status;
}

static pali_status read_header(const struct reader *reader, struct pali__safetensors *file, struct json_object *root)
{
    size_t capacity = pali__json_count(root);
    file->tensors = pali__calloc(capacity, sizeof *file->tensors);
    if (!file->tensors)
        return pali__no_memory(reader->error, capacity * sizeof *file->tensors);
    const char *name;
    struct json_object *info;
    for (void *cursor = NULL; (cursor = pali__json_next(root, cursor, &name, &info));) {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        struct pali__safetensors_tensor *entry = &file->tensors[file->count];
        TRY(read_tensor(reader, name, info, &entry->tensor));
        entry->name = pali__strdup(name);
        if (!entry->name)
            return pali__no_memory(reader->error, strlen(name) + 1);
        file->count++;
    }
    return check_cover(reader, file);
}

pali_status pali__safetensors_parse(struct pali__safetensors *out, const unsigned char *data, size_t size,
                                    const char *path, pali_error **error)
{
    *out = (struct pali__safetensors){ { NULL, 0 }, NULL, 0 };
    if (size < LENGTH_SIZE)
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': %zu bytes are too few for a safetensors file", path, size);
    uint64_t length = 0;
    for (int i = LENGTH_SIZE - 1; i >= 0; i--)
        length = length << 8 | data[i];
    if (length > size - LENGTH_SIZE)
        return pali__fail(error, PALI_ERROR_FORMAT,
                          "'%s': the header should have %llu bytes, the file has %zu after its length (truncated, or "
                          "not a safetensors file)",
                          path, (unsigned long long)length, size - LENGTH_SIZE);
    if (length > HEADER_LIMIT)
        return pali__fail(error, PALI_ERROR_LIMIT, "'%s': the header has %llu bytes, the limit is %d", path,
                          (unsigned long long)length, HEADER_LIMIT);

    const char *header = (const char *)data + LENGTH_SIZE;
    if (length == 0 || header[0] != '{')
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': the header does not begin with '{'", path);
    struct json_object *root;
    TRY(pali__json_parse(&root, header, (size_t)length, HEADER_DEPTH, path, error));
    struct reader reader = { path, data + LENGTH_SIZE + length, size - LENGTH_SIZE - (size_t)length, error };
    pali_status status;
    if (pali__json_repeats_key(header, (size_t)length, root))
        status = pali__fail(error, PALI_ERROR_FORMAT, "'%s': the header has the same name twice", path);
    else
        status = read_header(&reader, out, root);
    pali__json_free(root);
    if (status != PALI_OK)
        pali__safetensors_close(out);
    return status;
}

pali_status pali__safetensors_open(struct pali__safetensors *out, const char *path, pali_error **error)
{
    struct pali__map map;
    *out = (struct pali__safetensors){ { NULL, 0 }, NULL, 0 };
    TRY(pali__map_open(&map, path, error));
    pali_status status = pali__safetensors_parse(out, map.data, map.size, path, error);
    if (status == PALI_OK)
        out->map = map;
    else
        pali__map_close(&map);
    return status;
}

void pali__safetensors_close(struct pali__safetensors *file)
{
    for (size_t i = 0; i < file->count; i++)
        pali__free(file->tensors[i].name);
    pali__free(file->tensors);
    pali__map_close(&file->map);
    *file = (struct pali__safetensors){ { NULL, 0 }, NULL, 0 };
}

pali_status pali__safetensors_load(struct pali__tensor_set *set, const char *path, pali_error **error)
{
    struct pali__safetensors file;
    TRY(pali__safetensors_open(&file, path, error));
    pali_status status = PALI_OK;
    for (size_t i = 0; i < file.count && status == PALI_OK; i++)
        status = pali__tensor_set_copy(set, file.tensors[i].name, &file.tensors[i].tensor, error);
    pali__safetensors_close(&file);
    return status;
}
