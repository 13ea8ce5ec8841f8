/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/quantize.h
 * Quantized checkpoints: written here, in the format of compressed-tensors, which Transformers and vLLM open too;
 * pali_model_load opens them, these and what llm-compressor writes. Schemes, quality and speed: docs/quantization.md.
 */
#ifndef PALIGEMMA_QUANTIZE_H
#define PALIGEMMA_QUANTIZE_H

#include <paligemma/base.h>
#include <paligemma/inputs.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How weights are rounded; torchao's names. Values are never renumbered. */
typedef enum pali_quantization_scheme {
    PALI_INT8_WEIGHT_ONLY = 1, /**< 8 bits, a scale for each output (pack-quantized) */
    PALI_INT4_WEIGHT_ONLY = 2, /**< 4 bits, a scale for each group of inputs (pack-quantized) */
    PALI_INT8_DYNAMIC = 3      /**< int8_dynamic_activation_int8_weight: 8 bits, a scale for each output, and inputs of
                                    every product rounded to 8 bits with a scale for each token (int-quantized) */
} pali_quantization_scheme;

/** "int8_weight_only", … ; "unknown" otherwise. Borrowed, static. Since 0.1. */
PALI_API const char *pali_quantization_scheme_name(pali_quantization_scheme scheme);

/** Parts of the network, to be added. Norms, biases and the embedding are never quantized. */
typedef enum pali_quantization_part {
    PALI_QUANTIZE_DECODER = 1, /**< attention and MLP of the language model */
    PALI_QUANTIZE_VISION = 2,  /**< attention and MLP of the vision tower; in the weight-only schemes with 8 bits, a scale
                                    for each output and not packed, because Transformers opens no packed tower */
    PALI_QUANTIZE_PROJECTOR = 4,
    PALI_QUANTIZE_HEAD = 8     /**< a head of its own. One that is tied to the embedding is stored once, as it is; loading
                                    quantizes it to int8 (pali_model_options.int8_head) */
} pali_quantization_part;

typedef struct pali_quantize_options {
    size_t struct_size;
    pali_quantization_scheme scheme; /**< 0 (default): PALI_INT8_WEIGHT_ONLY */
    int32_t group_size;              /**< of int4: 32, 64 or 128; 0 (default): 128 */
    int32_t zero_points;             /**< 1: groups of int4 have a zero point; 0 (default): they are symmetric */
    int32_t parts;                   /**< sum of pali_quantization_part; 0 (default): PALI_QUANTIZE_DECODER */
    int32_t largest_value_scales;    /**< 1: a scale fits the largest weight of its group, as in torchao; 0 (default): it
                                          is the one of several that makes the least squared error */
    const pali_inputs *const *calibration; /**< n_calibration inputs that the model is run on to see which weights matter
                                          (GPTQ, arXiv 2210.17323), or NULL: rounding to nearest */
    size_t n_calibration;
    int64_t max_shard_size;          /**< bytes of weights in a file; 0 (default): 5·10^9 */
    int32_t threads;                 /**< 0 (default): OpenMP's own number */
    int32_t reserved0;
    pali_progress_fn progress;       /**< "calibrate", "quantize"; may cancel; may be NULL */
    void *progress_user;
    uint64_t reserved[8];
} pali_quantize_options;

#define PALI_QUANTIZE_OPTIONS_INIT                                                                                     \
    { sizeof(pali_quantize_options), (pali_quantization_scheme)0, 0, 0, 0, 0, NULL, 0, 0, 0, 0, NULL, NULL,            \
      { 0, 0, 0, 0, 0, 0, 0, 0 } }
PALI_API void pali_quantize_options_init(pali_quantize_options *options);

/**
 * Writes the checkpoint directory `in_dir`, in float32, bfloat16 or float16, as the quantized one `out_dir`. Memory is
 * bounded by the largest tensor, but for a calibration, which runs the model and holds the rounded matrices until they
 * are written. Rows that are no multiple of group_size get 8 bits and a scale for each output. `out_dir` must not exist,
 * or be an empty directory. Everything is written to "out_dir.tmp-PID" beside it, which takes the final name when it is complete and is
 * removed after a failure. Any thread.
 * @return PALI_ERROR_ARGUMENT (an option, or out_dir is not empty), PALI_ERROR_UNSUPPORTED (in_dir is quantized
 * already), PALI_ERROR_IO, PALI_ERROR_FORMAT, PALI_ERROR_SHAPE (calibration inputs that do not fit),
 * PALI_ERROR_CANCELLED. Since 0.1.
 */
PALI_API pali_status pali_quantize(const char *in_dir, const char *out_dir, const pali_quantize_options *options,
                                   pali_error **error);

#ifdef __cplusplus
}
#endif
#endif
