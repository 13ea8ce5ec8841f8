/* SPDX-License-Identifier: BSD-2-Clause */
/* The answers to a batch, as they grow and as the caller gets them. */
#ifndef PALI_GENERATE_GENERATION_H
#define PALI_GENERATE_GENERATION_H

#include <paligemma/generate.h>

#include "tokenizer/tokenizer.h"

struct pali__answer {
    int64_t *ids; /* [capacity], new tokens only */
    size_t n_ids;
    char *text;   /* NULL without a processor */
    pali_finish_reason reason;
    double *logprobs;        /* [capacity], or NULL if nobody wants them */
    pali_token_logprob *top; /* [capacity, n_top], or NULL */
    double score;            /* NaN: not known */
};

struct pali_generation {
    int64_t rows;    /* how many answers */
    size_t capacity; /* tokens an answer can have */
    int64_t n_top;
    struct pali__answer *answers;
    pali_timing timing;
    int64_t passes; /* of the decoder, after the prompts' */
    int64_t decoded, head_rows; /* tokens in them, and rows of the head that were read: what the answers cost */
};

/* `n_top` alternatives to each token, if `with_logprobs`. */
pali_status pali__generation_create(pali_generation **out, int64_t rows, int64_t max_new_tokens, bool with_logprobs,
                                    int64_t n_top, pali_error **error);

/* Where log-probabilities are wanted: notes those of token `id`, which is to be the answer's next. */
void pali__answer_note(struct pali__answer *answer, int64_t n_top, const float *logits, int64_t vocab_size, int64_t id);

/* Of every `group` answers keeps the `n` with the best scores, best first; of equals the earlier comes first. */
void pali__generation_keep_best(pali_generation *generation, int64_t group, int64_t n);

/* Decodes every row's tokens, special ones left out. */
pali_status pali__generation_decode(pali_generation *generation, const struct pali__tokenizer *tokenizer,
                                    pali_error **error);

#endif
