/* SPDX-License-Identifier: BSD-2-Clause */
/* Products with quantized matrices, and their rows as float32, of every instruction set against double precision and
 * against plain C; then the operations of ops.h on them. */
#include "test.h"

#include "code_matrix.h"
#include "kernels/rounded_inputs.h"
#include "kernels/widen_rows.h"

enum { BLOCK = PALI__CODE_BLOCK };

static const pali_dtype scale_dtypes[] = {PALI_FLOAT32, PALI_BFLOAT16, PALI_FLOAT16};

/* Mostly small, some large, and whole blocks of zeros. */
static void random_inputs(float *x, int64_t n)
{
    for (int64_t k = 0; k < n; k++)
        x[k] = k / BLOCK % 5 == 3 ? 0 : random_float(random_below(40) ? 1.0f : 300.0f);
}

/* What the product may err: float sums as test_gemv.c has them, over what is added, offsets taken off included, and the
 * rounding of inputs, at most a half step of 1/32767 of the largest of the block, once for each weight. */
static void reference(const struct pali__matrix *w, const float *x, int64_t j, double *sum, double *float_bound,
                      double *round_bound)
{
    int8_t narrow[20000];
    float scale = 0;
    bool int8_inputs = w->quantized.int8_inputs;
    if (int8_inputs)
        scale = pali__kernels_get(PALI__CPU_C)->round_int8(narrow, x, w->n_in);
    *sum = *round_bound = 0;
    *float_bound = 1e-30;
    for (int64_t first = 0; first < w->n_in; first += BLOCK) {
        double largest = 0, weights = 0, scale_of = 0;
        for (int64_t k = first; k < w->n_in && k < first + BLOCK; k++) {
            double in = int8_inputs ? (double)scale * narrow[k] : (double)x[k];
            if (k == first || k % w->quantized.group_size == 0)
                scale_of = code_scale(w, j, k);
            double weight = scale_of * code_integer(w, j, k);
            *sum += in * weight;
            *float_bound += (fabs(weight) + 256 * scale_of) * fabs(in) * 32 / 16777216;
            largest = fabs(in) > largest ? fabs(in) : largest;
            weights += fabs(weight);
        }
        *round_bound += int8_inputs ? 0 : largest * weights / 65534 * 1.001;
    }
}

static pali__dot_codes_fn *dot_of(const struct pali__kernels *kernels, enum pali__code code)
{
    return code == PALI__CODE_INT8      ? kernels->dot_int8
           : code == PALI__CODE_PACKED8 ? kernels->dot_packed8
                                        : kernels->dot_packed4;
}

static pali__dequantize_fn *dequantize_of(const struct pali__kernels *kernels, enum pali__code code)
{
    return code == PALI__CODE_INT8      ? kernels->dequantize_int8
           : code == PALI__CODE_PACKED8 ? kernels->dequantize_packed8
                                        : kernels->dequantize_packed4;
}

static struct pali__rounded round_rows(const struct pali__kernels *kernels, const float *x, int64_t n_x,
                                       const struct pali__matrix *w, struct guarded *scratch)
{
    struct pali__compute compute = {.kernels = kernels, .n_threads = 1, .dtype = PALI_FLOAT32};
    guarded_make(scratch, (int64_t)pali__rounded_inputs_size(n_x, w));
    struct pali__rounded rounded = pali__round_inputs(&compute, x, n_x, w, scratch->data);
    CHECK(guarded_intact(scratch));
    return rounded;
}

/* The kernels of a table on n_x rows: y against double precision, and the last row alone. */
static void check_product(const struct pali__kernels *kernels, const struct code_case *c, const struct code_matrix *m,
                          const float *x, int64_t n_x)
{
    struct pali__compute compute = {.kernels = kernels, .n_threads = 1, .dtype = PALI_FLOAT32};
    const struct pali__kernels *used = pali__code_kernels(&compute, &m->w);
    int64_t n_out = c->n_out, y_stride = n_out + random_below(3), first = random_below(n_out);
    struct guarded scratch, y, some, alone, scratch_alone;
    guarded_make(&y, ((n_x - 1) * y_stride + n_out) * 4);
    guarded_make(&some, (n_out - first) * 4);
    guarded_make(&alone, n_out * 4);
    struct pali__rounded rounded = round_rows(used, x, n_x, &m->w, &scratch);
    dot_of(used, c->code)(y.data, y_stride, &rounded, n_x, &m->w.quantized, m->w.data, 0, n_out, c->n_in);
    CHECK(guarded_intact(&y));
    const float *out = y.data;
    double worst = 0;
    for (int64_t r = 0; r < n_x; r++) {
        for (int64_t j = 0; j < n_out; j++) {
            double sum, float_bound, round_bound;
            reference(&m->w, x + r * c->n_in, j, &sum, &float_bound, &round_bound);
            worst = larger(worst, fabs((double)out[r * y_stride + j] - sum) / (float_bound + round_bound));
        }
    }
    CHECK_MSG(worst <= 1, "%s %s group %lld, %lld rows [%lld, %lld]%s%s: %g of the bound",
              pali__cpu_name(kernels->level), code_names[c->code], (long long)c->group_size, (long long)n_x,
              (long long)n_out, (long long)c->n_in, c->has_zero_points ? ", zero points" : "",
              c->int8_inputs ? ", int8 inputs" : "", worst);

    struct pali__rounded last = round_rows(used, x + (n_x - 1) * c->n_in, 1, &m->w, &scratch_alone);
    dot_of(used, c->code)(alone.data, n_out, &last, 1, &m->w.quantized, m->w.data, 0, n_out, c->n_in);
    CHECK(!memcmp(alone.data, out + (n_x - 1) * y_stride, (size_t)n_out * 4) && guarded_intact(&alone));
    dot_of(used, c->code)(some.data, n_out, &last, 1, &m->w.quantized, m->w.data, first, n_out - first, c->n_in);
    CHECK(!memcmp(some.data, (float *)alone.data + first, (size_t)some.size) && guarded_intact(&some));
    guarded_free(&scratch);
    guarded_free(&scratch_alone);
    guarded_free(&y);
    guarded_free(&some);
    guarded_free(&alone);
}

/* The sums of integers are the same in every instruction set: against plain C there is only the rounding of float sums. */
static void check_against_c(const struct pali__kernels *kernels, const struct code_case *c, const struct code_matrix *m,
                            const float *x)
{
    struct pali__compute compute = {.kernels = kernels, .n_threads = 1, .dtype = PALI_FLOAT32};
    const struct pali__kernels *used = pali__code_kernels(&compute, &m->w), *plain = pali__kernels_get(PALI__CPU_C);
    struct guarded scratch, scratch_c;
    float *y = malloc((size_t)c->n_out * sizeof *y), *y_c = malloc((size_t)c->n_out * sizeof *y);
    struct pali__rounded rounded = round_rows(used, x, 1, &m->w, &scratch);
    struct pali__rounded rounded_c = round_rows(plain, x, 1, &m->w, &scratch_c);
    int64_t n_blocks = (c->n_in + BLOCK - 1) / BLOCK, n_segments = n_blocks * (BLOCK / rounded.segment);
    CHECK(rounded.segment == rounded_c.segment);
    CHECK(!memcmp(rounded.scales, rounded_c.scales, (size_t)n_segments * sizeof(float)));
    CHECK(!memcmp(rounded.sums, rounded_c.sums, (size_t)n_segments * sizeof(float)));
    if (c->code != PALI__CODE_PACKED4)
        CHECK(!memcmp(rounded.values, rounded_c.values, (size_t)(n_blocks * BLOCK) * sizeof(int16_t)));
    dot_of(used, c->code)(y, c->n_out, &rounded, 1, &m->w.quantized, m->w.data, 0, c->n_out, c->n_in);
    dot_of(plain, c->code)(y_c, c->n_out, &rounded_c, 1, &m->w.quantized, m->w.data, 0, c->n_out, c->n_in);
    for (int64_t j = 0; j < c->n_out; j++) {
        double sum, float_bound, round_bound;
        reference(&m->w, x, j, &sum, &float_bound, &round_bound);
        CHECK_MSG(fabs((double)y[j] - (double)y_c[j]) <= 2 * float_bound, "%s %s group %lld [%lld, %lld]: %g, not %g",
                  pali__cpu_name(kernels->level), code_names[c->code], (long long)c->group_size, (long long)c->n_out,
                  (long long)c->n_in, (double)y[j], (double)y_c[j]);
    }
    free(y);
    free(y_c);
    guarded_free(&scratch);
    guarded_free(&scratch_c);
}

/* Exact in every instruction set: a whole number times a scale. */
static void check_widening(const struct pali__kernels *kernels, const struct code_case *c, const struct code_matrix *m)
{
    for (int i = 0; i < 6; i++) {
        int64_t j = random_below(c->n_out), first = i ? random_below(c->n_in) : 0;
        int64_t n = i ? random_below(c->n_in - first + 1) : c->n_in, wrong = 0;
        struct guarded y;
        guarded_make(&y, n * 4);
        pali__widen_row(kernels, y.data, &m->w, j, first, n);
        for (int64_t k = 0; k < n; k++) {
            float expected = (float)code_scale(&m->w, j, first + k) * (float)code_integer(&m->w, j, first + k);
            wrong += ((float *)y.data)[k] != expected;
        }
        CHECK_MSG(wrong == 0 && guarded_intact(&y), "%s %s: %lld of %lld from %lld on are wrong",
                  pali__cpu_name(kernels->level), code_names[c->code], (long long)wrong, (long long)n, (long long)first);
        guarded_free(&y);
    }
}

static void test_case(const struct pali__kernels *kernels, const struct code_case *c)
{
    struct code_matrix m;
    struct guarded x;
    code_matrix_make(&m, c);
    guarded_make(&x, PALI__DOT_ROWS_MAX * c->n_in * 4);
    random_inputs(x.data, PALI__DOT_ROWS_MAX * c->n_in);
    for (int64_t n_x = 1; n_x <= PALI__DOT_ROWS_MAX; n_x++)
        check_product(kernels, c, &m, x.data, n_x);
    check_against_c(kernels, c, &m, x.data);
    check_widening(kernels, c, &m);
    guarded_free(&x);
    code_matrix_free(&m);
}

static void test_shapes(const struct pali__kernels *kernels)
{
    static const int64_t lengths[] = {1, 2, 9, 31, 32, 33, 64, 65, 100, 127, 128, 129, 255, 256, 257, 640, 1152, 4304};
    static const int64_t groups[] = {0, 32, 64, 128, 256, 384, 48, 7};
    int turn = 0;
    for (int code = PALI__CODE_INT8; code <= PALI__CODE_PACKED4; code++) {
        for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
            for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++, turn++) {
                struct code_case c = {(enum pali__code)code, 1 + random_below(5), lengths[l], groups[g],
                                      scale_dtypes[turn % 3], random_below(2), random_below(4) == 0,
                                      random_below(2) ? 0 : 1 + random_below(5)};
                test_case(kernels, &c);
            }
        }
        /* More blocks than are prepared at a time. */
        struct code_case wide = {(enum pali__code)code, 2, 16440, 32, PALI_BFLOAT16, true, false, 0};
        test_case(kernels, &wide);
        wide.group_size = 0;
        test_case(kernels, &wide);
    }
}

/* The largest integers that there are: no sum of a block overflows. */
static void test_largest(const struct pali__kernels *kernels)
{
    static const unsigned char fills[] = {0x00, 0x7f, 0x80, 0xff};
    for (int code = PALI__CODE_INT8; code <= PALI__CODE_PACKED4; code++) {
        for (int way = 0; way < 16; way++) {
            struct code_case c = {(enum pali__code)code, 1, 2 * BLOCK + 5, 0, PALI_FLOAT32, true, false, 0};
            struct code_matrix m;
            float x[2 * BLOCK + 5];
            code_matrix_make(&m, &c);
            memset(m.codes.data, fills[way & 3], (size_t)m.codes.size);
            *(int8_t *)m.zero_points.data = (int8_t)(way & 4 ? 127 : -128);
            for (int k = 0; k < 2 * BLOCK + 5; k++)
                x[k] = way & 8 ? -3.0f : 3.0f;
            check_product(kernels, &c, &m, x, 1);
            code_matrix_free(&m);
        }
    }
}

/* An infinity or a NaN in a row of x makes its results NaN, not those of the rows beside it. Tiny values are rounded like
 * others until they are near the smallest that float32 has, and are 0 then. */
static void test_special(const struct pali__kernels *kernels)
{
    static const float special[] = {INFINITY, -INFINITY, NAN};
    enum { N = 300 };
    for (int code = PALI__CODE_INT8; code <= PALI__CODE_PACKED4; code++) {
        for (int int8_inputs = 0; int8_inputs < 2; int8_inputs++) {
            struct code_case c = {(enum pali__code)code, 3, N, 32, PALI_BFLOAT16, false, int8_inputs, 0};
            struct code_matrix m;
            struct guarded scratch;
            float x[3 * N], y[9];
            code_matrix_make(&m, &c);
            for (int i = 0; i < 3; i++) {
                random_inputs(x, 3 * N);
                x[N + random_below(N)] = special[i];
                struct pali__rounded rounded = round_rows(kernels, x, 3, &m.w, &scratch);
                dot_of(kernels, c.code)(y, 3, &rounded, 3, &m.w.quantized, m.w.data, 0, 3, N);
                for (int j = 0; j < 3; j++)
                    CHECK(isfinite(y[j]) && isnan(y[3 + j]) && isfinite(y[6 + j]));
                guarded_free(&scratch);
            }
            if (!int8_inputs) {
                random_inputs(x, N);
                for (int k = 0; k < N; k++)
                    x[k] *= 1e-30f;
                check_product(kernels, &c, &m, x, 1);
                for (int k = 0; k < N; k++)
                    x[k] = 1e-44f;
                struct pali__rounded rounded = round_rows(kernels, x, 1, &m.w, &scratch);
                dot_of(kernels, c.code)(y, 3, &rounded, 1, &m.w.quantized, m.w.data, 0, 3, N);
                CHECK(fabsf(y[0]) < 1e-35f && fabsf(y[1]) < 1e-35f && fabsf(y[2]) < 1e-35f);
                guarded_free(&scratch);
            }
            code_matrix_free(&m);
        }
    }
}

/* Odd starts, no codes, all codes. */
static void test_dequantize(const struct pali__kernels *kernels)
{
    const struct pali__kernels *plain = pali__kernels_get(PALI__CPU_C);
    for (int code = PALI__CODE_INT8; code <= PALI__CODE_PACKED4; code++) {
        struct guarded codes, y, y_c;
        guarded_make(&codes, 256);
        for (int i = 0; i < 256; i++)
            ((unsigned char *)codes.data)[i] = (unsigned char)i;
        int64_t most = code == PALI__CODE_PACKED4 ? 512 : 256;
        for (int64_t first = 0; first < 20; first++) {
            for (int64_t n = 0; n <= most - first; n += n < 20 ? 1 : 37) {
                int zero = (int)random_below(300) - 150;
                guarded_make(&y, n * 4);
                guarded_make(&y_c, n * 4);
                dequantize_of(kernels, (enum pali__code)code)(y.data, codes.data, first, n, 0.37f, zero);
                dequantize_of(plain, (enum pali__code)code)(y_c.data, codes.data, first, n, 0.37f, zero);
                CHECK(!memcmp(y.data, y_c.data, (size_t)n * 4) && guarded_intact(&y));
                guarded_free(&y);
                guarded_free(&y_c);
            }
        }
        guarded_free(&codes);
    }
}

/* ---- the operations ---- */

static const struct code_case products[] = {
    {PALI__CODE_INT8, 70, 300, 0, PALI_BFLOAT16, false, false, 0},
    {PALI__CODE_INT8, 133, 4304, 0, PALI_FLOAT32, false, true, 0},
    {PALI__CODE_PACKED8, 65, 257, 0, PALI_FLOAT16, false, false, 0},
    {PALI__CODE_PACKED4, 257, 1152, 128, PALI_BFLOAT16, false, false, 0},
    {PALI__CODE_PACKED4, 97, 4304, 32, PALI_FLOAT32, true, false, 0},
    {PALI__CODE_PACKED4, 40, 321, 64, PALI_FLOAT16, true, false, 0},
    {PALI__CODE_PACKED4, 40, 321, 7, PALI_BFLOAT16, true, true, 0},
};

/* Any number of rows, both ways, any number of threads; a row alone, spans of it, and sums onto what was there. */
static void test_linear(const struct code_case *c, pali_dtype compute_dtype)
{
    enum { MOST = 40 };
    static const int64_t rows[] = {1, 2, 5, 12, 13, MOST};
    static const struct pali__span spans[] = {{0, 1}, {2, 33}};
    struct code_matrix m;
    code_matrix_make(&m, c);
    size_t y_size = (size_t)(MOST * c->n_out) * sizeof(float);
    float *x = malloc((size_t)(MOST * c->n_in) * sizeof *x), *y = malloc(y_size), *first = malloc(y_size);
    float *bias = malloc((size_t)c->n_out * sizeof *bias), *by_row = malloc(y_size), some[34];
    random_inputs(x, MOST * c->n_in);
    random_floats(bias, c->n_out, 1.0f);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int n_threads = 1; n_threads <= 3; n_threads++) {
            struct pali__compute compute;
            struct guarded scratch;
            pali_error *error = NULL;
            pali__compute_init(&compute, compute_dtype, n_threads);
            bool narrows = compute.kernels->level == PALI__CPU_AVX512_BF16 && compute_dtype == PALI_BFLOAT16;
            guarded_make(&scratch, (int64_t)pali__linear_scratch(&compute, rows[i], &m.w));
            for (int64_t k = 0; k < MOST * c->n_out; k++)
                y[k] = 1.0f;
            CHECK_OK(pali__linear(&compute, y, x, rows[i], &m.w, bias, n_threads == 2 ? PALI__ADD : PALI__STORE,
                                  scratch.data, &error),
                     error);
            CHECK(guarded_intact(&scratch));
            for (int64_t k = 0; k < rows[i] * c->n_out && n_threads == 2; k++)
                y[k] -= 1.0f;
            double worst = 0;
            for (int64_t k = 0; k < rows[i] * c->n_out; k++) {
                double sum, float_bound, round_bound, added = (double)bias[k % c->n_out];
                reference(&m.w, x + k / c->n_out * c->n_in, k % c->n_out, &sum, &float_bound, &round_bound);
                double bound = float_bound * (narrows ? 65536 : 1) + round_bound + (fabs(sum + added) + 2) * 2e-7;
                worst = larger(worst, fabs((double)y[k] - added - sum) / bound);
            }
            CHECK_MSG(worst <= 1, "%s [%lld, %lld] %lld rows, %d threads: %g of the bound", code_names[c->code],
                      (long long)c->n_out, (long long)c->n_in, (long long)rows[i], n_threads, worst);
            if (n_threads == 1)
                memcpy(first, y, y_size);
            else if (n_threads == 3)
                CHECK(!memcmp(first, y, (size_t)(rows[i] * c->n_out) * sizeof *y));
            guarded_free(&scratch);

            guarded_make(&scratch, (int64_t)pali__linear_scratch(&compute, MOST, &m.w));
            pali__linear_by_row(&compute, by_row, x, rows[i], &m.w, NULL, PALI__STORE, scratch.data);
            pali__linear_by_row(&compute, y, x, 1, &m.w, NULL, PALI__STORE, scratch.data);
            CHECK(!memcmp(y, by_row, (size_t)c->n_out * sizeof *y));
            pali__linear_spans(&compute, some, x, &m.w, spans, 2, scratch.data);
            CHECK(some[0] == y[0] && !memcmp(some + 1, y + 2, 33 * sizeof *y));
            if (!narrows) {
                CHECK_OK(pali__linear_in_blocks(&compute, y, x, MOST, &m.w, NULL, PALI__STORE, scratch.data, &error),
                         error);
                CHECK_OK(pali__linear_in_blocks(&compute, by_row, x, rows[i], &m.w, NULL, PALI__STORE, scratch.data,
                                                &error),
                         error);
                CHECK(!memcmp(y, by_row, (size_t)(rows[i] * c->n_out) * sizeof *y));
            }
            guarded_free(&scratch);
        }
    }
    free(x);
    free(y);
    free(first);
    free(by_row);
    free(bias);
    code_matrix_free(&m);
}

static void test_embed(const struct code_case *c)
{
    struct pali__compute compute;
    struct code_matrix m;
    struct guarded y;
    pali__compute_init(&compute, PALI_FLOAT32, 1);
    code_matrix_make(&m, c);
    guarded_make(&y, c->n_in * 4);
    pali__embed(&compute, y.data, &m.w, c->n_out - 1, 3.0f);
    bool same = true;
    for (int64_t k = 0; k < c->n_in; k++)
        same = same && ((float *)y.data)[k] == 3.0f * (float)(code_weight(&m.w, c->n_out - 1, k));
    CHECK(same && guarded_intact(&y));
    guarded_free(&y);
    code_matrix_free(&m);
}

int main(void)
{
    const struct pali__kernels *tables[5] = {pali__kernels_get(PALI__CPU_C)};
    int n = 1 + variants(tables + 1);
    for (int i = 0; i < n; i++) {
        test_shapes(tables[i]);
        test_largest(tables[i]);
        test_special(tables[i]);
        test_dequantize(tables[i]);
    }
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        test_linear(&products[i], PALI_FLOAT32);
        test_linear(&products[i], PALI_BFLOAT16);
        test_embed(&products[i]);
    }
    return test_report("dot_codes");
}
