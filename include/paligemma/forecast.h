/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/forecast.h
 * What memory a checkpoint will need, told without loading it.
 */
#ifndef PALIGEMMA_FORECAST_H
#define PALIGEMMA_FORECAST_H

#include <paligemma/base.h>
#include <paligemma/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes. */
typedef struct pali_memory_forecast {
    size_t struct_size;
    int64_t weights_mapped;  /**< weights used in the mapped files; every process that has them open shares them */
    int64_t weights_copied;  /**< weights of memory of the model's own: converted, copied, merged with an adapter, norms and
                                  biases, a head that is quantized while loading */
    int64_t vision;          /**< the tower's working memory, one picture at a time */
    int64_t activations;     /**< of the decoder's pass over the tokens of the picture and `n_tokens` more, its logits, and
                                  the picture's pixels and features */
    int64_t cache_per_token; /**< keys and values in float32; a half of it in bfloat16, about a quarter in int8 */
    int64_t cache;           /**< of the picture's tokens and `n_tokens` more */
    int64_t total;           /**< what one call needs: the sum of weights, cache, and the larger of tower and decoder */
    int64_t available;       /**< what the machine has: free or held by files that it can drop, no more than control groups
                                  leave; -1: not known */
    uint64_t reserved[4];
} pali_memory_forecast;

#define PALI_MEMORY_FORECAST_INIT { sizeof(pali_memory_forecast), 0, 0, 0, 0, 0, 0, 0, 0, { 0, 0, 0, 0 } }
PALI_API void pali_memory_forecast_init(pali_memory_forecast *forecast);

/**
 * Reads config.json and the headers of the checkpoint in `path`, no weights, and says what a model loaded with `options`
 * (may be NULL) needs for one sequence with one picture and `n_tokens` tokens of prompt and answer, 0…2^24.
 * `forecast->struct_size` is set by the caller. pali_model_load refuses what does not fit by the same figures, with 128
 * tokens, unless pali_model_options.ignore_memory is set.
 * @return as pali_model_load, without PALI_ERROR_CANCELLED. Since 0.1.
 */
PALI_API pali_status pali_model_forecast_memory(pali_memory_forecast *forecast, const char *path,
                                                const pali_model_options *options, int64_t n_tokens,
                                                pali_error **error);

#ifdef __cplusplus
}
#endif
#endif
