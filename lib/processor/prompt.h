/* SPDX-License-Identifier: BSD-2-Clause */
/* One text to token ids: where images, <bos>, the newline and the suffix go (PARITY §4). */
#ifndef PALI_PROCESSOR_PROMPT_H
#define PALI_PROCESSOR_PROMPT_H

#include "tokenizer/tokenizer.h"

struct pali__prompt_rules {
    const struct pali__tokenizer *tokenizer;
    const char *bos, *eos; /* as text */
    int64_t image_id;
    int64_t tokens_per_image;
};

struct pali__prompt_source {
    const char *text, *suffix; /* suffix may be NULL */
    size_t n_images;
    bool places_images; /* <image> stands in a text of the batch, so it says itself where pictures go */
    size_t row;         /* for messages */
};

struct pali__prompt {
    int64_t *ids;
    size_t n_ids, n_prefix; /* what follows the prefix is suffix */
};

/* How often <image> stands in `text`. */
size_t pali__prompt_count_images(const char *text);

pali_status pali__prompt_build(struct pali__prompt *out, const struct pali__prompt_rules *rules,
                               const struct pali__prompt_source *source, pali_error **error);
void pali__prompt_clear(struct pali__prompt *prompt);

#endif
