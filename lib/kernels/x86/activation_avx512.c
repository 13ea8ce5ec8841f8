/* SPDX-License-Identifier: BSD-2-Clause */
/* Element-wise functions. */
#include "kernels/variants.h"

#include "kernels/x86/vector_avx512.h"

#define LOAD(x) _mm512_maskz_loadu_ps(lanes, (x) + i)
#define SAVE(x, value) _mm512_mask_storeu_ps((x) + i, lanes, value)

void pali__gelu_avx512(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_of(n - i);
        SAVE(x, gelu16(LOAD(x)));
    }
}

void pali__gelu_mul_avx512(float *gate, const float *up, int64_t n)
{
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_of(n - i);
        SAVE(gate, _mm512_mul_ps(gelu16(LOAD(gate)), LOAD(up)));
    }
}

void pali__silu_mul_avx512(float *gate, const float *up, int64_t n)
{
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_of(n - i);
        SAVE(gate, _mm512_mul_ps(silu16(LOAD(gate)), LOAD(up)));
    }
}

void pali__soft_cap_avx512(float *x, int64_t n, float cap)
{
    __m512 caps = _mm512_set1_ps(cap), per_cap = _mm512_set1_ps(1.0f / cap);
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_of(n - i);
        SAVE(x, _mm512_mul_ps(caps, tanh16(_mm512_mul_ps(LOAD(x), per_cap))));
    }
}

void pali__add_avx512(float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_of(n - i);
        SAVE(y, _mm512_add_ps(LOAD(y), LOAD(x)));
    }
}

void pali__scale_avx512(float *y, const float *x, int64_t n, float factor)
{
    __m512 factors = _mm512_set1_ps(factor);
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_of(n - i);
        SAVE(y, _mm512_mul_ps(factors, LOAD(x)));
    }
}

void pali__rotate_avx512(float *a, float *b, const float *cosine, const float *sine, int64_t n)
{
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_of(n - i);
        __m512 first = LOAD(a), second = LOAD(b), cosines = LOAD(cosine), sines = LOAD(sine);
        SAVE(a, _mm512_fnmadd_ps(second, sines, _mm512_mul_ps(first, cosines)));
        SAVE(b, _mm512_fmadd_ps(first, sines, _mm512_mul_ps(second, cosines)));
    }
}
