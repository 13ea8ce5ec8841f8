/* SPDX-License-Identifier: BSD-2-Clause */
/* The processor's body, for the files of this folder. */
#ifndef PALI_PROCESSOR_PROCESSOR_INTERNAL_H
#define PALI_PROCESSOR_PROCESSOR_INTERNAL_H

#include <stdatomic.h>

#include "image/pixels.h"
#include "processor/chat_template.h"
#include "processor/inputs_internal.h"
#include "processor/prompt.h"

struct pali_processor {
    atomic_size_t n_references;
    struct pali__tokenizer *tokenizer;
    char *bos, *eos, *pad;
    struct pali__prompt_rules rules; /* its pointers lead to the three above */
    int64_t pad_id;
    struct pali__pixel_options pixels;
    struct pali__chat_templates chat;
    char *page_prompt, *query_prefix; /* for retrieval.c */
};

/* Reads the two last from processor_config.json, or takes ColPali's. */
pali_status pali__retrieval_load(pali_processor *processor, const char *directory, pali_error **error);

/* pali_processor_apply_batch without pictures: <bos>, the text, "\n". */
pali_status pali__apply_texts(pali_inputs **out, const pali_processor *processor, const char *const *texts,
                              size_t n_texts, const pali_apply_options *options, pali_error **error);

#endif
