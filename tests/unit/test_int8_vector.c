/* SPDX-License-Identifier: BSD-2-Clause */
/* Vectors in int8: the rule of the header, rounding twice, and the edges of float32. */
#include "test.h"

#include <float.h>
#include <math.h>

#include "core/int8_vector.h"
#include "kernels/kernels.h"

enum { MOST = 300 };

static uint32_t seed = 1;

static float random_float(float size)
{
    seed = seed * 1664525u + 1013904223u;
    return ((float)(seed >> 8) / 8388608.0f - 1.0f) * size;
}

/* Codes against the rule in double precision; what the vector holds makes the same vector, bit for bit. */
static void check_vector(const float *x, int64_t n)
{
    int8_t vector[MOST + sizeof(float)], again[MOST + sizeof(float)];
    float rounded[MOST], wide[MOST], largest = 0;
    size_t size = (size_t)pali__int8_vector_size(n);

    pali__int8_vector_make(vector, x, n);
    float scale = pali__int8_vector_scale(vector, n);
    for (int64_t i = 0; i < n; i++)
        largest = fmaxf(largest, fabsf(x[i]));
    if (largest / 127.0f >= FLT_MIN)
        CHECK_MSG(fabs((double)scale * 127.0 / (double)largest - 1.0) <= 1.0 / 65536.0, "scale %g of %g", (double)scale,
                  (double)largest);
    for (int64_t i = 0; i < n; i++) {
        double exact = (double)x[i] / (double)scale; /* the code is its nearest, up to float32's last bits */
        CHECK_MSG(fabs((double)vector[i] - exact) <= 0.5 + 1e-4 && vector[i] >= -127, "%g became %d",
                  exact, vector[i]);
    }
    memcpy(rounded, x, (size_t)n * sizeof *x);
    pali__int8_vector_round(rounded, n);
    for (int64_t i = 0; i < n; i++)
        CHECK(rounded[i] == (float)vector[i] * scale);
    pali__int8_vector_make(again, rounded, n);
    CHECK(!memcmp(again, vector, size));
    pali__kernels_get(pali__cpu_level())->widen_int8_row(wide, vector, n);
    CHECK(!memcmp(wide, rounded, (size_t)n * sizeof *wide));
}

static void edges(void)
{
    int8_t vector[4 + sizeof(float)];
    const float ties[] = { 127.0f, 0.5f, 1.5f, -2.5f };
    const float bad[][4] = { { 1, 2, INFINITY, 3 }, { 1, NAN, 2, 3 }, { -INFINITY, 0, 0, 0 } };

    pali__int8_vector_make(vector, ties, 4);
    CHECK(pali__int8_vector_scale(vector, 4) == 1.0f);
    CHECK(vector[0] == 127 && vector[1] == 0 && vector[2] == 2 && vector[3] == -2);
    for (size_t i = 0; i < 3; i++) {
        float x[4];
        memcpy(x, bad[i], sizeof x);
        pali__int8_vector_make(vector, x, 4);
        CHECK(isnan(pali__int8_vector_scale(vector, 4)));
        pali__int8_vector_round(x, 4);
        CHECK(isnan(x[0]) && isnan(x[3]));
    }
    pali__int8_vector_make(vector, ties, 0);
    CHECK(pali__int8_vector_scale(vector, 0) == FLT_MIN);
}

int main(void)
{
    static const float sizes[] = { 0.0f, FLT_TRUE_MIN, FLT_MIN, 1e-30f, 1e-3f, 1.0f, 1e3f, 1e30f, FLT_MAX };
    float x[MOST];

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (int round = 0; round < 300; round++) {
            int64_t n = 1 + round;
            for (int64_t i = 0; i < n; i++)
                x[i] = random_float(sizes[s]);
            check_vector(x, n);
        }
    }
    edges();
    return test_report("int8_vector");
}
