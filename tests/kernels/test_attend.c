/* SPDX-License-Identifier: BSD-2-Clause */
/* pali__attend against a naive implementation in double precision, over combinations of everything that masks; and
 * against itself with the keys spread over runs, left out, in bfloat16 or in int8. */
#include "test.h"

#include "core/dtype.h"
#include "core/int8_vector.h"
#include "core/memory.h"

#include "kernels/kernels.h"
#include "kernels/ops.h"
#include "kernel_test.h"

struct shape {
    int64_t n_queries, n_keys, n_heads, n_kv_heads, head_dim, q_start, window;
    bool padding, types;
    float soft_cap;
};

static bool visible(const struct pali__attention *a, int64_t q, int64_t k)
{
    if (a->key_is_real != NULL && !a->key_is_real[k])
        return false;
    if (a->type == NULL || (a->type[q] == 0 && a->type[k] == 0))
        return true;
    return k <= q && (a->window == 0 || k > q - a->window);
}

/* The one float32 run that every reference is computed from. */
static const float *key_run(const struct pali__attention *a, bool values)
{
    return values ? a->runs[0].v : a->runs[0].k;
}

/* One row: probabilities into p, the weighted mean of the values into out. */
static void naive_row(const struct pali__attention *a, int64_t head, int64_t i, double *p, double *out)
{
    int64_t kv = head * a->n_kv_heads / a->n_heads;
    double largest = -INFINITY, sum = 0;
    for (int64_t k = 0; k < a->n_keys; k++) {
        p[k] = 0;
        for (int64_t d = 0; d < a->head_dim; d++)
            p[k] += (double)a->q[i * a->q_stride + head * a->head_dim + d] *
                    (double)key_run(a, false)[kv * a->runs[0].head_stride + k * a->runs[0].slot_stride + d];
        p[k] *= (double)a->scale;
        if (a->soft_cap != 0)
            p[k] = (double)a->soft_cap * tanh(p[k] / (double)a->soft_cap);
        if (!visible(a, a->q_start + i, k))
            p[k] = -INFINITY;
        largest = fmax(largest, p[k]);
    }
    for (int64_t k = 0; k < a->n_keys; k++) {
        p[k] = largest == -INFINITY ? 1 : exp(p[k] - largest);
        sum += p[k];
    }
    for (int64_t d = 0; d < a->head_dim; d++)
        out[d] = 0;
    for (int64_t k = 0; k < a->n_keys; k++) {
        p[k] /= sum;
        for (int64_t d = 0; d < a->head_dim; d++)
            out[d] += p[k] * (double)key_run(a, true)[kv * a->runs[0].head_stride + k * a->runs[0].slot_stride + d];
    }
}

/* Scores reach ±10 here, so float32 sums leave 1e-5 or so in an exponent. */
static void compare(const struct pali__attention *a, const char *what)
{
    double *p = malloc((size_t)a->n_keys * sizeof *p), *out = malloc((size_t)a->head_dim * sizeof *out);
    double worst = 0, worst_p = 0;
    for (int64_t head = 0; head < a->n_heads; head++) {
        for (int64_t i = 0; i < a->n_queries; i++) {
            naive_row(a, head, i, p, out);
            for (int64_t d = 0; d < a->head_dim; d++) {
                double error = fabs(out[d] - (double)a->out[i * a->out_stride + head * a->head_dim + d]);
                worst = !(error <= worst) ? error : worst;
            }
            for (int64_t k = 0; k < a->n_keys && a->probabilities != NULL; k++) {
                double error = fabs(p[k] - (double)a->probabilities[(head * a->n_queries + i) * a->n_keys + k]);
                worst_p = !(error <= worst_p) ? error : worst_p;
            }
        }
    }
    CHECK_MSG(worst < 1e-5, "%s %lldx%lld, heads %lld/%lld of %lld, window %lld, cap %g: %g", what,
              (long long)a->n_queries, (long long)a->n_keys, (long long)a->n_heads, (long long)a->n_kv_heads,
              (long long)a->head_dim, (long long)a->window, (double)a->soft_cap, worst);
    CHECK_MSG(worst_p < 1e-5, "probabilities: %g", worst_p);
    free(p);
    free(out);
}

/* Of some heads only, in an order of their own: the same values as of all of them, in `p`. */
static void test_seen_heads(const struct pali__compute *compute, struct pali__attention a, const float *p)
{
    int64_t heads[2] = {random_below(a.n_heads), random_below(a.n_heads)}, size = a.n_queries * a.n_keys;
    struct guarded few;
    guarded_make(&few, 2 * size * 4);
    a.probabilities = few.data;
    a.seen_heads = heads;
    a.n_seen_heads = 2;
    pali__attend(compute, &a);
    CHECK(guarded_intact(&few));
    for (int i = 0; i < 2; i++)
        CHECK(memcmp((float *)few.data + i * size, p + heads[i] * size, (size_t)size * 4) == 0);
    guarded_free(&few);
}

/* With room for panels, from any first key on, and with too little: the same bits. */
static void test_panels(struct pali__attention a, int64_t out_size, int64_t first_key)
{
    struct guarded plain, out, scratch;
    struct pali__compute compute;
    pali__compute_init(&compute, PALI_FLOAT32, 2);
    a.first_key = first_key;
    guarded_make(&plain, out_size);
    guarded_make(&out, out_size);
    guarded_make(&scratch, (int64_t)pali__attend_scratch(&compute, a.n_keys - first_key, a.n_kv_heads, a.head_dim));
    memset(plain.data, 0xff, (size_t)out_size);
    memset(scratch.data, 0xff, (size_t)scratch.size);
    a.probabilities = NULL;
    a.out = plain.data;
    pali__attend(&compute, &a);
    a.out = out.data;
    a.scratch = scratch.data;
    for (int short_by = 0; short_by < 2; short_by++) {
        memset(out.data, 0xff, (size_t)out_size);
        a.scratch_size = (size_t)(scratch.size - short_by);
        pali__attend(&compute, &a);
        CHECK(guarded_intact(&out) && guarded_intact(&scratch));
        CHECK_MSG(memcmp(plain.data, out.data, (size_t)out_size) == 0, "turning keys once changes the result");
    }
    guarded_free(&plain);
    guarded_free(&out);
    guarded_free(&scratch);
}

static void test_shape(const struct shape *s)
{
    int64_t q_stride = s->n_heads * s->head_dim + 5, out_stride = s->n_heads * s->head_dim + 3;
    int64_t slot_stride = s->head_dim + 1, head_stride = (s->n_keys + 2) * slot_stride;
    struct guarded q, k, v, out, first, p, real, type;
    guarded_make(&q, s->n_queries * q_stride * 4);
    guarded_make(&k, s->n_kv_heads * head_stride * 4);
    guarded_make(&v, s->n_kv_heads * head_stride * 4);
    guarded_make(&out, s->n_queries * out_stride * 4);
    guarded_make(&first, s->n_queries * out_stride * 4);
    guarded_make(&p, s->n_heads * s->n_queries * s->n_keys * 4);
    guarded_make(&real, s->n_keys);
    guarded_make(&type, s->n_keys);
    random_floats(q.data, s->n_queries * q_stride, 2.0f);
    random_floats(k.data, s->n_kv_heads * head_stride, 2.0f);
    random_floats(v.data, s->n_kv_heads * head_stride, 1.0f);
    int64_t n_pads = s->padding ? random_below(s->n_keys + 1) : 0, n_prefix = random_below(s->n_keys + 1);
    bool scattered = random_below(3) == 0;
    for (int64_t i = 0; i < s->n_keys; i++) {
        ((uint8_t *)real.data)[i] = scattered ? random_below(3) != 0 : i >= n_pads;
        ((uint8_t *)type.data)[i] = scattered ? random_below(2) != 0 : i >= n_prefix;
    }

    struct pali__attention a = {
        .q = q.data, .out = out.data, .q_stride = q_stride, .out_stride = out_stride, .n_runs = 1,
        .runs = {{.k = k.data, .v = v.data, .dtype = PALI_FLOAT32, .count = s->n_keys, .head_stride = head_stride,
                  .slot_stride = slot_stride}},
        .n_queries = s->n_queries, .n_keys = s->n_keys,
        .n_heads = s->n_heads, .n_kv_heads = s->n_kv_heads, .head_dim = s->head_dim, .q_start = s->q_start,
        .scale = 1.0f / sqrtf((float)s->head_dim), .soft_cap = s->soft_cap, .window = s->window,
        .key_is_real = s->padding ? real.data : NULL, .type = s->types ? type.data : NULL};
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        struct pali__compute compute;
        pali__compute_init(&compute, PALI_FLOAT32, n_threads);
        memset(out.data, 0xff, (size_t)out.size);
        a.probabilities = NULL;
        pali__attend(&compute, &a);
        CHECK(guarded_intact(&out));
        if (n_threads == 1) {
            compare(&a, "attend");
            memcpy(first.data, out.data, (size_t)out.size);
            memset(out.data, 0xff, (size_t)out.size);
            a.probabilities = p.data;
            pali__attend(&compute, &a);
            CHECK(guarded_intact(&out) && guarded_intact(&p));
            compare(&a, "with probabilities");
            CHECK_MSG(memcmp(first.data, out.data, (size_t)out.size) == 0, "being looked at changes the result");
            test_seen_heads(&compute, a, p.data);
        } else {
            CHECK_MSG(memcmp(first.data, out.data, (size_t)out.size) == 0, "%d threads differ from one", n_threads);
        }
    }
    test_panels(a, out.size, 0);
    if (s->padding && !scattered && n_pads < s->n_keys)
        test_panels(a, out.size, n_pads);
    guarded_free(&q);
    guarded_free(&k);
    guarded_free(&v);
    guarded_free(&out);
    guarded_free(&first);
    guarded_free(&p);
    guarded_free(&real);
    guarded_free(&type);
}

static void test_combinations(void)
{
    static const int64_t sizes[][5] = {
        /* queries, keys, heads, key heads, head_dim */
        {1, 1, 1, 1, 4},     {1, 300, 8, 1, 256}, {1, 1100, 8, 4, 64}, {3, 700, 4, 2, 33},   {2, 513, 6, 6, 72},
        {64, 64, 2, 2, 72},  {65, 65, 4, 2, 16},  {37, 200, 8, 1, 40}, {130, 130, 16, 16, 8}, {5, 90, 3, 2, 12},
        {200, 200, 2, 1, 7}, {9, 140, 2, 1, 300}, {70, 70, 140, 1, 4}, {1, 257, 100, 1, 3},
    };
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (int combination = 0; combination < 24; combination++) {
            static const int64_t windows[] = {0, 5, 100};
            struct shape shape = {
                .n_queries = sizes[s][0], .n_keys = sizes[s][1], .n_heads = sizes[s][2], .n_kv_heads = sizes[s][3],
                .head_dim = sizes[s][4], .q_start = sizes[s][1] - sizes[s][0], .window = windows[combination % 3],
                .padding = combination / 3 & 1, .types = combination / 6 & 1, .soft_cap = combination / 12 ? 5.0f : 0};
            if (random_below(4) == 0)
                shape.q_start = random_below(shape.q_start + 1); /* keys beyond the last query */
            test_shape(&shape);
        }
    }
}

/* Nothing but padding: every query gets the mean of all values. */
static void test_blind(void)
{
    enum { N_KEYS = 130, WIDTH = 6 };
    static float q[2 * WIDTH], k[N_KEYS * WIDTH], v[N_KEYS * WIDTH], out[2 * WIDTH], p[2 * N_KEYS];
    static uint8_t real[N_KEYS];
    random_floats(v, N_KEYS * WIDTH, 1.0f);
    struct pali__attention a = {.q = q, .out = out, .q_stride = WIDTH, .out_stride = WIDTH, .n_runs = 1,
                                .runs = {{.k = k, .v = v, .dtype = PALI_FLOAT32, .count = N_KEYS, .slot_stride = WIDTH}},
                                .n_queries = 2, .n_keys = N_KEYS,
                                .n_heads = 1, .n_kv_heads = 1, .head_dim = WIDTH, .scale = 1, .key_is_real = real};
    struct pali__compute compute;
    pali__compute_init(&compute, PALI_FLOAT32, 2);
    for (int seen = 0; seen < 2; seen++) {
        a.probabilities = seen ? p : NULL;
        memset(out, 0xff, sizeof out);
        pali__attend(&compute, &a);
        compare(&a, "blind");
    }
    CHECK(fabsf(p[0] - 1.0f / N_KEYS) < 1e-7f);
}

/* ---- the same keys in other places ---- */

struct keys {
    struct guarded q, k, v, narrow_k, narrow_v, bytes_k, bytes_v, out, again;
    uint8_t *real, *type;
    struct pali__attention a;
};

/* Vectors of n values that int8 and bfloat16 hold exactly, so that all types of run mean the same. */
static void random_vectors(float *wide, uint16_t *narrow, int8_t *bytes, int64_t n_vectors, int64_t n)
{
    for (int64_t v = 0; v < n_vectors; v++, wide += n, narrow += n, bytes += pali__int8_vector_size(n)) {
        float scale = 1.0f / (float)(32 << random_below(3));
        memcpy(bytes + n, &scale, sizeof scale);
        for (int64_t i = 0; i < n; i++) {
            bytes[i] = (int8_t)(random_below(255) - 127);
            wide[i] = (float)bytes[i] * scale;
            narrow[i] = pali__bf16_from_float(wide[i]);
        }
    }
}

static void keys_make(struct keys *keys, int64_t n_queries, int64_t n_keys, int64_t head_dim)
{
    enum { HEADS = 4, KEY_HEADS = 2 };
    int64_t q_size = n_queries * HEADS * head_dim, size = n_keys * KEY_HEADS * head_dim;
    guarded_make(&keys->q, q_size * 4);
    guarded_make(&keys->out, q_size * 4);
    guarded_make(&keys->again, q_size * 4);
    guarded_make(&keys->k, size * 4);
    guarded_make(&keys->v, size * 4);
    guarded_make(&keys->narrow_k, size * 2);
    guarded_make(&keys->narrow_v, size * 2);
    guarded_make(&keys->bytes_k, n_keys * KEY_HEADS * pali__int8_vector_size(head_dim));
    guarded_make(&keys->bytes_v, n_keys * KEY_HEADS * pali__int8_vector_size(head_dim));
    random_floats(keys->q.data, q_size, 2.0f);
    random_vectors(keys->k.data, keys->narrow_k.data, keys->bytes_k.data, n_keys * KEY_HEADS, head_dim);
    random_vectors(keys->v.data, keys->narrow_v.data, keys->bytes_v.data, n_keys * KEY_HEADS, head_dim);
    keys->real = malloc((size_t)n_keys);
    keys->type = malloc((size_t)n_keys);
    for (int64_t i = 0; i < n_keys; i++) {
        keys->real[i] = 1;
        keys->type[i] = i >= n_keys / 2;
    }
    keys->a = (struct pali__attention){
        .q = keys->q.data, .out = keys->out.data, .q_stride = HEADS * head_dim, .out_stride = HEADS * head_dim,
        .n_runs = 1,
        .runs = {{.k = keys->k.data, .v = keys->v.data, .dtype = PALI_FLOAT32, .count = n_keys,
                  .head_stride = n_keys * head_dim, .slot_stride = head_dim}},
        .n_queries = n_queries, .n_keys = n_keys, .n_heads = HEADS, .n_kv_heads = KEY_HEADS, .head_dim = head_dim,
        .q_start = n_keys - n_queries, .scale = 0.2f, .soft_cap = 5.0f, .key_is_real = keys->real,
        .type = keys->type};
}

static void keys_free(struct keys *keys)
{
    struct guarded *all[] = {&keys->q,        &keys->k,       &keys->v,       &keys->narrow_k, &keys->narrow_v,
                             &keys->bytes_k,  &keys->bytes_v, &keys->out,     &keys->again};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        guarded_free(all[i]);
    free(keys->real);
    free(keys->type);
}

/* Slots first…end-1 of the one run as a run of their own, of any type. */
static struct pali__key_run part_of(const struct keys *keys, int64_t first, int64_t end, pali_dtype dtype)
{
    struct pali__key_run run = keys->a.runs[0];
    const struct guarded *k = &keys->k, *v = &keys->v;
    if (dtype == PALI_BFLOAT16) {
        k = &keys->narrow_k;
        v = &keys->narrow_v;
    } else if (dtype == PALI_INT8) {
        k = &keys->bytes_k;
        v = &keys->bytes_v;
        run.slot_stride = pali__int8_vector_size(keys->a.head_dim);
        run.head_stride = keys->a.n_keys * run.slot_stride;
    }
    size_t at = (size_t)(first * run.slot_stride) * pali_dtype_size(dtype);
    run.k = (const unsigned char *)k->data + at;
    run.v = (const unsigned char *)v->data + at;
    run.dtype = dtype;
    run.first = first;
    run.count = end - first;
    return run;
}

/* Runs again into `again` and compares bits. */
static void check_same(struct keys *keys, const struct pali__attention *other, const char *what)
{
    struct pali__attention a = *other;
    struct pali__compute compute;
    pali__compute_init(&compute, PALI_FLOAT32, 2);
    a.out = keys->again.data;
    memset(a.out, 0xff, (size_t)keys->again.size);
    pali__attend(&compute, &a);
    CHECK_MSG(!memcmp(keys->out.data, keys->again.data, (size_t)keys->out.size), "%s: %lld x %lld of %lld differ", what,
              (long long)a.n_queries, (long long)a.n_keys, (long long)a.head_dim);
    CHECK(guarded_intact(&keys->again));
}

static void test_runs(int64_t n_queries, int64_t n_keys, int64_t head_dim, int64_t window)
{
    struct pali__compute compute;
    struct keys keys;
    keys_make(&keys, n_queries, n_keys, head_dim);
    pali__compute_init(&compute, PALI_FLOAT32, 2);
    keys.a.window = window;
    pali__attend(&compute, &keys.a);

    struct pali__attention other = keys.a;
    static const pali_dtype types[] = {PALI_FLOAT32, PALI_BFLOAT16, PALI_INT8};
    for (int round = 0; round < 6; round++) {
        int64_t first = random_below(n_keys + 1), second = first + random_below(n_keys - first + 1);
        other.n_runs = 3;
        other.runs[0] = part_of(&keys, 0, first, types[round % 3]);
        other.runs[1] = part_of(&keys, first, second, types[round * 2 % 3]);
        other.runs[2] = part_of(&keys, second, n_keys, types[random_below(3)]);
        check_same(&keys, &other, "three runs");
    }
    /* What no query sees any more may be gone. */
    int64_t reach = keys.a.q_start - window + 1;
    if (window > 0 && keys.type[keys.a.q_start] == 1 && reach > 0) {
        other.n_runs = 1;
        other.runs[0] = part_of(&keys, reach, n_keys, PALI_FLOAT32);
        check_same(&keys, &other, "without what has left the window");
    }
    keys_free(&keys);
}

/* Padding before the first real key changes nothing but the numbers of the slots, and padding behind the last query
 * nothing at all. */
static void test_padding(int64_t n_queries, int64_t n_keys, int64_t head_dim)
{
    struct pali__compute compute;
    struct keys keys;
    int64_t pads = 5;
    pali__compute_init(&compute, PALI_FLOAT32, 1);
    keys_make(&keys, n_queries, n_keys, head_dim);
    for (int64_t i = 0; i < pads; i++)
        keys.real[i] = 0;
    keys.a.first_key = pads;
    pali__attend(&compute, &keys.a);
    compare(&keys.a, "padded");

    struct pali__attention other = keys.a;
    other.runs[0] = part_of(&keys, pads, n_keys, PALI_FLOAT32);
    other.runs[0].first = 0;
    other.key_is_real += pads;
    other.type += pads;
    other.n_keys -= pads;
    other.q_start -= pads;
    other.first_key = 0;
    check_same(&keys, &other, "padding before");

    if (n_queries > 20) { /* the last three queries are padding, or are not there */
        int64_t row = keys.a.out_stride * (n_queries - 3);
        for (int64_t i = n_keys - 3; i < n_keys; i++)
            keys.real[i] = 0;
        pali__attend(&compute, &keys.a);
        other = keys.a;
        other.n_queries -= 3;
        other.n_keys -= 3;
        other.out = keys.again.data;
        pali__attend(&compute, &other);
        CHECK_MSG(!memcmp(keys.out.data, keys.again.data, (size_t)row * sizeof(float)), "padding behind %lld queries",
                  (long long)n_queries);
    }
    keys_free(&keys);
}

static void test_places(void)
{
    static const int64_t sizes[][3] = {{1, 70, 16}, {1, 900, 64}, {1, 40, 300}, {3, 300, 33}, {30, 200, 256},
                                       {100, 100, 24}, {70, 500, 40}, {25, 90, 512}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        test_runs(sizes[i][0], sizes[i][1], sizes[i][2], 0);
        test_runs(sizes[i][0], sizes[i][1], sizes[i][2], 7);
        test_runs(sizes[i][0], sizes[i][1], sizes[i][2], 65);
        test_padding(sizes[i][0], sizes[i][1], sizes[i][2]);
    }
}

static void bench_shape(const char *what, int64_t n_queries, int64_t n_keys, int64_t n_heads, int64_t n_kv_heads,
                        int64_t head_dim, float soft_cap, int64_t n_seen, pali_dtype dtype, int n_threads)
{
    static const int64_t heads[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    bool in_cache = n_queries == 1; /* else the pass makes them: the heads of a slot stand side by side */
    struct guarded q, k, v, out, p;
    guarded_make(&q, n_queries * n_heads * head_dim * 4);
    guarded_make(&k, n_keys * n_kv_heads * head_dim * 4);
    guarded_make(&v, n_keys * n_kv_heads * head_dim * 4);
    guarded_make(&out, n_queries * n_heads * head_dim * 4);
    guarded_make(&p, n_seen * n_queries * n_keys * 4);
    random_floats(q.data, n_queries * n_heads * head_dim, 1.0f);
    random_floats(k.data, n_keys * n_kv_heads * head_dim, 1.0f);
    random_floats(v.data, n_keys * n_kv_heads * head_dim, 1.0f);
    int64_t slot_stride = dtype == PALI_INT8 ? pali__int8_vector_size(head_dim) : head_dim;
    for (int64_t i = 0; dtype == PALI_INT8 && i < n_keys * n_kv_heads; i++) { /* scales as small as the values */
        memcpy((int8_t *)k.data + i * slot_stride + head_dim, &(float){1.0f / 127}, sizeof(float));
        memcpy((int8_t *)v.data + i * slot_stride + head_dim, &(float){1.0f / 127}, sizeof(float));
    }
    struct pali__attention a = {
        .q = q.data, .out = out.data, .q_stride = n_heads * head_dim, .out_stride = n_heads * head_dim, .n_runs = 1,
        .runs = {{.k = k.data, .v = v.data, .dtype = dtype, .count = n_keys,
                  .head_stride = in_cache ? n_keys * slot_stride : slot_stride,
                  .slot_stride = in_cache ? slot_stride : n_kv_heads * slot_stride}},
        .n_queries = n_queries, .n_keys = n_keys, .n_heads = n_heads, .n_kv_heads = n_kv_heads, .head_dim = head_dim,
        .q_start = n_keys - n_queries, .scale = 0.0625f, .soft_cap = soft_cap,
        .probabilities = n_seen ? p.data : NULL, .seen_heads = heads, .n_seen_heads = n_seen};
    struct pali__compute compute;
    pali__compute_init(&compute, PALI_FLOAT32, n_threads);
    a.scratch_size = pali__attend_scratch(&compute, n_keys, n_kv_heads, head_dim);
    a.scratch = pali__aligned_malloc(a.scratch_size);
    double best, work = 4.0 * (double)(n_queries * n_keys) * (double)(n_heads * head_dim);
    BEST_TIME(best, pali__attend(&compute, &a));
    printf("%-12s %-28s %4lld x %4lld, heads %2lld/%2lld of %3lld, %d threads  %8.3f ms  %6.1f GFLOPS\n",
           pali__cpu_name(compute.kernels->level), what, (long long)n_queries, (long long)n_keys, (long long)n_heads,
           (long long)n_kv_heads, (long long)head_dim, n_threads, 1e3 * best, 1e-9 * work / best);
    guarded_free(&q);
    guarded_free(&k);
    guarded_free(&v);
    guarded_free(&out);
    guarded_free(&p);
    pali__aligned_free(a.scratch);
}

static void bench(void)
{
    for (int n_threads = 1; n_threads <= 2; n_threads++) {
        bench_shape("tower, 224 px", 256, 256, 16, 16, 72, 0, 0, PALI_FLOAT32, n_threads);
        bench_shape("tower, 448 px", 1024, 1024, 16, 16, 72, 0, 0, PALI_FLOAT32, n_threads);
        bench_shape("tower, 896 px", 4096, 4096, 16, 16, 72, 0, 0, PALI_FLOAT32, n_threads);
        bench_shape("PaliGemma 1, prefill", 260, 260, 8, 1, 256, 0, 0, PALI_FLOAT32, n_threads);
        bench_shape("PaliGemma 1, 448 px", 1028, 1028, 8, 1, 256, 0, 0, PALI_FLOAT32, n_threads);
        bench_shape("PaliGemma 2, prefill", 260, 260, 8, 4, 256, 50, 0, PALI_FLOAT32, n_threads);
        bench_shape("PaliGemma 2, 448 px", 1028, 1028, 8, 4, 256, 50, 0, PALI_FLOAT32, n_threads);
        bench_shape("PaliGemma 2, 896 px", 4100, 4100, 8, 4, 256, 50, 0, PALI_FLOAT32, n_threads);
        bench_shape("the same, one head seen", 260, 260, 8, 4, 256, 50, 1, PALI_FLOAT32, n_threads);
        bench_shape("the same, all heads seen", 260, 260, 8, 4, 256, 50, 8, PALI_FLOAT32, n_threads);
        bench_shape("PaliGemma 1, decode", 1, 300, 8, 1, 256, 0, 0, PALI_FLOAT32, n_threads);
        bench_shape("PaliGemma 2, decode", 1, 300, 8, 4, 256, 50, 0, PALI_FLOAT32, n_threads);
        bench_shape("PaliGemma 1, decode, 896 px", 1, 4200, 8, 1, 256, 0, 0, PALI_FLOAT32, n_threads);
        bench_shape("the same, bfloat16 keys", 1, 4200, 8, 1, 256, 0, 0, PALI_BFLOAT16, n_threads);
        bench_shape("the same, int8 keys", 1, 4200, 8, 1, 256, 0, 0, PALI_INT8, n_threads);
        bench_shape("PaliGemma 2, decode, 896 px", 1, 4200, 8, 4, 256, 50, 0, PALI_FLOAT32, n_threads);
        bench_shape("the same, bfloat16 keys", 1, 4200, 8, 4, 256, 50, 0, PALI_BFLOAT16, n_threads);
        bench_shape("the same, int8 keys", 1, 4200, 8, 4, 256, 50, 0, PALI_INT8, n_threads);
    }
}

int main(int argc, char **argv)
{
    if (wants_bench(argc, argv)) {
        bench();
        return 0;
    }
    test_combinations();
    test_blind();
    test_places();
    return test_report("attend");
}
