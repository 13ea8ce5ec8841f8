/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/model.h
 * The network: PaliGemmaForConditionalGeneration.
 * Sources: PaliGemma (arXiv 2407.07726), PaliGemma 2 (arXiv 2412.03555), Gemma 2 (arXiv 2408.00118),
 * SigLIP (arXiv 2303.15343); reference: transformers/models/paligemma/modeling_paligemma.py, 5.23.0.
 */
#ifndef PALIGEMMA_MODEL_H
#define PALIGEMMA_MODEL_H

#include <paligemma/base.h>
#include <paligemma/config.h>
#include <paligemma/inputs.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Immutable once loaded; shared by any number of threads. Caches and features hold a reference to it. */
typedef struct pali_model pali_model;

typedef struct pali_model_options {
    size_t struct_size;
    pali_dtype dtype;           /**< PALI_FLOAT32 or PALI_BFLOAT16; 0 (default): bfloat16 for bfloat16 files, else float32 */
    int32_t threads;            /**< 0 (default): OpenMP's own number. Results do not depend on it; every call may
                                     have its own */
    pali_progress_fn progress;  /**< "load", after each tensor; may cancel; may be NULL */
    void *progress_user;
    const char *const *adapters;  /**< PEFT LoRA directories (adapter.h) to add to the weights while loading */
    const double *adapter_scales; /**< n_adapters factors times the adapters' own scales, or NULL: all 1 */
    size_t n_adapters;
    int32_t copy_weights;         /**< 1: weights are read into memory of huge pages, where the system has them, instead
                                       of being used in the mapped file: as much memory as the checkpoint again, loading
                                       takes as long as reading it, and decoding is some per cent faster
                                       (docs/performance.md) */
    int32_t int8_head;            /**< 1: the head is quantized to int8 while loading, a scale for each token, -1: it stays
                                       as it is; 0 (default): 1 for a quantized checkpoint whose head is not, else -1.
                                       Decoding then reads half as much of it (docs/quantization.md) */
    int32_t ignore_memory;        /**< 1: load even if the machine has less memory than the model needs */
    int32_t reserved1;
    uint64_t reserved[2];
} pali_model_options;

#define PALI_MODEL_OPTIONS_INIT                                                                                        \
    { sizeof(pali_model_options), (pali_dtype)0, 0, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, { 0, 0 } }
PALI_API void pali_model_options_init(pali_model_options *options);

/**
 * Opens the checkpoint directory `path` (config.json and safetensors). Weights stay in the memory-mapped files; only
 * those whose type the chosen dtype cannot use as they are get converted, with progress. Norms and biases are float32.
 * @return PALI_ERROR_IO, PALI_ERROR_FORMAT (the message names the tensor that is missing, unexpected or wrongly
 * shaped), PALI_ERROR_UNSUPPORTED, PALI_ERROR_CANCELLED, PALI_ERROR_MEMORY (also, before anything is loaded, for a model
 * that needs more than the machine has: forecast.h; ignore_memory); for adapters as pali_checkpoint_save (save.h). Since 0.1.
 */
PALI_API pali_status pali_model_load(pali_model **out, const char *path, const pali_model_options *options,
                                     pali_error **error);

/** Ends the caller's hold on the model; it goes when the last cache or feature set that refers to it has gone. */
PALI_API void pali_model_free(pali_model *model);

/** The model's configuration, borrowed. Since 0.1. */
PALI_API const pali_config *pali_model_config(const pali_model *model);

/** PALI_FLOAT32 or PALI_BFLOAT16. Since 0.1. */
PALI_API pali_dtype pali_model_dtype(const pali_model *model);

/** A LoRA adapter, used from call to call: see adapter.h. */
typedef struct pali_adapter pali_adapter;

/* ---- image features ---- */

/** What the tower and the projector make of pictures: computed once, used in any number of passes. Immutable. */
typedef struct pali_image_features pali_image_features;

typedef struct pali_image_features_options {
    size_t struct_size;
    const pali_adapter *adapter; /**< LoRA adapter for tower and projector, or NULL. A pass that is given the features
                                      takes them as they are: it is the caller who gives both the same adapter */
    double adapter_scale;        /**< times the adapter's own scale; default 1 */
    pali_progress_fn progress;   /**< "image", between layers; may cancel; may be NULL */
    void *progress_user;
    int32_t threads;             /**< for this call; 0 (default): the model's number */
    int32_t reserved0;
    uint64_t reserved[3];
} pali_image_features_options;

#define PALI_IMAGE_FEATURES_OPTIONS_INIT                                                                               \
    { sizeof(pali_image_features_options), NULL, 1.0, NULL, NULL, 0, 0, { 0, 0, 0 } }
PALI_API void pali_image_features_options_init(pali_image_features_options *options);

/**
 * Runs tower and projector on `pixel_values` [images, 3, size, size] float32. Holds a reference to the model. `options`
 * may be NULL. @return PALI_ERROR_SHAPE, PALI_ERROR_ARGUMENT (an adapter of another model), PALI_ERROR_CANCELLED.
 * Since 0.1.
 */
PALI_API pali_status pali_model_image_features(pali_image_features **out, pali_model *model,
                                               const pali_tensor *pixel_values,
                                               const pali_image_features_options *options, pali_error **error);

/**
 * Features computed earlier, [images, tokens per image, hidden] float32, copied: what `image_hidden_states` of a pass or
 * Transformers' get_image_features gave. `divided` 1: they were divided by sqrt(hidden) (Transformers < 5.4), which is
 * undone. Holds a reference to the model. @return PALI_ERROR_SHAPE for another shape. Since 0.1.
 */
PALI_API pali_status pali_image_features_create(pali_image_features **out, pali_model *model,
                                                const pali_tensor *features, int32_t divided, pali_error **error);

PALI_API void pali_image_features_free(pali_image_features *features);

/** [images, tokens per image, hidden] float32, not divided by sqrt(hidden) (Transformers >= 5.4). Borrowed. Since 0.1. */
PALI_API const pali_tensor *pali_image_features_tensor(const pali_image_features *features);

/* ---- key/value cache ---- */

/** Keys and values of the tokens seen so far, for each row of a batch. Belongs to one thread at a time. */
typedef struct pali_cache pali_cache;

typedef struct pali_cache_options {
    size_t struct_size;
    int64_t rows;             /**< sequences; default 1 */
    int64_t capacity;         /**< tokens per row, a prefix's included, to make room for at once; 0 (default): grow as
                                   needed */
    int32_t fixed;            /**< 1: never grow past `capacity`, PALI_ERROR_LIMIT instead ("static" cache) */
    int32_t sliding;          /**< 1: layers with a window keep only the tokens that it can still reach; rolling back
                                   further than that is PALI_ERROR_LIMIT */
    pali_dtype dtype;         /**< of keys and values: PALI_FLOAT32, PALI_BFLOAT16, or PALI_INT8, each head's key and value of
                                   a token with a scale of its own; 0 (default): float32 */
    int32_t reserved0;
    const pali_cache *prefix; /**< every row continues this cache's only row without copying it, or NULL. The prefix is
                                   then frozen: it may be read from any number of threads, and a call that would change
                                   it is PALI_ERROR_ARGUMENT, until the last cache that continues it is freed */
    uint64_t reserved[4];
} pali_cache_options;

#define PALI_CACHE_OPTIONS_INIT { sizeof(pali_cache_options), 1, 0, 0, 0, (pali_dtype)0, 0, NULL, { 0, 0, 0, 0 } }
PALI_API void pali_cache_options_init(pali_cache_options *options);

/** An empty cache for `model`, which it keeps alive. Since 0.1. */
PALI_API pali_status pali_cache_create(pali_cache **out, pali_model *model, const pali_cache_options *options,
                                       pali_error **error);

/** A copy with rows of its own, of the same kind; a shared prefix stays shared. Any thread, while nobody changes
 * `cache`. Since 0.1. */
PALI_API pali_status pali_cache_fork(pali_cache **out, const pali_cache *cache, pali_error **error);

/** Ends the caller's hold; a prefix goes with the last cache that continues it. Since 0.1. */
PALI_API void pali_cache_free(pali_cache *cache);

/** Rows; 0 for NULL. Since 0.1. */
PALI_API int64_t pali_cache_rows(const pali_cache *cache);

/** Tokens stored in row `row`, padding and a shared prefix included; 0 out of range. Since 0.1. */
PALI_API int64_t pali_cache_length(const pali_cache *cache, int64_t row);

/** Bytes of memory that the cache has allocated for its tokens, a shared prefix's not counted. Since 0.1. */
PALI_API size_t pali_cache_size_bytes(const pali_cache *cache);

/**
 * Forgets all tokens from `length` on, in every row: rolling back to a prefix is exact. PALI_ERROR_LIMIT, and nothing
 * forgotten, below a shared prefix, and where a sliding cache lacks tokens that the layers' window would need there: it
 * can always go back by min(window, 64) tokens, and to 0 (or to the shared prefix). Since 0.1.
 */
PALI_API pali_status pali_cache_truncate(pali_cache *cache, int64_t length, pali_error **error);

/** Forgets everything but a shared prefix; the memory stays. A cache that others continue does not change. Since 0.1. */
PALI_API void pali_cache_reset(pali_cache *cache);

/**
 * Row i becomes a continuation of what was row parents[i], i < n; the cache has `n` rows afterwards, 1…65536. After a
 * failure it is as before. Since 0.1.
 */
PALI_API pali_status pali_cache_reorder(pali_cache *cache, const int64_t *parents, size_t n, pali_error **error);

/**
 * Writes what the cache holds, a shared prefix included, to a safetensors file, with what is needed to see whether it
 * fits a model. Any thread, while nobody changes `cache`. Since 0.1.
 */
PALI_API pali_status pali_cache_save(const pali_cache *cache, const char *path, pali_error **error);

/**
 * A cache as it was saved (without sharing): what follows is computed as if it had never left memory, bit for bit.
 * PALI_ERROR_FORMAT if the file is no cache, contradicts itself, or was made with another model: other sizes, or other
 * weights (told by a fingerprint of the decoder's). Since 0.1.
 */
PALI_API pali_status pali_cache_load(pali_cache **out, pali_model *model, const char *path, pali_error **error);

/* ---- forward ---- */

typedef struct pali_forward_options {
    size_t struct_size;
    pali_cache *cache;                   /**< read and extended by this pass, or NULL */
    const pali_image_features *features; /**< instead of pixel_values, or NULL */
    int64_t logits_to_keep;              /**< 0: all positions; n: the last n */
    const int64_t *logits_index;         /**< positions to keep instead, each 0…length-1, in any order, at most
                                              length of them; or NULL. Negative ones count from the end */
    size_t n_logits_index;
    int64_t prefix_length;               /**< without token_type_ids: this many leading tokens are prefix; -1 (default): all
                                              tokens of a first pass, none once the cache holds tokens */
    int32_t output_hidden_states;
    int32_t output_attentions;           /**< 1: of all layers and heads, or of those named below */
    pali_progress_fn progress;           /**< called between layers, may cancel; may be NULL */
    void *progress_user;
    int64_t cache_position;              /**< slot of the cache where this pass begins, 0…its length: what stands there
                                              and behind is forgotten first; -1 (default): behind all it holds */
    const int64_t *attention_layers;     /**< with output_attentions: of these layers only, or NULL: all. Negative ones
                                              count from the end */
    size_t n_attention_layers;
    const int64_t *attention_heads;      /**< with output_attentions: of these query heads only, in this order, or NULL:
                                              all. Negative ones count from the end */
    size_t n_attention_heads;
    int32_t image_states_divided;        /**< 1: image_hidden_states divided by sqrt(hidden) (Transformers < 5.4) */
    int32_t output_vision_hidden_states; /**< 1: of the tower, where the pass runs it */
    const pali_adapter *adapter;         /**< LoRA adapter for this pass, or NULL. Features and cached tokens that
                                              another adapter made are taken as they are */
    double adapter_scale;                /**< times the adapter's own scale; default 1 */
    int32_t threads;                     /**< for this pass; 0 (default): the model's number. Results do not depend on it */
    int32_t reserved0;
    uint64_t reserved[7];
} pali_forward_options;

#define PALI_FORWARD_OPTIONS_INIT                                                                                      \
    { sizeof(pali_forward_options), NULL, NULL, 0, NULL, 0, -1, 0, 0, NULL, NULL, -1, NULL, 0, NULL, 0, 0, 0, NULL,    \
      1.0, 0, 0, { 0, 0, 0, 0, 0, 0, 0 } }
PALI_API void pali_forward_options_init(pali_forward_options *options);

/** What a forward pass returns. Immutable. */
typedef struct pali_outputs pali_outputs;

/**
 * One pass over the tensors in `inputs` (see inputs.h): needs input_ids or inputs_embeds. Tokens of type 0 see each
 * other both ways, tokens of type 1 are causal and see every token before them within the layer's window; padding is
 * seen by nobody (PARITY §10). Positions count from 1 + the cache's length unless position_ids says otherwise.
 *
 * Tensors in `*out`, all float32: `logits` [batch, kept, vocabulary]; `loss` [] and `token_loss` [batch, length - 1]
 * with labels (0 where the label is -100); `last_hidden_state` [batch, length, hidden]; `image_hidden_states` [images,
 * tokens, hidden], the features that the pass used, if any; when asked for: `hidden_states.N` (N = 0…layers: the rows
 * that enter, what leaves each layer, and the last one normed), `attentions.N` [batch, heads, length, keys] and
 * `vision_hidden_states.N` [images, patches, vision hidden] (N = 0…layers of the tower: what enters its blocks and
 * leaves the last, before its norm). A pass that does not ask for attentions never makes an array of that size, and what
 * else a pass returns does not depend on what was asked for, to the bit.
 * @return PALI_ERROR_SHAPE when tensors do not fit, or image tokens and image features differ in number. Since 0.1.
 */
PALI_API pali_status pali_model_forward(pali_outputs **out, pali_model *model, const pali_inputs *inputs,
                                        const pali_forward_options *options, pali_error **error);

PALI_API void pali_outputs_free(pali_outputs *outputs);
PALI_API size_t pali_outputs_count(const pali_outputs *outputs);
PALI_API const char *pali_outputs_name(const pali_outputs *outputs, size_t index);
/** The tensor `name`, borrowed, or NULL if it is not there. Since 0.1. */
PALI_API const pali_tensor *pali_outputs_get(const pali_outputs *outputs, const char *name);
/** Writes all tensors to a safetensors file. Since 0.1. */
PALI_API pali_status pali_outputs_save(const pali_outputs *outputs, const char *path, pali_error **error);

#ifdef __cplusplus
}
#endif
#endif
