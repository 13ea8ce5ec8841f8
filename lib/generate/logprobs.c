/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/logprobs.h"

#include <math.h>

#include "generate/portable_math.h"

double pali__log_normalizer(const float *logits, int64_t n)
{
    float largest = logits[0];
    double sum = 0.0;

    for (int64_t i = 1; i < n; i++)
        largest = logits[i] > largest ? logits[i] : largest;
    for (int64_t i = 0; i < n; i++)
        sum += pali__exp((double)logits[i] - (double)largest);
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
