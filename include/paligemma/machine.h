/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/machine.h
 * What this machine can do at the most, measured now: the limits that a model's speed is compared with.
 */
#ifndef PALIGEMMA_MACHINE_H
#define PALIGEMMA_MACHINE_H

#include <paligemma/base.h>
#include <paligemma/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pali_machine {
    size_t struct_size;
    int32_t threads;              /**< that the model uses, and this measurement did */
    pali_dtype gemm_dtype;        /**< type of the factors of large products with weights that are not quantized, or whose
                                       inputs stay as they are: PALI_BFLOAT16 where the processor multiplies it and the
                                       model is in bfloat16, else PALI_FLOAT32 */
    const char *instruction_set;  /**< of the kernels: "c", "avx2", "avx512", "avx512_bf16", "neon". Static */
    double read_bytes_per_s;      /**< plain read of 256 MiB */
    double vision_flops_per_s;    /**< oneDNN on the products of one block of the vision tower … */
    double decoder_flops_per_s;   /**< … and of the decoder, weights in the layout that oneDNN likes best. In int8 the
                                       better of it and what our kernel does on data in the first cache */
    int64_t vision_bytes;         /**< of the weights that one picture needs: as they lie in memory, with the scales of
                                       quantized ones */
    int64_t decoder_bytes;        /**< of those that one token needs, the head's among them */
    pali_dtype vision_gemm_dtype; /**< as gemm_dtype, of the tower's blocks; PALI_INT8 where inputs are rounded to int8 */
    pali_dtype decoder_gemm_dtype; /**< the same of the decoder's blocks */
    uint64_t reserved[1];
} pali_machine;

#define PALI_MACHINE_INIT { sizeof(pali_machine), 0, (pali_dtype)0, NULL, 0.0, 0.0, 0.0, 0, 0, (pali_dtype)0, (pali_dtype)0, { 0 } }
PALI_API void pali_machine_init(pali_machine *machine);

/**
 * Measures for about a second, with the model's number of threads: the read bandwidth, and the rate of oneDNN's matrix
 * products on the model's own shapes, `n_tokens` rows (a prompt's length) in the decoder and one picture's patches in
 * the tower. The best of a few runs each; anything else that runs on the machine lowers it. `machine->struct_size` is set
 * by the caller. @return PALI_ERROR_ARGUMENT, PALI_ERROR_MEMORY, or PALI_ERROR_INTERNAL when oneDNN fails. Since 0.1.
 */
PALI_API pali_status pali_machine_measure(pali_machine *machine, const pali_model *model, int64_t n_tokens,
                                          pali_error **error);

#ifdef __cplusplus
}
#endif
#endif
