/* SPDX-License-Identifier: BSD-2-Clause */
/* The two forms of JSON that `paligemma tokenize` reads, one a line. */
#ifndef PALIGEMMA_CLI_JSON_READ_H
#define PALIGEMMA_CLI_JSON_READ_H

#include <stddef.h>
#include <stdint.h>

/*
 * `line` holds one JSON string. Its text takes the line's place (it is never longer), `*size` bytes and a NUL. Returns
 * NULL, or what is wrong with the line.
 */
const char *json_read_text(char *line, size_t *size);

/* `line` holds one array of whole numbers, which come out in a new array (free). Returns NULL, or what is wrong. */
const char *json_read_ids(const char *line, int64_t **ids, size_t *n_ids);

#endif
