/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommands, and what they share. Each takes the arguments after its name and returns the exit status. */
#ifndef PALIGEMMA_CLI_COMMANDS_H
#define PALIGEMMA_CLI_COMMANDS_H

#include <stdbool.h>

#include <paligemma/paligemma.h>

#include "arguments.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

int cmd_generate(int argc, char **argv);
int cmd_batch(int argc, char **argv);
int cmd_process(int argc, char **argv);
int cmd_detections(int argc, char **argv);
int cmd_forward(int argc, char **argv);
int cmd_score(int argc, char **argv);
int cmd_tokenize(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_mask(int argc, char **argv);
int cmd_attend(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_save(int argc, char **argv);
int cmd_quantize(int argc, char **argv);
int cmd_chat_template(int argc, char **argv);
int cmd_embed(int argc, char **argv);

/* Says on stderr, in one line, what went wrong; returns EXIT_FAILED. */
int report(const pali_error *error);
int report_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* From catch_interrupt on, the first Ctrl-C (or SIGTERM, SIGHUP) only makes interrupted() true, for the callbacks of long
 * calls; a second one ends the program at once. */
void catch_interrupt(void);
int interrupted(void);

/* The directory of --adapter "DIR" or "DIR=SCALE", a new string to be freed; NULL after having said that there is no
 * memory. Without a scale `*scale` stays as it was. */
char *split_adapter(const char *text, double *scale);

/* The adapter of that argument, or none for NULL; EXIT_DONE, or EXIT_FAILED after having said what is wrong. */
int open_adapter(pali_adapter **out, double *scale, pali_model *model, const char *argument);
/* "eos", "length", …: why an answer ended. */
const char *finish_reason_name(pali_finish_reason reason);

/* How often a prompt says <image>. */
size_t count_placed(const char *prompt);

/* The text of the file `path`, "-" being standard input (free); NULL after having said what is wrong. */
char *read_text_file(const char *path);

/* The messages in the file `path` as a prompt (pali_free); NULL after having said what is wrong. render_prompt's ends
 * with what begins the answer. */
char *render_messages(const pali_processor *processor, const char *path, const pali_chat_options *options);
char *render_prompt(const pali_processor *processor, const char *path);

/*
 * The directory that -m names: the path itself, or for a hub id ("google/paligemma2-3b-mix-224", with "@REVISION" for
 * another revision than main) the snapshot in the Hugging Face cache. A new string, to be freed; NULL after having said
 * what is wrong.
 */
char *checkpoint_path(const char *model);

/* Opens `count` picture files into a new array, which free_images ends; NULL after having said what is wrong. */
pali_image **open_images(const char *const *paths, size_t count);
/* The same; where it fails it names the line of a file that wants the picture. */
pali_image **open_images_of_lines(const char *const *paths, const size_t *lines, size_t count);
void free_images(pali_image **images, size_t count);

/* What --constrain and the options that go with it say. */
struct constrain {
    const char *kind; /* "detect", "segment", "choices", or NULL */
    struct texts choices, labels;
    bool allow_empty;
};

/* OPTIONS_GO_ON, or the exit status after having said which of them do not go together. */
int check_constrain(const struct usage *usage, const struct constrain *constrain);

/* The constraint, or NULL where none is wanted. */
pali_status make_constraint(pali_constraint **out, const pali_processor *processor, const struct constrain *constrain,
                            pali_error **error);

/* Outlines in `image` what `answer` names, and writes it to `path`. */
pali_status draw_answer(pali_image *image, const char *answer, const char *path, pali_error **error);

#endif
