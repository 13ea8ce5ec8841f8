/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/logprobs.h"

#include <math.h>

#include "generate/portable_math.h"

/* In blocks, so that the exponentials are vectorized; their sum keeps its order. */
#define BLOCK 64

double pali__log_normalizer(const float *logits, int64_t n)
{
    float largest = logits[0];
    double sum = 0.0, terms[BLOCK];

    for (int64_t i = 1; i < n; i++)
        largest = logits[i] > largest ? logits[i] : largest;
    for (int64_t first = 0; first < n; first += BLOCK) {
        int64_t size = n - first < BLOCK ? n - first : BLOCK;
        for (int64_t i = 0; i < size; i++)
            terms[i] = pali__exp((double)logits[first + i] - (double)largest);
        for (int64_t i = 0; i < size; i++)
            sum += terms[i];
    }
    return (double)largest + pali__log(sum);
}

void pali__top_logprobs(pali_token_logprob *top, int64_t n_top, const float *logits, int64_t n, double normalizer)
{
    for (int64_t i = 0; i < n_top; i++)
        top[i] = (pali_token_logprob){ .id = -1, .logprob = -INFINITY };
    for (int64_t id = 0; n_top > 0 && id < n; id++) {
        double logprob = (double)logits[id] - normalizer;
        int64_t place = n_top - 1;
        if (!(logprob > top[place].logprob))
            continue;
        for (; place > 0 && top[place - 1].logprob < logprob; place--)
            top[place] = top[place - 1];
        top[place] = (pali_token_logprob){ .id = id, .logprob = logprob };
    }
}
