/* SPDX-License-Identifier: BSD-2-Clause */
/* "Give me tensor X": a mapped checkpoint, whatever its name style. Also safetensors files by themselves. */
#ifndef PALI_CHECKPOINT_TENSORS_H
#define PALI_CHECKPOINT_TENSORS_H

#include <stdbool.h>

#include <paligemma/checkpoint.h>
#include <paligemma/save.h>

#include "core/error.h"
#include "core/tensor_set.h"

/*
 * Canonical names, to which the four published styles (PARITY §1.5) are brought:
 *   language_model.embed_tokens.weight   language_model.layers.N.self_attn.q_proj.weight   language_model.norm.weight
 *   vision_tower.embeddings.patch_embedding.weight   vision_tower.encoder.layers.N.…   vision_tower.post_layernorm.…
 *   multi_modal_projector.linear.{weight,bias}   lm_head.weight   embedding_proj_layer.{weight,bias}
 * A name of no known style is returned as it is. `out` has room for `size` bytes; false if that is too short. A
 * canonical name has at most PALI__CANONICAL_GROWTH bytes more than the file's.
 */
#define PALI__CANONICAL_GROWTH 4
bool pali__canonical_name(char *out, size_t size, const char *file_name);

/* The reverse: the name that `style` gives the tensor `canonical_name`. A name of no known part stays as it is. */
bool pali__styled_name(char *out, size_t size, const char *canonical_name, enum pali_name_style style);

/* The tensor of that canonical name, borrowed, or NULL. When two file names lead to one canonical name the open fails. */
const pali_tensor *pali__checkpoint_find(const pali_checkpoint *checkpoint, const char *canonical_name);

/* Canonical name of tensor `index` (same order as pali_checkpoint_name). */
const char *pali__checkpoint_canonical(const pali_checkpoint *checkpoint, size_t index);

/* One safetensors file, all tensors copied into `set`; and written from it. */
pali_status pali__safetensors_load(struct pali__tensor_set *set, const char *path, pali_error **error);
pali_status pali__safetensors_save(const struct pali__tensor_set *set, const char *path, pali_error **error);

#endif
