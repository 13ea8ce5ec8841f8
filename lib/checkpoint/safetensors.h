/* SPDX-License-Identifier: BSD-2-Clause */
/* One mapped safetensors file: 8 bytes with the header's length, a JSON header, the tensors' bytes in sequence. */
#ifndef PALI_CHECKPOINT_SAFETENSORS_H
#define PALI_CHECKPOINT_SAFETENSORS_H

#include "core/error.h"
#include "core/file.h"
#include "core/tensor_set.h"

struct pali__safetensors_tensor {
    char *name;
    pali_tensor tensor; /* data lies inside the file's bytes, and may not be aligned to the element's size */
};

struct pali__safetensors {
    struct pali__map map; /* zero when the bytes came from the caller */
    struct pali__safetensors_tensor *tensors; /* in the header's order */
    size_t count;
};

/* Maps the file and checks all of its header. Ended by pali__safetensors_close. */
pali_status pali__safetensors_open(struct pali__safetensors *out, const char *path, pali_error **error);

/* The same from `size` bytes that stay the caller's and must outlive `out`; `path` is for messages. */
pali_status pali__safetensors_parse(struct pali__safetensors *out, const unsigned char *data, size_t size,
                                    const char *path, pali_error **error);

void pali__safetensors_close(struct pali__safetensors *file);

/* Opens `path` to write the tensors `order`, whose data is not looked at, and writes the header; then the caller writes
 * their bytes in that order and commits or aborts. Names must be UTF-8. */
pali_status pali__safetensors_begin(struct pali__writer **out, const struct pali__tensor_entry *const *order,
                                    size_t count, const char *path, pali_error **error);

/* Sorts entries of one array as a file has them: whole multiples of 64 bytes in the order of the array, then what is left,
 * the widest elements first. */
void pali__safetensors_sort(const struct pali__tensor_entry **order, size_t count);

size_t pali__tensor_size(const pali_tensor *tensor); /* in bytes */

/* "F32", "BF16", …; NULL for an unknown dtype. */
const char *pali__safetensors_code(pali_dtype dtype);

#endif
