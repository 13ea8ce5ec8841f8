/* SPDX-License-Identifier: BSD-2-Clause */
/* The options by which a command chooses its key/value cache, and takes it from a file or leaves it in one. */
#ifndef PALIGEMMA_CLI_CACHE_CHOICE_H
#define PALIGEMMA_CLI_CACHE_CHOICE_H

#include <paligemma/paligemma.h>

#include "arguments.h"

struct cache_choice {
    const char *kind; /* "dynamic", "static" or "sliding"; NULL: not said */
    pali_dtype dtype; /* 0: not said */
    const char *load, *save;
};

#define CACHE_KIND_OPTIONS(choice)                                                                                     \
    { NULL, "--cache", "KIND", OPTION_TEXT, false, &(choice).kind, 0, 0,                                               \
      "dynamic (grows), static (allocated at once) or sliding (windowed layers keep their window)", false },           \
    { NULL, "--cache-dtype", "TYPE", OPTION_CACHE_DTYPE, false, &(choice).dtype, 0, 0,                                       \
      "keys and values in float32 (default), bfloat16 or int8", false }

#define CACHE_FILE_OPTIONS(choice)                                                                                     \
    { NULL, "--load-cache", "FILE", OPTION_TEXT, false, &(choice).load, 0, 0,                                          \
      "go on where --save-cache left off: PROMPT is what follows, as it stands; -i is not needed", false },            \
    { NULL, "--save-cache", "FILE", OPTION_TEXT, false, &(choice).save, 0, 0,                                          \
      "keep the keys and values of pictures, prompt and answer in FILE", false }

/* OPTIONS_GO_ON, or the exit status after a line about what is wrong. */
int cache_choice_check(const struct cache_choice *choice, const struct usage *usage);

/* A cache of `rows` rows as chosen, with room for the inputs and `max_new_tokens` (0: the checkpoint's number); NULL if
 * nothing was chosen. Loaded if a file was named. */
pali_status cache_choice_open(const struct cache_choice *choice, pali_cache **out, pali_model *model,
                              const pali_inputs *inputs, int64_t max_new_tokens, pali_error **error);

/* Tokens of `text` as they stand, to follow what a cache holds. */
pali_status continuation_inputs(pali_inputs **out, pali_processor *processor, const char *text, pali_error **error);

/* Saves the cache if a file was named, with the answer's last token unless that is an eos. */
pali_status cache_choice_save(const struct cache_choice *choice, pali_cache *cache, pali_model *model,
                              const pali_generation *answer, pali_error **error);

#endif
