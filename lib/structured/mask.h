/* SPDX-License-Identifier: BSD-2-Clause */
/* The mask's body, for the files that show it. */
#ifndef PALI_STRUCTURED_MASK_H
#define PALI_STRUCTURED_MASK_H

#include <stdbool.h>

#include <paligemma/attention.h>

#include "processor/inputs_internal.h"

struct pali_mask {
    int64_t batch, length, past;       /* of `length` tokens the first `past` have no query */
    int64_t n_layers, window;
    int64_t image_token, tokens_per_image;
    bool *slides;                      /* [n_layers] */
    uint8_t *full_data, *sliding_data; /* [batch, length - past, length]; NULL if no layer is of this kind */
    pali_tensor full, sliding;         /* views of these */
    int64_t *ids;                      /* [batch, length], or NULL */
    pali_processor *processor;         /* a reference, or NULL */
};

/* Whether the query at position `query` of `row` sees the key at `key`. */
bool pali__mask_sees(const struct pali_mask *mask, bool sliding, int64_t row, int64_t query, int64_t key);
bool pali__mask_is_image(const struct pali_mask *mask, int64_t row, int64_t position);

#endif
