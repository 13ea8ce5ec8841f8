/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/attention.h
 * Who looks at whom: the attention mask as the kernels apply it, and how much of a token's attention falls on which
 * part of a picture. Rule: a key is seen if it is no padding and either both tokens are prefix (type 0), or it stands
 * before the query or is the query, within the layer's window (PARITY §10).
 */
#ifndef PALIGEMMA_ATTENTION_H
#define PALIGEMMA_ATTENTION_H

#include <paligemma/base.h>
#include <paligemma/config.h>
#include <paligemma/image.h>
#include <paligemma/inputs.h>
#include <paligemma/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the mask ---- */

/** Which keys each query sees, in each layer. Immutable; any number of threads may read it. */
typedef struct pali_mask pali_mask;

typedef struct pali_mask_options {
    size_t struct_size;
    int64_t prefix_length; /**< as in pali_forward_options; default -1 */
    int64_t past_length;   /**< this many leading tokens are in a cache already: the mask has rows only for the others,
                                as a pass that continues the cache has. Default 0 */
    uint64_t reserved[4];
} pali_mask_options;

#define PALI_MASK_OPTIONS_INIT { sizeof(pali_mask_options), -1, 0, { 0, 0, 0, 0 } }
PALI_API void pali_mask_options_init(pali_mask_options *options);

/**
 * The mask of a pass over `inputs`: of input_ids or inputs_embeds, attention_mask and token_type_ids; no weights are
 * needed. Takes what it needs out of `config` and `inputs`. @return PALI_ERROR_SHAPE when tensors do not fit,
 * PALI_ERROR_LIMIT for more than 32768 tokens a row. Since 0.1.
 */
PALI_API pali_status pali_mask_create(pali_mask **out, const pali_config *config, const pali_inputs *inputs,
                                      const pali_mask_options *options, pali_error **error);

PALI_API void pali_mask_free(pali_mask *mask);

/** [batch, queries, keys] uint8, 1 where decoder layer `layer` sees the key; NULL out of range. Borrowed. Since 0.1. */
PALI_API const pali_tensor *pali_mask_layer(const pali_mask *mask, int64_t layer);

/** The window of decoder layer `layer`, in tokens; 0: none, or out of range. Since 0.1. */
PALI_API int64_t pali_mask_window(const pali_mask *mask, int64_t layer);

typedef struct pali_mask_text_options {
    size_t struct_size;
    int64_t row;              /**< of the batch; default 0 */
    int64_t layer;            /**< of this layer only; default -1: full and sliding layers side by side */
    int64_t tokens_per_image; /**< show this many of a picture's tokens, from its first to its last, 2 or more; 0: all;
                                   default 5, as AttentionMaskVisualizer */
    int32_t color;            /**< 1: green diagonal and yellow pictures, by ANSI escapes; default 0 */
    int32_t reserved0;
    uint64_t reserved[4];
} pali_mask_text_options;

#define PALI_MASK_TEXT_OPTIONS_INIT { sizeof(pali_mask_text_options), 0, -1, 5, 0, 0, { 0, 0, 0, 0 } }
PALI_API void pali_mask_text_options_init(pali_mask_text_options *options);

/**
 * The mask in the form of Transformers' AttentionMaskVisualizer: a line for each query, ■ for a key that it sees and ⬚
 * for one that it does not. Tokens are written out if the inputs came from a processor, else as their ids. `*text` is
 * the caller's (pali_free), NUL-terminated UTF-8. Since 0.1.
 */
PALI_API pali_status pali_mask_text(char **text, const pali_mask *mask, const pali_mask_text_options *options,
                                    pali_error **error);

/**
 * The same as a picture, of row `row` and layer `layer`: a square of `scale` pixels for each query and key (0: as large
 * as is handy), dark where the key is seen, the diagonal green, pictures yellow. Since 0.1.
 */
PALI_API pali_status pali_mask_image(pali_image **out, const pali_mask *mask, int64_t row, int64_t layer, int32_t scale,
                                     pali_error **error);

/* ---- heat maps ---- */

typedef struct pali_heat_map_options {
    size_t struct_size;
    int64_t row;            /**< of the batch; default 0 */
    int64_t image;          /**< which of the row's pictures; default 0 */
    int64_t query;          /**< the token that looks, by its position in the pass; negative ones count from the end;
                                 default -1 */
    const int64_t *layers;  /**< mean over these layers, or NULL: over all that `outputs` has */
    size_t n_layers;
    const int64_t *heads;   /**< mean over these heads, by their place in `attentions.N`, or NULL: over all there */
    size_t n_heads;
    uint64_t reserved[4];
} pali_heat_map_options;

#define PALI_HEAT_MAP_OPTIONS_INIT { sizeof(pali_heat_map_options), 0, 0, -1, NULL, 0, NULL, 0, { 0, 0, 0, 0 } }
PALI_API void pali_heat_map_options_init(pali_heat_map_options *options);

/**
 * How much of one token's attention falls on each patch of a picture: the mean over layers and heads of the
 * `attentions.N` that a pass returned. `inputs` are the pass's; after a cache, those of the whole row, whose input_ids
 * tell where the picture's tokens are. `*map` [*grid, *grid], row by row from the top left, sums to the share of the
 * attention that the whole picture has (at most 1); it is the caller's (pali_free).
 * @return PALI_ERROR_ARGUMENT for a layer that `outputs` lacks, or anything else out of range. Since 0.1.
 */
PALI_API pali_status pali_heat_map(float **map, int64_t *grid, const pali_config *config, const pali_inputs *inputs,
                                   const pali_outputs *outputs, const pali_heat_map_options *options,
                                   pali_error **error);

/**
 * Lays `map` [rows, columns] over the picture: stretched to its size (bilinear), from clear where it is 0 to glowing
 * where it is largest, `opacity` 0…1 there. Values that are negative or no numbers count as 0. Since 0.1.
 */
PALI_API pali_status pali_image_draw_map(pali_image *image, const float *map, int64_t rows, int64_t columns,
                                         double opacity, pali_error **error);

#ifdef __cplusplus
}
#endif
#endif
