/* SPDX-License-Identifier: BSD-2-Clause */
/* The directory of a LoRA adapter as PEFT's save_pretrained writes it: which weight gets which update. */
#ifndef PALI_CHECKPOINT_LORA_FILE_H
#define PALI_CHECKPOINT_LORA_FILE_H

#include "checkpoint/safetensors.h"

/* W + scale·b·a. */
struct pali__lora_pair {
    char *weight;              /* canonical name of W, checkpoint/tensors.h */
    const char *a_name, *b_name; /* in the file */
    const pali_tensor *a, *b;  /* [rank, n_in] and [n_out, rank], not aligned; float32, bfloat16 or float16 */
    int64_t rank;
    double scale;
};

/* W itself, as PEFT's save_embedding_layers puts it beside the pair of a head. */
struct pali__lora_copy {
    char *weight;
    const char *name; /* in the file */
    const pali_tensor *tensor;
};

struct pali__lora_file {
    char *path; /* of the weights, for messages */
    struct pali__safetensors weights;
    struct pali__lora_pair *pairs; /* sorted by weight */
    size_t count;
    struct pali__lora_copy *copies; /* each of a weight that has a pair */
    size_t n_copies;
};

/* Reads and checks all that can be checked without the model. Ended by pali__lora_file_close. */
pali_status pali__lora_file_open(struct pali__lora_file *out, const char *directory, pali_error **error);

/* The same from the two files' bytes, which stay the caller's and must outlive `out`. */
pali_status pali__lora_file_parse(struct pali__lora_file *out, const char *config, size_t config_size,
                                  const unsigned char *weights, size_t weights_size, pali_error **error);

void pali__lora_file_close(struct pali__lora_file *file); /* of a zeroed one: nothing */

/* The update and the copy of that weight, or NULL. */
const struct pali__lora_pair *pali__lora_file_find(const struct pali__lora_file *file, const char *weight);
const struct pali__lora_copy *pali__lora_file_copy(const struct pali__lora_file *file, const char *weight);

#endif
