/* SPDX-License-Identifier: BSD-2-Clause */
/* Pieces of JSON on standard output. Write errors stay in the stream and are told at exit. */
#ifndef PALIGEMMA_CLI_JSON_WRITE_H
#define PALIGEMMA_CLI_JSON_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include <paligemma/base.h>

/* A string in quotes; what is not UTF-8 in it becomes U+FFFD. NULL is null. */
void json_write_text(const char *text);

/* The shortest decimal number that reads back as `value`; null for what JSON cannot say. */
void json_write_number(double value);

/* [1, 2, 3] */
void json_write_ids(const int64_t *ids, size_t n_ids);

/* "name": {"dtype": …, "shape": […]} */
void json_write_tensor(const char *name, const pali_tensor *tensor);

#endif
