/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON text as every release of json-c reads it, and no more leniently than the standard (RFC 8259). */
#ifndef PALI_CORE_JSON_TEXT_H
#define PALI_CORE_JSON_TEXT_H

#include <stddef.h>

struct json_object;
struct json_tokener;

/* What json-c would let pass: "\u0000", which would end a C string early, keys in single quotes, broken UTF-8. Returns
 * what is wrong, or NULL. */
const char *pali__json_laxity(const char *text, size_t size);

/* Parses text without laxities. `*offset` is where the parser stopped, counted in `text`. The tokener has the outcome. */
struct json_object *pali__json_feed(struct json_tokener *tokener, const char *text, size_t size, size_t *offset);

#endif
