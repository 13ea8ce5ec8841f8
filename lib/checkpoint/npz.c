/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An .npy file (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): magic, version, length of the
 * header, a header that is a Python dictionary such as
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (128, 512), }
 * and the array's bytes.
 */
#include "checkpoint/npz.h"

#include <stdbool.h>
#include <string.h>

#include "checkpoint/zip.h"
#include "core/memory.h"

static const struct {
    const char *code;
    pali_dtype dtype;
} codes[] = {
    { "<f4", PALI_FLOAT32 }, { "<f2", PALI_FLOAT16 }, { "<f8", PALI_FLOAT64 }, { "<i8", PALI_INT64 },
    { "<i4", PALI_INT32 },   { "<i2", PALI_INT16 },   { "|i1", PALI_INT8 },    { "|u1", PALI_UINT8 },
    { "|b1", PALI_BOOL },
};

/* The rest of a header, and what it belongs to. */
struct header {
    const char *at, *end;
    const char *path, *name; /* for messages */
    pali_error **error;
};

static void skip_spaces(struct header *header)
{
    while (header->at < header->end && (*header->at == ' ' || *header->at == '\n'))
        header->at++;
}

/* Takes `text` if that comes next. */
static bool take(struct header *header, const char *text)
{
    size_t size = strlen(text);
    skip_spaces(header);
    if ((size_t)(header->end - header->at) < size || memcmp(header->at, text, size) != 0)
        return false;
    header->at += size;
    return true;
}

/* A string in either kind of quotes, without escapes, into `text`. */
static bool take_string(struct header *header, char *text, size_t room)
{
    if (!take(header, "'") && !take(header, "\""))
        return false;
    const char quote = header->at[-1];
    size_t size = 0;
    while (header->at < header->end && *header->at != quote && size + 1 < room)
        text[size++] = *header->at++;
    text[size] = '\0';
    return header->at < header->end && *header->at++ == quote;
}

/* A size without sign that fits an int64_t with ease. */
static bool take_size(struct header *header, int64_t *value)
{
    skip_spaces(header);
    const char *begin = header->at;
    *value = 0;
    while (header->at < header->end && *header->at >= '0' && *header->at <= '9' && header->at - begin < 18)
        *value = *value * 10 + (*header->at++ - '0');
    return header->at > begin;
}

static bool take_bool(struct header *header, int *value)
{
    *value = take(header, "True");
    return *value || take(header, "False");
}

static bool take_shape(struct header *header, int32_t *rank, int64_t *shape)
{
    *rank = 0;
    if (!take(header, "("))
        return false;
    while (!take(header, ")")) {
        if (*rank == PALI_MAX_RANK || !take_size(header, &shape[*rank]))
            return false;
        ++*rank;
        if (!take(header, ",")) /* (3) is no tuple, but does no harm */
            return take(header, ")");
    }
    return true;
}

static pali_status fail_header(const struct header *header)
{
    return pali__fail(header->error, PALI_ERROR_FORMAT,
                      "'%s': array \"%.200s\" has a header that is not {'descr': …, 'fortran_order': …, 'shape': …}",
                      header->path, header->name);
}

/* The dictionary. Every key must be there; the last of two equal ones counts, as in Python. */
static pali_status read_dictionary(struct header *header, pali_tensor *tensor)
{
    char key[16], descr[16] = "";
    int64_t shape[PALI_MAX_RANK];
    int32_t rank = -1;
    int fortran_order = -1;
    if (!take(header, "{"))
        return fail_header(header);
    while (!take(header, "}")) {
        if (!take_string(header, key, sizeof key) || !take(header, ":"))
            return fail_header(header);
        bool ok = false;
        if (strcmp(key, "descr") == 0)
            ok = take_string(header, descr, sizeof descr);
        else if (strcmp(key, "fortran_order") == 0)
            ok = take_bool(header, &fortran_order);
        else if (strcmp(key, "shape") == 0)
            ok = take_shape(header, &rank, shape);
        if (!ok)
            return fail_header(header);
        take(header, ",");
    }
    if (!descr[0] || fortran_order < 0 || rank < 0)
        return fail_header(header);
    if (fortran_order == 1 && rank > 1)
        return pali__fail(header->error, PALI_ERROR_UNSUPPORTED,
                          "'%s': array \"%.200s\" is in Fortran order, C order was expected", header->path,
                          header->name);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(codes[i].code, descr) == 0) {
            *tensor = pali_tensor_view(NULL, codes[i].dtype, rank, shape);
            return PALI_OK;
        }
    return pali__fail(header->error, PALI_ERROR_UNSUPPORTED, "'%s': array \"%.200s\" has unsupported type \"%s\"",
                      header->path, header->name, descr);
}

/* The array in the bytes of an .npy file. */
static pali_status read_array(pali_tensor *tensor, const struct pali__zip_member *member, const char *path,
                              const char *name, pali_error **error)
{
    const unsigned char *data = member->data;
    if (member->size < 12 || memcmp(data, "\x93NUMPY", 6) != 0)
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': array \"%.200s\" does not begin as an .npy file", path,
                          name);
    size_t begin = data[6] == 1 ? 10 : 12, length = (size_t)data[8] | (size_t)data[9] << 8;
    if (data[6] < 1 || data[6] > 3)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "'%s': array \"%.200s\" is an .npy file of version %d", path,
                          name, data[6]);
    if (data[6] > 1)
        length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (length > member->size - begin)
        return pali__fail(error, PALI_ERROR_FORMAT,
                          "'%s': array \"%.200s\" has a header of %zu bytes, its file has %zu",
                          path, name, length, member->size);

    const char *text = (const char *)data + begin;
    struct header header = { text, text + length, path, name, error };
    TRY(read_dictionary(&header, tensor));
    int64_t factors[PALI_MAX_RANK + 1] = { (int64_t)pali_dtype_size(tensor->dtype) };
    memcpy(factors + 1, tensor->shape, sizeof tensor->shape);
    size_t size = 0;
    if (!pali__size_product(&size, tensor->rank + 1, factors) || size != member->size - begin - length)
        return pali__fail(error, PALI_ERROR_FORMAT,
                          "'%s': array \"%.200s\" has %zu bytes of data, its shape and type need another number", path,
                          name, member->size - begin - length);
    tensor->data = (void *)(uintptr_t)(data + begin + length);
    return PALI_OK;
}

static pali_status read_members(struct pali__safetensors *out, struct pali__zip *zip, pali_error **error)
{
    out->tensors = pali__calloc(zip->n_left, sizeof *out->tensors);
    if (!out->tensors)
        return pali__no_memory(error, zip->n_left * sizeof *out->tensors);
    while (zip->n_left) {
        struct pali__zip_member member;
        TRY(pali__zip_next(zip, &member, error));
        size_t size = member.name_size;
        if (size > 4 && memcmp(member.name + size - 4, ".npy", 4) == 0)
            size -= 4;
        struct pali__safetensors_tensor *entry = &out->tensors[out->count];
        entry->name = pali__strndup(member.name, size);
        if (!entry->name)
            return pali__no_memory(error, size + 1);
        out->count++;
        TRY(read_array(&entry->tensor, &member, zip->path, entry->name, error));
    }
    return PALI_OK;
}

pali_status pali__npz_parse(struct pali__safetensors *out, const unsigned char *data, size_t size, const char *path,
                            pali_error **error)
{
    struct pali__zip zip;
    *out = (struct pali__safetensors){ { NULL, 0 }, NULL, 0 };
    TRY(pali__zip_open(&zip, data, size, path, error));
    pali_status status = read_members(out, &zip, error);
    if (status != PALI_OK)
        pali__safetensors_close(out);
    return status;
}

pali_status pali__named_tensors_open(struct pali__safetensors *out, const char *path, pali_error **error)
{
    struct pali__map map;
    *out = (struct pali__safetensors){ { NULL, 0 }, NULL, 0 };
    TRY(pali__map_open(&map, path, error));
    pali_status status = pali__zip_is(map.data, map.size)
                             ? pali__npz_parse(out, map.data, map.size, path, error)
                             : pali__safetensors_parse(out, map.data, map.size, path, error);
    if (status == PALI_OK)
        out->map = map;
    else
        pali__map_close(&map);
    return status;
}
