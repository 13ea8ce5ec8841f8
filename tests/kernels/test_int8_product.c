/* SPDX-License-Identifier: BSD-2-Clause */
/* Products in int8: rounding as compressed-tensors rounds, and sums that are exact, bit for bit, at every level.
 * With --bench: operations in a second. */
#include "test.h"

#include <omp.h>

#include <paligemma/paligemma.h>

#include "core/dtype.h"
#include "kernel_test.h"
#include "kernels/int8_product.h"

/* ---- rounding ---- */

static void test_round_fixture(const struct pali__kernels *kernels)
{
    static const int widths[] = {1, 7, 33, 160};
    pali_inputs *tensors = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_inputs_load(&tensors, test_path(test_data(), "quantized/round_int8.safetensors"), &error), error);
    for (size_t i = 0; tensors != NULL && i < sizeof widths / sizeof widths[0]; i++) {
        char names[3][16];
        snprintf(names[0], sizeof names[0], "x.%d", widths[i]);
        snprintf(names[1], sizeof names[1], "q.%d", widths[i]);
        snprintf(names[2], sizeof names[2], "scale.%d", widths[i]);
        const pali_tensor *x = pali_inputs_get(tensors, names[0]), *q = pali_inputs_get(tensors, names[1]);
        const pali_tensor *scale = pali_inputs_get(tensors, names[2]);
        CHECK(x != NULL && q != NULL && scale != NULL);
        if (x == NULL || q == NULL || scale == NULL)
            continue;
        for (int64_t r = 0; r < x->shape[0]; r++) {
            int8_t rounded[160];
            float got = kernels->round_int8(rounded, (const float *)x->data + r * widths[i], widths[i]);
            CHECK_MSG(pali__bits_from_float(got) == pali__bits_from_float(((const float *)scale->data)[r]),
                      "%s: row %d of %d: scale %.9g", pali__cpu_name(kernels->level), (int)r, widths[i], (double)got);
            CHECK_MSG(memcmp(rounded, (const int8_t *)q->data + r * widths[i], (size_t)widths[i]) == 0,
                      "%s: row %d of %d", pali__cpu_name(kernels->level), (int)r, widths[i]);
        }
    }
    pali_inputs_free(tensors);
}

/* Any length, anywhere, with what is not finite: as plain C. */
static void test_round(const struct pali__kernels *kernels, const struct pali__kernels *plain)
{
    static const float special[] = {INFINITY, -INFINITY, NAN, -NAN, 3e38f, 1e-45f};
    for (int64_t n = 0; n < 140; n++) {
        struct guarded x, y, expected;
        guarded_make(&x, (n + 1) * 4);
        guarded_make(&y, n + 1);
        guarded_make(&expected, n + 1);
        float *values = (float *)x.data + 1;
        random_floats(values, n, n % 3 == 0 ? 1e-39f : 100.0f);
        if (n > 0 && n % 4 == 0)
            values[random_below(n)] = special[random_below(6)];
        float scale = kernels->round_int8((int8_t *)y.data + 1, values, n);
        float plain_scale = plain->round_int8((int8_t *)expected.data + 1, values, n);
        CHECK(pali__bits_from_float(scale) == pali__bits_from_float(plain_scale));
        CHECK(memcmp(y.data, expected.data, (size_t)n + 1) == 0 && guarded_intact(&y));
        guarded_free(&x);
        guarded_free(&y);
        guarded_free(&expected);
    }
}

static void test_not_finite(const struct pali__kernels *kernels)
{
    float x[40] = {1, -2, INFINITY};
    int8_t y[40], zeros[40] = {0};
    CHECK(isinf(kernels->round_int8(y, x, 40)) && memcmp(y, zeros, 40) == 0);
    x[3] = NAN;
    CHECK(isnan(kernels->round_int8(y, x, 40)) && memcmp(y, zeros, 40) == 0);
}

/* ---- the parts of a product ---- */

static void random_codes(void *out, int64_t n)
{
    uint8_t *codes = out;
    for (int64_t i = 0; i < n; i++)
        codes[i] = (uint8_t)(random_bits() % 4 == 0 ? 0x80 : random_bits()); /* often the extreme of either code */
}

static void test_widen(const struct pali__kernels *kernels)
{
    for (int64_t n = 0; n < 80; n++) {
        struct guarded x, y;
        guarded_make(&x, n + 1);
        guarded_make(&y, n * 2);
        random_codes(x.data, n + 1);
        const uint8_t *codes = (const uint8_t *)x.data + 1;
        const int16_t *out = y.data;
        for (int flip = 0; flip <= 0x80; flip += 0x80) {
            kernels->widen_int8(y.data, codes, (uint8_t)flip, n);
            bool same = guarded_intact(&y);
            for (int64_t i = 0; i < n; i++)
                same = same && out[i] == (flip ? codes[i] - 128 : (int8_t)codes[i]);
            CHECK_MSG(same, "%s, %d", pali__cpu_name(kernels->level), (int)n);
        }
        guarded_free(&x);
        guarded_free(&y);
    }
}

static void test_turn_shape(const struct pali__kernels *kernels, int64_t n_rows, int64_t n)
{
    int64_t x_stride = n + random_below(3), y_stride = n_rows + random_below(3), n_pairs = (n + 1) / 2;
    struct guarded x, y;
    guarded_make(&x, n_rows * x_stride);
    guarded_make(&y, n_pairs * y_stride * 4);
    random_codes(x.data, n_rows * x_stride);
    kernels->turn_pairs(y.data, y_stride, x.data, x_stride, n_rows, n);
    const int8_t *in = x.data;
    const int16_t *out = y.data;
    bool same = guarded_intact(&y);
    for (int64_t l = 0; l < n_pairs; l++) {
        for (int64_t r = 0; r < y_stride; r++) {
            for (int64_t i = 0; i < 2; i++) {
                int expected = r >= n_rows ? -1 : 2 * l + i < n ? in[r * x_stride + 2 * l + i] : 0;
                same = same && out[2 * (l * y_stride + r) + i] == expected;
            }
        }
    }
    CHECK_MSG(same, "%s: %d rows of %d", pali__cpu_name(kernels->level), (int)n_rows, (int)n);
    guarded_free(&x);
    guarded_free(&y);
}

static void test_turn(const struct pali__kernels *kernels)
{
    for (int64_t n_rows = 0; n_rows < 20; n_rows++) {
        for (int64_t n = 0; n < 50; n += 1 + random_below(3))
            test_turn_shape(kernels, n_rows, n);
    }
    test_turn_shape(kernels, 32, 129);
}

static void test_pairs_shape(const struct pali__kernels *kernels, int64_t m, int64_t n, int64_t k, bool add)
{
    int64_t c_stride = n + random_below(3), a_stride = k + random_below(3), b_stride = n + random_below(3);
    struct guarded a, b, c;
    guarded_make(&a, m * a_stride * 4);
    guarded_make(&b, k * b_stride * 4);
    guarded_make(&c, m * c_stride * 4);
    int16_t *left = a.data, *right = b.data;
    int32_t *out = c.data;
    for (int64_t i = 0; i < m * a_stride * 2; i++)
        left[i] = (int16_t)(random_below(256) - 128);
    for (int64_t i = 0; i < k * b_stride * 2; i++)
        right[i] = (int16_t)(random_below(256) - 128);
    kernels->product_pairs(out, c_stride, left, a_stride, right, b_stride, m, n, k, add);
    bool same = guarded_intact(&c);
    for (int64_t i = 0; i < m * c_stride; i++) {
        int64_t row = i / c_stride, column = i % c_stride, sum = add || column >= n ? -1 : 0;
        for (int64_t l = 0; l < 2 * k && column < n; l++)
            sum += left[2 * row * a_stride + l] * right[2 * (l / 2 * b_stride + column) + l % 2];
        same = same && out[i] == sum;
    }
    CHECK_MSG(same, "%s: [%d, %d pairs] by %d%s", pali__cpu_name(kernels->level), (int)m, (int)k, (int)n,
              add ? ", added" : "");
    guarded_free(&a);
    guarded_free(&b);
    guarded_free(&c);
}

static void test_pairs(const struct pali__kernels *kernels)
{
    for (int64_t m = 0; m < 30; m++) {
        for (int64_t n = 0; n < 70; n += 1 + random_below(7))
            test_pairs_shape(kernels, m, n, random_below(20), random_below(2) == 0);
    }
    test_pairs_shape(kernels, 48, 16, 320, false);
    test_pairs_shape(kernels, 48, 32, 320, true);
}

/* ---- whole products ---- */

struct product_case {
    int64_t n_rows, n_in, n_out;
    enum pali__code code;
    pali_dtype scale_dtype;
    bool has_bias, adds;
};

struct arrays {
    struct guarded codes, scales, x, bias, y, before, scratch;
    struct pali__matrix w;
};

static void make_arrays(struct arrays *arrays, const struct product_case *c, size_t scratch_size)
{
    int64_t row_size = pali__code_row_size(c->code, c->n_in) + 4 * random_below(2);
    int64_t scale_size = c->scale_dtype == PALI_FLOAT32 ? 4 : 2;
    guarded_make(&arrays->codes, c->n_out * row_size);
    guarded_make(&arrays->scales, c->n_out * scale_size);
    guarded_make(&arrays->x, c->n_rows * c->n_in * 4);
    guarded_make(&arrays->bias, c->n_out * 4);
    guarded_make(&arrays->y, c->n_rows * c->n_out * 4);
    guarded_make(&arrays->before, c->n_rows * c->n_out * 4);
    guarded_make(&arrays->scratch, (int64_t)scratch_size);
    random_codes(arrays->codes.data, c->n_out * row_size);
    random_floats(arrays->x.data, c->n_rows * c->n_in, 3.0f);
    random_floats(arrays->bias.data, c->n_out, 1.0f);
    random_floats(arrays->before.data, c->n_rows * c->n_out, 1.0f);
    for (int64_t j = 0; j < c->n_out; j++) {
        float scale = (1.5f + random_float(1.0f)) / 128;
        if (c->scale_dtype == PALI_FLOAT32)
            ((float *)arrays->scales.data)[j] = scale;
        else
            ((uint16_t *)arrays->scales.data)[j] =
                c->scale_dtype == PALI_BFLOAT16 ? pali__bf16_from_float(scale) : pali__f16_from_float(scale);
    }
    arrays->w = (struct pali__matrix){
        .data = arrays->codes.data, .dtype = PALI_INT8, .n_out = c->n_out, .n_in = c->n_in,
        .quantized = {.code = c->code, .int8_inputs = true, .row_size = row_size, .group_size = c->n_in, .n_groups = 1,
                      .scales = arrays->scales.data, .scale_dtype = c->scale_dtype}};
}

static void free_arrays(struct arrays *arrays)
{
    guarded_free(&arrays->codes);
    guarded_free(&arrays->scales);
    guarded_free(&arrays->x);
    guarded_free(&arrays->bias);
    guarded_free(&arrays->y);
    guarded_free(&arrays->before);
    guarded_free(&arrays->scratch);
}

static float scale_at(const struct arrays *arrays, int64_t j)
{
    const float *f32 = arrays->scales.data;
    const uint16_t *u16 = arrays->scales.data;
    pali_dtype dtype = arrays->w.quantized.scale_dtype;
    return dtype == PALI_FLOAT32    ? f32[j]
           : dtype == PALI_BFLOAT16 ? pali__float_from_bf16(u16[j])
                                    : pali__float_from_f16(u16[j]);
}

/* Row r as the definition has it, with sums of 64 bits. */
static void reference_row(const struct arrays *arrays, const struct product_case *c, int64_t r, int8_t *rounded,
                          float *expected)
{
    const uint8_t *codes = arrays->codes.data;
    const float *bias = arrays->bias.data, *before = (const float *)arrays->before.data + r * c->n_out;
    float row_scale =
        pali__kernels_get(PALI__CPU_C)->round_int8(rounded, (const float *)arrays->x.data + r * c->n_in, c->n_in);
    for (int64_t j = 0; j < c->n_out; j++) {
        const uint8_t *row = codes + j * arrays->w.quantized.row_size;
        int64_t sum = 0;
        for (int64_t k = 0; k < c->n_in; k++)
            sum += rounded[k] * (c->code == PALI__CODE_INT8 ? (int8_t)row[k] : row[k] - 128);
        CHECK(sum == (int32_t)sum);
        expected[j] = (float)(int32_t)sum * (row_scale * scale_at(arrays, j));
        if (c->has_bias)
            expected[j] += bias[j];
        if (c->adds)
            expected[j] = before[j] + expected[j];
    }
}

static void multiply(const struct pali__compute *compute, struct arrays *arrays, const struct product_case *c,
                     int64_t n_rows)
{
    pali_error *error = NULL;
    memset(arrays->y.data, 0xff, (size_t)arrays->y.size);
    if (c->adds)
        memcpy(arrays->y.data, arrays->before.data, (size_t)(n_rows * c->n_out) * 4);
    CHECK_OK(pali__int8_product(compute, arrays->y.data, arrays->x.data, n_rows, &arrays->w,
                                c->has_bias ? arrays->bias.data : NULL, c->adds ? PALI__ADD : PALI__STORE,
                                arrays->scratch.data, &error),
             error);
    CHECK(guarded_intact(&arrays->y) && guarded_intact(&arrays->scratch));
}

static void check_rows(const struct pali__kernels *kernels, const struct arrays *arrays, const struct product_case *c,
                       int64_t n_rows, const float *expected)
{
    int64_t wrong = 0, count = n_rows * c->n_out;
    const float *y = arrays->y.data;
    for (int64_t i = 0; i < count; i++)
        wrong += pali__bits_from_float(y[i]) != pali__bits_from_float(expected[i]);
    for (int64_t i = count; i < c->n_rows * c->n_out; i++)
        wrong += pali__bits_from_float(y[i]) != 0xffffffffu;
    CHECK_MSG(wrong == 0, "%s: %d of %d rows, %d -> %d, code %d, scales %s%s%s: %d wrong",
              pali__cpu_name(kernels->level), (int)n_rows, (int)c->n_rows, (int)c->n_in, (int)c->n_out, (int)c->code,
              pali_dtype_name(c->scale_dtype), c->has_bias ? ", bias" : "", c->adds ? ", added" : "", (int)wrong);
}

/* Every level, one thread and three, all rows and fewer with the scratch of all: the same bits as the definition. */
static void test_product_case(const struct pali__kernels *const *tables, int n_tables, const struct product_case *c)
{
    struct pali__compute most = {.kernels = tables[n_tables - 1], .n_threads = 3};
    struct arrays arrays;
    struct pali__matrix shape = {.dtype = PALI_INT8, .n_out = c->n_out, .n_in = c->n_in};
    make_arrays(&arrays, c, pali__int8_product_scratch(&most, c->n_rows, &shape));
    float *expected = malloc((size_t)(c->n_rows * c->n_out) * sizeof *expected);
    int8_t *rounded = malloc((size_t)c->n_in);
    for (int64_t r = 0; r < c->n_rows; r++)
        reference_row(&arrays, c, r, rounded, expected + r * c->n_out);
    for (int i = 0; i < n_tables; i++) {
        for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
            struct pali__compute compute = {.kernels = tables[i], .n_threads = n_threads};
            CHECK(pali__int8_product_scratch(&compute, c->n_rows, &arrays.w) <= (size_t)arrays.scratch.size);
            multiply(&compute, &arrays, c, c->n_rows);
            check_rows(tables[i], &arrays, c, c->n_rows, expected);
            int64_t fewer = 1 + random_below(c->n_rows);
            multiply(&compute, &arrays, c, fewer);
            check_rows(tables[i], &arrays, c, fewer, expected);
        }
    }
    free(expected);
    free(rounded);
    free_arrays(&arrays);
}

static void test_products(const struct pali__kernels *const *tables, int n_tables)
{
    static const pali_dtype scale_dtypes[] = {PALI_FLOAT32, PALI_BFLOAT16, PALI_FLOAT16};
    static const int64_t rows[] = {1, 2, 7, 8, 9, 13, 16, 17, 31, 33, 40, 70};
    static const int64_t inputs[] = {1, 2, 3, 15, 16, 33, 64, 100, 639, 641, 700, 1153};
    for (int i = 0; i < 48; i++) {
        struct product_case c = {.n_rows = rows[i % 12], .n_in = inputs[random_below(12)],
                                 .n_out = 1 + random_below(i % 5 == 0 ? 220 : 60),
                                 .code = i % 2 ? PALI__CODE_INT8 : PALI__CODE_PACKED8,
                                 .scale_dtype = scale_dtypes[i % 3], .has_bias = random_below(2) == 0,
                                 .adds = random_below(2) == 0};
        test_product_case(tables, n_tables, &c);
    }
    struct product_case many = {600, 40, 50, PALI__CODE_INT8, PALI_BFLOAT16, true, false};
    test_product_case(tables, n_tables, &many);
    struct product_case tall = {513, 33, 3, PALI__CODE_PACKED8, PALI_FLOAT32, false, true};
    test_product_case(tables, n_tables, &tall);
}

/* The largest sums there can be: 36864 inputs of -128 (and 127) times weights of -128. */
static void test_extremes(const struct pali__kernels *const *tables, int n_tables)
{
    enum { N_ROWS = 9, N_IN = 36864, N_OUT = 2 };
    struct product_case c = {N_ROWS, N_IN, N_OUT, PALI__CODE_INT8, PALI_FLOAT32, false, false};
    struct pali__compute compute = {.n_threads = 1, .kernels = tables[n_tables - 1]};
    struct pali__matrix shape = {.dtype = PALI_INT8, .n_out = N_OUT, .n_in = N_IN};
    struct arrays arrays;
    make_arrays(&arrays, &c, pali__int8_product_scratch(&compute, N_ROWS, &shape));
    memset(arrays.codes.data, 0x80, (size_t)arrays.codes.size);
    float *x = arrays.x.data;
    for (int64_t i = 0; i < N_ROWS * N_IN; i++)
        x[i] = i / N_IN % 2 ? 127.5f : -127.5f; /* the row's scale is 1 */
    for (int i = 0; i < n_tables; i++) {
        compute.kernels = tables[i];
        multiply(&compute, &arrays, &c, N_ROWS);
        for (int64_t r = 0; r < N_ROWS; r++) {
            int32_t sum = N_IN * (r % 2 ? -128 * 127 : 128 * 128);
            float expected = (float)sum * ((const float *)arrays.scales.data)[0];
            CHECK(((const float *)arrays.y.data)[r * N_OUT] == expected);
        }
    }
    free_arrays(&arrays);
}

/* What is not finite in a row reaches all of its outputs and no other row. */
static void test_nan_rows(const struct pali__kernels *const *tables, int n_tables)
{
    struct product_case c = {20, 70, 30, PALI__CODE_INT8, PALI_BFLOAT16, true, false};
    struct pali__matrix shape = {.dtype = PALI_INT8, .n_out = c.n_out, .n_in = c.n_in};
    struct pali__compute compute = {.n_threads = 2, .kernels = tables[n_tables - 1]};
    struct arrays arrays;
    make_arrays(&arrays, &c, pali__int8_product_scratch(&compute, c.n_rows, &shape));
    ((float *)arrays.x.data)[3 * c.n_in + 5] = INFINITY;
    ((float *)arrays.x.data)[11 * c.n_in + 60] = NAN;
    for (int i = 0; i < n_tables; i++) {
        compute.kernels = tables[i];
        multiply(&compute, &arrays, &c, c.n_rows);
        for (int64_t j = 0; j < c.n_rows * c.n_out; j++)
            CHECK(isnan(((const float *)arrays.y.data)[j]) == (j / c.n_out == 3 || j / c.n_out == 11));
    }
    free_arrays(&arrays);
}

/* ---- speed ---- */

static void bench_shape(const struct pali__kernels *kernels, int n_threads, int64_t n_rows, int64_t n_in, int64_t n_out)
{
    struct product_case c = {n_rows, n_in, n_out, PALI__CODE_INT8, PALI_BFLOAT16, false, false};
    struct pali__compute compute = {.n_threads = n_threads, .kernels = kernels};
    struct pali__matrix shape = {.dtype = PALI_INT8, .n_out = n_out, .n_in = n_in};
    struct arrays arrays;
    double best;
    make_arrays(&arrays, &c, pali__int8_product_scratch(&compute, n_rows, &shape));
    BEST_TIME(best, multiply(&compute, &arrays, &c, n_rows));
    printf("%-12s int8 product %4d x %5d -> %5d  %d threads %8.3f ms %7.1f GOPS\n", pali__cpu_name(kernels->level),
           (int)n_rows, (int)n_in, (int)n_out, n_threads, 1e3 * best,
           2e-9 * (double)n_rows * (double)n_in * (double)n_out / best);
    free_arrays(&arrays);
}

/* The kernel alone on what lies in the first cache: the most that the instruction set reaches. */
static void bench_pairs(const struct pali__kernels *kernels, int n_threads)
{
    enum { M = 48, N = 32, K = 160, RUNS = 200 };
    static int16_t a[2 * M * K], b[2 * N * K];
    static int32_t c[2][M * N];
    int64_t n = kernels->product_columns;
    double best;
    for (int64_t i = 0; i < 2 * M * K; i++)
        a[i] = (int16_t)(random_below(256) - 128);
    for (int64_t i = 0; i < 2 * N * K; i++)
        b[i] = (int16_t)(random_below(256) - 128);
    BEST_TIME(best, _Pragma("omp parallel for num_threads(n_threads)") for (int t = 0; t < n_threads; t++) {
        for (int i = 0; i < RUNS; i++)
            kernels->product_pairs(c[t], n, a, K, b, n, M, n, K, i > 0);
    });
    printf("%-12s product_pairs in the cache              %d threads %19.1f GOPS\n", pali__cpu_name(kernels->level),
           n_threads, n_threads * RUNS * 4e-9 * M * (double)n * K / best);
}

static void bench_round(const struct pali__kernels *kernels)
{
    enum { N = 2048 };
    static float x[N];
    static int8_t y[N];
    double best;
    random_floats(x, N, 1.0f);
    BEST_TIME(best, for (int i = 0; i < 100; i++) kernels->round_int8(y, x, N));
    printf("%-12s round_int8 %7.2f Gvalues/s, from the cache\n", pali__cpu_name(kernels->level),
           100 * 1e-9 * N / best);
}

static void bench(const struct pali__kernels *kernels)
{
    static const int64_t shapes[][3] = {{260, 2048, 16384}, {260, 16384, 2048}, {260, 2048, 2048}, {260, 2048, 256},
                                        {256, 1152, 4304},  {256, 4304, 1152},  {256, 1152, 1152}};
    bench_pairs(kernels, 1);
    bench_pairs(kernels, 2);
    bench_round(kernels);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int n_threads = 1; n_threads <= 2; n_threads++)
            bench_shape(kernels, n_threads, shapes[i][0], shapes[i][1], shapes[i][2]);
    }
}

int main(int argc, char **argv)
{
    const struct pali__kernels *tables[5] = {pali__kernels_get(PALI__CPU_C)};
    int n_tables = 1 + variants(tables + 1);
    if (wants_bench(argc, argv)) {
        bench(tables[n_tables - 1]);
        return 0;
    }
    for (int i = 0; i < n_tables; i++) {
        test_round_fixture(tables[i]);
        test_round(tables[i], tables[0]);
        test_not_finite(tables[i]);
        test_widen(tables[i]);
        test_turn(tables[i]);
        test_pairs(tables[i]);
    }
    test_products(tables, n_tables);
    test_extremes(tables, n_tables);
    test_nan_rows(tables, n_tables);
    return test_report("int8_product");
}
