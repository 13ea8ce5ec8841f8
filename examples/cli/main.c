/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma: the command. Exit status 0, 1 for a failed operation, 2 for wrong usage; errors are one line on stderr. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    { "generate", cmd_generate, "answer a prompt about one or more pictures" },
    { "batch", cmd_batch, "answer many prompts at once, each about its own pictures" },
    { "score", cmd_score, "rank given answers to a prompt by their log-probability" },
    { "process", cmd_process, "the processor alone: pictures and prompt to a file of tensors" },
    { "forward", cmd_forward, "one forward pass over tensors from a file" },
    { "tokenize", cmd_tokenize, "JSON strings on standard input to arrays of token ids, and back" },
    { "bench", cmd_bench, "how fast each stage is, and how near to the machine's limits" },
    { "detections", cmd_detections, "an answer's boxes and masks as JSON or drawn, and JSON to such text" },
    { "embed", cmd_embed, "pictures or queries to vectors, and how well they match" },
    { "chat-template", cmd_chat_template, "messages to a prompt, by the checkpoint's chat template" },
    { "info", cmd_info, "what a checkpoint directory holds, lacks, and has too many" },
    { "mask", cmd_mask, "the attention mask of a prompt, as text or picture" },
    { "attend", cmd_attend, "where in the picture the model looks, as a heat map" },
    { "explain", cmd_explain, "what decides an answer: tokens, pictures, mask, scales, and known traps" },
    { "diff", cmd_diff, "the first activation in which two files of tensors depart" },
    { "save", cmd_save, "a checkpoint anew: other dtype, names, shards; adapters merged in" },
    { "quantize", cmd_quantize, "a checkpoint anew, with weights of 8 or 4 bits" },
};

enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

int report(const pali_error *error) { return report_text("%s", pali_error_message(error)); }

int report_text(const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fputs("paligemma: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return EXIT_FAILED;
}

static int print_help(void)
{
    printf("usage: paligemma SUBCOMMAND [option…]\n"
           "Runs PaliGemma and PaliGemma 2 checkpoints on the CPU.\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        printf("  %-14s %s\n", commands[i].name, commands[i].summary);
    printf("\npaligemma SUBCOMMAND --help shows the options; paligemma --version the version.\n");
    return EXIT_DONE;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "paligemma: a subcommand is missing (see paligemma --help)\n");
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_help();
    if (strcmp(argv[1], "--version") == 0) {
        printf("paligemma %s\n", pali_version());
        return EXIT_DONE;
    }
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    fprintf(stderr, "paligemma: unknown %s \"%s\" (see paligemma --help)\n", argv[1][0] == '-' ? "option" : "subcommand",
            argv[1]);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a reader that went away becomes a write error, told like any other */
    int status = run(argc, argv);
    errno = 0;
    bool failed = fflush(stdout) != 0; /* ferror stays set after an earlier failure, errno does not */
    if ((failed || ferror(stdout)) && status == EXIT_DONE)
        status = report_text("cannot write to standard output%s%s", errno ? ": " : "", errno ? strerror(errno) : "");
    return status;
}
