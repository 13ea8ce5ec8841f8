/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

static void *default_allocate(void *user, size_t size)
{
    (void)user;
    return malloc(size);
}

static void default_release(void *user, void *memory)
{
    (void)user;
    free(memory);
}

static pali_allocator host = { default_allocate, default_release, NULL };

void pali_set_allocator(const pali_allocator *allocator)
{
    static const pali_allocator defaults = { default_allocate, default_release, NULL };
    host = allocator ? *allocator : defaults;
}

void pali_free(void *memory) { pali__free(memory); }

void *pali__malloc(size_t size) { return host.allocate(host.user, size ? size : 1); }

void pali__free(void *memory)
{
    if (memory)
        host.release(host.user, memory);
}

void *pali__calloc(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return NULL;
    void *memory = pali__malloc(count * size);
    if (memory)
        memset(memory, 0, count * size);
    return memory;
}

void *pali__regrow(void *old, size_t old_size, size_t new_size)
{
    void *grown = pali__malloc(new_size);
    if (!grown)
        return NULL;
    size_t kept = old_size < new_size ? old_size : new_size;
    if (old && kept)
        memcpy(grown, old, kept);
    pali__free(old);
    return grown;
}

char *pali__strndup(const char *text, size_t size)
{
    if (size == SIZE_MAX)
        return NULL;
    char *copy = pali__malloc(size + 1);
    if (!copy)
        return NULL;
    if (size)
        memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

char *pali__strdup(const char *text) { return pali__strndup(text, strlen(text)); }

/* The host promises 16 bytes only. The block it gave is noted just before the aligned one. */
void *pali__aligned_malloc(size_t size)
{
    const size_t extra = ALIGNMENT - 1 + sizeof(void *);
    if (size > SIZE_MAX - extra)
        return NULL;
    unsigned char *block = pali__malloc(size + extra);
    if (!block)
        return NULL;
    unsigned char *aligned = block + sizeof(void *);
    aligned += (ALIGNMENT - (uintptr_t)aligned % ALIGNMENT) % ALIGNMENT;
    memcpy(aligned - sizeof(void *), &block, sizeof block);
    return aligned;
}

void pali__aligned_free(void *memory)
{
    if (!memory)
        return;
    void *block;
    memcpy(&block, (unsigned char *)memory - sizeof block, sizeof block);
    pali__free(block);
}

bool pali__size_product(size_t *product, int n_factors, const int64_t *factors)
{
    size_t result = 1;
    for (int i = 0; i < n_factors; i++) {
        if (factors[i] < 0 || (uint64_t)factors[i] > SIZE_MAX)
            return false;
        size_t factor = (size_t)factors[i];
        if (factor && result > SIZE_MAX / factor)
            return false;
        result *= factor;
    }
    *product = result;
    return true;
}

/* Room for `size` more bytes and the final NUL. */
static bool text_reserve(struct pali__text *text, size_t size)
{
    if (size >= SIZE_MAX - text->size)
        return false;
    size_t needed = text->size + size + 1;
    if (needed <= text->capacity)
        return true;
    size_t capacity = text->capacity > SIZE_MAX / 2 ? SIZE_MAX : text->capacity * 2;
    if (capacity < needed)
        capacity = needed < 64 ? 64 : needed;
    char *data = pali__regrow(text->data, text->data ? text->size + 1 : 0, capacity);
    if (!data)
        return false;
    text->data = data;
    text->capacity = capacity;
    return true;
}

bool pali__text_append(struct pali__text *text, const char *bytes, size_t size)
{
    if (!text_reserve(text, size))
        return false;
    if (size)
        memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = '\0';
    return true;
}

bool pali__text_printf(struct pali__text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0 || !text_reserve(text, (size_t)size))
        return false;
    va_start(arguments, format);
    vsnprintf(text->data + text->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    text->size += (size_t)size;
    return true;
}

void pali__text_clear(struct pali__text *text)
{
    pali__free(text->data);
    *text = (struct pali__text){ NULL, 0, 0 };
}
