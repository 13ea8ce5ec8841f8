/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rounding weights to integers: every instruction set equal to plain C bit for bit; whole matrices against simple loops;
 * what searching for scales promises. With --bench: weights in a second.
 */
#include "test.h"

#include "core/dtype.h"
#include "kernel_test.h"
#include "kernels/round_weights.h"

/* ---- the kernels ---- */

static void random_weights(float *w, int64_t n)
{
    random_floats(w, n, 1.0f);
    for (int64_t i = 0; i < n; i++)
        w[i] *= fabsf(random_float(1.0f)); /* more small ones than large ones */
}

static void fill_grids(struct pali__grids *grids)
{
    for (int c = 0; c < PALI__GRIDS_MAX; c++) {
        float zero = (float)(random_below(16) - 8);
        grids->scale[c] = 0.02f + random_float(0.2f);
        grids->inverse[c] = 1.0f / grids->scale[c];
        grids->lowest[c] = -8.0f - zero;
        grids->highest[c] = 7.0f - zero;
    }
}

static void test_kernels(const struct pali__kernels *kernels, int64_t n)
{
    const struct pali__kernels *plain = pali__kernels_get(PALI__CPU_C);
    struct guarded w, importance, q;
    struct pali__grids grids;
    int8_t expected[600];
    float low, high, expected_low, expected_high, errors[PALI__GRIDS_MAX], expected_errors[PALI__GRIDS_MAX];

    guarded_make(&w, n * 4);
    guarded_make(&importance, n * 4);
    guarded_make(&q, n);
    random_weights(w.data, n);
    random_weights(importance.data, n);
    if (n > 4) {
        ((float *)w.data)[n - 1] = NAN;
        ((float *)w.data)[n - 2] = INFINITY;
        ((float *)w.data)[n - 3] = -0.0f;
    }
    plain->extremes(&expected_low, &expected_high, w.data, n);
    kernels->extremes(&low, &high, w.data, n);
    CHECK(memcmp(&low, &expected_low, 4) == 0 && memcmp(&high, &expected_high, 4) == 0);
    for (int zero = -8; zero < 8; zero += 5) {
        plain->round_to_grid(expected, w.data, n, 0.06f, (float)zero, -8.0f, 7.0f);
        kernels->round_to_grid(q.data, w.data, n, 0.06f, (float)zero, -8.0f, 7.0f);
        CHECK(memcmp(q.data, expected, (size_t)n) == 0);
    }
    random_weights(w.data, n);
    for (int n_grids = 8; n_grids <= PALI__GRIDS_MAX; n_grids += 8)
        for (int weighted = 0; weighted < 2; weighted++) {
            fill_grids(&grids);
            plain->rounding_errors(expected_errors, &grids, n_grids, w.data, weighted ? importance.data : NULL, n);
            kernels->rounding_errors(errors, &grids, n_grids, w.data, weighted ? importance.data : NULL, n);
            CHECK(memcmp(errors, expected_errors, (size_t)n_grids * 4) == 0);
        }
    CHECK(guarded_intact(&w) && guarded_intact(&importance) && guarded_intact(&q));
    guarded_free(&w);
    guarded_free(&importance);
    guarded_free(&q);
}

/* ---- whole matrices ---- */

struct matrix {
    struct pali__rounding rounding;
    int64_t n_rows, n_in, n_groups, row_size;
    struct guarded codes, scales, zero_points;
    float *w;
};

static struct matrix matrix_make(struct pali__rounding rounding, int64_t n_rows, int64_t n_in)
{
    struct matrix m = { .rounding = rounding, .n_rows = n_rows, .n_in = n_in };

    m.rounding.group_size = rounding.group_size ? rounding.group_size : n_in;
    m.n_groups = (n_in + m.rounding.group_size - 1) / m.rounding.group_size;
    m.row_size = pali__code_row_size(rounding.code, n_in);
    guarded_make(&m.codes, n_rows * m.row_size);
    guarded_make(&m.scales, n_rows * m.n_groups * (int64_t)pali_dtype_size(rounding.scale_dtype));
    guarded_make(&m.zero_points, n_rows * m.n_groups);
    m.w = malloc((size_t)(n_rows * n_in) * sizeof(float));
    if (!m.w)
        abort();
    random_weights(m.w, n_rows * n_in);
    return m;
}

static void matrix_round(struct matrix *m, const struct pali__kernels *kernels, int n_threads)
{
    struct pali__compute compute = { .kernels = kernels, .n_threads = n_threads, .dtype = PALI_FLOAT32 };

    pali__round_weights(&compute, &m->rounding, m->w, m->n_rows, m->n_in, m->codes.data, m->scales.data,
                        m->rounding.symmetric ? NULL : m->zero_points.data);
    CHECK(guarded_intact(&m->codes) && guarded_intact(&m->scales) && guarded_intact(&m->zero_points));
}

static void matrix_free(struct matrix *m)
{
    guarded_free(&m->codes);
    guarded_free(&m->scales);
    guarded_free(&m->zero_points);
    free(m->w);
}

static int code_at(const struct matrix *m, int64_t row, int64_t k)
{
    const uint8_t *codes = (const uint8_t *)m->codes.data + row * m->row_size;

    switch (m->rounding.code) {
    case PALI__CODE_INT8:
        return (int8_t)codes[k];
    case PALI__CODE_PACKED8:
        return codes[k] - 128;
    default:
        return (codes[k / 2] >> (k % 2 ? 4 : 0) & 15) - 8;
    }
}

static float scale_at(const struct matrix *m, int64_t row, int64_t group)
{
    float scale;

    pali__to_float(&scale, (const char *)m->scales.data +
                               (row * m->n_groups + group) * (int64_t)pali_dtype_size(m->rounding.scale_dtype),
                   m->rounding.scale_dtype, 1);
    return scale;
}

static int zero_at(const struct matrix *m, int64_t row, int64_t group)
{
    return m->rounding.symmetric ? 0 : ((const int8_t *)m->zero_points.data)[row * m->n_groups + group];
}

/* Of one group, its inputs weighted. */
static double group_error(const struct matrix *m, int64_t row, int64_t group)
{
    int64_t first = group * m->rounding.group_size, end = first + m->rounding.group_size;
    double sum = 0, scale = (double)scale_at(m, row, group);

    for (int64_t k = first; k < end && k < m->n_in; k++) {
        double value = scale * (code_at(m, row, k) - zero_at(m, row, group));
        double difference = (double)m->w[row * m->n_in + k] - value;
        sum += difference * difference * (m->rounding.importance ? (double)m->rounding.importance[k] : 1.0);
    }
    return sum;
}

/* calculate_qparams and quantize, as they are written there, of one group. */
static void check_fitting_group(const struct matrix *m, int64_t row, int64_t group)
{
    int64_t first = group * m->rounding.group_size, end = first + m->rounding.group_size;
    float low = 0, high = 0, most = m->rounding.code == PALI__CODE_PACKED4 ? 7.0f : 127.0f, least = -most - 1.0f;
    const float *w = m->w + row * m->n_in;
    int wrong = 0, zero_point = 0;

    end = end < m->n_in ? end : m->n_in;
    for (int64_t k = first; k < end; k++) {
        low = fminf(low, w[k]);
        high = fmaxf(high, w[k]);
    }
    float scale = m->rounding.symmetric ? fmaxf(-low, high) / ((most - least) / 2) : (high - low) / (most - least);
    if (!m->rounding.symmetric && scale > 0)
        zero_point = (int)rintf(fminf(most, fmaxf(least, least - low / scale)));
    char stored[4];
    pali__from_float(stored, m->rounding.scale_dtype, &scale, 1);
    pali__to_float(&scale, stored, m->rounding.scale_dtype, 1);
    if (scale == 0)
        scale = m->rounding.scale_dtype == PALI_BFLOAT16 ? 0x1p-7f : m->rounding.scale_dtype == PALI_FLOAT16 ? 0x1p-10f
                                                                                                           : 0x1p-23f;
    for (int64_t k = first; k < end; k++)
        wrong += (int)rintf(fminf(most, fmaxf(least, w[k] / scale + (float)zero_point))) != code_at(m, row, k);
    CHECK_MSG(scale_at(m, row, group) == scale, "%g, not %g", (double)scale_at(m, row, group), (double)scale);
    CHECK_MSG(wrong == 0 && zero_at(m, row, group) == zero_point, "%d codes, zero point %d", wrong, zero_point);
}

/* The squared errors of int4 with the largest value's scales, and with searched ones. */
static double fitting_sum, searched_sum;

static void test_matrix(const struct pali__kernels *kernels, struct pali__rounding rounding, int64_t n_in)
{
    enum { ROWS = 5 };
    struct matrix fitting = matrix_make(rounding, ROWS, n_in), searched = fitting, plain = fitting;

    memset(fitting.w, 0, (size_t)n_in * sizeof(float));                 /* a row of zeros, */
    for (int64_t k = 0; k < n_in; k++)                                  /* of one sign, */
        fitting.w[n_in + k] = fabsf(fitting.w[n_in + k]);
    fitting.w[2 * n_in] = -40.0f;                                       /* with one large weight, */
    for (int64_t k = 0; k < n_in; k++)                                  /* of very small ones */
        fitting.w[3 * n_in + k] *= 1e-30f;
    matrix_round(&fitting, kernels, 1);
    for (int64_t row = 0; row < ROWS; row++)
        for (int64_t g = 0; g < fitting.n_groups; g++)
            check_fitting_group(&fitting, row, g);

    guarded_make(&searched.codes, fitting.codes.size);
    guarded_make(&searched.scales, fitting.scales.size);
    guarded_make(&searched.zero_points, fitting.zero_points.size);
    searched.rounding.searches = true;
    matrix_round(&searched, kernels, n_in == 600 && !rounding.group_size ? 2 : 1);
    for (int64_t row = 0; row < ROWS; row++)
        for (int64_t g = 0; g < fitting.n_groups; g++) {
            double before = group_error(&fitting, row, g), after = group_error(&searched, row, g);
            /* To within what float32 leaves of a difference between a weight and its code of 8 bits. */
            CHECK_MSG(after <= before * (1 + 1e-4), "row %d: %g, then %g", (int)row, before, after);
            fitting_sum += rounding.code == PALI__CODE_PACKED4 && row == 4 ? before : 0;
            searched_sum += rounding.code == PALI__CODE_PACKED4 && row == 4 ? after : 0;
        }

    /* The same from plain C on one thread. */
    guarded_make(&plain.codes, fitting.codes.size);
    guarded_make(&plain.scales, fitting.scales.size);
    guarded_make(&plain.zero_points, fitting.zero_points.size);
    plain.rounding.searches = true;
    matrix_round(&plain, pali__kernels_get(PALI__CPU_C), 1);
    CHECK(memcmp(plain.codes.data, searched.codes.data, (size_t)plain.codes.size) == 0);
    CHECK(memcmp(plain.scales.data, searched.scales.data, (size_t)plain.scales.size) == 0);
    CHECK(memcmp(plain.zero_points.data, searched.zero_points.data, (size_t)plain.zero_points.size) == 0);

    plain.w = searched.w = NULL;
    matrix_free(&plain);
    matrix_free(&searched);
    matrix_free(&fitting);
}

static void test_forms(const struct pali__kernels *kernels)
{
    static const enum pali__code codes[] = { PALI__CODE_INT8, PALI__CODE_PACKED8, PALI__CODE_PACKED4 };
    static const pali_dtype dtypes[] = { PALI_FLOAT32, PALI_BFLOAT16, PALI_FLOAT16 };
    static const int64_t group_sizes[] = { 0, 32, 128, 7 }, widths[] = { 1, 31, 64, 337, 600 };
    static float importance[600];

    random_floats(importance, 600, 1.0f);
    for (int k = 0; k < 600; k++)
        importance[k] = fabsf(importance[k]) + 0.1f;
    for (int form = 0; form < 3 * 3 * 4 * 5 * 2; form++) {
        struct pali__rounding rounding = {
            .code = codes[form % 3],
            .scale_dtype = dtypes[form / 3 % 3],
            .group_size = group_sizes[form / 9 % 4],
            .symmetric = form / 180,
            .importance = form % 2 ? importance : NULL,
        };
        test_matrix(kernels, rounding, widths[form / 36 % 5]);
    }
    CHECK_MSG(searched_sum < 0.93 * fitting_sum, "searching gains too little: %g of %g", searched_sum, fitting_sum);
}

/* Weights that are no numbers give some number, and leave their neighbours alone; nothing is undefined. */
static void test_no_numbers(const struct pali__kernels *kernels)
{
    struct pali__rounding rounding = { .code = PALI__CODE_PACKED4, .group_size = 32, .symmetric = true,
                                       .scale_dtype = PALI_BFLOAT16, .searches = true };

    for (int symmetric = 0; symmetric < 2; symmetric++) {
        rounding.symmetric = symmetric;
        struct matrix m = matrix_make(rounding, 1, 96);
        m.w[3] = NAN;
        m.w[32] = INFINITY;
        m.w[33] = -INFINITY;
        matrix_round(&m, kernels, 1);
        for (int64_t g = 0; g < 3; g++)
            CHECK(isfinite(scale_at(&m, 0, g)) && scale_at(&m, 0, g) != 0.0f);
        for (int64_t k = 0; k < 3; k++)
            CHECK(fabsf(m.w[k] - scale_at(&m, 0, 0) * (float)(code_at(&m, 0, k) - zero_at(&m, 0, 0))) < 0.1f);
        matrix_free(&m);
    }
}

/* A group whose largest weights are all positive has its eight steps there. */
static void test_turned_grid(const struct pali__kernels *kernels)
{
    struct pali__rounding rounding = { .code = PALI__CODE_PACKED4, .symmetric = true, .scale_dtype = PALI_FLOAT32,
                                       .searches = true };
    struct matrix m = matrix_make(rounding, 1, 32);

    for (int k = 0; k < 32; k++)
        m.w[k] = (float)(k % 9) * 0.125f; /* 0…8 steps */
    matrix_round(&m, kernels, 1);
    CHECK(scale_at(&m, 0, 0) < 0.0f && group_error(&m, 0, 0) < 0.01);
    matrix_free(&m);
}

static void bench(const struct pali__kernels *kernels)
{
    static const struct {
        const char *name;
        struct pali__rounding rounding;
    } forms[] = {
        { "int8, fitting", { .code = PALI__CODE_PACKED8, .symmetric = true } },
        { "int8", { .code = PALI__CODE_PACKED8, .symmetric = true, .searches = true } },
        { "int4 of 32", { .code = PALI__CODE_PACKED4, .group_size = 32, .symmetric = true, .searches = true } },
        { "int4 of 128", { .code = PALI__CODE_PACKED4, .group_size = 128, .symmetric = true, .searches = true } },
        { "int4, zeros", { .code = PALI__CODE_PACKED4, .group_size = 128, .searches = true } },
    };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct pali__rounding rounding = forms[i].rounding;
        double best;
        rounding.scale_dtype = PALI_BFLOAT16;
        struct matrix m = matrix_make(rounding, 64, 2048);
        BEST_TIME(best, matrix_round(&m, kernels, 1));
        printf("%-12s %-14s %7.1f Mweights/s\n", pali__cpu_name(kernels->level), forms[i].name,
               1e-6 * 64 * 2048 / best);
        matrix_free(&m);
    }
}

int main(int argc, char **argv)
{
    static const int64_t lengths[] = { 0, 1, 7, 8, 9, 31, 32, 33, 63, 64, 65, 128, 600 };
    const struct pali__kernels *plain = pali__kernels_get(PALI__CPU_C), *tables[4];
    int n_tables = variants(tables);

    for (int i = 0; i < n_tables; i++)
        for (size_t n = 0; n < sizeof lengths / sizeof lengths[0]; n++)
            test_kernels(tables[i], lengths[n]);
    test_forms(n_tables ? tables[0] : plain);
    test_no_numbers(plain);
    test_turned_grid(plain);
    for (int i = 0; i < n_tables; i++) {
        test_no_numbers(tables[i]);
        test_turned_grid(tables[i]);
    }
    if (wants_bench(argc, argv)) {
        bench(plain);
        for (int i = 0; i < n_tables; i++)
            bench(tables[i]);
    }
    return test_report("round_weights");
}
