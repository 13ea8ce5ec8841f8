/* SPDX-License-Identifier: BSD-2-Clause */
/* What `paligemma explain` has opened, for its parts. */
#ifndef PALIGEMMA_CLI_EXPLAIN_H
#define PALIGEMMA_CLI_EXPLAIN_H

#include <paligemma/paligemma.h>

#include "outline.h"

struct explanation {
    const char *prompt, *suffix;
    const char *const *paths; /* of the pictures */
    size_t n_images;
    pali_dtype dtype;         /* as asked for; 0: the checkpoint's own */

    pali_config *config;
    pali_checkpoint *checkpoint; /* NULL if the directory has no weights */
    pali_processor *processor;
    pali_image **images;
    pali_inputs *inputs;
    pali_mask *mask;
    pali_error *error;
    struct outline outline;
};

/* A number of the configuration, or `otherwise`. */
int64_t explain_integer(const struct explanation *e, const char *name, int64_t otherwise);
double explain_number(const struct explanation *e, const char *name, double otherwise);

/* input_ids and token_type_ids of the one row, and its length. */
const int64_t *explain_ids(const struct explanation *e, const char *name, int64_t *length);

/* Text of one token, to be freed with pali_free; NULL when there is no memory. */
char *explain_token(const struct explanation *e, int64_t id);

/* float32 or bfloat16: what pali_model_load computes in. */
pali_dtype explain_dtype(const struct explanation *e);

/* The parts. */
void explain_tokens(struct explanation *e);
void explain_pictures(struct explanation *e);
void explain_mask(struct explanation *e);
void explain_numbers(struct explanation *e);
void explain_generation(struct explanation *e);
void explain_warnings(struct explanation *e);

#endif
