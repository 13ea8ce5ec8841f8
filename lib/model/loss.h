/* SPDX-License-Identifier: BSD-2-Clause */
/* Cross-entropy of the labels (PARITY §12). */
#ifndef PALI_MODEL_LOSS_H
#define PALI_MODEL_LOSS_H

#include "model/pass.h"

/* Position i predicts label i + 1 of its row; labels [batch, length]. token_loss [batch, length - 1] is 0 where the
 * label is ignore_index; *loss is the mean over the others, NaN if there are none, as in the reference. Labels outside
 * the vocabulary are PALI_ERROR_ARGUMENT. Of the head only the rows that count are computed. */
pali_status pali__loss(struct pali__pass *pass, const int64_t *labels, int64_t batch, int64_t length, float *loss,
                       float *token_loss, pali_error **error);

/* log(Σ exp(logits)) - logits[label], over n of them: minus the log-probability of `label`. */
double pali__cross_entropy(const float *logits, int64_t n, int64_t label);

#endif
