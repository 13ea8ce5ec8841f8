/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/checkpoint.h
 * Looking into a checkpoint directory without loading the model: which tensors it has, lacks, and has too many.
 * File format: https://github.com/huggingface/safetensors#format.
 */
#ifndef PALIGEMMA_CHECKPOINT_H
#define PALIGEMMA_CHECKPOINT_H

#include <paligemma/base.h>
#include <paligemma/config.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The directory in the Hugging Face cache that holds the files of the hub id `id` ("google/paligemma2-3b-mix-224") at
 * `revision`, a branch, tag or commit (NULL: "main"). The cache folder is HF_HUB_CACHE, else HF_HOME/hub, else
 * XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub. Nothing is downloaded. `*path` is the caller's
 * (pali_free).
 * @return PALI_ERROR_IO when it is not there: the message says where it was looked for and which command fetches it;
 * PALI_ERROR_ARGUMENT for what is no hub id or revision. Reads the environment: no thread may change it meanwhile.
 * Since 0.1. Source: huggingface_hub/constants.py, file_download.py.
 */
PALI_API pali_status pali_hub_path(char **path, const char *id, const char *revision, pali_error **error);

/** A memory-mapped checkpoint. Immutable; any number of threads may read it. */
typedef struct pali_checkpoint pali_checkpoint;

/**
 * Maps model.safetensors, or the shards that model.safetensors.index.json names, in the directory `path`.
 * @return PALI_ERROR_IO, PALI_ERROR_FORMAT (malformed or truncated file: the message names it). Since 0.1.
 */
PALI_API pali_status pali_checkpoint_open(pali_checkpoint **out, const char *path, pali_error **error);

/** Unmaps. Tensors borrowed from it die with it. NULL is fine. Since 0.1. */
PALI_API void pali_checkpoint_free(pali_checkpoint *checkpoint);

/** Number of tensors in the files. Since 0.1. */
PALI_API size_t pali_checkpoint_count(const pali_checkpoint *checkpoint);

/** Name of tensor `index` as the file has it, sorted; NULL past the end. Since 0.1. */
PALI_API const char *pali_checkpoint_name(const pali_checkpoint *checkpoint, size_t index);

/** Tensor `index`, its data inside the map: read only. PALI_ERROR_ARGUMENT past the end. Since 0.1. */
PALI_API pali_status pali_checkpoint_tensor(const pali_checkpoint *checkpoint, size_t index, pali_tensor *tensor,
                                            pali_error **error);

/** Bytes of all the checkpoint's files together. Since 0.1. */
PALI_API int64_t pali_checkpoint_size(const pali_checkpoint *checkpoint);

/**
 * Compares the tensors with what `config` needs. Each line of `*missing` and `*unexpected` is one name (for a tensor
 * of wrong shape the name and both shapes stand in `*missing`); empty strings when all is well. Both are the
 * caller's, freed with pali_free. Since 0.1.
 */
PALI_API pali_status pali_checkpoint_compare(const pali_checkpoint *checkpoint, const pali_config *config,
                                             char **missing, char **unexpected, pali_error **error);

#ifdef __cplusplus
}
#endif
#endif
