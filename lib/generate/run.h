/* SPDX-License-Identifier: BSD-2-Clause */
/* One call of pali_generate: what it was given, what it needs, and how far it is. */
#ifndef PALI_GENERATE_RUN_H
#define PALI_GENERATE_RUN_H

#include "generate/beam.h"
#include "generate/caller_cache.h"
#include "generate/choose.h"
#include "generate/generation.h"
#include "generate/guide.h"
#include "generate/prompts.h"
#include "generate/steps.h"
#include "generate/stop_strings.h"
#include "generate/stream.h"
#include "model/image_features.h"

struct pali__run {
    pali_model *model;
    const pali_inputs *inputs;
    pali_generate_options options; /* defaults filled in */
    const struct pali__tokenizer *tokenizer; /* NULL: no text */
    struct pali__watch watch;

    struct pali__prompts prompts;
    struct pali__caller_cache cache;
    struct pali__feature_rows features;
    pali_image_features *own_features;
    struct pali__steps steps;
    struct pali__chooser chooser;
    struct pali__stop_strings stops;
    struct pali__beam_search *beams; /* NULL when num_beams is 1 */

    /* While they grow, the answers to prompt r are numbers r · n_samples …; all of them come from one run of the prompt. */
    int64_t n_samples;
    pali_generation *generation;
    bool *finished;               /* [answers] */
    struct pali__stream *streams; /* [answers that the caller gets] */
    int64_t n_streams;
    bool hands_out_late;               /* with beams and best_of: when the answers are known */
    struct pali__guide guide;
    int64_t width;                    /* tokens an answer advances by at most in a step: 1, or more with guesses */
    struct pali__guided *active;      /* [answers]: what a decode step advances, */
    int64_t *active_rows, *counts;    /* [answers]: by how many tokens */
    int64_t *active_ids;              /* [answers · width]: and by which */
    bool stopped;                      /* the host's callback said so */
};

/* Checks the options, takes the inputs, computes the pictures' features, and allocates everything that the loops will need,
 * so that they allocate nothing. The run is to be cleared whatever the outcome. */
pali_status pali__run_prepare(struct pali__run *run, pali_error **error);
void pali__run_clear(struct pali__run *run);

double pali__run_seconds(void); /* of the monotonic clock */

/* Runs a prompt into a row of the cache. The logits behind it are left to the caller. */
pali_status pali__run_prompt(struct pali__run *run, int64_t prompt, int64_t cache_row, pali_error **error);

/* Greedy and sampled answers, all together, token by token (choice_loop.c). */
pali_status pali__answer_by_choice(struct pali__run *run, pali_error **error);

/* A token of answer `row` to the host's callback, which may stop the run, or end this answer: then `*ends` is set. */
pali_status pali__hand_out(struct pali__run *run, int64_t row, int64_t id, bool is_last, bool *ends,
                           pali_error **error);

#endif
