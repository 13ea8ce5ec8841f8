/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines of `paligemma batch` and of a calibration: {"image": "cat.jpg", "prompt": "caption en"}, or
 * "image": ["a.png", "b.png"]; a calibration's may have "suffix" too. */
#ifndef PALIGEMMA_CLI_BATCH_LINES_H
#define PALIGEMMA_CLI_BATCH_LINES_H

#include <stddef.h>
#include <stdio.h>

struct batch_line {
    char *text;          /* the line, which the other pointers point into */
    const char *prompt;
    const char *suffix;  /* the answer, NULL: none is given */
    const char **images; /* paths */
    size_t n_images;
    size_t number;       /* in its file, from 1 on */
};

/* Reads up to `most` lines of `file` into `lines`; `*n_lines` of them, 0 at its end. Empty lines are passed over.
 * Returns an exit status: EXIT_FAILED after having said what is wrong. `*number` counts all lines. */
int batch_lines_read(FILE *file, const char *name, struct batch_line *lines, size_t most, size_t *n_lines,
                     size_t *number);
void batch_lines_free(struct batch_line *lines, size_t n_lines);

#endif
