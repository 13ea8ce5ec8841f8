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
    char *bos, *eos;
    struct pali__prompt_rules rules; /* its pointers lead to the three above */
    int64_t pad_id;
    struct pali__pixel_options pixels;
    struct pali__chat_templates chat;
};

#endif
