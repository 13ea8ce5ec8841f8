/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Matrices on their way into a quantized checkpoint: rounded some rows at a time as their codes are asked for. Scales
 * and zero points are kept until they are asked for too.
 */
#ifndef PALI_QUANTIZE_MATRIX_WRITER_H
#define PALI_QUANTIZE_MATRIX_WRITER_H

#include "kernels/round_weights.h"
#include "model/quantized_tensors.h"
#include "model/rewrite.h"

/* One matrix. Zeroed but for what _init fills in. */
struct pali__written_matrix {
    const struct pali__quantization_group *group;
    struct pali__rounding rounding;
    int64_t n_out, n_in, n_groups;
    void *codes;         /* of a matrix that a calibration has rounded, with its scales; else NULL */
    void *scales;        /* [n_out, n_groups]; NULL before the rounding and after all parts are written */
    int8_t *zero_points; /* the same, unless symmetric */
    int parts_left;
};

/* What all of them share. */
struct pali__matrix_writer {
    struct pali__rewrite *rewrite;
    struct pali__compute compute;
    int64_t chunk_size; /* weights */
    float *values;      /* of some rows */
    void *codes;        /* of the same */
};

/* For rows of at most `widest` weights; ended by _clear, also after a failure. */
pali_status pali__matrix_writer_init(struct pali__matrix_writer *writer, struct pali__rewrite *rewrite, int32_t threads,
                                     int64_t widest, pali_error **error);
void pali__matrix_writer_clear(struct pali__matrix_writer *writer);

/* Writes one part, of those that the matrix's group has. */
pali_status pali__matrix_write_part(struct pali__matrix_writer *writer, struct pali__written_matrix *matrix,
                                    enum pali__part part, const struct pali__rewrite_source *source,
                                    pali_error **error);
void pali__written_matrix_clear(struct pali__written_matrix *matrix);

#endif
