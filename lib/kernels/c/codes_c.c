/* SPDX-License-Identifier: BSD-2-Clause */
/* Products of rounded inputs with quantized matrices, and their weights as float32, in plain C: any group size. */
#include "kernels/variants.h"

#include <math.h>
#include <string.h>

#include "core/dtype.h"

enum { BLOCK = PALI__CODE_BLOCK, UNIT = PALI__CODE_BLOCK / PALI__CODE_UNITS };

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* max|x| / 32767, but large enough that dividing by it is harmless; NaN if an x is infinite or a NaN. Without their
 * signs, floats compare as the integers that their bits are, NaNs above all. */
static float scale_of_block(const float *x, int64_t n)
{
    uint32_t largest = 0;
    for (int64_t k = 0; k < n; k++) {
        uint32_t size = pali__bits_from_float(x[k]) & 0x7fffffffu;
        largest = size > largest ? size : largest;
    }
    if (largest >= 0x7f800000u)
        return NAN;
    float scale = pali__float_from_bits(largest) * (1.0f / 32767.0f);
    return scale > 1e-37f ? scale : 1e-37f;
}

void pali__round_inputs_c(int16_t *values, float *scales, float *sums, const float *x, int64_t n, float scale,
                          bool planes)
{
    (void)planes; /* plain C takes any codes in their order */
    for (int64_t first = 0; first < n; first += BLOCK, scales++, sums += PALI__CODE_UNITS) {
        int64_t count = smaller(BLOCK, n - first);
        *scales = scale != 0 ? scale : scale_of_block(x + first, count);
        memset(values + first, 0, BLOCK * sizeof *values);
        memset(sums, 0, PALI__CODE_UNITS * sizeof *sums);
        float inverse = 1.0f / *scales;
        for (int64_t k = 0; k < count && !isnan(inverse); k++) {
            values[first + k] = (int16_t)nearbyintf(x[first + k] * inverse);
            sums[k / UNIT] += (float)values[first + k];
        }
    }
}

static float scale_at(const struct pali__quantized *w, int64_t i)
{
    const float *f32 = w->scales;
    const uint16_t *u16 = w->scales;
    if (w->scale_dtype == PALI_FLOAT32)
        return f32[i];
    return w->scale_dtype == PALI_BFLOAT16 ? pali__float_from_bf16(u16[i]) : pali__float_from_f16(u16[i]);
}

static int code_int8(const void *codes, int64_t k)
{
    return ((const int8_t *)codes)[k];
}

static int code_packed8(const void *codes, int64_t k)
{
    return ((const uint8_t *)codes)[k];
}

static int code_packed4(const void *codes, int64_t k)
{
    return ((const uint8_t *)codes)[k / 2] >> (k % 2 ? 4 : 0) & 15;
}

/* Defines the kernels of one kind of code. A sum of integers ends with its block of inputs or its group of weights,
 * whichever ends first. */
#define DEFINE_CODE(kind, offset)                                                                                      \
    static float row_##kind(const struct pali__rounded *x, const int16_t *values, const float *scales,                 \
                            const struct pali__quantized *w, const void *codes, int64_t row, int64_t n)                \
    {                                                                                                                  \
        int64_t per_block = BLOCK / x->segment;                                                                        \
        float total = 0;                                                                                               \
        for (int64_t k = 0, end; k < n; k = end) {                                                                     \
            int64_t group = w->n_groups <= 1 ? 0 : k / w->group_size, at = row * w->n_groups + group;                  \
            int zero = (offset) + (w->zero_points != NULL ? w->zero_points[at] : 0);                                   \
            int32_t sum = 0;                                                                                           \
            end = smaller(n, (k / BLOCK + 1) * BLOCK);                                                                 \
            if (w->n_groups > 1)                                                                                       \
                end = smaller(end, (group + 1) * w->group_size);                                                       \
            for (int64_t i = k; i < end; i++)                                                                          \
                sum += (code_##kind(codes, i) - zero) * values[i];                                                     \
            total += scale_at(w, at) * scales[k / BLOCK * per_block] * (float)sum;                                     \
        }                                                                                                              \
        return total;                                                                                                  \
    }                                                                                                                  \
                                                                                                                       \
    void pali__dot_##kind##_c(float *y, int64_t y_stride, const struct pali__rounded *x, int64_t n_x,                  \
                              const struct pali__quantized *w, const void *codes, int64_t first_row, int64_t n_w,      \
                              int64_t n)                                                                               \
    {                                                                                                                  \
        for (int64_t j = 0; j < n_w; j++) {                                                                            \
            const char *row = (const char *)codes + (first_row + j) * w->row_size;                                     \
            for (int64_t r = 0; r < n_x; r++)                                                                          \
                y[r * y_stride + j] = row_##kind(x, x->values + r * x->values_stride, x->scales + r * x->scales_stride,\
                                                 w, row, first_row + j, n);                                            \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    void pali__dequantize_##kind##_c(float *y, const void *codes, int64_t first, int64_t n, float scale, int zero)     \
    {                                                                                                                  \
        for (int64_t k = 0; k < n; k++)                                                                                \
            y[k] = scale * (float)(code_##kind(codes, first + k) - zero);                                              \
    }

DEFINE_CODE(int8, 0)
DEFINE_CODE(packed8, 128)
DEFINE_CODE(packed4, 8)
