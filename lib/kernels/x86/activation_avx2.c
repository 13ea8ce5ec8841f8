/* SPDX-License-Identifier: BSD-2-Clause */
/* Element-wise functions. */
#include "kernels/variants.h"

#include "kernels/x86/vector_avx2.h"

enum { LANES = 8 };

/* Full vectors, then one with a mask; the statement stores what `load` gave it. Masked stores are slow on some
 * processors, so only the last vector has one. */
#define FOR_VECTORS(n, full, partial)                                                                                  \
    do {                                                                                                               \
        int64_t i = 0;                                                                                                 \
        for (; i + LANES <= (n); i += LANES) {                                                                         \
            full;                                                                                                      \
        }                                                                                                              \
        if (i < (n)) {                                                                                                 \
            __m256i lanes = first_lanes((n) - i);                                                                      \
            partial;                                                                                                   \
        }                                                                                                              \
    } while (0)

#define LOAD(x) _mm256_loadu_ps((x) + i)
#define LOAD_TAIL(x) _mm256_maskload_ps((x) + i, lanes)
#define SAVE(x, value) _mm256_storeu_ps((x) + i, value)
#define SAVE_TAIL(x, value) _mm256_maskstore_ps((x) + i, lanes, value)

void pali__gelu_avx2(float *x, int64_t n)
{
    FOR_VECTORS(n, SAVE(x, gelu8(LOAD(x))), SAVE_TAIL(x, gelu8(LOAD_TAIL(x))));
}

void pali__gelu_mul_avx2(float *gate, const float *up, int64_t n)
{
    FOR_VECTORS(n, SAVE(gate, _mm256_mul_ps(gelu8(LOAD(gate)), LOAD(up))),
                SAVE_TAIL(gate, _mm256_mul_ps(gelu8(LOAD_TAIL(gate)), LOAD_TAIL(up))));
}

void pali__silu_mul_avx2(float *gate, const float *up, int64_t n)
{
    FOR_VECTORS(n, SAVE(gate, _mm256_mul_ps(silu8(LOAD(gate)), LOAD(up))),
                SAVE_TAIL(gate, _mm256_mul_ps(silu8(LOAD_TAIL(gate)), LOAD_TAIL(up))));
}

void pali__soft_cap_avx2(float *x, int64_t n, float cap)
{
    __m256 caps = _mm256_set1_ps(cap), per_cap = _mm256_set1_ps(1.0f / cap);
    FOR_VECTORS(n, SAVE(x, _mm256_mul_ps(caps, tanh8(_mm256_mul_ps(LOAD(x), per_cap)))),
                SAVE_TAIL(x, _mm256_mul_ps(caps, tanh8(_mm256_mul_ps(LOAD_TAIL(x), per_cap)))));
}

void pali__add_avx2(float *y, const float *x, int64_t n)
{
    FOR_VECTORS(n, SAVE(y, _mm256_add_ps(LOAD(y), LOAD(x))),
                SAVE_TAIL(y, _mm256_add_ps(LOAD_TAIL(y), LOAD_TAIL(x))));
}

void pali__scale_avx2(float *y, const float *x, int64_t n, float factor)
{
    __m256 factors = _mm256_set1_ps(factor);
    FOR_VECTORS(n, SAVE(y, _mm256_mul_ps(factors, LOAD(x))), SAVE_TAIL(y, _mm256_mul_ps(factors, LOAD_TAIL(x))));
}

void pali__rotate_avx2(float *a, float *b, const float *cosine, const float *sine, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256 first = LOAD(a), second = LOAD(b), cosines = LOAD(cosine), sines = LOAD(sine);
        SAVE(a, _mm256_fnmadd_ps(second, sines, _mm256_mul_ps(first, cosines)));
        SAVE(b, _mm256_fmadd_ps(first, sines, _mm256_mul_ps(second, cosines)));
    }
    if (i < n)
        pali__rotate_c(a + i, b + i, cosine + i, sine + i, n - i);
}
