/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operations a forward pass is written in. Activations are float32, row-major [rows, columns]; weights are
 * float32, bfloat16, float16 or quantized (kernels/quantized.h), row-major [out, in] as the checkpoint has them, and are
 * read in place.
 * Each operation spreads its work over `n_threads` OpenMP threads; results do not depend on their number.
 */
#ifndef PALI_KERNELS_OPS_H
#define PALI_KERNELS_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "kernels/quantized.h"

struct pali__kernels; /* the table of single-threaded kernels, kernels/kernels.h */

/* How to compute: decided once, when the model is loaded. */
struct pali__compute {
    const struct pali__kernels *kernels;
    int n_threads;
    pali_dtype dtype; /* PALI_BFLOAT16: the inputs of a product with many rows may be rounded to bfloat16 where the
                         processor multiplies that type; sums are float32 all the same */
};

/* Fills in the table for pali__cpu_level(). n_threads 0: omp_get_max_threads(). */
void pali__compute_init(struct pali__compute *compute, pali_dtype dtype, int n_threads);

struct pali__matrix {
    const void *data; /* of a quantized matrix: its codes */
    pali_dtype dtype; /* float32, bfloat16 or float16; PALI_INT8 if it is quantized */
    int64_t n_out, n_in;
    struct pali__quantized quantized; /* code PALI__CODE_NONE: it is not */
};

enum pali__store { PALI__STORE = 0, PALI__ADD = 1 };

/* y = x·Wᵀ + bias, or y += … with PALI__ADD.   x: [n_rows, n_in], y: [n_rows, n_out], bias: [n_out] or NULL.
 * `scratch` has at least pali__linear_scratch() bytes, 64-byte aligned. Fails only if oneDNN does.
 * Few rows are taken one by one, by our own kernels, more in blocks; by_row and in_blocks do any number in one of the two
 * ways (in_blocks with the scratch of a larger number). In float32 a row's result then depends on no other row. Where
 * the processor multiplies bfloat16, rows in blocks of a bfloat16 model may differ in the last bits with their number.
 * One by one with a quantized matrix, x is rounded first, by less than 1e-4 of what it is or what is beside it: to 16 bits
 * in blocks of 128 inputs, or to int8, which then holds for blocks too (rounded_inputs.h). */
int64_t pali__few_rows(const struct pali__compute *compute, pali_dtype dtype); /* of weights: how many are few */
pali_status pali__linear(const struct pali__compute *compute, float *y, const float *x, int64_t n_rows,
                         const struct pali__matrix *w, const float *bias, enum pali__store store, void *scratch,
                         pali_error **error);
pali_status pali__linear_in_blocks(const struct pali__compute *compute, float *y, const float *x, int64_t n_rows,
                                   const struct pali__matrix *w, const float *bias, enum pali__store store,
                                   void *scratch, pali_error **error);
void pali__linear_by_row(const struct pali__compute *compute, float *y, const float *x, int64_t n_rows,
                         const struct pali__matrix *w, const float *bias, enum pali__store store, void *scratch);
size_t pali__linear_scratch(const struct pali__compute *compute, int64_t n_rows, const struct pali__matrix *w);

/* The products of one x with up to PALI__LINEAR_PARTS matrices of equal n_in: what each would give alone, bit for bit,
 * with the largest scratch that any of them asks for. */
struct pali__linear_part {
    float *y;
    const struct pali__matrix *w;
    const float *bias;
};
enum { PALI__LINEAR_PARTS = 3 };
pali_status pali__linear_group(const struct pali__compute *compute, const struct pali__linear_part *parts, int n_parts,
                               const float *x, int64_t n_rows, enum pali__store store, void *scratch,
                               pali_error **error);
pali_status pali__linear_group_in_blocks(const struct pali__compute *compute, const struct pali__linear_part *parts,
                                         int n_parts, const float *x, int64_t n_rows, enum pali__store store,
                                         void *scratch, pali_error **error);

/* Outputs first…first+count-1 of a matrix. */
struct pali__span {
    int32_t first, count;
};

/* The outputs in `spans` of y = x·Wᵀ for one row x: [n_in], one span after another without gaps: y: [sum of counts].
 * Only those rows of the weights are read. Equal to pali__linear of one row, bit for bit; its scratch, of one row. */
void pali__linear_spans(const struct pali__compute *compute, float *y, const float *x, const struct pali__matrix *w,
                        const struct pali__span *spans, int64_t n_spans, void *scratch);

/* y = x / sqrt(mean(x²) + eps) · (offset + weight), row by row; offset is 1 for Gemma. y may be x. */
void pali__rms_norm(const struct pali__compute *compute, float *y, const float *x, const float *weight, int64_t n_rows,
                    int64_t n, float eps, float offset);

/* y = (x - mean) / sqrt(var + eps) · weight + bias, biased variance. y may be x. */
void pali__layer_norm(const struct pali__compute *compute, float *y, const float *x, const float *weight,
                      const float *bias, int64_t n_rows, int64_t n, float eps);

/* x = gelu_tanh(x);   gate = gelu_tanh(gate) ⊙ up;   gate = silu(gate) ⊙ up;   y += x;   x = cap·tanh(x / cap).   All over `count` values. */
void pali__gelu(const struct pali__compute *compute, float *x, int64_t count);
void pali__gelu_mul(const struct pali__compute *compute, float *gate, const float *up, int64_t count);
void pali__silu_mul(const struct pali__compute *compute, float *gate, const float *up, int64_t count);
void pali__add(const struct pali__compute *compute, float *y, const float *x, int64_t count);
void pali__soft_cap(const struct pali__compute *compute, float *x, int64_t count, float cap);

/* frequency[i] = theta^(-2i/head_dim), rounded to float32 where the reference does. frequency: [head_dim/2]. */
void pali__rope_frequencies(float *frequency, int64_t head_dim, double theta);

/* Rotates x: [n_rows, n_heads·head_dim] by its rows' positions, pairing i with i + head_dim/2 in each head; angle of
 * pair i: position · frequency[i]. frequency: [head_dim/2]. */
void pali__rope(const struct pali__compute *compute, float *x, const int64_t *positions, int64_t n_rows,
                int64_t n_heads, int64_t head_dim, const float *frequency);

/* Row `index` of an embedding matrix, times `scale`, to y: [n_in]. */
void pali__embed(const struct pali__compute *compute, float *y, const struct pali__matrix *embedding, int64_t index,
                 float scale);

/* Every value becomes the nearest that bfloat16 has. */
void pali__round_to_bf16(const struct pali__compute *compute, float *x, int64_t count);

/* Every row becomes what a vector in int8 holds of it (core/int8_vector.h). x: [n_rows, n]. */
void pali__round_to_int8(const struct pali__compute *compute, float *x, int64_t n_rows, int64_t n);

/* Values of any floating type to float32. */
void pali__to_float(float *y, const void *x, pali_dtype dtype, int64_t count);
/* Values of any floating type to bfloat16. */
void pali__to_bf16(uint16_t *y, const void *x, pali_dtype dtype, int64_t count);
/* float32 to float32, bfloat16 or float16, rounded to nearest. */
void pali__from_float(void *y, pali_dtype dtype, const float *x, int64_t count);

/* w += scale·b·a.   w: [n_out, n_in] and b: [n_out, rank] row-major, a: [rank, n_in]; overwrites b by scale·b. */
void pali__add_low_rank(const struct pali__compute *compute, float *w, float *b, const float *a, int64_t n_out,
                        int64_t n_in, int64_t rank, float scale);

/* Keys and values of `count` consecutive slots: slot first + i of head h stands at h·head_stride + i·slot_stride. */
struct pali__key_run {
    const void *k, *v;
    pali_dtype dtype; /* float32, bfloat16, or int8: each slot is then a vector of core/int8_vector.h */
    int64_t first, count, head_stride, slot_stride;
};

enum { PALI__KEY_RUNS_MAX = 3 }; /* a shared prefix, a row's own past, and the tokens of the pass */

/*
 * out = softmax(mask(cap(scale · q·kᵀ))) · v for one sequence, with grouped heads: query head j reads key head
 * ⌊j · n_kv_heads / n_heads⌋. Query i stands at slot q_start + i; key slots are 0…n_keys-1.
 *   visible(q, k) = key_is_real[k] and ((k ≤ q and (window = 0 or k > q - window)) or (type[q] = 0 and type[k] = 0))
 * A query that sees nothing gets the mean of all values, as a softmax over equal masked scores does.
 * No [queries, keys] array is made unless `probabilities` asks for it. `out` does not depend on whether it does.
 * A slot that no run has must be visible to no query: what has left a sliding cache. No key before first_key is real.
 * What a query gets depends on the runs' values and on the number of keys from first_key on, not on how the keys are
 * spread over runs, nor, while they are more than 8, on the number of queries.
 */
struct pali__attention {
    const float *q;         /* [n_queries, n_heads·head_dim], rows q_stride apart */
    float *out;             /* [n_queries, n_heads·head_dim], rows out_stride apart */
    struct pali__key_run runs[PALI__KEY_RUNS_MAX]; /* that do not overlap */
    int n_runs;
    int64_t q_stride, out_stride;
    int64_t n_queries, n_keys, n_heads, n_kv_heads, head_dim;
    int64_t q_start, first_key;
    float scale;
    float soft_cap;              /* 0: none */
    const uint8_t *key_is_real;  /* [n_keys], or NULL: all are */
    const uint8_t *type;         /* [n_keys] 0 prefix, 1 suffix; NULL: all prefix, so no causal mask at all */
    int64_t window;              /* 0: none */
    float *probabilities;        /* [n_seen_heads, n_queries, n_keys] to be filled with the softmax, or NULL */
    const int64_t *seen_heads;   /* whose softmax that is, each 0…n_heads-1; NULL: all heads, in their order */
    int64_t n_seen_heads;        /* not read without seen_heads */
    void *scratch;               /* scratch_size bytes, 64-byte aligned. With pali__attend_scratch() of them or more, keys */
    size_t scratch_size;         /* are turned once for all queries: faster for many; the results are the same bits */
};
size_t pali__attend_scratch(const struct pali__compute *compute, int64_t n_keys, int64_t n_kv_heads, int64_t head_dim);
void pali__attend(const struct pali__compute *compute, const struct pali__attention *attention);

/* The probabilities alone, which are wanted. */
void pali__attention_probabilities(const struct pali__compute *compute, const struct pali__attention *attention);

#endif
