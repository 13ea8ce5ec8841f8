/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernels of attention of every instruction set, plain C included: largest value, exponentials, small products,
 * transposing. With --bench: speed. */
#include "test.h"

#include "core/dtype.h"
#include "kernel_test.h"

static void test_max(const struct pali__kernels *kernels)
{
    for (int64_t n = 0; n < 70; n++) {
        struct guarded x;
        guarded_make(&x, n * 4);
        float *values = x.data, largest = -INFINITY;
        random_floats(values, n, 1e30f);
        for (int64_t i = 0; i < n; i++) {
            values[i] = random_below(4) == 0 ? -INFINITY : -fabsf(values[i]);
            largest = fmaxf(largest, values[i]);
        }
        CHECK(kernels->max(values, n) == largest);
        guarded_free(&x);
    }
}

/* exp to 3e-7 of itself (2.5 ulp), where it is a normal number; the sum as good as a float sum of n. */
static void test_exp_sum(const struct pali__kernels *kernels)
{
    double worst = 0, worst_sum = 0;
    for (int64_t n = 0; n < 140; n++) {
        struct guarded x;
        guarded_make(&x, n * 4);
        float *values = x.data, shift = random_float(20.0f), *before = malloc((size_t)n * 4 + 1);
        double sum = 0;
        for (int64_t i = 0; i < n; i++) {
            float below = fabsf(random_float(n % 2 ? 87.0f : 1.0f));
            values[i] = before[i] = random_below(8) == 0 ? -INFINITY : random_below(8) == 0 ? shift : shift - below;
        }
        float actual = kernels->exp_sum(values, n, shift);
        CHECK(guarded_intact(&x));
        for (int64_t i = 0; i < n; i++) {
            double expected = exp((double)(before[i] - shift));
            worst = larger(worst, fabs((double)values[i] - expected) / (expected * 3e-7 + 2e-38));
            sum += (double)values[i];
            CHECK(before[i] != -INFINITY || values[i] == 0);
            CHECK(before[i] != shift || values[i] == 1);
        }
        worst_sum = larger(worst_sum, fabs((double)actual - sum) / (sum * 2e-6 + 1e-37));
        free(before);
        guarded_free(&x);
    }
    CHECK_MSG(worst <= 1 && worst_sum <= 1, "%s exp: %g, sum: %g of the bound", pali__cpu_name(kernels->level), worst,
              worst_sum);
    float tail[] = {-1e30f, -200.0f, -88.0f, -103.0f};
    CHECK(kernels->exp_sum(tail, 4, 0.0f) < 1.2e-38f);
}

static void test_product_shape(const struct pali__kernels *kernels, int64_t m, int64_t n, int64_t k, bool add)
{
    int64_t a_stride = k + random_below(3), b_stride = n + random_below(3), c_stride = n + random_below(3);
    struct guarded a, b, c, before;
    guarded_make(&a, m * a_stride * 4);
    guarded_make(&b, k * b_stride * 4);
    guarded_make(&c, m * c_stride * 4);
    guarded_make(&before, m * c_stride * 4);
    random_floats(a.data, m * a_stride, 1.0f);
    random_floats(b.data, k * b_stride, 1.0f);
    if (add)
        random_floats(c.data, m * c_stride, 1.0f);
    memcpy(before.data, c.data, (size_t)c.size);
    kernels->product(c.data, c_stride, a.data, a_stride, b.data, b_stride, m, n, k, add);
    CHECK(guarded_intact(&c));
    const float *x = a.data, *y = b.data, *out = c.data, *old = before.data;
    double worst = 0;
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < c_stride; j++) {
            if (j >= n) {
                CHECK(memcmp(&out[i * c_stride + j], &old[i * c_stride + j], 4) == 0);
                continue;
            }
            double sum = add ? (double)old[i * c_stride + j] : 0, size = fabs(sum);
            for (int64_t l = 0; l < k; l++) {
                double term = (double)x[i * a_stride + l] * (double)y[l * b_stride + j];
                sum += term;
                size += fabs(term);
            }
            /* k additions one after the other; the square root of k is what they come to. */
            double error = fabs((double)out[i * c_stride + j] - sum) / (size * 6e-8 * (4 + sqrt((double)k)) + 1e-30);
            worst = !(error <= worst) ? error : worst;
        }
    }
    CHECK_MSG(worst <= 1, "%s product [%lld, %lld, %lld]: %g of the bound", pali__cpu_name(kernels->level),
              (long long)m, (long long)n, (long long)k, worst);
    guarded_free(&a);
    guarded_free(&b);
    guarded_free(&c);
    guarded_free(&before);
}

static void test_product(const struct pali__kernels *kernels)
{
    for (int64_t m = 1; m <= 26; m++) {
        static const int64_t columns[] = {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 64, 72};
        for (size_t j = 0; j < sizeof columns / sizeof columns[0]; j++)
            test_product_shape(kernels, m, columns[j], 1 + random_below(80), random_below(2));
    }
    test_product_shape(kernels, 64, 64, 256, false);
    test_product_shape(kernels, 3, 5, 0, false);
    test_product_shape(kernels, 3, 5, 0, true);
}

/* What an element gets depends on its row and its column alone: a part of a product is a product of the parts. */
static void test_product_parts(const struct pali__kernels *kernels)
{
    enum { M = 29, N = 72, K = 50 };
    static float a[M * K], b[K * N], c[M * N], old[M * N], part[M * N];
    random_floats(a, M * K, 1.0f);
    random_floats(b, K * N, 1.0f);
    random_floats(old, M * N, 1.0f);
    memcpy(c, old, sizeof c);
    kernels->product(c, N, a, K, b, N, M, N, K, true);
    for (int run = 0; run < 200; run++) {
        int64_t row = random_below(M), m = 1 + random_below(M - row);
        int64_t column = 8 * random_below(N / 8), n = 8 * (1 + random_below((N - column) / 8));
        memcpy(part, old, sizeof part);
        kernels->product(part + row * N + column, N, a + row * K, K, b + column, N, m, n, K, true);
        for (int64_t i = row; i < row + m; i++)
            CHECK(memcmp(&part[i * N + column], &c[i * N + column], (size_t)n * sizeof *c) == 0);
    }
}

static void test_transpose(const struct pali__kernels *kernels)
{
    for (int64_t rows = 0; rows < 27; rows++) {
        for (int64_t columns = 0; columns < 27; columns++) {
            int64_t x_stride = columns + random_below(3), y_stride = rows + random_below(3);
            struct guarded x, y;
            guarded_make(&x, rows * x_stride * 4);
            guarded_make(&y, columns * y_stride * 4);
            random_floats(x.data, rows * x_stride, 1.0f);
            kernels->transpose(y.data, y_stride, x.data, x_stride, rows, columns);
            const float *in = x.data, *out = y.data;
            int64_t wrong = !guarded_intact(&y);
            for (int64_t j = 0; j < columns; j++) {
                for (int64_t i = 0; i < y_stride; i++)
                    wrong += i < rows ? out[j * y_stride + i] != in[i * x_stride + j]
                                      : pali__bits_from_float(out[j * y_stride + i]) != 0xffffffffu;
            }
            CHECK_MSG(wrong == 0, "%s transpose [%lld, %lld]", pali__cpu_name(kernels->level), (long long)rows,
                      (long long)columns);
            guarded_free(&x);
            guarded_free(&y);
        }
    }
}

static void test_all(const struct pali__kernels *kernels)
{
    test_max(kernels);
    test_exp_sum(kernels);
    test_product(kernels);
    test_product_parts(kernels);
    test_transpose(kernels);
}

static void bench(const struct pali__kernels *kernels)
{
    enum { ROWS = 64, KEYS = 64, WIDTH = 256 };
    static float q[ROWS * WIDTH], k[WIDTH * KEYS], s[ROWS * KEYS], v[KEYS * WIDTH], out[ROWS * WIDTH];
    const char *name = pali__cpu_name(kernels->level);
    double best, work = 2.0 * ROWS * KEYS * WIDTH;
    random_floats(q, ROWS * WIDTH, 1.0f);
    random_floats(k, WIDTH * KEYS, 1.0f);
    random_floats(v, KEYS * WIDTH, 1.0f);
    BEST_TIME(best, kernels->product(s, KEYS, q, WIDTH, k, KEYS, ROWS, KEYS, WIDTH, false));
    printf("%-12s scores  [64, 256]·[256, 64]  %7.1f GFLOPS\n", name, 1e-9 * work / best);
    BEST_TIME(best, kernels->product(out, WIDTH, s, KEYS, v, WIDTH, ROWS, WIDTH, KEYS, true));
    printf("%-12s values  [64, 64]·[64, 256]   %7.1f GFLOPS\n", name, 1e-9 * work / best);
    BEST_TIME(best, kernels->transpose(k, KEYS, v, WIDTH, KEYS, WIDTH));
    printf("%-12s transpose [64, 256]          %7.2f Gvalues/s\n", name, 1e-9 * KEYS * WIDTH / best);
    BEST_TIME(best, {
        random_state += kernels->exp_sum(s, ROWS * KEYS, 3.0f) > 1e9f;
    });
    printf("%-12s exp_sum                      %7.2f Gvalues/s\n", name, 1e-9 * ROWS * KEYS / best);
}

int main(int argc, char **argv)
{
    const struct pali__kernels *plain = pali__kernels_get(PALI__CPU_C), *tables[4];
    int n_tables = variants(tables);
    test_all(plain);
    for (int i = 0; i < n_tables; i++)
        test_all(tables[i]);
    if (wants_bench(argc, argv)) {
        bench(plain);
        for (int i = 0; i < n_tables; i++)
            bench(tables[i]);
    }
    return test_report("tile");
}
