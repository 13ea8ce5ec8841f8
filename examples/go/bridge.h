/* SPDX-License-Identifier: BSD-2-Clause */
/* What Go cannot say itself: tensors built from Go memory for the length of one call, and the C side of callbacks. */
#ifndef PALI_GO_BRIDGE_H
#define PALI_GO_BRIDGE_H

#include <paligemma/paligemma.h>

#include <stdlib.h>
#include <string.h>

/* bridge.c: they call the exported Go functions. `user` points to a uintptr_t, a cgo.Handle of the running call. */
int pali_go_progress(void *user, const char *stage, double fraction);
int pali_go_token(void *user, const pali_token *token);
int pali_go_token_mask(void *user, int64_t row, const int64_t *ids, size_t n_ids, uint8_t *allowed, int64_t vocab_size);

/* A pali_tensor holds a pointer, so Go may not pass a pointer to one that points to Go memory: it is made here. */
static inline pali_status pali_go_inputs_set(pali_inputs *inputs, const char *name, void *data, pali_dtype dtype,
                                             int32_t rank, const int64_t *shape, pali_error **error)
{
    pali_tensor tensor = pali_tensor_view(data, dtype, rank, shape);
    return pali_inputs_set(inputs, name, &tensor, error);
}

static inline pali_status pali_go_model_image_features(pali_image_features **out, pali_model *model, void *data,
                                                       pali_dtype dtype, int32_t rank, const int64_t *shape,
                                                       const pali_image_features_options *options, pali_error **error)
{
    pali_tensor tensor = pali_tensor_view(data, dtype, rank, shape);
    return pali_model_image_features(out, model, &tensor, options, error);
}

static inline pali_status pali_go_image_features_create(pali_image_features **out, pali_model *model, void *data,
                                                        pali_dtype dtype, int32_t rank, const int64_t *shape,
                                                        int32_t divided, pali_error **error)
{
    pali_tensor tensor = pali_tensor_view(data, dtype, rank, shape);
    return pali_image_features_create(out, model, &tensor, divided, error);
}

static inline pali_status pali_go_max_sim(float *scores, void *queries, pali_dtype queries_dtype, int32_t queries_rank,
                                          const int64_t *queries_shape, void *pages, pali_dtype pages_dtype,
                                          int32_t pages_rank, const int64_t *pages_shape, pali_error **error)
{
    pali_tensor q = pali_tensor_view(queries, queries_dtype, queries_rank, queries_shape);
    pali_tensor p = pali_tensor_view(pages, pages_dtype, pages_rank, pages_shape);
    return pali_max_sim(scores, &q, &p, error);
}

#endif
