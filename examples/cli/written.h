/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands that write checkpoints share. */
#ifndef PALIGEMMA_CLI_WRITTEN_H
#define PALIGEMMA_CLI_WRITTEN_H

#include <stdbool.h>
#include <stdint.h>

/* "5GB", "500MB", "64KiB" or a plain number of bytes; NULL leaves *bytes as it is. False for anything else. */
bool take_size(const char *text, int64_t *bytes);

/* A pali_progress_fn: one line that is written over, on a terminal only, and Ctrl-C cancels. `user` is what it begins
 * with: "saving". */
int on_written(void *user, const char *stage, double fraction);

#endif
