/* SPDX-License-Identifier: BSD-2-Clause */
#define _DEFAULT_SOURCE /* madvise */
#include "core/memory.h"

#include <sys/mman.h>

void pali__prefer_huge_pages(void *memory, size_t size)
{
#ifdef MADV_HUGEPAGE
    const uintptr_t huge = (uintptr_t)2 << 20;
    uintptr_t begin = ((uintptr_t)memory + huge - 1) / huge * huge, end = ((uintptr_t)memory + size) / huge * huge;

    if (begin < end)
        (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE); /* a wish: what it says does not matter */
#else
    (void)memory;
    (void)size;
#endif
}
