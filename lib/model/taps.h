/* SPDX-License-Identifier: BSD-2-Clause */
/* Outputs for those who want to look inside: hidden states of decoder and tower, and attentions. */
#ifndef PALI_MODEL_TAPS_H
#define PALI_MODEL_TAPS_H

#include "core/tensor_set.h"
#include "model/pass.h"

/* Adds "hidden_states.N" and "attentions.N" to `outputs` as `options` wants them, and lets `taps` point into them.
 * `n_keys` is how many keys a query has, cached ones included. */
pali_status pali__taps_open(struct pali__taps *taps, struct pali__tensor_set *outputs,
                            const struct pali__settings *settings, const pali_forward_options *options, int64_t batch,
                            int64_t length, int64_t n_keys, pali_error **error);
void pali__taps_close(struct pali__taps *taps); /* of zeroed ones: nothing */

/* Adds "vision_hidden_states.N" [n_images, patches, hidden], N = 0…layers of the tower; *states [layers + 1] points to
 * them and is freed with pali__free. */
pali_status pali__vision_taps_open(float ***states, struct pali__tensor_set *outputs,
                                   const struct pali__vision_config *config, int64_t n_images, pali_error **error);

#endif
