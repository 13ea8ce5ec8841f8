/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/embedding.h
 * Embeddings: the decoder's last hidden states, ColPali's projection of them where the checkpoint has it, and the score
 * by which pages are found for a query. Source: ColPali (arXiv 2407.01449); models/colpali in transformers 5.23.0.
 *
 *     pali_processor_apply_pages(&inputs, processor, images, n, NULL, &error)     a row of vectors for each page
 *     pali_processor_apply_queries(&inputs, processor, texts, n, NULL, &error)    a row of vectors for each query
 *     pali_embed(&outputs, model, inputs, NULL, &error)
 *     pali_max_sim(scores, pali_outputs_get(queries, "embeddings"), pali_outputs_get(pages, "embeddings"), &error)
 */
#ifndef PALIGEMMA_EMBEDDING_H
#define PALIGEMMA_EMBEDDING_H

#include <paligemma/base.h>
#include <paligemma/image.h>
#include <paligemma/inputs.h>
#include <paligemma/model.h>
#include <paligemma/processor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How many vectors a row gets. Values are never renumbered. */
typedef enum pali_pooling {
    PALI_POOLING_NONE = 0, /**< one for each token */
    PALI_POOLING_MEAN = 1  /**< one: the mean over the tokens that are not padding */
} pali_pooling;

typedef struct pali_embed_options {
    size_t struct_size;
    pali_pooling pooling;      /**< default PALI_POOLING_NONE */
    int32_t normalize;         /**< 1: every vector to length 1; 0: as they are; -1 (default): 1 with a projection */
    int32_t skip_projection;   /**< 1: the hidden states themselves, also of a checkpoint that has a projection */
    int32_t reserved0;
    pali_progress_fn progress; /**< called between layers, may cancel; may be NULL */
    void *progress_user;
    const pali_adapter *adapter; /**< LoRA adapter for this pass, or NULL */
    double adapter_scale;      /**< times the adapter's own scale; default 1 */
    uint64_t reserved[4];
} pali_embed_options;

#define PALI_EMBED_OPTIONS_INIT                                                                                        \
    { sizeof(pali_embed_options), PALI_POOLING_NONE, -1, 0, 0, NULL, NULL, NULL, 1.0, { 0, 0, 0, 0 } }
PALI_API void pali_embed_options_init(pali_embed_options *options);

/**
 * Width of the checkpoint's embedding projection (ColPali: 128), 0 if it has none. It has one when config.json is of
 * model_type "colpali", or the weights hold `embedding_proj_layer` or `custom_text_proj`. Since 0.1.
 */
PALI_API int64_t pali_model_embedding_dim(const pali_model *model);

/**
 * One pass over `inputs` (see inputs.h), of which the outputs get `embeddings`, float32: [batch, length, dim], rows of
 * padding zero; with PALI_POOLING_MEAN [batch, dim]. dim is pali_model_embedding_dim, or without a projection the hidden
 * size. The mean is taken before the length is made 1.
 * @return as pali_model_forward. Since 0.1.
 */
PALI_API pali_status pali_embed(pali_outputs **out, pali_model *model, const pali_inputs *inputs,
                                const pali_embed_options *options, pali_error **error);

/**
 * Late interaction: scores[q, p] = Σ over the vectors of query q of the largest product with a vector of page p.
 * `queries` [n_queries, length, dim] and `pages` [n_pages, length, dim], float32, contiguous; either may be [length, dim],
 * one alone. `scores` has n_queries · n_pages values. A row of zeros, as padding has, counts as a vector: in a query it
 * adds 0 or nothing, in a page it keeps products from being the largest while they are negative, as in Transformers.
 * PALI_ERROR_SHAPE when they do not fit together. Any thread. Since 0.1.
 */
PALI_API pali_status pali_max_sim(float *scores, const pali_tensor *queries, const pali_tensor *pages,
                                  pali_error **error);

/**
 * Pages for pali_embed, as ColPaliProcessor makes them: for each picture its image tokens, <bos>, "Describe the image."
 * (or processor_config.json's visual_prompt_prefix), "\n". Of `options` padding_side, pad_to and max_length count.
 * Since 0.1.
 */
PALI_API pali_status pali_processor_apply_pages(pali_inputs **out, const pali_processor *processor,
                                                pali_image *const *images, size_t n_images,
                                                const pali_apply_options *options, pali_error **error);

/**
 * Queries for pali_embed: <bos>, "Question: " (or processor_config.json's query_prefix), the text, ten <pad>, "\n". The
 * ten are part of the query, with vectors of their own; what pads a row to the batch's length is not. Since 0.1.
 */
PALI_API pali_status pali_processor_apply_queries(pali_inputs **out, const pali_processor *processor,
                                                  const char *const *texts, size_t n_texts,
                                                  const pali_apply_options *options, pali_error **error);

#ifdef __cplusplus
}
#endif
#endif
