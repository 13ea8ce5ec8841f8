/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma tokenize: a JSON string a line in, an array of ids a line out; with --decode the other way round. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "arguments.h"
#include "commands.h"
#include "json_read.h"
#include "json_write.h"

static const struct usage usage = {
    "tokenize",
    "Reads one JSON string a line from standard input and prints the array of its token ids, without <bos> and <eos>.",
    NULL
};

struct tokenize {
    const pali_processor *processor;
    bool decode, keep_special;
};

static int encode_line(const struct tokenize *tokenize, char *line, size_t number)
{
    size_t size, n_ids;
    int64_t *ids = NULL;
    pali_error *error = NULL;
    const char *wrong = json_read_text(line, &size);
    if (wrong)
        return report_text("line %zu of standard input: %s", number, wrong);
    if (pali_processor_encode(tokenize->processor, line, size, &ids, &n_ids, &error) != PALI_OK) {
        report_text("line %zu of standard input: %s", number, pali_error_message(error));
        pali_error_free(error);
        return EXIT_FAILED;
    }
    json_write_ids(ids, n_ids);
    putchar('\n');
    pali_free(ids);
    return EXIT_DONE;
}

static int decode_line(const struct tokenize *tokenize, char *line, size_t number)
{
    size_t n_ids;
    int64_t *ids;
    char *text = NULL;
    pali_error *error = NULL;
    const char *wrong = json_read_ids(line, &ids, &n_ids);
    if (wrong)
        return report_text("line %zu of standard input: %s", number, wrong);
    pali_status status =
        pali_processor_decode(tokenize->processor, ids, n_ids, tokenize->keep_special ? 0 : 1, &text, &error);
    free(ids);
    if (status != PALI_OK) {
        report_text("line %zu of standard input: %s", number, pali_error_message(error));
        pali_error_free(error);
        return EXIT_FAILED;
    }
    json_write_text(text);
    putchar('\n');
    pali_free(text);
    return EXIT_DONE;
}

static int tokenize_lines(const struct tokenize *tokenize)
{
    char *line = NULL;
    size_t capacity = 0;
    int status = EXIT_DONE;
    for (size_t number = 1; status == EXIT_DONE && !ferror(stdout); number++) {
        errno = 0;
        ssize_t size = getline(&line, &capacity, stdin);
        if (size < 0) {
            if (!feof(stdin))
                status = report_text("standard input cannot be read: %s", strerror(errno));
            break;
        }
        if (memchr(line, '\0', (size_t)size))
            status = report_text("line %zu of standard input: it contains a NUL byte", number);
        else
            status = tokenize->decode ? decode_line(tokenize, line, number) : encode_line(tokenize, line, number);
    }
    free(line);
    return status;
}

int cmd_tokenize(int argc, char **argv)
{
    struct common common = { 0 };
    struct tokenize tokenize = { 0 };
    struct option options[] = {
        COMMON_OPTIONS(common, true),
        { NULL, "--decode", NULL, OPTION_SWITCH, false, &tokenize.decode, 0, 0,
          "read arrays of ids and print JSON strings", false },
        { NULL, "--keep-special", NULL, OPTION_SWITCH, false, &tokenize.keep_special, 0, 0,
          "with --decode: keep <pad>, <bos>, <eos> and <image>", false },
    };
    int status = options_parse(&usage, options, sizeof options / sizeof options[0], NULL, argc, argv);
    if (status != OPTIONS_GO_ON)
        return status;

    char *path = checkpoint_path(common.model);
    if (!path)
        return EXIT_FAILED;
    pali_processor *processor = NULL;
    pali_error *error = NULL;
    if (pali_processor_load(&processor, path, NULL, &error) != PALI_OK)
        status = report(error);
    else {
        tokenize.processor = processor;
        status = tokenize_lines(&tokenize);
    }
    pali_error_free(error);
    pali_processor_free(processor);
    free(path);
    return status;
}
