/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows that enter the decoder: scaled embeddings, with image features where the image token stands (PARITY §7). */
#ifndef PALI_MODEL_MERGE_H
#define PALI_MODEL_MERGE_H

#include "model/network.h"

/* Feature rows not used yet, in (image, patch) order. `rows` is NULL when the pass has no pictures: image tokens are
 * then embedded as any other. */
struct pali__feature_rows {
    const float *rows;
    int64_t count, used;
};

/* sqrt(hidden): what embeddings are multiplied with. Always the float32 value, also in bfloat16. */
float pali__embedding_scale(const pali_model *model);

/* PALI_ERROR_SHAPE when `ids` [n] has not exactly as many image tokens as there are feature rows; PALI_ERROR_ARGUMENT
 * for an id outside the vocabulary, with its index. */
pali_status pali__merge_check(const pali_model *model, const int64_t *ids, int64_t n,
                              const struct pali__feature_rows *features, pali_error **error);

/* h [n, hidden] of checked `ids`. */
void pali__merge_ids(const pali_model *model, float *h, const int64_t *ids, int64_t n,
                     struct pali__feature_rows *features);

/* h [n, hidden] of given embeddings. Image rows are those where `ids` (or NULL) has the image token, or, without ids,
 * those equal to its scaled embedding, as in the reference. */
pali_status pali__merge_embeds(const pali_model *model, float *h, const float *embeds, const int64_t *ids, int64_t n,
                               struct pali__feature_rows *features, pali_error **error);

#endif
