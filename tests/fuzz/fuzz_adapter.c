/* SPDX-License-Identifier: BSD-2-Clause */
/* adapter_config.json, a NUL, and adapter_model.safetensors: every pair that is found is read to its end. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "checkpoint/lora_file.h"

static volatile unsigned sink; /* so that the reads below are made */

static void read_all(const pali_tensor *tensor)
{
    const unsigned char *bytes = tensor->data;
    for (size_t i = 0; i < pali__tensor_size(tensor); i++)
        sink = bytes[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t config_size = end ? (size_t)(end - data) : size;
    const uint8_t *weights = end ? end + 1 : data + size;
    struct pali__lora_file file;
    pali_error *error = NULL;
    if (pali__lora_file_parse(&file, (const char *)data, config_size, weights, (size_t)(data + size - weights),
                              &error) != PALI_OK) {
        if (!error)
            abort();
        pali_error_free(error);
        return 0;
    }
    for (size_t i = 0; i < file.count; i++) {
        const struct pali__lora_pair *pair = &file.pairs[i];
        if (pali__lora_file_find(&file, pair->weight) != pair || pair->a->shape[0] != pair->rank ||
            pair->b->shape[1] != pair->rank)
            abort();
        read_all(pair->a);
        read_all(pair->b);
    }
    pali__lora_file_close(&file);
    return 0;
}
