/* SPDX-License-Identifier: BSD-2-Clause */
/* The products of a few rows with a matrix, and the conversions, of every instruction set against plain C.
 * With --bench: bytes of weights read in a second. */
#include "test.h"

#include "core/dtype.h"
#include "core/int8_vector.h"
#include "kernel_test.h"

enum kind { F32, BF16, F16 };
static const char *const kind_names[] = {"f32", "bf16", "f16"};

static pali__dot_rows_fn *dot_rows_of(const struct pali__kernels *kernels, enum kind kind)
{
    return kind == F32 ? kernels->dot_rows_f32 : kind == BF16 ? kernels->dot_rows_bf16 : kernels->dot_rows_f16;
}

static void random_weights(void *out, int64_t n, enum kind kind)
{
    float *f32 = out;
    uint16_t *u16 = out;
    for (int64_t i = 0; i < n; i++) {
        if (kind == F32)
            f32[i] = random_float(1.0f);
        else
            u16[i] = kind == BF16 ? pali__bf16_from_float(random_float(1.0f)) : random_f16();
    }
}

static double weight_at(const void *w, int64_t i, enum kind kind)
{
    const float *f32 = w;
    const uint16_t *u16 = w;
    return (double)(kind == F32 ? f32[i] : kind == BF16 ? pali__float_from_bf16(u16[i]) : pali__float_from_f16(u16[i]));
}

/* Each kernel, plain C too, against double precision: n float additions in any order err by less than
 * n·2⁻²⁴·Σ|x·w|, and in several sums side by side by far less: 32 is taken instead of n. */
static void test_dot_rows_shape(const struct pali__kernels *kernels, enum kind kind, int64_t n_x, int64_t n_w,
                                int64_t n)
{
    int64_t size = kind == F32 ? 4 : 2, w_stride = n + random_below(3), x_stride = n + random_below(3);
    int64_t y_stride = n_w + random_below(3), shift = random_below(4);
    struct guarded w, x, y, alone;
    guarded_make(&w, (n_w * w_stride + shift) * size);
    guarded_make(&x, (n_x * x_stride + shift) * 4);
    guarded_make(&y, n_x * y_stride * 4);
    guarded_make(&alone, n_w * 4);
    random_weights(w.data, n_w * w_stride + shift, kind);
    random_floats(x.data, n_x * x_stride + shift, 1.0f);
    const float *in = (const float *)x.data + shift, *out = y.data;
    const unsigned char *weights = (const unsigned char *)w.data + shift * size;

    dot_rows_of(kernels, kind)(y.data, y_stride, in, x_stride, n_x, weights, w_stride, n_w, n);
    CHECK(guarded_intact(&y));
    double worst = 0;
    for (int64_t r = 0; r < n_x; r++) {
        for (int64_t j = 0; j < n_w; j++) {
            double sum = 0, bound = 1e-30;
            for (int64_t k = 0; k < n; k++) {
                double term = (double)in[r * x_stride + k] * weight_at(weights, j * w_stride + k, kind);
                sum += term;
                bound += fabs(term) * 32 / 16777216;
            }
            double error = fabs((double)out[r * y_stride + j] - sum) / bound;
            worst = !(error <= worst) ? error : worst;
        }
        for (int64_t j = n_w; j < y_stride; j++)
            CHECK(pali__bits_from_float(out[r * y_stride + j]) == 0xffffffffu);
    }
    CHECK_MSG(worst <= 1, "%s %s %lld rows [%lld, %lld]: %g of the bound", pali__cpu_name(kernels->level),
              kind_names[kind], (long long)n_x, (long long)n_w, (long long)n, worst);

    /* A row's result does not depend on the rows beside it. */
    int64_t last = n_x - 1;
    dot_rows_of(kernels, kind)(alone.data, n_w, in + last * x_stride, x_stride, 1, weights, w_stride, n_w, n);
    CHECK(memcmp(alone.data, out + last * y_stride, (size_t)n_w * 4) == 0);
    guarded_free(&w);
    guarded_free(&x);
    guarded_free(&y);
    guarded_free(&alone);
}

/* Vectors in int8: widened as the rule says, and their products are those of what they hold, to the bit. */
static void test_int8_rows(const struct pali__kernels *kernels, int64_t n_x, int64_t n_w, int64_t n)
{
    int64_t w_stride = pali__int8_vector_size(n) + random_below(3);
    struct guarded w, wide, x, y, right;
    guarded_make(&w, n_w * w_stride);
    guarded_make(&wide, n_w * n * 4);
    guarded_make(&x, n_x * n * 4);
    guarded_make(&y, n_x * n_w * 4);
    guarded_make(&right, n_x * n_w * 4);
    random_floats(x.data, n_x * n, 1.0f);
    for (int64_t j = 0; j < n_w; j++) {
        int8_t *vector = (int8_t *)w.data + j * w_stride;
        float *row = (float *)wide.data + j * n;
        random_floats(row, n, 3.0f);
        pali__int8_vector_make(vector, row, n);
        memset(row, 0xff, (size_t)n * 4);
        kernels->widen_int8_row(row, vector, n);
        for (int64_t k = 0; k < n; k++)
            CHECK(row[k] == (float)vector[k] * pali__int8_vector_scale(vector, n));
    }
    CHECK(guarded_intact(&wide));
    kernels->dot_int8_rows(y.data, n_w, x.data, n, n_x, w.data, w_stride, n_w, n);
    kernels->dot_rows_f32(right.data, n_w, x.data, n, n_x, wide.data, n, n_w, n);
    CHECK(guarded_intact(&y));
    CHECK_MSG(memcmp(y.data, right.data, (size_t)(n_x * n_w) * 4) == 0, "%s int8 %lld rows [%lld, %lld]",
              pali__cpu_name(kernels->level), (long long)n_x, (long long)n_w, (long long)n);
    guarded_free(&w);
    guarded_free(&wide);
    guarded_free(&x);
    guarded_free(&y);
    guarded_free(&right);
}

static void test_dot_rows(const struct pali__kernels *kernels)
{
    static const int64_t lengths[] = {0, 1, 7, 8, 9, 15, 16, 31, 32, 33, 63, 64, 65, 72, 100, 1152, 4304, 9217};
    for (int kind = F32; kind <= F16; kind++) {
        for (int64_t n_x = 1; n_x <= PALI__DOT_ROWS_MAX; n_x++) {
            for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++)
                test_dot_rows_shape(kernels, (enum kind)kind, n_x, 1 + random_below(9), lengths[l]);
        }
    }
    for (int64_t n_x = 1; n_x <= PALI__DOT_ROWS_MAX; n_x++) {
        for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++)
            test_int8_rows(kernels, n_x, 1 + random_below(9), lengths[l]);
    }
}

/* Exact: bit for bit what plain C gives. */
static void test_conversions(const struct pali__kernels *kernels, const struct pali__kernels *plain)
{
    for (int64_t n = 0; n < 70; n++) {
        struct guarded halves, wide, wide_c, narrow, narrow_c;
        guarded_make(&halves, n * 2);
        guarded_make(&wide, n * 4);
        guarded_make(&wide_c, n * 4);
        guarded_make(&narrow, n * 2);
        guarded_make(&narrow_c, n * 2);
        for (int64_t i = 0; i < n; i++)
            ((uint16_t *)halves.data)[i] = (uint16_t)random_bits();
        kernels->widen_bf16(wide.data, halves.data, n);
        plain->widen_bf16(wide_c.data, halves.data, n);
        CHECK(memcmp(wide.data, wide_c.data, (size_t)n * 4) == 0 && guarded_intact(&wide));

        for (int64_t i = 0; i < n; i++) /* NaNs aside: the processor makes signalling ones quiet */
            ((uint16_t *)halves.data)[i] = (uint16_t)(random_bits() % 2 ? random_bits() & 0xfbffu : 0x7c00u);
        kernels->widen_f16(wide.data, halves.data, n);
        plain->widen_f16(wide_c.data, halves.data, n);
        CHECK(memcmp(wide.data, wide_c.data, (size_t)n * 4) == 0 && guarded_intact(&wide));

        for (int64_t i = 0; i < n; i++) { /* any bits; ties; NaN and infinity */
            static const uint32_t special[] = {0x7f800000u, 0xff800000u, 0x7f800001u, 0xffffffffu, 0x3f808000u,
                                               0x3f818000u, 0x7f7fffffu, 0x00000001u, 0x80000000u, 0x7fffffffu};
            uint32_t bits = random_bits() % 3 ? random_bits() : special[random_bits() % 10];
            ((float *)wide.data)[i] = pali__float_from_bits(bits);
        }
        kernels->narrow_bf16(narrow.data, wide.data, n);
        plain->narrow_bf16(narrow_c.data, wide.data, n);
        CHECK(memcmp(narrow.data, narrow_c.data, (size_t)n * 2) == 0 && guarded_intact(&narrow));
        guarded_free(&halves);
        guarded_free(&wide);
        guarded_free(&wide_c);
        guarded_free(&narrow);
        guarded_free(&narrow_c);
    }
}

/* float16 has 65,536 values: all of them. */
static void test_every_half(const struct pali__kernels *kernels)
{
    static uint16_t halves[65536];
    static float values[65536];
    int64_t wrong = 0;
    for (int64_t i = 0; i < 65536; i++)
        halves[i] = (uint16_t)i;
    kernels->widen_f16(values, halves, 65536);
    for (int64_t i = 0; i < 65536; i++) {
        int exponent = (int)(i >> 10) & 31, mantissa = (int)i & 1023;
        double size = exponent == 0 ? ldexp(mantissa, -24) : ldexp(1024 + mantissa, exponent - 25);
        if (exponent == 31)
            size = mantissa ? NAN : INFINITY;
        double value = i >> 15 ? -size : size;
        bool same = value == (double)values[i] && !signbit(value) == !signbit(values[i]);
        wrong += isnan(value) ? !isnan(values[i]) : !same;
    }
    CHECK_MSG(wrong == 0, "%s: %lld float16 values are wrong", pali__cpu_name(kernels->level), (long long)wrong);
}

static void bench(const struct pali__kernels *kernels)
{
    enum { N_W = 16384, N = 2048 };
    unsigned char *w = malloc((size_t)N_W * N * 4);
    float *x = malloc(sizeof(float) * 4 * N), *y = malloc(sizeof(float) * 4 * N_W);
    random_floats(x, 4 * N, 1.0f);
    for (int kind = F32; kind <= F16; kind++) {
        random_weights(w, (int64_t)N_W * N, (enum kind)kind);
        for (int64_t n_x = 1; n_x <= 4; n_x++) {
            double best, size = (double)N_W * N * (kind == F32 ? 4 : 2);
            BEST_TIME(best, dot_rows_of(kernels, (enum kind)kind)(y, N_W, x, N, n_x, w, N, N_W, N));
            printf("%-12s dot_rows_%-4s %lld rows  %6.1f GB/s\n", pali__cpu_name(kernels->level), kind_names[kind],
                   (long long)n_x, 1e-9 * size / best);
        }
    }
    double best;
    BEST_TIME(best, kernels->widen_bf16((float *)(void *)w, (const uint16_t *)x, 4 * N));
    printf("%-12s widen_bf16           %6.1f Gvalues/s, from the cache\n", pali__cpu_name(kernels->level),
           1e-9 * 4 * N / best);
    BEST_TIME(best, kernels->narrow_bf16((uint16_t *)(void *)w, x, 4 * N));
    printf("%-12s narrow_bf16          %6.1f Gvalues/s, from the cache\n", pali__cpu_name(kernels->level),
           1e-9 * 4 * N / best);
    free(w);
    free(x);
    free(y);
}

int main(int argc, char **argv)
{
    const struct pali__kernels *plain = pali__kernels_get(PALI__CPU_C), *tables[4];
    int n_tables = variants(tables);
    test_dot_rows(plain);
    test_every_half(plain);
    for (int i = 0; i < n_tables; i++) {
        test_dot_rows(tables[i]);
        test_conversions(tables[i], plain);
        test_every_half(tables[i]);
    }
    if (wants_bench(argc, argv)) {
        bench(plain);
        for (int i = 0; i < n_tables; i++)
            bench(tables[i]);
    }
    return test_report("gemv");
}
