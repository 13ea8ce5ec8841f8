/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/compare.h
 * Where two runs depart: files of activations, such as pali_outputs_save writes or a script makes of Transformers'
 * outputs, compared tensor by tensor in the order in which a forward pass computes them.
 */
#ifndef PALIGEMMA_COMPARE_H
#define PALIGEMMA_COMPARE_H

#include <paligemma/base.h>
#include <paligemma/inputs.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pali_compare_options {
    size_t struct_size;
    double atol; /**< values a and b agree if |a - b| <= atol + rtol·|b|, or both are NaN; default 1e-4 */
    double rtol; /**< default 1e-4 */
    uint64_t reserved[4];
} pali_compare_options;

#define PALI_COMPARE_OPTIONS_INIT { sizeof(pali_compare_options), 1e-4, 1e-4, { 0, 0, 0, 0 } }
PALI_API void pali_compare_options_init(pali_compare_options *options);

typedef enum pali_difference_kind {
    PALI_DIFFERENCE_NONE = 0,      /**< every value agrees */
    PALI_DIFFERENCE_VALUES = 1,
    PALI_DIFFERENCE_SHAPE = 2,     /**< other shapes; values are not compared */
    PALI_DIFFERENCE_MISSING_A = 3, /**< only in the second set */
    PALI_DIFFERENCE_MISSING_B = 4  /**< only in the first set */
} pali_difference_kind;

/** What became of one tensor. The numbers are of its values, 0 where the kind is not NONE or VALUES. */
typedef struct pali_difference {
    const char *name;          /**< borrowed from the comparison */
    pali_difference_kind kind;
    int32_t rank;              /**< of the indices below */
    int64_t count;             /**< values */
    int64_t n_departing;       /**< values that do not agree */
    int64_t n_nan_a, n_nan_b;  /**< NaN in either */
    double max_abs;            /**< largest |a - b|, infinite where only one is NaN or infinite */
    double max_rel;            /**< largest |a - b| / |b|, of values that differ; infinite where b is 0 */
    double rms;                /**< root of the mean of (a - b)², of values that are finite in both */
    int64_t first_index[PALI_MAX_RANK]; /**< of the first value that departs, if any */
    int64_t max_index[PALI_MAX_RANK];   /**< of max_abs */
    double first_a, first_b, max_a, max_b; /**< the values there */
} pali_difference;

/** The result. Immutable. */
typedef struct pali_comparison pali_comparison;

/**
 * Compares the tensors of two sets by name, whatever their element types, in the order of the computation: inputs,
 * vision_hidden_states.N, image_hidden_states, then for each layer hidden_states.N and attentions.N,
 * last_hidden_state, logits, token_loss, loss; other names follow alphabetically. Since 0.1.
 */
PALI_API pali_status pali_compare(pali_comparison **out, const pali_inputs *a, const pali_inputs *b,
                                  const pali_compare_options *options, pali_error **error);

PALI_API void pali_comparison_free(pali_comparison *comparison);
PALI_API size_t pali_comparison_count(const pali_comparison *comparison);
/** What became of tensor `index`, borrowed; NULL past the end. Since 0.1. */
PALI_API const pali_difference *pali_comparison_get(const pali_comparison *comparison, size_t index);
/**
 * Index of the first tensor that both sets have and that departs, in values or shape; if there is none, of the first
 * that only one has; pali_comparison_count() if all is equal. Since 0.1.
 */
PALI_API size_t pali_comparison_first(const pali_comparison *comparison);

#ifdef __cplusplus
}
#endif
#endif
