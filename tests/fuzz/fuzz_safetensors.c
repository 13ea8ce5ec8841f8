/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a safetensors file: every tensor that is found is read to its end. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "checkpoint/safetensors.h"
#include "checkpoint/tensors.h"

static volatile unsigned sink; /* so that the reads below are made */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pali__safetensors file;
    pali_error *error = NULL;
    if (pali__safetensors_parse(&file, data, size, "fuzz.safetensors", &error) != PALI_OK) {
        if (!error)
            abort();
        pali_error_free(error);
        return 0;
    }
    for (size_t i = 0; i < file.count; i++) {
        const unsigned char *bytes = file.tensors[i].tensor.data;
        for (size_t j = 0; j < pali__tensor_size(&file.tensors[i].tensor); j++)
            sink = bytes[j];
        size_t room = strlen(file.tensors[i].name) + 1;
        char *canonical = malloc(room);
        if (canonical && !pali__canonical_name(canonical, room, file.tensors[i].name))
            abort();
        free(canonical);
    }
    pali__safetensors_close(&file);
    return 0;
}
