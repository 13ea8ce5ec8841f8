/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run of the decoder over the tokens of one or more sequences, which lie one after another in its rows: a batch of
 * prompts, or one new token of each. All activations stand in one arena that is sized once, for the most rows that any
 * run of it will have; a decode step therefore allocates nothing.
 */
#ifndef PALI_MODEL_PASS_H
#define PALI_MODEL_PASS_H

#include "cache/kv_store.h"
#include "core/watch.h"
#include "model/lora.h"
#include "model/network.h"
#include "model/observer.h"

struct pali__sequence {
    int64_t first, length; /* its rows */
    int64_t cache_row;     /* its row in the cache, if there is one */
    const uint8_t *real;   /* of all its keys, those in the cache too; NULL: as the cache noted them */
    bool one_by_one;       /* suffix tokens behind what the cache holds: each attends in a product of its own, as if
                              they had come in passes of one token, so that the results are the same bits */
};

/* Copies that the caller wants of what happens between the layers. NULL: not wanted. */
struct pali__taps {
    float **hidden_states; /* [layers + 1] buffers of [n_rows, hidden] */
    float **attentions;    /* [layers] buffers of [sequences, n_heads, length, keys]; NULL for a layer not wanted */
    int64_t *heads;        /* [n_heads] of which query heads */
    int64_t n_heads;
};

struct pali__pass {
    const pali_model *model;
    struct pali__compute compute; /* the model's, with this pass's number of threads */
    struct pali__kv *kv; /* read and extended, or NULL */

    /* What the caller sets before each run. */
    const struct pali__sequence *sequences;
    int64_t n_sequences, n_rows;
    int64_t *positions;         /* [n_rows] in the arena */
    uint8_t *real, *type;       /* [n_rows] in the arena */
    float *h;                   /* [n_rows, hidden] in the arena: the rows that enter, then the residual stream */
    struct pali__taps taps;
    const struct pali__watch *watch;
    struct pali__lora lora;     /* pali__lora_begin, once after init, if the pass has an adapter */
    const struct pali__observer *observer; /* of the blocks' products, or NULL */
    bool commits_later;         /* the caller commits the rows to the cache, when nothing can fail any more */

    /* The arena. */
    int64_t max_rows;
    float *x;                   /* [max_rows, hidden]; after a run: the last hidden states, normed */
    float *q, *k, *v, *mixed;   /* [max_rows, heads · head_dim] */
    float *gate, *up;           /* [max_mlp_rows, intermediate] */
    int64_t max_mlp_rows;
    void *scratch;              /* of products, and of attention */
    size_t scratch_size;
    void *block;
};

/* Bytes of the arena. Of the model only its configuration and the shapes and types of its matrices are used. */
size_t pali__pass_size(const pali_model *model, const struct pali__compute *compute, int64_t max_rows);

/* threads 0: the model's number. */
pali_status pali__pass_init(struct pali__pass *pass, const pali_model *model, int32_t threads, struct pali__kv *kv,
                            int64_t max_rows, pali_error **error);
void pali__pass_clear(struct pali__pass *pass); /* of a zeroed one: nothing */

/* The new tokens of a sequence from the first real one to the last; all of them if none is real. */
void pali__real_tokens(const struct pali__pass *pass, const struct pali__sequence *sequence, int64_t *first,
                       int64_t *end);

/* ---- the decoder's verbs ---- */

/* y = x·Wᵀ and what the adapter adds, or y += …, for rows first…first+n_rows-1 of the pass, which stand at the front of
 * x and y (pass_products.c). */
pali_status pali__pass_linear(struct pali__pass *pass, float *y, const float *x, int64_t first, int64_t n_rows,
                              const struct pali__matrix *w, enum pali__store store, pali_error **error);

/* The same, y = x·Wᵀ, for several matrices and one x. */
pali_status pali__pass_linears(struct pali__pass *pass, const struct pali__linear_part *parts, int n_parts,
                               const float *x, int64_t first, int64_t n_rows, pali_error **error);

/* mixed = softmax(mask(cap(q·kᵀ))) · v of every sequence, whose keys and values then go into the cache (attention.c). */
void pali__pass_attend(struct pali__pass *pass, int64_t layer);

/* ---- the decoder ---- */

/* Several sequences may continue one row of the cache if none of them is to stay in it: each sees the row and itself,
 * and the row, which needs room for all of them, is to be rolled back afterwards.
 *
 * Runs all blocks and the final norm on pass->h. With a cache, the rows are in it afterwards; after a failure it is as
 * before.
 *
 * In float32 what a sequence gets depends on no other sequence of the pass, nor on padding around it, to the last bit:
 * a sequence of few real tokens (pali__few_rows) runs its products row by row, a longer one in blocks, whatever
 * runs beside it. In bfloat16 all rows of the pass share their products. */
pali_status pali__decoder_run(struct pali__pass *pass, pali_error **error);

/* One block on pass->h, without a cache: pali__decoder_run by steps. */
pali_status pali__decoder_block_run(struct pali__pass *pass, int64_t layer, pali_error **error);

/* pass->x = norm(pass->h), which the head takes. */
void pali__decoder_end(struct pali__pass *pass);

/* Makes the rows of a pass with commits_later part of the cache. */
void pali__pass_commit(struct pali__pass *pass);

/* logits[i] = cap(head · x[rows[i]]) for the chosen rows of the last run, [n_rows, vocabulary]. `gathered` has room for
 * [n_rows, hidden]. */
pali_status pali__lm_head(struct pali__pass *pass, float *logits, const int64_t *rows, int64_t n_rows, float *gathered,
                          pali_error **error);

/* The same for row `row` alone, and of the head only the rows in `spans`, which ascend and do not touch each other: of
 * logits [vocabulary] the others are -infinity. */
void pali__lm_head_spans(struct pali__pass *pass, float *logits, int64_t row, const struct pali__span *spans,
                         int64_t n_spans);

#endif
