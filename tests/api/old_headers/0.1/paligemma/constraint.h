/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/constraint.h
 * What an answer may be: one of some texts, or objects as `detect` and `segment` prompts ask for them.
 *
 * A constraint is made once, from a processor's tokenizer, and given to any number of generations through
 * pali_generate_options.constraint. Each step then computes the logits of the tokens that may follow and of no others,
 * which makes a step with few of them cheaper (docs/constraints.md). It decides among answers of the form it describes
 * by the same logits as before; it does not make a model know more.
 *
 * Whatever the model, its answer is of that form, also when max_new_tokens ends it: near the end only those tokens may
 * follow from which there is room to finish. If max_new_tokens is too small for that from the start, pali_generate says
 * PALI_ERROR_ARGUMENT.
 *
 * A row ends with PALI_FINISH_EOS when the model chose the end among other tokens, with PALI_FINISH_CONSTRAINT when
 * nothing but the end could follow; the <eos> that would follow then is not computed and not among the row's ids.
 *
 * With num_beams above 1, constraints and token masks are PALI_ERROR_UNSUPPORTED.
 */
#ifndef PALIGEMMA_CONSTRAINT_H
#define PALIGEMMA_CONSTRAINT_H

#include <paligemma/base.h>
#include <paligemma/generate.h>
#include <paligemma/processor.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The answer is one of `n_choices` UTF-8 texts, tokenized as the processor tokenizes suffixes. One may be the beginning
 * of another; "" is the empty answer. A text that contains a special token such as <eos> is PALI_ERROR_ARGUMENT.
 * pali_generate wants max_new_tokens to be enough for the longest. The constraint needs neither the processor nor the
 * texts afterwards; it is immutable and may be used from any number of threads at once. Since 0.1.
 */
PALI_API pali_status pali_constraint_choices(pali_constraint **out, const pali_processor *processor,
                                             const char *const *choices, size_t n_choices, pali_error **error);

typedef struct pali_constraint_options {
    size_t struct_size;
    int64_t max_objects;      /**< in one answer; 0 (default): as many as max_new_tokens has room for */
    int64_t max_label_tokens; /**< of a label that is not among given ones, 1…1024; default 16 */
    int32_t allow_empty;      /**< 1: the answer may also be empty (no object) */
    int32_t reserved0;
    uint64_t reserved[4];
} pali_constraint_options;

#define PALI_CONSTRAINT_OPTIONS_INIT { sizeof(pali_constraint_options), 0, 16, 0, 0, { 0, 0, 0, 0 } }
PALI_API void pali_constraint_options_init(pali_constraint_options *options);

/**
 * The answer to `detect …`: objects, joined by " ; ". An object is four <loc> tokens y1 x1 y2 x2 with y2 > y1 and
 * x2 > x1, a space, and a label: one of the `n_labels` texts `labels`, or, where `labels` is NULL, any text without
 * `;`, `<`, `>`, control characters, and spaces at its ends or side by side. Given labels must be such texts
 * (PALI_ERROR_ARGUMENT otherwise). pali_detections_parse finds every object in such an answer. `options` may be NULL.
 * Otherwise as pali_constraint_choices; PALI_ERROR_UNSUPPORTED if the tokenizer lacks <loc0000>…<loc1023>.
 * Since 0.1.
 */
PALI_API pali_status pali_constraint_detect(pali_constraint **out, const pali_processor *processor,
                                            const char *const *labels, size_t n_labels,
                                            const pali_constraint_options *options, pali_error **error);

/** The answer to `segment …`: the same with 16 <seg> tokens between the box and the label. Since 0.1. */
PALI_API pali_status pali_constraint_segment(pali_constraint **out, const pali_processor *processor,
                                             const char *const *labels, size_t n_labels,
                                             const pali_constraint_options *options, pali_error **error);

/** Ends a constraint, which no running generation may be using. Since 0.1. */
PALI_API void pali_constraint_free(pali_constraint *constraint);

#ifdef __cplusplus
}
#endif
#endif
