/* SPDX-License-Identifier: BSD-2-Clause */
/* What a calibration holds of its inputs between two blocks of the model. */
#ifndef PALI_QUANTIZE_CALIBRATION_SAMPLES_H
#define PALI_QUANTIZE_CALIBRATION_SAMPLES_H

#include "model/pass.h"

struct pali__calibration_sample {
    const pali_inputs *inputs; /* the caller's */

    /* Of the tower. */
    const float *pixels; /* [n_pictures, channels, size, size], borrowed; NULL: it has none */
    int64_t n_pictures;
    float *pictures;     /* [n_pictures, patches, hidden of the tower] */
    float *features;     /* [n_pictures, patches, hidden of the text]; NULL: the forward pass computes them */

    /* Of the decoder, as in struct pali__pass. */
    struct pali__sequence *sequences;
    int64_t n_sequences, n_rows;
    int64_t *positions;
    uint8_t *real, *type;
    float *h; /* [n_rows, hidden] */
};

/* Checks the pictures of `inputs` and makes room for their rows in the tower and out of it. */
pali_status pali__calibration_sample_pictures(struct pali__calibration_sample *sample, const pali_model *model,
                                              pali_error **error);

/* The rows that enter the decoder: from features, if the tower has run, else from pixel values. */
pali_status pali__calibration_sample_rows(struct pali__calibration_sample *sample, pali_model *model, int32_t threads,
                                          pali_error **error);

/* To a pass of enough rows, and back. */
void pali__calibration_sample_enter(const struct pali__calibration_sample *sample, struct pali__pass *pass);
void pali__calibration_sample_leave(struct pali__calibration_sample *sample, const struct pali__pass *pass);

void pali__calibration_sample_clear(struct pali__calibration_sample *sample); /* of a zeroed one: nothing */

#endif
