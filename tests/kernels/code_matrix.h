/* SPDX-License-Identifier: BSD-2-Clause */
/* Random quantized matrices for the kernel tests, and what they stand for. */
#ifndef PALI_TESTS_KERNELS_CODE_MATRIX_H
#define PALI_TESTS_KERNELS_CODE_MATRIX_H

#include "core/dtype.h"
#include "kernel_test.h"
#include "kernels/ops.h"

static const char *const code_names[] = {"none", "int8", "packed8", "packed4"};

struct code_matrix {
    struct pali__matrix w;
    struct guarded codes, scales, zero_points;
};

struct code_case {
    enum pali__code code;
    int64_t n_out, n_in, group_size; /* group_size 0: n_in */
    pali_dtype scale_dtype;
    bool has_zero_points, int8_inputs;
    int64_t gap; /* bytes between rows */
};

/* The codes end where the last row does: what is read behind it is read outside. */
static inline void code_matrix_make(struct code_matrix *m, const struct code_case *c)
{
    int64_t group_size = c->group_size ? c->group_size : c->n_in, row = pali__code_row_size(c->code, c->n_in);
    int64_t n_groups = (c->n_in + group_size - 1) / group_size;
    *m = (struct code_matrix){.w = {.dtype = PALI_INT8, .n_out = c->n_out, .n_in = c->n_in,
        .quantized = {.code = c->code, .int8_inputs = c->int8_inputs, .row_size = row + c->gap,
                      .group_size = group_size, .n_groups = n_groups, .scale_dtype = c->scale_dtype}}};
    guarded_make(&m->codes, (c->n_out - 1) * (row + c->gap) + row);
    guarded_make(&m->scales, c->n_out * n_groups * (c->scale_dtype == PALI_FLOAT32 ? 4 : 2));
    guarded_make(&m->zero_points, c->n_out * n_groups);
    for (int64_t i = 0; i < m->codes.size; i++)
        ((unsigned char *)m->codes.data)[i] = (unsigned char)random_bits();
    for (int64_t i = 0; i < c->n_out * n_groups; i++) {
        float scale = 0.01f + fabsf(random_float(0.05f));
        pali__from_float((char *)m->scales.data + i * (c->scale_dtype == PALI_FLOAT32 ? 4 : 2), c->scale_dtype, &scale,
                         1);
        ((int8_t *)m->zero_points.data)[i] = (int8_t)(c->code == PALI__CODE_PACKED4 ? random_below(16) - 8
                                                                                    : random_below(256) - 128);
    }
    m->w.data = m->codes.data;
    m->w.quantized.scales = m->scales.data;
    m->w.quantized.zero_points = c->has_zero_points ? m->zero_points.data : NULL;
}

static inline void code_matrix_free(struct code_matrix *m)
{
    guarded_free(&m->codes);
    guarded_free(&m->scales);
    guarded_free(&m->zero_points);
}

static inline double code_scale(const struct pali__matrix *w, int64_t j, int64_t k)
{
    const struct pali__quantized *q = &w->quantized;
    int64_t at = j * q->n_groups + k / q->group_size;
    const float *f32 = q->scales;
    const uint16_t *u16 = q->scales;
    if (q->scale_dtype == PALI_FLOAT32)
        return (double)f32[at];
    return (double)(q->scale_dtype == PALI_BFLOAT16 ? pali__float_from_bf16(u16[at]) : pali__float_from_f16(u16[at]));
}

/* q - zero_point, by the words of quantized.h. */
static inline int code_integer(const struct pali__matrix *w, int64_t j, int64_t k)
{
    const struct pali__quantized *q = &w->quantized;
    const unsigned char *row = (const unsigned char *)w->data + j * q->row_size;
    int zero = q->zero_points ? q->zero_points[j * q->n_groups + k / q->group_size] : 0;
    switch (q->code) {
    case PALI__CODE_INT8:
        return (int)(int8_t)row[k] - zero;
    case PALI__CODE_PACKED8:
        return (int)row[k] - 128 - zero;
    default:
        return (int)(k % 2 ? row[k / 2] >> 4 : row[k / 2] & 15) - 8 - zero;
    }
}

static inline double code_weight(const struct pali__matrix *w, int64_t j, int64_t k)
{
    return code_scale(w, j, k) * code_integer(w, j, k);
}

#endif
