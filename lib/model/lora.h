/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * LoRA (arXiv 2106.09685) beside the network's products: y += scale·B·(A·x) after y = W·x. The helper `linear` of the
 * decoder and of the tower hands every product to pali__lora_add, which looks W up in the adapter of the pass.
 */
#ifndef PALI_MODEL_LORA_H
#define PALI_MODEL_LORA_H

#include <paligemma/adapter.h>

#include "checkpoint/lora_file.h"
#include "model/network.h"

/* ---- which update belongs to which weight ---- */

typedef pali_status pali__lora_visitor(void *user, const struct pali__tensor_spec *spec,
                                       const struct pali__lora_pair *pair, pali_error **error);

/* Visits the weights of `network` that `file` updates, having checked that the shapes fit. An update that no weight
 * takes is an error that names its tensor. */
pali_status pali__lora_match(const struct pali__lora_file *file, const struct pali__settings *settings,
                             struct pali__network *network, pali__lora_visitor *visitor, void *user,
                             pali_error **error);

/* ---- an adapter in use by one pass ---- */

struct pali__lora {
    const pali_adapter *adapter; /* NULL: none */
    float scale;                 /* the caller's factor */
    struct pali__compute compute;
    float *low;                  /* [max_rows, largest rank]: A·x */
    void *scratch;
    void *block;
};

/* Makes room for products of up to `max_rows` rows; with a NULL adapter nothing is allocated and nothing ever done. */
pali_status pali__lora_begin(struct pali__lora *lora, const pali_adapter *adapter, double scale,
                             const pali_model *model, const struct pali__compute *compute, int64_t max_rows,
                             pali_error **error);
void pali__lora_end(struct pali__lora *lora); /* of a zeroed one: nothing */

/* y += scale·B·(A·x) if the adapter covers the matrix `w` of the network.
 * x: [n_rows, w->n_in], y: [n_rows, w->n_out]. */
pali_status pali__lora_add(const struct pali__lora *lora, float *y, const float *x, int64_t n_rows,
                           const struct pali__matrix *w, pali_error **error);

/* The same for one row x, and of y only the outputs in `spans`, packed as pali__linear_spans packs them. */
void pali__lora_add_spans(const struct pali__lora *lora, float *y, const float *x, const struct pali__matrix *w,
                          const struct pali__span *spans, int64_t n_spans);

#endif
