/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every way of generating is made of: run a prompt into a row of the cache, advance rows by a token or a few, and
 * compute the logits that follow. A step is a run of the decoder, then the head, whole or some rows of it: the head is
 * a fifth of a 3B decoder's weights, and who knows which tokens may follow need not read all of it.
 * Everything is allocated by init; the steps allocate nothing.
 */
#ifndef PALI_GENERATE_STEPS_H
#define PALI_GENERATE_STEPS_H

#include "model/merge.h"
#include "model/pass.h"

struct pali__steps {
    const pali_model *model;
    struct pali__kv *kv;              /* the caller's, or own_kv */
    struct pali__kv own_kv;
    struct pali__pass pass;
    int64_t n_rows;                   /* of the cache */
    int64_t n_decodes;                /* runs of the decoder behind prompts, */
    int64_t n_decoded;                /* the tokens in them, */
    int64_t n_head_rows;              /* and the rows of the head that have been read, a whole head being all */
    struct pali__sequence *sequences; /* [n_rows]: those of the current run */
    int64_t *heads;                   /* [n_rows · width]: the run's rows whose logits are wanted */
    float *logits;                    /* [n_rows · width, vocabulary]: of the last head */
    float *gathered;                  /* [n_rows · width, hidden] */
};

/* For `rows` rows of the cache with `capacity` tokens each, prompts of up to `longest` tokens, and steps of up to
 * `width` tokens a row. With `kv` these are its rows, which have room already. */
pali_status pali__steps_init(struct pali__steps *steps, const pali_model *model, int32_t threads, struct pali__kv *kv,
                             int64_t rows, int64_t longest, int64_t capacity, int64_t width, pali_error **error);
void pali__steps_clear(struct pali__steps *steps); /* of a zeroed one: nothing */

/* Runs the `n` checked tokens of a prompt into row `row`, behind what it holds; types as in token_type_ids. The logits
 * that follow belong to the run's row n - 1. */
pali_status pali__steps_prefill(struct pali__steps *steps, int64_t row, const int64_t *ids, const uint8_t *types,
                                int64_t n, struct pali__feature_rows *features, const struct pali__watch *watch,
                                pali_error **error);

/* Appends counts[i] tokens (NULL: one each) to row rows[i], i < n; `ids` has them one row after the other, and the
 * run's rows stand in the same order. A row that advances by several tokens gets the same bits as by one at a time
 * while the row has few of them (pali__few_rows; in bfloat16 the run). */
pali_status pali__steps_decode(struct pali__steps *steps, int64_t n, const int64_t *rows, const int64_t *counts,
                               const int64_t *ids, pali_error **error);

/* The logits that follow the last run's rows first…first+n-1, to logits[0…n-1]. */
pali_status pali__steps_head(struct pali__steps *steps, int64_t first, int64_t n, pali_error **error);

/* Of those that follow row `row` only the ones in `spans`, to logits[to]; the others become -infinity. */
void pali__steps_head_spans(struct pali__steps *steps, int64_t row, int64_t to, const struct pali__span *spans,
                            int64_t n_spans);

/* Row `row` of the cache keeps its first `length` tokens. */
void pali__steps_roll_back(struct pali__steps *steps, int64_t row, int64_t length);

#endif
