/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Products of a few rows of rounded inputs with a quantized matrix, for any instruction set. Before it is included,
 * these are defined:
 *   vector, LANES            a register of floats, and how many it holds
 *   vector_zero(), vector_set(f), vector_load(x), vector_store(x, a), vector_add(a, b), vector_multiply(a, b),
 *   vector_multiply_add(a, b, sum), vector_subtract_product(a, b, sum), vector_sum(a)
 *   vector_spread(f, count)  f[0]…f[count-1], each in as many neighbouring lanes as the others; f[3] may be read
 *   integers, WIDE_LANES     a register of int16 or int32, and how many int16 it holds
 *   integers_zero(), integers_load(x), integers_to_float(a)
 *   integers_dot(a, b, sum)  to each int32 of sum, a product of int16 neighbours
 *   vector_from_bf16(x), vector_from_f16(x), vector_from_int8(x): of LANES values
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

/* What lies so many bytes ahead, perhaps behind the end of the weights: nothing is read through that address. */
INLINE void prefetch(const unsigned char *codes, int ahead)
{
    __builtin_prefetch((const void *)((uintptr_t)codes + (uintptr_t)ahead));
}

/* Scales at…at+count-1 in float32, count ≤ LANES, and zeros in the other lanes. */
INLINE vector load_scales(const struct pali__quantized *w, int64_t at, int64_t count)
{
    const float *f32 = w->scales;
    const uint16_t *u16 = w->scales;
    float few_f32[LANES] = {0};
    uint16_t few_u16[LANES] = {0};
    if (w->scale_dtype == PALI_FLOAT32) {
        if (count < LANES)
            f32 = memcpy(few_f32, f32 + at, (size_t)count * sizeof *f32), at = 0;
        return vector_load(f32 + at);
    }
    if (count < LANES)
        u16 = memcpy(few_u16, u16 + at, (size_t)count * sizeof *u16), at = 0;
    return w->scale_dtype == PALI_BFLOAT16 ? vector_from_bf16(u16 + at) : vector_from_f16(u16 + at);
}

/* The same of the zero points. */
INLINE vector load_zeros(const struct pali__quantized *w, int64_t at, int64_t count)
{
    const int8_t *zeros = w->zero_points + at;
    int8_t few[LANES] = {0};
    if (count < LANES)
        zeros = memcpy(few, zeros, (size_t)count);
    return vector_from_int8(zeros);
}

/* Scales and zero points of segments first…first+LANES-1 of a row of the weights, of which count are real, where a
 * group is `per_group` of them. */
INLINE void load_segments(vector *scale, vector *zero, const struct pali__quantized *w, int64_t row, int64_t first,
                          int64_t count, int64_t per_group)
{
    int64_t at = row * w->n_groups, left = w->n_groups - first;
    float scales[LANES] = {0}, zeros[LANES] = {0};
    if (per_group == 1) {
        count = count < LANES ? count : LANES;
        count = count < left ? count : left;
        *scale = load_scales(w, at + first, count);
        *zero = w->zero_points != NULL ? load_zeros(w, at + first, count) : vector_zero();
        return;
    }
    for (int64_t s = 0; s < LANES && s < count; s++) {
        int64_t group = at + (first + s) / per_group;
        float lanes[LANES];
        vector_store(lanes, load_scales(w, group, 1));
        scales[s] = lanes[0];
        zeros[s] = w->zero_points != NULL ? (float)w->zero_points[group] : 0;
    }
    *scale = vector_load(scales);
    *zero = vector_load(zeros);
}

/* For segments first…first+n-1 of row `row` of the weights: factors[r] = scales of the weights · scales of row r of x,
 * and sums[r] -= factors · (offset and zero point) · sums of x. */
INLINE void prepare_factors(vector *sums, float (*factors)[FACTORS_MAX], const struct pali__rounded *x, const int n_x,
                            const struct pali__quantized *w, int64_t row, int64_t first, int64_t n, const int offset)
{
    int64_t per_group = w->n_groups <= 1 ? 0 : w->group_size / x->segment;
    vector scale = vector_zero(), zero = vector_zero();
    bool takes_off = offset != 0 || w->zero_points != NULL;
    if (per_group == 0) { /* one scale for all */
        float lanes[LANES];
        vector_store(lanes, load_scales(w, row, 1));
        scale = vector_set(lanes[0]);
        zero = vector_set(w->zero_points != NULL ? (float)w->zero_points[row] : 0);
    }
    for (int64_t s = 0; s < n; s += LANES) {
        if (per_group > 0)
            load_segments(&scale, &zero, w, row, first + s, n - s, per_group);
        vector off = vector_add(zero, vector_set((float)(offset)));
        UNROLL
        for (int r = 0; r < n_x; r++) {
            int64_t at = r * x->scales_stride + first + s;
            vector factor = vector_multiply(scale, vector_load(x->scales + at));
            vector_store(factors[r] + s, factor);
            if (takes_off)
                sums[r] = vector_subtract_product(factor, vector_multiply(vector_load(x->sums + at), off), sums[r]);
        }
    }
}

/* Defines the kernel `name` for codes of `bits` bits that are `offset` above the integers they stand for.
 *   blocks: sums[r] += factors · Σ codes·x of whole blocks, segment by segment; n_x and segment are constants
 *   rows:   all rows of the weights */
#define DEFINE_DOT_CODES(name, unpack, n_planes, bits, offset)                                                         \
    INLINE void name##_blocks(vector *sums, float (*factors)[FACTORS_MAX], int64_t at, const int16_t *x,               \
                              int64_t x_stride, const int n_x, const unsigned char *codes, int64_t n_blocks,           \
                              const int segment)                                                                       \
    {                                                                                                                  \
        const int chunk = (n_planes) * WIDE_LANES, n_chunks = segment > chunk ? segment / chunk : 1;                   \
        vector totals[ROWS_MAX];                                                                                       \
        UNROLL                                                                                                         \
        for (int r = 0; r < n_x; r++)                                                                                  \
            totals[r] = sums[r];                                                                                       \
        for (; n_blocks > 0; n_blocks--) {                                                                             \
            UNROLL                                                                                                     \
            for (int line = 0; line < BLOCK * (bits) / 8; line += LINE_SIZE)                                           \
                prefetch(codes, line + CODES_AHEAD);                                                                   \
            UNROLL                                                                                                     \
            for (int first = 0; first < BLOCK; first += n_chunks * chunk) {                                            \
                integers parts[ROWS_MAX];                                                                              \
                UNROLL                                                                                                 \
                for (int r = 0; r < n_x; r++)                                                                          \
                    parts[r] = integers_zero();                                                                        \
                UNROLL                                                                                                 \
                for (int k = first; k < first + n_chunks * chunk; k += chunk) {                                        \
                    integers planes[n_planes];                                                                         \
                    unpack(planes, codes + k * (bits) / 8);                                                            \
                    UNROLL                                                                                             \
                    for (int p = 0; p < (n_planes); p++) {                                                             \
                        UNROLL                                                                                         \
                        for (int r = 0; r < n_x; r++)                                                                  \
                            parts[r] = integers_dot(planes[p], integers_load(x + r * x_stride + k + p * WIDE_LANES),   \
                                                    parts[r]);                                                         \
                    }                                                                                                  \
                }                                                                                                      \
                UNROLL                                                                                                 \
                for (int r = 0; r < n_x; r++)                                                                          \
                    totals[r] = vector_multiply_add(vector_spread(factors[r] + at + first / segment,                   \
                                                                  chunk > segment ? chunk / segment : 1),              \
                                                    integers_to_float(parts[r]), totals[r]);                           \
            }                                                                                                          \
            codes += BLOCK * (bits) / 8;                                                                               \
            x += BLOCK;                                                                                                \
            at += BLOCK / segment;                                                                                     \
        }                                                                                                              \
        UNROLL                                                                                                         \
        for (int r = 0; r < n_x; r++)                                                                                  \
            sums[r] = totals[r];                                                                                       \
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
                name##_blocks(sums, factors, 0, x->values + first * BLOCK, x_stride, n_x, row + first * BLOCK_BYTES,    \
                              (end < n_whole ? end : n_whole) - first, segment);                                       \
                if (end > n_whole) { /* inputs behind the last are 0 */                                                \
                    unsigned char last[BLOCK_BYTES] = {0};                                                             \
                    memcpy(last, row + n_whole * BLOCK_BYTES, (size_t)(((n - n_whole * BLOCK) * (bits) + 7) / 8));     \
                    name##_blocks(sums, factors, (n_whole - first) * per_block, x->values + n_whole * BLOCK, x_stride, \
                                  n_x, last, 1, segment);                                                              \
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
