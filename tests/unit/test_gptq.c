/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of a calibration on small matrices: second moments are x·xᵀ, the factor gives them back, and rounding with
 * both does less to the outputs than rounding to nearest, whatever the shape, for inputs that are degenerate too.
 */
#include <stdbool.h>

#include "core/dtype.h"
#include "core/memory.h"
#include "kernels/kernels.h"
#include "quantize/gptq.h"
#include "test.h"

static uint64_t random_state = 88172645463325252u;

static float random_float(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (float)(random_state >> 40) / 8388608.0f - 1.0f;
}

static void *allocate(int64_t count, size_t size)
{
    void *memory = calloc((size_t)count + 1, size);
    if (!memory)
        abort();
    return memory;
}

/* Rows that a third as many numbers make up, so that each input is told by the others, as activations are. */
static float *correlated_rows(int64_t n_rows, int64_t n_in)
{
    int64_t n_hidden = n_in / 3 + 1;
    float *x = allocate(n_rows * n_in, sizeof *x), *mix = allocate(n_hidden * n_in, sizeof *mix);
    for (int64_t i = 0; i < n_hidden * n_in; i++)
        mix[i] = random_float();
    for (int64_t row = 0; row < n_rows; row++) {
        for (int64_t h = 0; h < n_hidden; h++) {
            float value = random_float();
            for (int64_t k = 0; k < n_in; k++)
                x[row * n_in + k] += value * mix[h * n_in + k];
        }
        for (int64_t k = 0; k < n_in; k++)
            x[row * n_in + k] += 0.1f * random_float();
    }
    free(mix);
    return x;
}

static float *random_rows(int64_t n_rows, int64_t n_in)
{
    float *x = allocate(n_rows * n_in, sizeof *x);
    for (int64_t i = 0; i < n_rows * n_in; i++)
        x[i] = random_float();
    return x;
}

/* ---- second moments ---- */

static void check_moments(const struct pali__compute *compute, int64_t n_rows, int64_t n_in, int64_t width_max,
                          const uint8_t *real)
{
    struct pali__second_moments moments;
    pali_error *error = NULL;
    float *x = correlated_rows(n_rows, n_in);
    int64_t split = n_rows / 3, n_real = 0;
    double worst = 0;

    CHECK_OK(pali__second_moments_init(&moments, n_in, width_max, &error), error);
    CHECK_OK(pali__second_moments_add(compute, &moments, x, split, real, &error), error);
    CHECK_OK(pali__second_moments_add(compute, &moments, x + split * n_in, n_rows - split, real ? real + split : NULL,
                                      &error), error);
    for (int64_t row = 0; row < n_rows; row++)
        n_real += !real || real[row];
    CHECK(moments.n_rows == n_real);
    for (int64_t block = 0; block < moments.n_blocks; block++) {
        int64_t first = pali__moments_first(&moments, block);
        CHECK(n_in <= width_max ? moments.n_blocks == 1 : moments.width <= width_max && moments.width % 128 == 0);
        for (int64_t i = 0; i < pali__moments_count(&moments, block); i++) {
            for (int64_t j = i; j < pali__moments_count(&moments, block); j++) {
                double sum = 0, size = 1e-6;
                for (int64_t row = 0; row < n_rows; row++) {
                    double product = (double)x[row * n_in + first + i] * x[row * n_in + first + j];
                    sum += real && !real[row] ? 0 : product;
                    size += real && !real[row] ? 0 : fabs(product);
                }
                double off = fabs(pali__moments_block(&moments, block)[i * moments.stride + j] - sum) / size;
                worst = off > worst || isnan(off) ? off : worst;
            }
        }
    }
    /* Sums of 256 in float32, then sums of these. */
    CHECK_MSG(worst < 2e-6, "%lld rows, %lld inputs: off by %g of the sum of sizes", (long long)n_rows, (long long)n_in,
              worst);
    pali__second_moments_clear(&moments);
    free(x);
}

static void test_moments(const struct pali__compute *compute)
{
    uint8_t real[700];
    for (int i = 0; i < 700; i++)
        real[i] = (uint8_t)(i % 5 != 2 && (i < 300 || i > 420));
    check_moments(compute, 700, 96, 4608, NULL);
    check_moments(compute, 700, 150, 4608, real);
    check_moments(compute, 31, 37, 4608, NULL);
    check_moments(compute, 1, 1, 4608, NULL);
    check_moments(compute, 40, 390, 128, real);
    check_moments(compute, 40, 512, 256, NULL);
    memset(real, 0, sizeof real);
    check_moments(compute, 300, 40, 4608, real);
}

/* ---- the factor ---- */

/* U·Uᵀ is H with the damping. */
static void check_factor(const struct pali__compute *compute, int64_t n_rows, int64_t n_in)
{
    enum { PANEL = PALI__MOMENTS_PANEL };
    struct pali__second_moments moments;
    struct pali__moments_factor factor;
    pali_error *error = NULL;
    float *x = correlated_rows(n_rows, n_in), *h = allocate(n_in * n_in, sizeof *h);
    double *u = allocate(n_in * n_in, sizeof *u), worst = 0, mean = 0;

    CHECK_OK(pali__second_moments_init(&moments, n_in, 4608, &error), error);
    CHECK_OK(pali__second_moments_add(compute, &moments, x, n_rows, NULL, &error), error);
    for (int64_t i = 0; i < n_in; i++) {
        memcpy(h + i * n_in, moments.blocks + i * moments.stride, (size_t)n_in * sizeof *h);
        mean += (double)h[i * n_in + i] / (double)n_in;
    }
    CHECK_OK(pali__moments_factor_init(&factor, compute, &moments, &error), error);
    for (int64_t i = 0; i < n_in; i++) {
        double damped = h[i * n_in + i] * 1.0001 + (mean > 0 ? mean * 0.01 : 1.0);
        CHECK_MSG(fabs(factor.importance[i] - damped) <= 1e-5 * damped, "importance %g, not %g",
                  (double)factor.importance[i], damped);
        h[i * n_in + i] = factor.importance[i];
    }
    /* The panels hold u = U[i,k] / U[k,k]; with d[k] = U[k,k]², H[i,j] = Σ_k u[i,k]·d[k]·u[j,k]: solved from the last. */
    for (int64_t k = n_in - 1; k >= 0; k--) {
        double d = h[k * n_in + k];
        for (int64_t l = k + 1; l < n_in; l++)
            d -= u[k * n_in + l] * u[k * n_in + l];
        CHECK_MSG(d > 0, "pivot %lld is %g", (long long)k, d);
        for (int64_t i = 0; i <= k; i++)
            u[i * n_in + k] = sqrt(d) * pali__moments_factor_panel(&factor, 0, k / PANEL)[i * PANEL + k % PANEL];
    }
    for (int64_t i = 0; i < n_in; i++) {
        for (int64_t j = i; j < n_in; j++) {
            double sum = 0;
            for (int64_t k = j; k < n_in; k++)
                sum += u[i * n_in + k] * u[j * n_in + k];
            double off = fabs(sum - h[i * n_in + j]) / sqrt((double)h[i * n_in + i] * h[j * n_in + j]);
            worst = off > worst || isnan(off) ? off : worst;
        }
    }
    CHECK_MSG(worst < 1e-4, "%lld inputs: the factor is off by %g", (long long)n_in, worst);
    pali__moments_factor_clear(&factor);
    pali__second_moments_clear(&moments);
    free(x);
    free(h);
    free(u);
}

/* ---- rounding ---- */

static int code_at(const struct pali__rounding *rounding, const unsigned char *row, int64_t k)
{
    switch (rounding->code) {
    case PALI__CODE_PACKED4:
        return ((row[k / 2] >> (k % 2 * 4)) & 15) - 8;
    case PALI__CODE_PACKED8:
        return row[k] - 128;
    default:
        return (signed char)row[k];
    }
}

struct stored {
    unsigned char *codes, *scales;
    int8_t *zero_points;
};

/* What the codes stand for. */
static void dequantize(float *w, const struct pali__rounding *rounding, const struct stored *stored, int64_t n_rows,
                       int64_t n_in)
{
    int64_t n_groups = (n_in + rounding->group_size - 1) / rounding->group_size;
    for (int64_t r = 0; r < n_rows; r++) {
        const unsigned char *codes = stored->codes + r * pali__code_row_size(rounding->code, n_in);
        for (int64_t k = 0; k < n_in; k++) {
            int64_t at = r * n_groups + k / rounding->group_size;
            float scale;
            pali__to_float(&scale, stored->scales + (size_t)at * pali_dtype_size(rounding->scale_dtype),
                           rounding->scale_dtype, 1);
            int zero = rounding->symmetric ? 0 : stored->zero_points[at];
            w[r * n_in + k] = scale * (float)(code_at(rounding, codes, k) - zero);
        }
    }
}

/* Σ |(W - Ŵ)·x|² */
static double output_error(const float *w, const float *rounded, const float *x, int64_t n_x, int64_t n_rows,
                           int64_t n_in)
{
    double sum = 0;
    for (int64_t i = 0; i < n_x; i++) {
        for (int64_t r = 0; r < n_rows; r++) {
            double error = 0;
            for (int64_t k = 0; k < n_in; k++)
                error += ((double)w[r * n_in + k] - rounded[r * n_in + k]) * x[i * n_in + k];
            sum += error * error;
        }
    }
    return sum;
}

static struct stored stored_new(const struct pali__rounding *rounding, int64_t n_rows, int64_t n_in)
{
    int64_t n_groups = (n_in + rounding->group_size - 1) / rounding->group_size;
    return (struct stored){ allocate(n_rows * pali__code_row_size(rounding->code, n_in), 1),
                            allocate(n_rows * n_groups, sizeof(float)), allocate(n_rows * n_groups, 1) };
}

static void stored_free(struct stored *stored)
{
    free(stored->codes);
    free(stored->scales);
    free(stored->zero_points);
}

/* The error of GPTQ on the inputs that it was given, as a part of that of rounding to nearest. */
static double compare(const struct pali__compute *compute, const struct pali__rounding *rounding, const float *x,
                      int64_t n_x, int64_t n_rows, int64_t n_in, int64_t width_max)
{
    struct pali__second_moments moments;
    struct pali__moments_factor factor;
    struct stored nearest = stored_new(rounding, n_rows, n_in), ours = stored_new(rounding, n_rows, n_in);
    float *w = random_rows(n_rows, n_in), *values = allocate(n_rows * n_in, sizeof *values);
    float *again = allocate(n_rows * n_in, sizeof *again);
    pali_error *error = NULL;

    pali__round_weights(compute, rounding, w, n_rows, n_in, nearest.codes, nearest.scales,
                        rounding->symmetric ? NULL : nearest.zero_points);
    dequantize(values, rounding, &nearest, n_rows, n_in);
    double without = output_error(w, values, x, n_x, n_rows, n_in);

    CHECK_OK(pali__second_moments_init(&moments, n_in, width_max, &error), error);
    CHECK_OK(pali__second_moments_add(compute, &moments, x, n_x, NULL, &error), error);
    CHECK_OK(pali__moments_factor_init(&factor, compute, &moments, &error), error);
    memcpy(values, w, (size_t)(n_rows * n_in) * sizeof *w);
    CHECK_OK(pali__gptq_round(compute, rounding, &factor, values, n_rows, ours.codes, ours.scales,
                              rounding->symmetric ? NULL : ours.zero_points, &error), error);
    dequantize(again, rounding, &ours, n_rows, n_in);
    CHECK(!memcmp(values, again, (size_t)(n_rows * n_in) * sizeof *values));
    double with = output_error(w, values, x, n_x, n_rows, n_in);

    stored_free(&nearest);
    stored_free(&ours);
    pali__moments_factor_clear(&factor);
    pali__second_moments_clear(&moments);
    free(w);
    free(values);
    free(again);
    return n_x > 0 ? with / without : 0.0;
}

static void check_rounding(const struct pali__compute *compute, const struct pali__rounding *rounding, int64_t n_in,
                           int64_t width_max, double bound)
{
    enum { ROWS = 70, X = 150 };
    float *x = correlated_rows(X, n_in);
    double part = compare(compute, rounding, x, X, ROWS, n_in, width_max);
    CHECK_MSG(part < bound, "code %d, groups of %lld, %lld inputs: the error is %g of rounding to nearest's",
              (int)rounding->code, (long long)rounding->group_size, (long long)n_in, part);
    printf("code %d, groups of %lld, %lld inputs in blocks of %lld: %.3f\n", (int)rounding->code, (long long)rounding->group_size,
           (long long)n_in, (long long)width_max, part);
    free(x);
}

static void test_rounding(const struct pali__compute *compute)
{
    struct pali__rounding rounding = { .code = PALI__CODE_PACKED4, .symmetric = true, .searches = true,
                                       .scale_dtype = PALI_BFLOAT16 };
    for (int64_t group = 32; group <= 128; group *= 2) {
        rounding.group_size = group;
        rounding.symmetric = true;
        check_rounding(compute, &rounding, 256, 4608, 0.5);
        check_rounding(compute, &rounding, 300, 4608, 0.5); /* a short last group */
        check_rounding(compute, &rounding, 300, 128, 0.8);  /* of three blocks, which know nothing of each other */
        rounding.symmetric = false;
        check_rounding(compute, &rounding, 269, 4608, 0.5);
    }
    rounding.symmetric = true;
    static const enum pali__code codes[] = { PALI__CODE_INT8, PALI__CODE_PACKED8, PALI__CODE_PACKED4 };
    for (int i = 0; i < 3; i++) {
        rounding.code = codes[i];
        rounding.scale_dtype = i == 0 ? PALI_FLOAT32 : PALI_FLOAT16;
        rounding.group_size = 200;
        check_rounding(compute, &rounding, 200, 4608, 0.5);
        rounding.group_size = 37;
        check_rounding(compute, &rounding, 37, 4608, 0.8);
    }
}

/* Inputs that say nothing about some weights, or about any: no worse than rounding to nearest, and no NaN. */
static void test_degenerate(const struct pali__compute *compute)
{
    enum { IN = 160, X = 40 };
    struct pali__rounding rounding = { .code = PALI__CODE_PACKED4, .group_size = 32, .symmetric = true,
                                       .searches = true, .scale_dtype = PALI_BFLOAT16 };
    float *x = correlated_rows(X, IN);
    CHECK(compare(compute, &rounding, x, 1, 20, IN, 4608) < 0.1);
    CHECK(compare(compute, &rounding, x, 0, 20, IN, 4608) == 0.0);
    for (int64_t i = 0; i < X * IN; i++)
        x[i] = i % IN % 3 == 0 ? 0.0f : i % IN % 7 == 0 ? 1e4f * x[i] : x[i];
    CHECK(compare(compute, &rounding, x, X, 20, IN, 4608) < 0.5);
    for (int64_t i = 0; i < X * IN; i++)
        x[i] = x[i / IN * IN + 1]; /* all inputs are one */
    CHECK(compare(compute, &rounding, x, X, 20, IN, 4608) < 0.1);
    free(x);
}

/* Rounding without moments, which are H = 0, is rounding to nearest. */
static void test_nothing_seen(const struct pali__compute *compute)
{
    enum { ROWS = 9, IN = 96 };
    struct pali__rounding rounding = { .code = PALI__CODE_PACKED4, .group_size = 32, .symmetric = true,
                                       .searches = true, .scale_dtype = PALI_FLOAT32 };
    struct pali__second_moments moments;
    struct pali__moments_factor factor;
    struct stored nearest = stored_new(&rounding, ROWS, IN), ours = stored_new(&rounding, ROWS, IN);
    float *w = random_rows(ROWS, IN);
    pali_error *error = NULL;

    pali__round_weights(compute, &rounding, w, ROWS, IN, nearest.codes, nearest.scales, NULL);
    CHECK_OK(pali__second_moments_init(&moments, IN, 4608, &error), error);
    CHECK_OK(pali__moments_factor_init(&factor, compute, &moments, &error), error);
    CHECK_OK(pali__gptq_round(compute, &rounding, &factor, w, ROWS, ours.codes, ours.scales, NULL, &error), error);
    CHECK(!memcmp(nearest.codes, ours.codes, (size_t)(ROWS * pali__code_row_size(rounding.code, IN))));
    CHECK(!memcmp(nearest.scales, ours.scales, ROWS * 3 * sizeof(float)));
    pali__moments_factor_clear(&factor);

    moments.blocks[0] = INFINITY;
    CHECK_FAILS(pali__moments_factor_init(&factor, compute, &moments, &error), error, PALI_ERROR_FORMAT, "not finite");
    pali__second_moments_clear(&moments);
    stored_free(&nearest);
    stored_free(&ours);
    free(w);
}

/* The same bits with any number of threads. */
static void test_threads(const struct pali__compute *compute)
{
    enum { ROWS = 200, IN = 640, X = 500 };
    struct pali__rounding rounding = { .code = PALI__CODE_PACKED4, .group_size = 128, .symmetric = true,
                                       .searches = true, .scale_dtype = PALI_BFLOAT16 };
    float *w = random_rows(ROWS, IN), *x = correlated_rows(X, IN), *values[2];
    pali_error *error = NULL;

    for (int i = 0; i < 2; i++) {
        struct pali__compute threads = *compute;
        struct pali__second_moments moments;
        struct pali__moments_factor factor;
        struct stored ours = stored_new(&rounding, ROWS, IN);
        threads.n_threads = i == 0 ? 1 : 3;
        values[i] = allocate(ROWS * IN, sizeof(float));
        memcpy(values[i], w, ROWS * IN * sizeof *w);
        CHECK_OK(pali__second_moments_init(&moments, IN, 256, &error), error);
        CHECK_OK(pali__second_moments_add(&threads, &moments, x, X, NULL, &error), error);
        CHECK_OK(pali__moments_factor_init(&factor, &threads, &moments, &error), error);
        CHECK_OK(pali__gptq_round(&threads, &rounding, &factor, values[i], ROWS, ours.codes, ours.scales, NULL, &error),
                 error);
        stored_free(&ours);
        pali__moments_factor_clear(&factor);
        pali__second_moments_clear(&moments);
    }
    CHECK(!memcmp(values[0], values[1], ROWS * IN * sizeof *w));
    free(values[0]);
    free(values[1]);
    free(w);
    free(x);
}

int main(void)
{
    struct pali__compute compute;
    pali__compute_init(&compute, PALI_FLOAT32, 2);
    test_moments(&compute);
    check_factor(&compute, 500, 200);
    check_factor(&compute, 500, 65);
    check_factor(&compute, 20, 130); /* singular but for the damping */
    check_factor(&compute, 0, 40);
    check_factor(&compute, 5, 1);
    test_rounding(&compute);
    test_degenerate(&compute);
    test_nothing_seen(&compute);
    test_threads(&compute);
    return test_report("gptq");
}
