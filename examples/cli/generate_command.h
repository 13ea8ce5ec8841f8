/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of paligemma generate share: its options, and how an answer is shown. */
#ifndef PALIGEMMA_CLI_GENERATE_COMMAND_H
#define PALIGEMMA_CLI_GENERATE_COMMAND_H

#include "answer_objects.h"
#include "arguments.h"
#include "cache_choice.h"
#include "commands.h"

struct generate {
    struct common common;
    struct texts images;
    const char *prompt, *messages, *adapter;
    struct cache_choice cache;
    struct constrain constrain;
    struct answer_objects objects;
    pali_generate_options options;

    /* As they were written, and what options point to once they are read. */
    struct texts logit_bias, bad_words, force_words, stop, eos;
    const char *early_stopping;
    bool logprobs;
    pali_logit_bias *biases;
    int64_t *eos_ids;
    pali_token_list *bad_lists, *force_lists;
    size_t n_bad_lists, n_force_lists;
    char **spaced; /* [bad words]: behind a space */
};

/* Reads the arguments; as options_parse. generate_clear ends it in any case. */
int generate_parse(struct generate *generate, int argc, char **argv);
void generate_clear(struct generate *generate);

/* The words to forbid and to force, as tokens. */
pali_status generate_encode(struct generate *generate, const pali_processor *processor, pali_error **error);

struct shown {
    const pali_generation *answer;
    const pali_processor *processor;
    double load_s;
    bool with_logprobs;
};

/* One JSON object with everything. */
pali_status print_answer_json(const struct shown *shown, pali_error **error);

#endif
