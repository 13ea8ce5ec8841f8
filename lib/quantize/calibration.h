/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rounding the matrices of a model with an eye on what goes through them (GPTQ, arXiv 2210.17323): the model runs on
 * given inputs block by block, so that each block is calibrated on what the rounded ones before it make of them.
 *
 * Beside the model's map, memory is held by
 *   - the rounded matrices, until they are written: the size of the quantized checkpoint;
 *   - of each input, the rows that go from block to block: 4 · hidden bytes for each token, of the tower likewise;
 *   - one block's matrices in float32, and the second moments of its inputs (quantize/second_moments.h).
 */
#ifndef PALI_QUANTIZE_CALIBRATION_H
#define PALI_QUANTIZE_CALIBRATION_H

#include <paligemma/inputs.h>

#include "core/watch.h"
#include "kernels/round_weights.h"
#include "model/network.h"

/* A matrix, rounded as pali__round_weights does it. */
struct pali__rounded_matrix {
    int64_t n_out, n_in;
    struct pali__rounding rounding; /* without importance */
    void *codes, *scales; /* of pali__aligned_malloc */
    int8_t *zero_points;  /* of pali__malloc; NULL if symmetric */
};

struct pali__calibrate {
    const char *in_dir;
    const pali_inputs *const *inputs;
    size_t n_inputs;
    int32_t threads; /* 0: OpenMP's number */
    /* How the tensor `spec` of the network is to be rounded, whose matrix has the type of the file; false: it stays as it
     * is. Not asked for what has no share in this: vectors, embeddings, a tied head. */
    bool (*plan)(void *user, const struct pali__tensor_spec *spec, struct pali__rounding *rounding);
    void *user;
    struct pali__watch watch; /* "calibrate" */
};

struct pali__calibration;

/* As pali_quantize says of calibrations. */
pali_status pali__calibrate(struct pali__calibration **out, const struct pali__calibrate *how, pali_error **error);
void pali__calibration_free(struct pali__calibration *calibration); /* NULL: nothing */

/* The matrices that were rounded, in the order of pali__network_visit. Borrowed; the caller may take codes, scales and
 * zero points and leave NULL. */
size_t pali__calibration_count(const struct pali__calibration *calibration);
struct pali__rounded_matrix *pali__calibration_get(struct pali__calibration *calibration, size_t index);

#endif
