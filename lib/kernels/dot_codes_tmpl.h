/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Products of a few rows of rounded inputs with a quantized matrix, for any instruction set. Before it is included,
 * these are defined:
 *   vector, LANES            a register of floats, and how many it holds
 *   vector_zero(), vector_set(f), vector_load(x), vector_store(x, a), vector_multiply(a, b),
 *   vector_multiply_add(a, b, sum), vector_subtract_product(a, b, sum), vector_sum(a)
 *   vector_spread(f, count)  f[0]…f[count-1], each in as many neighbouring lanes as the others; f[3] may be read
 *   integers, WIDE_LANES     a register of int16 or int32, and how many int16 it holds
 *   integers_zero(), integers_load(x), integers_to_float(a)
 *   integers_dot(a, b, sum)  to each int32 of sum, a product of int16 neighbours
 *   widen_scales_bf16, widen_scales_f16
 * and for each code, unpack: what turns the next bytes of a row into n_planes registers of int16.
 *
 * A block of 128 inputs is summed in int32, segment by segment: 128 · 255 · 32767 < 2³¹. The codes' offsets and the zero
 * points are taken off through the sums of the inputs. What the scales have to do with it is worked out ahead for a piece
 * of a row, so that only codes are touched in the inner loop, where a row of inputs costs a multiplication and a sum for
 * each register of codes. Sums of integers are exact, and those of floats run in one order: what a row of inputs gets does
 * not depend on the other rows.
 */
#include <stdbool.h>
#include <string.h>

#include "kernels/kernels.h"

enum {
    ROWS_MAX = PALI__DOT_ROWS_MAX,
    BLOCK = PALI__CODE_BLOCK,
    PIECE_BLOCKS = 64,
    FACTORS_MAX = PIECE_BLOCKS * PALI__CODE_UNITS,
    CODES_AHEAD = 1024,
    LINE_SIZE = 64
};

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8") /* sums live in registers only if their indices are constants */

/* The address may lie behind the end of the weights: nothing is read through it. */
INLINE void prefetch(const void *address)
{
    __builtin_prefetch(address);
}

/* The scales of the weights of segments first…first+n-1 of a row, in float32, and zeros up to whole vectors. */
INLINE void segment_scales(float *out, const struct pali__quantized *w, int64_t row, int64_t first, int64_t n,
                           int64_t per_group)
{
    int64_t group = first / per_group, last = (first + n - 1) / per_group;
    int64_t n_groups = (last < w->n_groups ? last + 1 : w->n_groups) - group, at = row * w->n_groups + group;
    const float *f32 = w->scales;
    const uint16_t *u16 = w->scales;
    float groups[FACTORS_MAX], *values = per_group == 1 ? out : groups;
    if (w->scale_dtype == PALI_FLOAT32)
        memcpy(values, f32 + at, (size_t)n_groups * sizeof *values);
    else if (w->scale_dtype == PALI_BFLOAT16)
        widen_scales_bf16(values, u16 + at, n_groups);
    else
        widen_scales_f16(values, u16 + at, n_groups);
    if (per_group > 1 && n_groups == 1) {
        for (int64_t s = 0; s < n; s++)
            out[s] = values[0];
    } else if (per_group > 1) {
        for (int64_t s = 0; s < n; s++)
            out[s] = values[(first + s) / per_group - group];
    }
    for (int64_t s = per_group > 1 ? n : n_groups; s < (n + LANES - 1) / LANES * LANES; s++)
        out[s] = 0;
}

/* What is taken off the codes of those segments. There are zero points. */
INLINE void segment_zeros(float *out, const struct pali__quantized *w, int64_t row, int64_t first, int64_t n,
                          int64_t per_group, int offset)
{
    const int8_t *zero_points = w->zero_points + row * w->n_groups;
    for (int64_t s = 0; s < (n + LANES - 1) / LANES * LANES; s++)
        out[s] = 0;
    for (int64_t s = 0; s < n && (first + s) / per_group < w->n_groups; s++)
        out[s] = (float)(zero_points[(first + s) / per_group] + offset);
}

/* For segments first…first+n-1 of row `row` of the weights: factors[r] = scales of the weights · scales of row r of x,
 * and sums[r] -= factors · (offset and zero point) · sums of x. */
INLINE void prepare_factors(vector *sums, float (*factors)[FACTORS_MAX], const struct pali__rounded *x, const int n_x,
                            const struct pali__quantized *w, int64_t row, int64_t first, int64_t n, const int offset)
{
    int64_t per_group = w->n_groups <= 1 ? INT64_MAX / 2 : w->group_size / x->segment;
    float scales[FACTORS_MAX], zeros[FACTORS_MAX];
    bool has_zeros = w->zero_points != NULL;
    segment_scales(scales, w, row, first, n, per_group);
    if (has_zeros)
        segment_zeros(zeros, w, row, first, n, per_group, offset);
    for (int64_t s = 0; s < n; s += LANES) {
        vector weights = vector_load(scales + s);
        vector zero = has_zeros ? vector_load(zeros + s) : vector_set((float)offset);
        UNROLL
        for (int r = 0; r < n_x; r++) {
            int64_t at = r * x->scales_stride + first + s;
            vector factor = vector_multiply(weights, vector_load(x->scales + at));
            vector_store(factors[r] + s, factor);
            if (offset != 0 || has_zeros)
                sums[r] = vector_subtract_product(factor, vector_multiply(vector_load(x->sums + at), zero), sums[r]);
        }
    }
}

/* Defines the kernel `name` for codes of `bits` bits that are `offset` above the integers they stand for.
 *   block: sums[r] += factors · Σ codes·x of a block, segment by segment; n_x and segment are constants
 *   rows:  all rows of the weights */
#define DEFINE_DOT_CODES(name, unpack, n_planes, bits, offset)                                                         \
    INLINE void name##_block(vector *sums, float (*factors)[FACTORS_MAX], int64_t first_factor, const int16_t *x,      \
                             int64_t x_stride, const int n_x, const unsigned char *codes, const int segment)           \
    {                                                                                                                  \
        const int chunk = (n_planes) * WIDE_LANES, n_chunks = segment > chunk ? segment / chunk : 1;                   \
        UNROLL                                                                                                         \
        for (int first = 0; first < BLOCK; first += n_chunks * chunk) {                                                \
            integers parts[ROWS_MAX];                                                                                  \
            UNROLL                                                                                                     \
            for (int r = 0; r < n_x; r++)                                                                              \
                parts[r] = integers_zero();                                                                            \
            UNROLL                                                                                                     \
            for (int k = first; k < first + n_chunks * chunk; k += chunk) {                                            \
                integers planes[n_planes];                                                                             \
                unpack(planes, codes + k * (bits) / 8);                                                                \
                UNROLL                                                                                                 \
                for (int p = 0; p < (n_planes); p++) {                                                                 \
                    UNROLL                                                                                             \
                    for (int r = 0; r < n_x; r++)                                                                      \
                        parts[r] = integers_dot(planes[p], integers_load(x + r * x_stride + k + p * WIDE_LANES),       \
                                                parts[r]);                                                             \
                }                                                                                                      \
            }                                                                                                          \
            UNROLL                                                                                                     \
            for (int r = 0; r < n_x; r++)                                                                              \
                sums[r] = vector_multiply_add(                                                                         \
                    vector_spread(factors[r] + first_factor + first / segment, chunk > segment ? chunk / segment : 1), \
                    integers_to_float(parts[r]), sums[r]);                                                             \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    INLINE void name##_rows(float *y, int64_t y_stride, const struct pali__rounded *x, const int n_x,                  \
                            const struct pali__quantized *w, const void *codes, int64_t first_row, int64_t n_w,        \
                            int64_t n, const int segment)                                                              \
    {                                                                                                                  \
        enum { BLOCK_BYTES = BLOCK * (bits) / 8 };                                                                 \
        const int per_block = BLOCK / segment;                                                                         \
        int64_t n_whole = n / BLOCK, n_blocks = (n + BLOCK - 1) / BLOCK, x_stride = x->values_stride;                  \
        float factors[ROWS_MAX][FACTORS_MAX];                                                                          \
        for (int64_t j = first_row; j < first_row + n_w; j++) {                                                        \
            const unsigned char *row = (const unsigned char *)codes + j * w->row_size;                                 \
            vector sums[ROWS_MAX];                                                                                     \
            UNROLL                                                                                                     \
            for (int r = 0; r < n_x; r++)                                                                              \
                sums[r] = vector_zero();                                                                               \
            for (int64_t first = 0; first < n_blocks; first += PIECE_BLOCKS) {                                         \
                int64_t end = first + PIECE_BLOCKS < n_blocks ? first + PIECE_BLOCKS : n_blocks;                       \
                prepare_factors(sums, factors, x, n_x, w, j, first * per_block, (end - first) * per_block, offset);    \
                for (int64_t b = first; b < end && b < n_whole; b++) {                                                 \
                    const unsigned char *at = row + b * BLOCK_BYTES;                                                   \
                    for (int line = 0; line < BLOCK_BYTES; line += LINE_SIZE)                                          \
                        prefetch(at + line + CODES_AHEAD);                                                             \
                    name##_block(sums, factors, (b - first) * per_block, x->values + b * BLOCK, x_stride, n_x, at,     \
                                 segment);                                                                             \
                }                                                                                                      \
                if (end > n_whole) { /* inputs behind the last are 0 */                                                \
                    unsigned char last[BLOCK_BYTES] = {0};                                                             \
                    memcpy(last, row + n_whole * BLOCK_BYTES, (size_t)(((n - n_whole * BLOCK) * (bits) + 7) / 8));     \
                    name##_block(sums, factors, (n_whole - first) * per_block, x->values + n_whole * BLOCK, x_stride,  \
                                 n_x, last, segment);                                                                  \
                }                                                                                                      \
            }                                                                                                          \
            UNROLL                                                                                                     \
            for (int r = 0; r < n_x; r++)                                                                              \
                y[r * y_stride + j - first_row] = vector_sum(sums[r]);                                                 \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    INLINE void name##_segments(float *y, int64_t y_stride, const struct pali__rounded *x, const int n_x,              \
                                const struct pali__quantized *w, const void *codes, int64_t first_row, int64_t n_w,    \
                                int64_t n)                                                                             \
    {                                                                                                                  \
        if (x->segment == 128)                                                                                         \
            name##_rows(y, y_stride, x, n_x, w, codes, first_row, n_w, n, 128);                                        \
        else if (x->segment == 64)                                                                                     \
            name##_rows(y, y_stride, x, n_x, w, codes, first_row, n_w, n, 64);                                         \
        else                                                                                                           \
            name##_rows(y, y_stride, x, n_x, w, codes, first_row, n_w, n, 32);                                         \
    }                                                                                                                  \
                                                                                                                       \
    void name(float *y, int64_t y_stride, const struct pali__rounded *x, int64_t n_x, const struct pali__quantized *w, \
              const void *codes, int64_t first_row, int64_t n_w, int64_t n)                                            \
    {                                                                                                                  \
        if (n_x == 1)                                                                                                  \
            name##_segments(y, y_stride, x, 1, w, codes, first_row, n_w, n);                                           \
        else if (n_x == 2)                                                                                             \
            name##_segments(y, y_stride, x, 2, w, codes, first_row, n_w, n);                                           \
        else if (n_x == 3)                                                                                             \
            name##_segments(y, y_stride, x, 3, w, codes, first_row, n_w, n);                                           \
        else if (n_x == 4)                                                                                             \
            name##_segments(y, y_stride, x, 4, w, codes, first_row, n_w, n);                                           \
    }
