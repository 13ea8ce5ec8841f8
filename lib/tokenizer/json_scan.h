/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A strict reader that walks through a JSON text without building a tree: the tokenizer's file holds a million strings
 * of which each is looked at once. Every function reads what comes next, or fails with a message that names the file
 * and the byte. Everything read or skipped is validated: grammar, escapes, surrogate pairs, UTF-8, nesting.
 */
#ifndef PALI_TOKENIZER_JSON_SCAN_H
#define PALI_TOKENIZER_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/memory.h"

#define PALI__SCAN_MAX_DEPTH 64

struct pali__slice {
    const char *data; /* not NUL-terminated */
    size_t size;
};

struct pali__scan {
    const char *name; /* the file, for messages */
    const char *text; /* a NUL stands after its `size` bytes */
    size_t size, at;
    int depth;
    uint64_t filled; /* bit d: the container at depth d + 1 has had an element */
    struct pali__text unescaped;
};

void pali__scan_init(struct pali__scan *json, const char *name, const char *text, size_t size);
void pali__scan_clear(struct pali__scan *json);

/* First byte of the value that comes next: one of {["tfn-0…9 in a well-formed text, NUL at the end. */
char pali__scan_peek(struct pali__scan *json);

/* Enters the object or array that comes next; another kind of value is an error. */
pali_status pali__scan_open_object(struct pali__scan *json, pali_error **error);
pali_status pali__scan_open_array(struct pali__scan *json, pali_error **error);

/* To the next member (its key is read) or element; *more is false, and the container left, when there is none. */
pali_status pali__scan_member(struct pali__scan *json, bool *more, struct pali__slice *key, pali_error **error);
pali_status pali__scan_element(struct pali__scan *json, bool *more, pali_error **error);

/* *out holds until the next string or key is read. */
pali_status pali__scan_string(struct pali__scan *json, struct pali__slice *out, pali_error **error);
pali_status pali__scan_integer(struct pali__scan *json, int64_t *out, pali_error **error);
pali_status pali__scan_bool(struct pali__scan *json, bool *out, pali_error **error);
pali_status pali__scan_null(struct pali__scan *json, pali_error **error);
pali_status pali__scan_skip(struct pali__scan *json, pali_error **error);

/* Nothing but white space may follow. */
pali_status pali__scan_end(struct pali__scan *json, pali_error **error);

/* Goes to a value passed over before, whose first byte was at `at`. */
void pali__scan_seek(struct pali__scan *json, size_t at);

/* PALI_ERROR_FORMAT: "NAME: byte AT: expected `expected`, found …". */
pali_status pali__scan_fail(struct pali__scan *json, const char *expected, pali_error **error);

bool pali__slice_is(struct pali__slice slice, const char *text);

/* The slice for a message: quoted, control characters and broken bytes as escapes, cut where it is long. */
#define PALI__QUOTE_SIZE 96
const char *pali__slice_quote(char out[PALI__QUOTE_SIZE], struct pali__slice slice);

#endif
