// SPDX-License-Identifier: BSD-2-Clause

// Package counting makes the library allocate through functions that count, for tests of what is freed and when.
package counting

/*
#cgo pkg-config: paligemma
#include <paligemma/base.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_llong blocks;

static void *counted_allocate(void *user, size_t size)
{
    (void)user;
    void *memory = malloc(size);
    if (memory)
        atomic_fetch_add(&blocks, 1);
    return memory;
}

static void counted_release(void *user, void *memory)
{
    (void)user;
    if (memory)
        atomic_fetch_sub(&blocks, 1);
    free(memory);
}

static void install(void)
{
    const pali_allocator allocator = { counted_allocate, counted_release, NULL };
    pali_set_allocator(&allocator);
}

static long long live(void)
{
    return atomic_load(&blocks);
}
*/
import "C"

// Install begins to count. It must come before anything else of the library.
func Install() { C.install() }

// Live is the number of blocks that the library holds now.
func Live() int64 { return int64(C.live()) }
