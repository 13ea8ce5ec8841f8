/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much memory a program may still use: what the kernel calls available, free or held by files that it can drop, and
 * no more than each control group (v1 or v2) above this process leaves.
 */
#ifndef PALI_CORE_AVAILABLE_MEMORY_H
#define PALI_CORE_AVAILABLE_MEMORY_H

#include <stdint.h>

/* Bytes; -1 where nothing says so. */
int64_t pali__available_memory(void);

/* What stands before /proc and /sys: "", but for tests, which build a machine of their own. */
extern const char *pali__available_memory_root;

#endif
