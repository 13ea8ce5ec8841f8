/* SPDX-License-Identifier: BSD-2-Clause */
/* The tensors that a checkpoint has of a quantized matrix: which they should be, and those that are there. */
#ifndef PALI_MODEL_QUANTIZED_TENSORS_H
#define PALI_MODEL_QUANTIZED_TENSORS_H

#include "model/network.h"

enum pali__part {
    PALI__PART_CODES,       /* weight_packed int32 [n_out, words of a row], or weight int8 [n_out, n_in] */
    PALI__PART_SCALES,      /* weight_scale, a floating type, [n_out, n_groups] or [1] */
    PALI__PART_ZERO_POINTS, /* weight_zero_point int8 [n_out, n_groups] or [1], or packed int32 [words, n_groups] */
    PALI__PART_SHAPE,       /* weight_shape int64 [2], beside packed codes */
    PALI__N_PARTS
};

/* One part as it should be. */
struct pali__part_spec {
    char name[208];   /* canonical */
    pali_dtype dtype; /* 0: float32, bfloat16 or float16 */
    int32_t rank;
    int64_t shape[2];
    bool loose; /* sizes of 1 count for nothing */
};

/* How the checkpoint has a weight. */
enum pali__stored { PALI__STORED_NOWHERE, PALI__STORED_PLAIN, PALI__STORED_QUANTIZED };
enum pali__stored pali__weight_stored(const pali_checkpoint *checkpoint, const char *weight);

/* The group of quantization_config that says how `spec`, whose name is one that the checkpoint has, is quantized; NULL:
 * it is a plain tensor. Names in the configuration may be of any style, and may be of several: a matrix is quantized if
 * the file has it so and one style says so, or if all styles say so. */
const struct pali__quantization_group *pali__quantized_group(const pali_checkpoint *checkpoint,
                                                             const struct pali__settings *settings,
                                                             const struct pali__tensor_spec *spec);

/* False if the group has no such part. */
bool pali__part_spec(struct pali__part_spec *out, enum pali__part part, const struct pali__quantization_group *group,
                     const struct pali__tensor_spec *spec);

/* Whether the tensor has the part's shape. */
bool pali__part_fits(const pali_tensor *tensor, const struct pali__part_spec *part);

/* The parts of a quantized matrix. */
struct pali__quantized_tensors {
    const struct pali__quantization_group *group; /* NULL: it is not quantized, and there are no parts */
    const pali_tensor *parts[PALI__N_PARTS];      /* NULL: the group has no such part */
};

/* Finds and checks the parts of `spec`, whose name is one that the checkpoint has; `path` is for messages. */
pali_status pali__quantized_find(struct pali__quantized_tensors *out, const pali_checkpoint *checkpoint,
                                 const struct pali__settings *settings, const char *path,
                                 const struct pali__tensor_spec *spec, pali_error **error);

#endif
