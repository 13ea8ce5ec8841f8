/* SPDX-License-Identifier: BSD-2-Clause */
/* Norms and element-wise functions of every instruction set against double precision, plain C included.
 * With --bench: values in a second. */
#include "test.h"

#include "kernel_test.h"

static const int64_t lengths[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 72, 127, 1152, 2304, 4609};
enum { N_LENGTHS = sizeof lengths / sizeof lengths[0] };

/* Everything that a function of x and its neighbours may want, of length n. */
struct arrays {
    struct guarded x, y, a, b;
    int64_t n;
};

static void arrays_make(struct arrays *arrays, int64_t n, float size)
{
    struct guarded *all[] = {&arrays->x, &arrays->y, &arrays->a, &arrays->b};
    arrays->n = n;
    for (int i = 0; i < 4; i++) {
        guarded_make(all[i], n * 4);
        random_floats(all[i]->data, n, size);
    }
}

static void arrays_free(struct arrays *arrays)
{
    CHECK(guarded_intact(&arrays->x) && guarded_intact(&arrays->y) && guarded_intact(&arrays->a) &&
          guarded_intact(&arrays->b));
    guarded_free(&arrays->x);
    guarded_free(&arrays->y);
    guarded_free(&arrays->a);
    guarded_free(&arrays->b);
}

/* The largest |actual - expected| / (absolute + relative·|expected|) so far. */
static void note(double *worst, float actual, double expected, double absolute, double relative)
{
    double error = fabs((double)actual - expected) / (absolute + relative * fabs(expected));
    if (!(error <= *worst))
        *worst = error;
}

#define WITHIN(worst, kernels, what, n)                                                                                \
    CHECK_MSG((worst) <= 1, "%s %s of %lld: %g of the bound", pali__cpu_name((kernels)->level), what, (long long)(n),  \
              worst)

/* The sums are good to 1e-6; the rest is a handful of roundings. */
static void test_norms(const struct pali__kernels *kernels, int64_t n)
{
    struct arrays t;
    arrays_make(&t, n, 4.0f);
    const float *x = t.x.data, *weight = t.a.data, *bias = t.b.data;
    float *y = t.y.data;
    double sum = 0, squares = 0, centred = 0, worst_rms = 0, worst_layer = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i];
    double mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) {
        squares += (double)x[i] * (double)x[i];
        centred += ((double)x[i] - mean) * ((double)x[i] - mean);
    }
    kernels->rms_norm(y, x, weight, n, 1e-6f, 1.0f);
    for (int64_t i = 0; i < n; i++)
        note(&worst_rms, y[i], (double)x[i] / sqrt(squares / (double)n + 1e-6) * (1 + (double)weight[i]), 1e-6, 1e-6);
    kernels->layer_norm(y, x, weight, bias, n, 1e-6f);
    /* Of a single value, or two, x - mean is what rounding left of it: there is nothing to compare. */
    for (int64_t i = 0; i < n && n > 2; i++) {
        double scaled = ((double)x[i] - mean) / sqrt(centred / (double)n + 1e-6) * (double)weight[i];
        note(&worst_layer, y[i], scaled + (double)bias[i], 4e-6, 1e-6);
    }
    WITHIN(worst_rms, kernels, "rms_norm", n);
    WITHIN(worst_layer, kernels, "layer_norm", n);

    /* In place. */
    float *copy = malloc((size_t)n * 4 + 1);
    memcpy(copy, y, (size_t)n * 4);
    kernels->layer_norm(t.x.data, x, weight, bias, n, 1e-6f);
    CHECK(memcmp(copy, x, (size_t)n * 4) == 0);
    free(copy);
    arrays_free(&t);
}

static double gelu(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.141592653589793) * (x + 0.044715 * x * x * x)));
}

static double silu(double x)
{
    return x / (1 + exp(-x));
}

/* Plain C computes 1 + tanh, which cancels for negative x: 1e-7·|x| absolute is the definition's own error. */
static void test_functions(const struct pali__kernels *kernels, int64_t n, float size)
{
    struct arrays t;
    arrays_make(&t, n, size);
    float *x = t.x.data, *y = t.y.data, *a = t.a.data, *b = t.b.data;
    double worst = 0;
    memcpy(y, x, (size_t)n * 4);
    kernels->gelu(y, n);
    for (int64_t i = 0; i < n; i++)
        note(&worst, y[i], gelu((double)x[i]), 2e-7 * (1 + fabs((double)x[i])), 1e-6);
    WITHIN(worst, kernels, "gelu", n);

    worst = 0;
    memcpy(y, x, (size_t)n * 4);
    kernels->gelu_mul(y, a, n);
    for (int64_t i = 0; i < n; i++)
        note(&worst, y[i], gelu((double)x[i]) * (double)a[i],
             2e-7 * (1 + fabs((double)x[i])) * (1e-3 + fabs((double)a[i])), 1e-6);
    WITHIN(worst, kernels, "gelu_mul", n);

    worst = 0;
    memcpy(y, x, (size_t)n * 4);
    kernels->silu_mul(y, a, n);
    for (int64_t i = 0; i < n; i++)
        note(&worst, y[i], silu((double)x[i]) * (double)a[i], 1e-36 * (1 + fabs((double)a[i])), 1e-6);
    WITHIN(worst, kernels, "silu_mul", n);

    worst = 0;
    memcpy(y, x, (size_t)n * 4);
    kernels->soft_cap(y, n, 30.0f);
    for (int64_t i = 0; i < n; i++)
        note(&worst, y[i], 30 * tanh((double)x[i] / 30), 1e-37, 5e-7);
    WITHIN(worst, kernels, "soft_cap", n);

    worst = 0;
    memcpy(y, x, (size_t)n * 4);
    kernels->add(y, a, n);
    for (int64_t i = 0; i < n; i++)
        note(&worst, y[i], (double)(x[i] + a[i]), 1e-37, 0);
    kernels->scale(y, x, n, 0.3f);
    for (int64_t i = 0; i < n; i++)
        note(&worst, y[i], (double)(x[i] * 0.3f), 1e-37, 0);
    WITHIN(worst, kernels, "add or scale", n);

    worst = 0;
    float *first = malloc((size_t)n * 4 + 1), *second = malloc((size_t)n * 4 + 1);
    memcpy(first, x, (size_t)n * 4);
    memcpy(second, y, (size_t)n * 4);
    kernels->rotate(x, y, a, b, n);
    for (int64_t i = 0; i < n; i++) {
        double p = (double)first[i], q = (double)second[i], c = (double)a[i], s = (double)b[i];
        double bound = 2e-7 * (fabs(p * c) + fabs(q * s) + fabs(q * c) + fabs(p * s)) + 1e-37;
        note(&worst, x[i], p * c - q * s, bound, 0);
        note(&worst, y[i], q * c + p * s, bound, 0);
    }
    WITHIN(worst, kernels, "rotate", n);
    free(first);
    free(second);
    arrays_free(&t);
}

/* Ends of the range, and what is no number. */
static void test_extremes(const struct pali__kernels *kernels)
{
    const float in[] = {0.0f, -0.0f, 1e-30f, -1e-30f, 10.0f, -10.0f, 90.0f, -90.0f, 1e4f, -1e4f, 1e12f, -3e38f,
                        0.624f, 0.626f, -0.625f, INFINITY};
    enum { N = sizeof in / sizeof in[0] };
    float y[N + 1];
    double worst = 0;
    memcpy(y, in, sizeof in);
    kernels->gelu(y, N - 1);
    for (int i = 0; i < N - 1; i++)
        note(&worst, y[i], gelu((double)in[i]), 2e-7, 1e-6);
    WITHIN(worst, kernels, "gelu at the ends", N);
    memcpy(y, in, sizeof in);
    kernels->soft_cap(y, N, 50.0f);
    worst = 0;
    for (int i = 0; i < N; i++)
        note(&worst, y[i], 50 * tanh((double)in[i] / 50), 1e-37, 5e-7);
    WITHIN(worst, kernels, "soft_cap at the ends", N);
    for (int n = 1; n <= N; n++) {
        for (int i = 0; i < n; i++)
            y[i] = NAN;
        kernels->gelu(y, n);
        CHECK(isnan(y[0]) && isnan(y[n - 1]));
        kernels->soft_cap(y, n, 50.0f);
        CHECK(isnan(y[0]) && isnan(y[n - 1]));
    }
}

static void test_all(const struct pali__kernels *kernels)
{
    for (int i = 0; i < N_LENGTHS; i++) {
        test_norms(kernels, lengths[i]);
        test_functions(kernels, lengths[i], 0.5f);
        test_functions(kernels, lengths[i], 8.0f);
        test_functions(kernels, lengths[i], 300.0f);
    }
    test_extremes(kernels);
}

static void bench(const struct pali__kernels *kernels)
{
    enum { N = 4096 };
    static float x[N], y[N], w[N], b[N];
    const char *name = pali__cpu_name(kernels->level);
    double best;
    random_floats(w, N, 1.0f);
    random_floats(x, N, 1.0f);
    BEST_TIME(best, kernels->rms_norm(y, x, w, N, 1e-6f, 1.0f));
    printf("%-12s rms_norm   %6.2f Gvalues/s\n", name, 1e-9 * N / best);
    BEST_TIME(best, kernels->layer_norm(y, x, w, b, N, 1e-6f));
    printf("%-12s layer_norm %6.2f Gvalues/s\n", name, 1e-9 * N / best);
    BEST_TIME(best, kernels->gelu_mul(y, x, N));
    printf("%-12s gelu_mul   %6.2f Gvalues/s\n", name, 1e-9 * N / best);
    BEST_TIME(best, kernels->silu_mul(y, x, N));
    printf("%-12s silu_mul   %6.2f Gvalues/s\n", name, 1e-9 * N / best);
    BEST_TIME(best, kernels->soft_cap(x, N, 50.0f));
    printf("%-12s soft_cap   %6.2f Gvalues/s\n", name, 1e-9 * N / best);
    BEST_TIME(best, kernels->rotate(x, y, w, b, N));
    printf("%-12s rotate     %6.2f Gvalues/s\n", name, 1e-9 * N / best);
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
    return test_report("rowwise");
}
