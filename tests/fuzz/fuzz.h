/* SPDX-License-Identifier: BSD-2-Clause */
/* What a fuzz target defines, for libFuzzer or for standalone_driver.c. */
#ifndef PALI_TESTS_FUZZ_FUZZ_H
#define PALI_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
