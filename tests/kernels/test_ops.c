/* SPDX-License-Identifier: BSD-2-Clause */
/* pali__linear and the row operations against straightforward double precision, and against themselves with another
 * number of threads, which must not change a bit. */
#include "test.h"

#include "core/dtype.h"
#include "core/memory.h"
#include "kernels/int8_product.h"
#include "kernels/kernels.h"
#include "kernels/machine_peak.h"
#include "kernels/ops.h"
#include "kernel_test.h"

struct linear_case {
    int64_t n_rows, n_in, n_out;
    pali_dtype dtype;
};

/* Weights of any type, and the same values as float32. */
static void make_weights(void *weights, float *values, int64_t count, pali_dtype dtype)
{
    float *f32 = weights;
    uint16_t *u16 = weights;
    for (int64_t i = 0; i < count; i++) {
        float value = random_float(1.0f);
        uint16_t bits = dtype == PALI_FLOAT16 ? random_f16() : pali__bf16_from_float(value);
        if (dtype == PALI_FLOAT32)
            f32[i] = value;
        else
            u16[i] = bits;
        if (dtype == PALI_BFLOAT16)
            value = pali__float_from_bf16(bits);
        if (dtype == PALI_FLOAT16)
            value = pali__float_from_f16(bits);
        values[i] = value;
    }
}

/* What x·Wᵀ should be, and Σ|x·w|, for each output. */
struct reference {
    double *sum, *magnitude;
};

static void make_reference(struct reference *reference, const struct linear_case *c, const float *x, const float *w)
{
    size_t size = (size_t)(c->n_rows * c->n_out) * sizeof(double);
    *reference = (struct reference){.sum = malloc(size), .magnitude = malloc(size)};
    for (int64_t i = 0; i < c->n_rows * c->n_out; i++) {
        const float *in = x + i / c->n_out * c->n_in, *row = w + i % c->n_out * c->n_in;
        double sum = 0, magnitude = 0;
        for (int64_t k = 0; k < c->n_in; k++) {
            double term = (double)in[k] * (double)row[k];
            sum += term;
            magnitude += fabs(term);
        }
        reference->sum[i] = sum;
        reference->magnitude[i] = magnitude;
    }
}

/* Summing in float32 errs by less than n_in·2⁻²⁴·Σ|x·w|, and in blocks by far less: 32 is taken instead of n_in.
 * Inputs rounded to bfloat16 add 2⁻⁸ of the same sum. */
static void check_linear(const struct linear_case *c, const struct reference *reference, const float *y,
                         const float *before, const float *bias, bool add, double input_error)
{
    double worst = 0;
    for (int64_t i = 0; i < c->n_rows * c->n_out; i++) {
        double expected = reference->sum[i] + (bias ? (double)bias[i % c->n_out] : 0) + (add ? (double)before[i] : 0);
        double bound = reference->magnitude[i] * (input_error + 32.0 / 16777216) + fabs(expected) * 2e-7 + 1e-6;
        double error = fabs((double)y[i] - expected) / bound;
        worst = !(error <= worst) ? error : worst;
    }
    CHECK_MSG(worst <= 1, "%lld x %lld -> %lld %s%s: %g of the bound", (long long)c->n_rows, (long long)c->n_in,
              (long long)c->n_out, pali_dtype_name(c->dtype), add ? " add" : "", worst);
}

struct linear_arrays {
    struct guarded weights, x, y, first, before, bias;
    float *values; /* the weights as float32 */
    struct reference reference;
};

static void linear_arrays_make(struct linear_arrays *arrays, const struct linear_case *c)
{
    int64_t n_w = c->n_out * c->n_in, n_x = c->n_rows * c->n_in, n_y = c->n_rows * c->n_out;
    guarded_make(&arrays->weights, n_w * (c->dtype == PALI_FLOAT32 ? 4 : 2));
    guarded_make(&arrays->x, n_x * 4);
    guarded_make(&arrays->y, n_y * 4);
    guarded_make(&arrays->first, n_y * 4);
    guarded_make(&arrays->before, n_y * 4);
    guarded_make(&arrays->bias, c->n_out * 4);
    arrays->values = malloc((size_t)n_w * 4);
    make_weights(arrays->weights.data, arrays->values, n_w, c->dtype);
    random_floats(arrays->x.data, n_x, 1.0f);
    random_floats(arrays->before.data, n_y, 1.0f);
    random_floats(arrays->bias.data, c->n_out, 1.0f);
    make_reference(&arrays->reference, c, arrays->x.data, arrays->values);
}

static void linear_arrays_free(struct linear_arrays *arrays)
{
    guarded_free(&arrays->weights);
    guarded_free(&arrays->x);
    guarded_free(&arrays->y);
    guarded_free(&arrays->first);
    guarded_free(&arrays->before);
    guarded_free(&arrays->bias);
    free(arrays->values);
    free(arrays->reference.sum);
    free(arrays->reference.magnitude);
}

static void run_linear(const struct linear_case *c, struct linear_arrays *arrays, pali_dtype compute_dtype,
                       int n_threads, bool add, const float *bias)
{
    struct pali__compute compute;
    pali__compute_init(&compute, compute_dtype, n_threads);
    struct pali__matrix w = {.data = arrays->weights.data, .dtype = c->dtype, .n_out = c->n_out, .n_in = c->n_in};
    size_t scratch_size = pali__linear_scratch(&compute, c->n_rows, &w);
    struct guarded scratch;
    guarded_make(&scratch, (int64_t)scratch_size);
    pali_error *error = NULL;
    memcpy(arrays->y.data, arrays->before.data, (size_t)arrays->y.size);
    CHECK_OK(pali__linear(&compute, arrays->y.data, arrays->x.data, c->n_rows, &w, bias,
                          add ? PALI__ADD : PALI__STORE, scratch.data, &error),
             error);
    CHECK(guarded_intact(&scratch));
    CHECK(guarded_intact(&arrays->y));
    guarded_free(&scratch);

    if (n_threads == 1) {
        bool rounds = scratch_size > 0 && compute.kernels->level == PALI__CPU_AVX512_BF16 &&
                      compute_dtype == PALI_BFLOAT16 && c->dtype == PALI_BFLOAT16;
        check_linear(c, &arrays->reference, arrays->y.data, arrays->before.data, bias, add, rounds ? 0.00390625 : 0);
        memcpy(arrays->first.data, arrays->y.data, (size_t)arrays->y.size);
    } else {
        CHECK_MSG(memcmp(arrays->first.data, arrays->y.data, (size_t)arrays->y.size) == 0,
                  "%d threads differ from one", n_threads);
    }
}

static void test_linear_case(const struct linear_case *c, pali_dtype compute_dtype)
{
    struct linear_arrays arrays;
    linear_arrays_make(&arrays, c);
    for (int way = 0; way < 4; way++) {
        for (int n_threads = 1; n_threads <= 3; n_threads++)
            run_linear(c, &arrays, compute_dtype, n_threads, way & 1, way & 2 ? arrays.bias.data : NULL);
    }
    linear_arrays_free(&arrays);
}

static void test_linear(void)
{
    static const pali_dtype dtypes[] = {PALI_FLOAT32, PALI_BFLOAT16, PALI_FLOAT16};
    static const int64_t rows[] = {1, 2, 3, 4, 5, 7, 13, 16, 33, 70};
    static const int64_t shapes[][2] = {{13, 1}, {72, 7}, {1, 257}, {1152, 257}, {72, 1152}, {4304, 65}, {2049, 130}};
    for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++) {
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
            for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
                if (shapes[s][0] * shapes[s][1] * rows[r] > 6000000)
                    continue;
                struct linear_case c = {rows[r], shapes[s][0], shapes[s][1], dtypes[d]};
                test_linear_case(&c, PALI_BFLOAT16);
                if (dtypes[d] == PALI_BFLOAT16)
                    test_linear_case(&c, PALI_FLOAT32);
            }
        }
    }
    struct linear_case tall = {1030, 9, 66, PALI_BFLOAT16}; /* more than one block of rows */
    test_linear_case(&tall, PALI_BFLOAT16);
}

/* In float32 a row gets the same bits whatever stands before and behind it, among the few and among the many. */
static void test_rows_apart(void)
{
    enum { MOST = 1100 };
    static const struct linear_case shapes[] = {
        {MOST, 50, 70, PALI_FLOAT32}, {520, 2300, 33, PALI_FLOAT32}, {520, 2300, 33, PALI_BFLOAT16},
        {90, 9300, 17, PALI_FLOAT32}, {90, 72, 1100, PALI_FLOAT16}};
    static const int64_t few[] = {1, 2, 3, 4, 5, 9}, many[] = {1, 5, 6, 7, 23, 24, 25, 49, 61, 83};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        const struct linear_case *c = &shapes[s];
        struct linear_arrays arrays;
        linear_arrays_make(&arrays, c);
        struct pali__compute compute;
        pali__compute_init(&compute, PALI_FLOAT32, 1);
        struct pali__matrix w = {.data = arrays.weights.data, .dtype = c->dtype, .n_out = c->n_out, .n_in = c->n_in};
        void *scratch = NULL;
        CHECK(posix_memalign(&scratch, 64, pali__linear_scratch(&compute, c->n_rows, &w) + 64) == 0);
        float *y = arrays.y.data, *all = arrays.first.data, *x = arrays.x.data;
        for (int way = 0; way < 4; way++) {
            enum pali__store store = way & 1 ? PALI__ADD : PALI__STORE;
            const float *bias = way & 2 ? arrays.bias.data : NULL;
            memcpy(all, arrays.before.data, (size_t)arrays.y.size);
            CHECK(pali__linear_in_blocks(&compute, all, x, c->n_rows, &w, bias, store, scratch, NULL) == PALI_OK);
            for (size_t i = 0; i < sizeof many / sizeof many[0]; i++) {
                int64_t first = random_below(c->n_rows - many[i] + 1), at = first * c->n_out;
                memcpy(y, arrays.before.data, (size_t)arrays.y.size);
                CHECK(pali__linear_in_blocks(&compute, y + at, x + first * c->n_in, many[i], &w, bias, store, scratch,
                                             NULL) == PALI_OK);
                CHECK_MSG(!memcmp(y + at, all + at, (size_t)(many[i] * c->n_out) * sizeof(float)),
                          "%lld of %lld rows from %lld on differ, %lld -> %lld, way %d", (long long)many[i],
                          (long long)c->n_rows, (long long)first, (long long)c->n_in, (long long)c->n_out, way);
            }
            memcpy(all, arrays.before.data, (size_t)arrays.y.size);
            pali__linear_by_row(&compute, all, x, 64, &w, bias, store, NULL);
            for (size_t i = 0; i < sizeof few / sizeof few[0]; i++) {
                int64_t first = random_below(64 - few[i] + 1), at = first * c->n_out;
                memcpy(y, arrays.before.data, (size_t)arrays.y.size);
                pali__linear_by_row(&compute, y + at, x + first * c->n_in, few[i], &w, bias, store, NULL);
                CHECK_MSG(!memcmp(y + at, all + at, (size_t)(few[i] * c->n_out) * sizeof(float)),
                          "%lld rows one by one differ", (long long)few[i]);
            }
        }
        free(scratch);
        linear_arrays_free(&arrays);
    }
}

/* Several matrices of one x: each gets the bits that it gets alone, and nothing beside them is written. */
static void run_group(int64_t n_rows, int64_t n_in, enum pali__store store, int n_threads, bool in_blocks)
{
    enum { MANY = 100 }; /* few rows in blocks take the scratch of many */
    static const int64_t n_out[] = {257, 1, 144};
    static const pali_dtype dtypes[] = {PALI_BFLOAT16, PALI_FLOAT32, PALI_FLOAT16};
    struct linear_arrays arrays[PALI__LINEAR_PARTS];
    struct pali__matrix w[PALI__LINEAR_PARTS];
    struct pali__linear_part parts[PALI__LINEAR_PARTS];
    struct pali__compute compute;
    size_t size = 0;
    void *scratch = NULL;
    pali__compute_init(&compute, PALI_FLOAT32, n_threads);
    for (int i = 0; i < PALI__LINEAR_PARTS; i++) {
        struct linear_case c = {n_rows, n_in, n_out[i], dtypes[i]};
        linear_arrays_make(&arrays[i], &c);
        w[i] = (struct pali__matrix){
            .data = arrays[i].weights.data, .dtype = dtypes[i], .n_out = n_out[i], .n_in = n_in};
        parts[i] = (struct pali__linear_part){arrays[i].y.data, &w[i], i == 1 ? NULL : arrays[i].bias.data};
        size_t needed = pali__linear_scratch(&compute, n_rows < MANY ? MANY : n_rows, &w[i]);
        size = needed > size ? needed : size;
    }
    CHECK(posix_memalign(&scratch, 64, size + 64) == 0);
    const float *x = arrays[0].x.data;
    for (int i = 0; i < PALI__LINEAR_PARTS; i++) {
        memset(arrays[i].first.data, 0, (size_t)arrays[i].first.size);
        memset(arrays[i].y.data, 0, (size_t)arrays[i].y.size);
        CHECK((in_blocks ? pali__linear_in_blocks : pali__linear)(&compute, arrays[i].first.data, x, n_rows, &w[i],
                                                                   parts[i].bias, store, scratch, NULL) == PALI_OK);
    }
    CHECK((in_blocks ? pali__linear_group_in_blocks : pali__linear_group)(&compute, parts, PALI__LINEAR_PARTS, x,
                                                                          n_rows, store, scratch, NULL) == PALI_OK);
    for (int i = 0; i < PALI__LINEAR_PARTS; i++) {
        CHECK(guarded_intact(&arrays[i].y));
        CHECK_MSG(memcmp(arrays[i].y.data, arrays[i].first.data, (size_t)arrays[i].y.size) == 0,
                  "part %d of %lld rows differs from the product alone", i, (long long)n_rows);
        linear_arrays_free(&arrays[i]);
    }
    free(scratch);
}

static void test_linear_group(void)
{
    static const int64_t rows[] = {1, 12, 13, 70, 1030};
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        for (int n_threads = 1; n_threads <= 3; n_threads++) {
            run_group(rows[r], 72, PALI__STORE, n_threads, false);
            run_group(rows[r], 650, PALI__ADD, n_threads, false);
            run_group(rows[r], 33, PALI__STORE, n_threads, true);
        }
    }
}

static void test_linear_nothing(void)
{
    struct pali__compute compute;
    pali__compute_init(&compute, PALI_FLOAT32, 2);
    float value = 7;
    struct pali__matrix w = {.data = &value, .dtype = PALI_FLOAT32, .n_out = 1, .n_in = 1};
    pali_error *error = NULL;
    CHECK_OK(pali__linear(&compute, &value, &value, 0, &w, NULL, PALI__STORE, NULL, &error), error);
    CHECK(value == 7);
    CHECK(pali__linear_scratch(&compute, 0, &w) == 0);
}

/* Some outputs of one row are, bit for bit, those of the whole product, and nothing behind them is written. */
static void test_linear_spans(void)
{
    static const struct pali__span spans[] = {{0, 1}, {2, 31}, {40, 32}, {73, 100}, {180, 1}, {182, 1}, {260, 37}};
    enum { N_SPANS = sizeof spans / sizeof *spans };
    static const pali_dtype dtypes[] = {PALI_FLOAT32, PALI_BFLOAT16, PALI_FLOAT16};
    for (int64_t n_in = 1; n_in < 300; n_in = 2 * n_in + 5) {
        for (size_t d = 0; d < 3; d++) {
            enum { N_OUT = 297, GUARDS = 8 };
            float *values = malloc((size_t)(N_OUT * n_in) * sizeof(float)), *x = malloc((size_t)n_in * sizeof(float));
            void *weights = malloc((size_t)(N_OUT * n_in) * sizeof(float));
            float whole[N_OUT], some[N_OUT + GUARDS];
            struct pali__matrix w = {.data = weights, .dtype = dtypes[d], .n_out = N_OUT, .n_in = n_in};
            make_weights(weights, values, N_OUT * n_in, dtypes[d]);
            for (int64_t i = 0; i < n_in; i++)
                x[i] = random_float(1.0f);
            for (int n_threads = 1; n_threads <= 3; n_threads++) {
                struct pali__compute compute;
                int64_t at = 0;
                bool same = true;
                pali__compute_init(&compute, PALI_FLOAT32, n_threads);
                CHECK(pali__linear(&compute, whole, x, 1, &w, NULL, PALI__STORE, NULL, NULL) == PALI_OK);
                for (int i = 0; i < N_OUT + GUARDS; i++)
                    some[i] = -7777.0f;
                pali__linear_spans(&compute, some, x, &w, spans, N_SPANS, NULL);
                for (int i = 0; i < N_SPANS; at += spans[i++].count)
                    same = same && !memcmp(some + at, whole + spans[i].first, (size_t)spans[i].count * sizeof(float));
                CHECK_MSG(same, "%lld inputs, %s, %d threads", (long long)n_in, pali_dtype_name(dtypes[d]), n_threads);
                for (; at < N_OUT + GUARDS; at++)
                    CHECK(some[at] == -7777.0f);
            }
            free(values);
            free(weights);
            free(x);
        }
    }
}

/* A pass measures its scratch for the most rows that it will have. Nothing is multiplied here, so the level may be one
 * that this processor lacks. */
static void test_scratch_serves_fewer_rows(void)
{
    struct pali__kernels kernels = *pali__kernels_get(PALI__CPU_C);
    struct pali__compute compute = {.kernels = &kernels, .n_threads = 3, .dtype = PALI_BFLOAT16};
    struct pali__matrix w = {.dtype = PALI_BFLOAT16, .n_out = 4000, .n_in = 8};
    kernels.level = PALI__CPU_AVX512_BF16;
    size_t before = 0;
    for (int64_t n_rows = 1; n_rows < 1600; n_rows++) {
        size_t size = pali__linear_scratch(&compute, n_rows, &w);
        CHECK_MSG(size >= before, "%d rows need %zu bytes, one row less %zu", (int)n_rows, size, before);
        before = size;
    }
}

static void test_rows(void)
{
    enum { N_ROWS = 37, N = 613 };
    static float x[N_ROWS * N], y[N_ROWS * N], first[N_ROWS * N], weight[N], bias[N];
    random_floats(x, N_ROWS * N, 3.0f);
    random_floats(weight, N, 1.0f);
    random_floats(bias, N, 1.0f);
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        struct pali__compute compute;
        pali__compute_init(&compute, PALI_FLOAT32, n_threads);
        pali__rms_norm(&compute, y, x, weight, N_ROWS, N, 1e-6f, 1.0f);
        for (int64_t r = 0; r < N_ROWS && n_threads == 1; r++) {
            double squares = 0, worst = 0;
            for (int64_t i = 0; i < N; i++)
                squares += (double)x[r * N + i] * (double)x[r * N + i];
            for (int64_t i = 0; i < N; i++) {
                double expected = (double)x[r * N + i] / sqrt(squares / N + 1e-6) * (1 + (double)weight[i]);
                worst = larger(worst, fabs(expected - (double)y[r * N + i]));
            }
            CHECK_MSG(worst < 4e-6, "rms_norm: %g", worst);
        }
        pali__layer_norm(&compute, y, y, weight, bias, N_ROWS, N, 1e-6f);
        pali__add(&compute, y, x, N_ROWS * N);
        pali__gelu(&compute, y, N_ROWS * N);
        pali__gelu_mul(&compute, y, x, N_ROWS * N);
        pali__soft_cap(&compute, y, N_ROWS * N, 30.0f);
        if (n_threads == 1)
            memcpy(first, y, sizeof y);
        else
            CHECK_MSG(memcmp(first, y, sizeof y) == 0, "%d threads differ from one", n_threads);
    }
}

static void test_rope(void)
{
    static const int64_t head_dims[] = {2, 6, 72, 128, 256, 514};
    for (size_t d = 0; d < sizeof head_dims / sizeof head_dims[0]; d++) {
        int64_t head_dim = head_dims[d], n_heads = 3, n_rows = 5, half = head_dim / 2;
        const int64_t positions[] = {0, 1, 17, 300, 4500};
        struct guarded x, y;
        guarded_make(&x, n_rows * n_heads * head_dim * 4);
        guarded_make(&y, n_rows * n_heads * head_dim * 4);
        random_floats(x.data, n_rows * n_heads * head_dim, 1.0f);
        memcpy(y.data, x.data, (size_t)(n_rows * n_heads * head_dim) * 4);
        struct pali__compute compute;
        pali__compute_init(&compute, PALI_FLOAT32, 2);
        float frequency[257];
        pali__rope_frequencies(frequency, head_dim, 10000.0);
        pali__rope(&compute, y.data, positions, n_rows, n_heads, head_dim, frequency);
        CHECK(guarded_intact(&y));
        double worst = 0;
        for (int64_t row = 0; row < n_rows * n_heads; row++) {
            const float *in = (const float *)x.data + row * head_dim, *out = (const float *)y.data + row * head_dim;
            for (int64_t i = 0; i < half; i++) {
                /* Rounding the exponent, the frequency and the angle to float32 moves the angle by up to 7e-7 of it. */
                double angle = (double)positions[row / n_heads] * pow(10000.0, -2.0 * (double)i / (double)head_dim);
                double a = (double)in[i], b = (double)in[i + half], slack = 1e-6 + 7e-7 * angle;
                worst = larger(worst, fabs(a * cos(angle) - b * sin(angle) - (double)out[i]) / slack);
                worst = larger(worst, fabs(b * cos(angle) + a * sin(angle) - (double)out[i + half]) / slack);
            }
        }
        CHECK_MSG(worst <= 1, "head_dim %lld: %g of the bound", (long long)head_dim, worst);
        guarded_free(&x);
        guarded_free(&y);
    }
}

static void test_embed_and_convert(void)
{
    const uint16_t bf16[] = {0x3f80, 0xc000, 0x3e00, 0x4040, 0x0001, 0x7f80};
    const uint16_t f16[] = {0x3c00, 0xc000, 0x3000, 0x4200, 0x0001, 0x7c00};
    const float f32[] = {1, -2, 0.125f, 3, 0, 0};
    struct pali__compute compute;
    pali__compute_init(&compute, PALI_FLOAT32, 1);
    struct pali__matrix matrices[] = {
        {.data = bf16, .dtype = PALI_BFLOAT16, .n_out = 3, .n_in = 2},
        {.data = f16, .dtype = PALI_FLOAT16, .n_out = 3, .n_in = 2},
        {.data = f32, .dtype = PALI_FLOAT32, .n_out = 3, .n_in = 2}};
    for (size_t i = 0; i < 3; i++) {
        float y[2];
        pali__embed(&compute, y, &matrices[i], 1, 4.0f);
        CHECK(y[0] == 0.5f && y[1] == 12.0f);
    }
    const double f64[] = {1.0, -0.1, 3.14159};
    float y[3];
    uint16_t bits[6];
    pali__to_float(y, f64, PALI_FLOAT64, 3);
    CHECK(y[0] == 1.0f && y[1] == -0.1f && y[2] == 3.14159f);
    pali__to_bf16(bits, f64, PALI_FLOAT64, 3);
    CHECK(bits[0] == 0x3f80 && bits[1] == pali__bf16_from_float(-0.1f));
    pali__to_bf16(bits, f16, PALI_FLOAT16, 6);
    CHECK(bits[0] == 0x3f80 && bits[1] == 0xc000 && bits[5] == 0x7f80);
    pali__to_bf16(bits, bf16, PALI_BFLOAT16, 6);
    CHECK(memcmp(bits, bf16, sizeof bf16) == 0);
    pali__to_bf16(bits, f32, PALI_FLOAT32, 4);
    CHECK(bits[3] == 0x4040);
}

static void bench_linear(int64_t n_rows, int64_t n_in, int64_t n_out, pali_dtype dtype, int n_threads)
{
    struct pali__compute compute;
    pali__compute_init(&compute, PALI_BFLOAT16, n_threads);
    struct pali__matrix w = {.dtype = dtype, .n_out = n_out, .n_in = n_in};
    size_t size = (size_t)(n_out * n_in) * (dtype == PALI_FLOAT32 ? 4 : 2);
    size_t scratch_size = pali__linear_scratch(&compute, n_rows, &w);
    struct guarded weights, x, y, scratch;
    guarded_make(&weights, (int64_t)size);
    guarded_make(&x, n_rows * n_in * 4);
    guarded_make(&y, n_rows * n_out * 4);
    guarded_make(&scratch, (int64_t)scratch_size);
    memset(weights.data, 0x3c, size);
    random_floats(x.data, n_rows * n_in, 1.0f);
    w.data = weights.data;
    double best;
    BEST_TIME(best, pali__linear(&compute, y.data, x.data, n_rows, &w, NULL, PALI__STORE, scratch.data, NULL));
    printf("%-12s linear %4lld x %5lld -> %5lld %-8s %d threads  %8.3f ms  %6.1f GB/s  %7.1f GFLOPS\n",
           pali__cpu_name(compute.kernels->level), (long long)n_rows, (long long)n_in, (long long)n_out,
           pali_dtype_name(dtype), n_threads, 1e3 * best, 1e-9 * (double)size / best,
           2e-9 * (double)n_rows * (double)n_in * (double)n_out / best);
    guarded_free(&weights);
    guarded_free(&x);
    guarded_free(&y);
    guarded_free(&scratch);
}

/* A plain read, for comparison. */
static void bench_read(int n_threads)
{
    double rate = 0.0;
    CHECK(pali__machine_read(&rate, n_threads, NULL) == PALI_OK);
    printf("plain read, %d threads: %.1f GB/s\n", n_threads, 1e-9 * rate);
}

static void bench(void)
{
    for (int n_threads = 1; n_threads <= 2; n_threads++) {
        bench_read(n_threads);
        bench_linear(1, 2048, 16384, PALI_BFLOAT16, n_threads);
        bench_linear(1, 2048, 16384, PALI_FLOAT32, n_threads);
        bench_linear(1, 16384, 2048, PALI_BFLOAT16, n_threads);
        bench_linear(4, 2048, 16384, PALI_BFLOAT16, n_threads);
        for (int64_t n_rows = 5; n_rows <= 40; n_rows *= 2)
            bench_linear(n_rows, 2048, 2048, PALI_BFLOAT16, n_threads);
        bench_linear(260, 2048, 16384, PALI_FLOAT32, n_threads);
        bench_linear(260, 2048, 16384, PALI_BFLOAT16, n_threads);
        bench_linear(260, 16384, 2048, PALI_BFLOAT16, n_threads);
        bench_linear(256, 1152, 4304, PALI_BFLOAT16, n_threads);
        bench_linear(256, 1152, 1152, PALI_BFLOAT16, n_threads);
        bench_linear(260, 2048, 256, PALI_BFLOAT16, n_threads);
        bench_linear(1024, 1152, 4304, PALI_BFLOAT16, n_threads);
    }
}

/* Rows rounded to int8, so wide that a sum of all products does not fit into 32 bits, and not quite so wide. */
static void test_linear_wide_int8(void)
{
    enum { ROWS = 13, OUTPUTS = 2 };
    static const int64_t widths[] = {PALI__INT8_INPUTS_MAX - 1, PALI__INT8_INPUTS_MAX + 9000};
    struct pali__compute compute;
    pali__compute_init(&compute, PALI_FLOAT32, 1);
    for (size_t i = 0; i < 2; i++) {
        const float scales[OUTPUTS] = {1.0f / 127, 1.0f / 64};
        int64_t n_in = widths[i];
        int8_t *codes = malloc((size_t)(OUTPUTS * n_in));
        float *x = malloc((size_t)(ROWS * n_in) * sizeof *x), y[ROWS * OUTPUTS];
        struct pali__matrix w = {.data = codes, .dtype = PALI_INT8, .n_out = OUTPUTS, .n_in = n_in,
                                 .quantized = {.code = PALI__CODE_INT8, .int8_inputs = true, .row_size = n_in,
                                               .group_size = n_in, .n_groups = 1, .scales = scales,
                                               .scale_dtype = PALI_FLOAT32}};
        void *scratch = pali__aligned_malloc(pali__linear_scratch(&compute, ROWS, &w));
        pali_error *error = NULL;
        memset(codes, 127, (size_t)(OUTPUTS * n_in));
        for (int64_t k = 0; k < ROWS * n_in; k++)
            x[k] = -1.0f;
        CHECK_OK(pali__linear(&compute, y, x, ROWS, &w, NULL, PALI__STORE, scratch, &error), error);
        for (int j = 0; j < ROWS * OUTPUTS; j++) { /* -1 becomes -128 or -127 steps of 1/127.5 */
            double expected = -127.0 * (double)n_in * (double)scales[j % OUTPUTS];
            CHECK_MSG(fabs(y[j] / expected - 1.0) < 0.005, "%d: %g, not %g", (int)n_in, (double)y[j], expected);
        }
        pali__aligned_free(scratch);
        free(codes);
        free(x);
    }
}

int main(int argc, char **argv)
{
    if (wants_bench(argc, argv))
        bench();
    else
        test_linear();
    test_rows_apart();
    test_linear_group();
    test_linear_nothing();
    test_linear_wide_int8();
    test_linear_spans();
    test_scratch_serves_fewer_rows();
    test_rows();
    test_rope();
    test_embed_and_convert();
    return test_report("ops");
}
