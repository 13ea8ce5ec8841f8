/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/save.h
 * Writing a checkpoint directory that Transformers opens: another dtype, other tensor names, shards, adapters merged
 * in. What opens what, as it was tried: docs/saving.md.
 */
#ifndef PALIGEMMA_SAVE_H
#define PALIGEMMA_SAVE_H

#include <paligemma/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How the tensors are named, by the release of Transformers that names them so. Values are never renumbered. */
typedef enum pali_name_style {
    PALI_NAMES_TRANSFORMERS_4 = 1, /**< as the files on the hub, and as 4.x saves: every release opens it */
    PALI_NAMES_TRANSFORMERS_5 = 2, /**< as 5.x saves; 4.x does not open it */
    PALI_NAMES_MODULES_4 = 3,      /**< the modules' own names in 4.52 to 4.57; 5.x opens it too */
    PALI_NAMES_MODULES_5 = 4       /**< the modules' own names in 5.x; 4.x does not open it */
} pali_name_style;

typedef struct pali_save_options {
    size_t struct_size;
    pali_dtype dtype;                /**< PALI_FLOAT32, PALI_BFLOAT16 or PALI_FLOAT16, of all weights; 0 (default): each
                                          as it is */
    pali_name_style name_style;      /**< 0 (default): PALI_NAMES_TRANSFORMERS_4 */
    int64_t max_shard_size;          /**< bytes of weights in a file, unless one tensor has more; 0 (default): 5·10^9 */
    int32_t write_tied_head;         /**< 1: write the head although it is tied to the embedding; 0 (default): leave it
                                          out, as Transformers does */
    int32_t reserved0;
    const char *const *adapters;     /**< PEFT LoRA directories (adapter.h) whose updates are added to the weights in
                                          float32; the sum is rounded once */
    const double *adapter_scales;    /**< n_adapters factors times the adapters' own scales, or NULL: all 1 */
    size_t n_adapters;
    pali_progress_fn progress;       /**< "save"; may cancel; may be NULL */
    void *progress_user;
    uint64_t reserved[8];
} pali_save_options;

#define PALI_SAVE_OPTIONS_INIT                                                                                         \
    { sizeof(pali_save_options), (pali_dtype)0, (pali_name_style)0, 0, 0, 0, NULL, NULL, 0, NULL, NULL,                \
      { 0, 0, 0, 0, 0, 0, 0, 0 } }
PALI_API void pali_save_options_init(pali_save_options *options);

/**
 * Writes the checkpoint directory `in_dir` anew as `out_dir`: weights, config.json with the new dtype, and the other
 * files that Transformers reads (generation, processor and tokenizer configuration, chat template) as they are.
 * The weights are checked as pali_model_load checks them, and pass through a few megabytes of memory. A quantized
 * checkpoint is written with its codes and scales and its quantization_config as they are; another dtype, or an adapter
 * for a quantized matrix, is PALI_ERROR_UNSUPPORTED.
 *
 * `out_dir` must not exist, or be an empty directory. Everything is written to "out_dir.tmp-PID" beside it, which takes
 * the final name when it is complete and is removed after a failure. Any thread.
 * @return PALI_ERROR_ARGUMENT (an option, or out_dir is not empty), PALI_ERROR_IO, PALI_ERROR_FORMAT,
 * PALI_ERROR_UNSUPPORTED (an adapter of another kind, or one for an embedding or a tied head), PALI_ERROR_SHAPE (an
 * adapter that does not fit), PALI_ERROR_CANCELLED. Since 0.1.
 */
PALI_API pali_status pali_checkpoint_save(const char *in_dir, const char *out_dir, const pali_save_options *options,
                                          pali_error **error);

#ifdef __cplusplus
}
#endif
#endif
