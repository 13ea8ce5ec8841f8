/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/adapter.h
 * LoRA adapters as PEFT writes them (arXiv 2106.09685; https://huggingface.co/docs/peft), switchable from call to call:
 * beside each product W·x that an adapter covers stands scale·B·(A·x). The model itself does not change, so several
 * adapters serve from one model at the same time. To add an adapter to the weights instead: `adapters` of
 * pali_model_options and pali_save_options.
 */
#ifndef PALIGEMMA_ADAPTER_H
#define PALIGEMMA_ADAPTER_H

#include <paligemma/base.h>
#include <paligemma/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `pali_adapter` is declared in model.h: immutable once loaded, shared by any number of threads, and it holds a
 * reference to its model. It must outlive the calls whose options name it. */

/**
 * Reads the PEFT directory `path`: adapter_config.json (peft_type LORA; r, lora_alpha, use_rslora, rank_pattern and
 * alpha_pattern of plain module names) and adapter_model.safetensors, whose tensors may be named in any of the styles
 * that checkpoints have. It may cover the projections of decoder and tower, the projector and the head.
 *
 * DoRA, trained biases, modules_to_save, an embedding's LoRA, initialisations that change the base weights (PiSSA,
 * OLoRA, LoftQ, CorDA) and other methods than LoRA are PALI_ERROR_UNSUPPORTED.
 * @return PALI_ERROR_IO, PALI_ERROR_FORMAT (a tensor that belongs to no weight of the model, or half a pair: the
 * message names it), PALI_ERROR_SHAPE (one that does not fit its weight), PALI_ERROR_UNSUPPORTED. Since 0.1.
 */
PALI_API pali_status pali_adapter_load(pali_adapter **out, pali_model *model, const char *path, pali_error **error);

/** Ends an adapter. NULL is fine. Since 0.1. */
PALI_API void pali_adapter_free(pali_adapter *adapter);

/** How many weights it covers, and the largest rank among them. Since 0.1. */
PALI_API size_t pali_adapter_count(const pali_adapter *adapter);
PALI_API int64_t pali_adapter_rank(const pali_adapter *adapter);

#ifdef __cplusplus
}
#endif
#endif
