/* SPDX-License-Identifier: BSD-2-Clause */
/* Command-line options from a table, which also makes the help text. */
#ifndef PALIGEMMA_CLI_ARGUMENTS_H
#define PALIGEMMA_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <paligemma/model.h>

enum option_kind {
    OPTION_SWITCH, /* bool */
    OPTION_TEXT,   /* const char * */
    OPTION_TEXTS,  /* struct texts: the option may be given several times */
    OPTION_INT,    /* int64_t, min…max */
    OPTION_FLOAT,  /* double, min…max */
    OPTION_SEED,   /* uint64_t */
    OPTION_LIST,   /* struct integers: "0,3,-1", each min…max */
    OPTION_DTYPE, /* pali_dtype: float32 or bfloat16 */
    OPTION_CACHE_DTYPE /* the same, or int8 */
};

struct texts {
    const char **items; /* freed by whoever declared it */
    size_t count;
};

struct integers {
    int64_t *items; /* freed by whoever declared it */
    size_t count;
};

struct option {
    const char *flag, *long_flag; /* "-m", "--model"; either may be NULL */
    const char *value;            /* what the help calls the value; NULL for a switch */
    enum option_kind kind;
    bool required;
    void *target;
    double min, max;
    const char *help;
    bool seen;
};

/* What most subcommands take; each lists those that mean something to it. */
struct common {
    const char *model;
    pali_dtype dtype;
    int64_t threads;
    bool json;
    bool copy_weights;
    bool int8_head, no_int8_head;
    bool ignore_memory;
};

/* What a command's options say of how the model is loaded. */
void set_model_options(pali_model_options *options, const struct common *common);

#define MODEL_OPTION(common, model_is_required)                                                                        \
    { "-m", "--model", "DIR", OPTION_TEXT, model_is_required, &(common).model, 0, 0,                                   \
      "checkpoint directory, or hub id looked up in the Hugging Face cache", false }

#define COMPUTE_OPTIONS(common)                                                                                        \
    { NULL, "--dtype", "TYPE", OPTION_DTYPE, false, &(common).dtype, 0, 0,                                             \
      "float32 or bfloat16 (default: bfloat16 for a bfloat16 checkpoint, else float32)", false },                      \
    { NULL, "--threads", "N", OPTION_INT, false, &(common).threads, 0, 4096, "threads (default: OpenMP's number)",     \
      false },                                                                                                         \
    { NULL, "--copy-weights", NULL, OPTION_SWITCH, false, &(common).copy_weights, 0, 0,                                \
      "read the weights into memory of huge pages: decodes faster, loads slower, needs the checkpoint's size more",    \
      false },                                                                                                         \
    { NULL, "--int8-head", NULL, OPTION_SWITCH, false, &(common).int8_head, 0, 0,                                      \
      "quantize the head to int8 while loading (default: for a quantized checkpoint)", false },                        \
    { NULL, "--no-int8-head", NULL, OPTION_SWITCH, false, &(common).no_int8_head, 0, 0,                                \
      "keep the head as the checkpoint has it", false },                                                               \
    { NULL, "--ignore-memory", NULL, OPTION_SWITCH, false, &(common).ignore_memory, 0, 0,                              \
      "load even if the machine has less memory than the model needs", false }

#define JSON_OPTION(common)                                                                                            \
    { NULL, "--json", NULL, OPTION_SWITCH, false, &(common).json, 0, 0, "print one JSON object", false }

#define COMMON_OPTIONS(common, model_is_required)                                                                      \
    MODEL_OPTION(common, model_is_required), COMPUTE_OPTIONS(common), JSON_OPTION(common)

struct usage {
    const char *command;    /* "generate" */
    const char *summary;    /* one sentence */
    const char *positional; /* what the help calls the argument without a flag; NULL: there is none */
};

enum { OPTIONS_GO_ON = -1 };

/*
 * Reads argv[0…argc-1] into the targets. Returns OPTIONS_GO_ON, or the exit status with which to end: 0 after --help
 * was printed, 2 after one line about what is wrong. `positional` may be NULL where there is none.
 */
int options_parse(const struct usage *usage, struct option *options, size_t n_options, const char **positional, int argc,
                  char **argv);

/* The same with up to `n_positional` arguments without a flag; those that are not there stay as they were. */
int options_parse_several(const struct usage *usage, struct option *options, size_t n_options, const char **positional,
                          size_t n_positional, int argc, char **argv);

/* One line on stderr, naming the subcommand and its help; returns 2. */
int usage_error(const struct usage *usage, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
