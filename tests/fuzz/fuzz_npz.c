/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as an .npz file: every array that is found is read to its end. The CRC-32 of what a mutation changed is put
 * right first, so that more than the check of it is tried. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "checkpoint/npz.h"

static volatile unsigned sink; /* so that the reads below are made */

static uint32_t crc_of(const uint8_t *data, size_t size)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    return ~crc;
}

static uint32_t number(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* For each entry of the directory whose member is inside the file. */
static void mend(uint8_t *data, size_t size)
{
    for (size_t at = 0; at + 46 <= size; at++) {
        if (memcmp(data + at, "PK\1\2", 4) != 0)
            continue;
        const size_t header = number(data + at + 42), length = number(data + at + 24);
        if (header > size || size - header < 30)
            continue;
        const size_t begin = header + 30 + (number(data + header + 26) & 0xffff) + number(data + header + 26) / 65536;
        if (begin > size || size - begin < length)
            continue;
        const uint32_t crc = crc_of(data + begin, length);
        for (int i = 0; i < 4; i++)
            data[at + 16 + (size_t)i] = (uint8_t)(crc >> 8 * i);
    }
}

static void parse(const uint8_t *data, size_t size)
{
    struct pali__safetensors file;
    pali_error *error = NULL;
    if ((pali__npz_parse(&file, data, size, "fuzz.npz", &error) == PALI_OK) != (error == NULL))
        abort();
    for (size_t i = 0; i < file.count; i++) {
        const unsigned char *bytes = file.tensors[i].tensor.data;
        for (size_t j = 0; j < pali__tensor_size(&file.tensors[i].tensor); j++)
            sink = bytes[j];
        sink = (unsigned)strlen(file.tensors[i].name);
    }
    pali__safetensors_close(&file);
    pali_error_free(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    parse(data, size);
    mend(copy, size);
    parse(copy, size);
    free(copy);
    return 0;
}
