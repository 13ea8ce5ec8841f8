/* SPDX-License-Identifier: BSD-2-Clause */
/* Norms, activations, rotary embedding, conversions: operations that take rows or values one by one. */
#include "kernels/ops.h"

#include <math.h>
#include <string.h>

#include "core/dtype.h"
#include "core/int8_vector.h"
#include "kernels/kernels.h"
#include "kernels/widen_rows.h"

enum {
    VALUES_PER_CHUNK = 4096,      /* what one thread takes at a time; a multiple of every vector's width */
    VALUES_WORTH_THREADS = 16384, /* waking other threads costs about as much as this many values */
    PAIRS_PER_CHUNK = 128
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int threads_for(const struct pali__compute *compute, int64_t count)
{
    return count >= VALUES_WORTH_THREADS ? compute->n_threads : 1;
}

void pali__rms_norm(const struct pali__compute *compute, float *y, const float *x, const float *weight, int64_t n_rows,
                    int64_t n, float eps, float offset)
{
#pragma omp parallel for schedule(static) num_threads(threads_for(compute, n_rows * n))
    for (int64_t r = 0; r < n_rows; r++)
        compute->kernels->rms_norm(y + r * n, x + r * n, weight, n, eps, offset);
}

void pali__layer_norm(const struct pali__compute *compute, float *y, const float *x, const float *weight,
                      const float *bias, int64_t n_rows, int64_t n, float eps)
{
#pragma omp parallel for schedule(static) num_threads(threads_for(compute, n_rows * n))
    for (int64_t r = 0; r < n_rows; r++)
        compute->kernels->layer_norm(y + r * n, x + r * n, weight, bias, n, eps);
}

/* Runs the statement for each chunk of `count` values, which begins at `at` and has `n` of them. */
#define FOR_CHUNKS(count, statement)                                                                                   \
    do {                                                                                                               \
        int64_t n_chunks_ = ((count) + VALUES_PER_CHUNK - 1) / VALUES_PER_CHUNK;                                       \
        _Pragma("omp parallel for schedule(static) num_threads(threads_for(compute, count))")                          \
        for (int64_t chunk_ = 0; chunk_ < n_chunks_; chunk_++) {                                                       \
            int64_t at = chunk_ * VALUES_PER_CHUNK, n = smaller(VALUES_PER_CHUNK, (count) - at);                       \
            statement;                                                                                                 \
        }                                                                                                              \
    } while (0)

void pali__gelu(const struct pali__compute *compute, float *x, int64_t count)
{
    FOR_CHUNKS(count, compute->kernels->gelu(x + at, n));
}

void pali__gelu_mul(const struct pali__compute *compute, float *gate, const float *up, int64_t count)
{
    FOR_CHUNKS(count, compute->kernels->gelu_mul(gate + at, up + at, n));
}

void pali__silu_mul(const struct pali__compute *compute, float *gate, const float *up, int64_t count)
{
    FOR_CHUNKS(count, compute->kernels->silu_mul(gate + at, up + at, n));
}

void pali__add(const struct pali__compute *compute, float *y, const float *x, int64_t count)
{
    FOR_CHUNKS(count, compute->kernels->add(y + at, x + at, n));
}

void pali__soft_cap(const struct pali__compute *compute, float *x, int64_t count, float cap)
{
    FOR_CHUNKS(count, compute->kernels->soft_cap(x + at, n, cap));
}

void pali__rope_frequencies(float *frequency, int64_t head_dim, double theta)
{
    for (int64_t i = 0; i < head_dim / 2; i++) {
        float exponent = (float)(2 * i) / (float)head_dim;
        frequency[i] = 1.0f / powf((float)theta, exponent);
    }
}

static void round_chunk(const struct pali__kernels *kernels, float *x, int64_t n)
{
    uint16_t narrow[VALUES_PER_CHUNK];
    kernels->narrow_bf16(narrow, x, n);
    kernels->widen_bf16(x, narrow, n);
}

void pali__round_to_bf16(const struct pali__compute *compute, float *x, int64_t count)
{
    FOR_CHUNKS(count, round_chunk(compute->kernels, x + at, n));
}

void pali__round_to_int8(const struct pali__compute *compute, float *x, int64_t n_rows, int64_t n)
{
#pragma omp parallel for schedule(static) num_threads(threads_for(compute, n_rows * n))
    for (int64_t r = 0; r < n_rows; r++)
        pali__int8_vector_round(x + r * n, n);
}

/* Rotates pairs first…first+n-1 of every head of a row. The angles are computed as the reference does: the frequency
 * and the product with the position are rounded to float32. */
static void rotate_pairs(const struct pali__kernels *kernels, float *row, int64_t position, int64_t n_heads,
                         int64_t head_dim, const float *frequency, int64_t first, int64_t n)
{
    float cosine[PAIRS_PER_CHUNK], sine[PAIRS_PER_CHUNK];
    for (int64_t i = 0; i < n; i++) {
        float angle = (float)position * frequency[first + i];
        cosine[i] = cosf(angle);
        sine[i] = sinf(angle);
    }
    for (int64_t h = 0; h < n_heads; h++) {
        float *head = row + h * head_dim + first;
        kernels->rotate(head, head + head_dim / 2, cosine, sine, n);
    }
}

void pali__rope(const struct pali__compute *compute, float *x, const int64_t *positions, int64_t n_rows,
                int64_t n_heads, int64_t head_dim, const float *frequency)
{
    int64_t n_pairs = head_dim / 2;
#pragma omp parallel for schedule(static) num_threads(threads_for(compute, n_rows * n_heads * head_dim))
    for (int64_t r = 0; r < n_rows; r++) {
        float *row = x + r * n_heads * head_dim;
        for (int64_t first = 0; first < n_pairs; first += PAIRS_PER_CHUNK)
            rotate_pairs(compute->kernels, row, positions[r], n_heads, head_dim, frequency, first,
                         smaller(PAIRS_PER_CHUNK, n_pairs - first));
    }
}

void pali__embed(const struct pali__compute *compute, float *y, const struct pali__matrix *embedding, int64_t index,
                 float scale)
{
    pali__widen_row(compute->kernels, y, embedding, index, 0, embedding->n_in);
    compute->kernels->scale(y, y, embedding->n_in, scale);
}

void pali__to_float(float *y, const void *x, pali_dtype dtype, int64_t count)
{
    const struct pali__kernels *kernels = pali__kernels_get(pali__cpu_level());
    if (dtype == PALI_FLOAT32) {
        memcpy(y, x, (size_t)count * sizeof *y);
    } else if (dtype == PALI_BFLOAT16) {
        kernels->widen_bf16(y, x, count);
    } else if (dtype == PALI_FLOAT16) {
        kernels->widen_f16(y, x, count);
    } else {
        const double *values = x;
        for (int64_t i = 0; i < count; i++)
            y[i] = (float)values[i];
    }
}

void pali__to_bf16(uint16_t *y, const void *x, pali_dtype dtype, int64_t count)
{
    const struct pali__kernels *kernels = pali__kernels_get(pali__cpu_level());
    if (dtype == PALI_FLOAT32) {
        kernels->narrow_bf16(y, x, count);
        return;
    }
    if (dtype == PALI_BFLOAT16) {
        memcpy(y, x, (size_t)count * sizeof *y);
        return;
    }
    /* By way of float32, exactly for float16. */
    const unsigned char *bytes = x;
    size_t size = dtype == PALI_FLOAT16 ? 2 : 8;
    float values[PAIRS_PER_CHUNK];
    for (int64_t at = 0; at < count; at += PAIRS_PER_CHUNK) {
        int64_t n = smaller(PAIRS_PER_CHUNK, count - at);
        pali__to_float(values, bytes + (size_t)at * size, dtype, n);
        kernels->narrow_bf16(y + at, values, n);
    }
}

void pali__from_float(void *y, pali_dtype dtype, const float *x, int64_t count)
{
    uint16_t *half = y;
    if (dtype == PALI_FLOAT32) {
        memcpy(y, x, (size_t)count * sizeof *x);
    } else if (dtype == PALI_BFLOAT16) {
        pali__to_bf16(half, x, PALI_FLOAT32, count);
    } else {
        for (int64_t i = 0; i < count; i++)
            half[i] = pali__f16_from_float(x[i]);
    }
}
