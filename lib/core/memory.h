/* SPDX-License-Identifier: BSD-2-Clause */
/* Allocation through the host's allocator. Blocks remember nothing: sizes are the caller's business. */
#ifndef PALI_CORE_MEMORY_H
#define PALI_CORE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

void *pali__malloc(size_t size);                /* NULL when there is none; size 0 gives a block of 1 */
void *pali__calloc(size_t count, size_t size);  /* zeroed; NULL on overflow too */
void *pali__regrow(void *old, size_t old_size, size_t new_size); /* new block with the old contents; old is freed on
                                                                    success only */
char *pali__strdup(const char *text);
char *pali__strndup(const char *text, size_t size);
void pali__free(void *memory);

/* 64-byte aligned, for tensors; ended by pali__aligned_free. */
void *pali__aligned_malloc(size_t size);
void pali__aligned_free(void *memory);

/* Asks the system to back a block, not touched yet, with huge pages where it can. Never fails. */
void pali__prefer_huge_pages(void *memory, size_t size);

/* *product = a·b·…; false on overflow of size_t or a negative factor. */
bool pali__size_product(size_t *product, int n_factors, const int64_t *factors);

/* A growing string; `data` is NUL-terminated or NULL while empty. Ended by pali__text_clear, or its data given away. */
struct pali__text {
    char *data;
    size_t size, capacity;
};
bool pali__text_append(struct pali__text *text, const char *bytes, size_t size);
bool pali__text_printf(struct pali__text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void pali__text_clear(struct pali__text *text);

#endif
