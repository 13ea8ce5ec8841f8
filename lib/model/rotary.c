/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frequencies of the decoder's rotary embedding, and how a long context changes them (modeling_rope_utils.py).
 * "linear" divides them all by a factor. "llama3" (Llama 3.1) divides those whose wave is longer than the context that
 * the model was trained with, leaves short waves alone, and goes over from one to the other in between.
 */
#include "model/rotary.h"

#include "kernels/ops.h"

static float llama3(float frequency, const struct pali__rope_config *rope)
{
    const double two_pi = 6.283185307179586;
    float wave = (float)two_pi / frequency;
    float longest = (float)(rope->original_length / rope->low_freq_factor);
    float shortest = (float)(rope->original_length / rope->high_freq_factor);

    if (wave > longest)
        return frequency / (float)rope->factor;
    if (wave < shortest)
        return frequency;
    float share = ((float)rope->original_length / wave - (float)rope->low_freq_factor) /
                  (float)(rope->high_freq_factor - rope->low_freq_factor);
    return (1.0f - share) * frequency / (float)rope->factor + share * frequency;
}

void pali__rotary_frequencies(float *frequency, const struct pali__text_config *config)
{
    const struct pali__rope_config *rope = &config->rope;

    pali__rope_frequencies(frequency, config->head_dim, rope->theta);
    for (int64_t i = 0; i < config->head_dim / 2; i++) {
        if (rope->type == PALI__ROPE_LINEAR)
            frequency[i] /= (float)rope->factor;
        else if (rope->type == PALI__ROPE_LLAMA3)
            frequency[i] = llama3(frequency[i], rope);
    }
}
