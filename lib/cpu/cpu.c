/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/cpu.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

static const struct {
    enum pali__cpu level;
    const char *name;
} names[] = {
    {PALI__CPU_C, "c"},           {PALI__CPU_AVX2, "avx2"}, {PALI__CPU_AVX512, "avx512"},
    {PALI__CPU_AVX512_BF16, "avx512_bf16"}, {PALI__CPU_NEON, "neon"},
};

const char *pali__cpu_name(enum pali__cpu level)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].level == level)
            return names[i].name;
    }
    return "unknown";
}

#if defined(__x86_64__)

static bool has_bits(uint32_t value, uint32_t bits)
{
    return (value & bits) == bits;
}

/* XCR0: which registers the operating system saves when it switches threads. */
static uint32_t saved_registers(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static enum pali__cpu detect(void)
{
    uint32_t eax, ebx, ecx, edx, subleaf_eax;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx))
        return PALI__CPU_C;
    if (!has_bits(ecx, bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C))
        return PALI__CPU_C;
    uint32_t saved = saved_registers();
    const uint32_t saved_ymm = 0x6, saved_zmm = 0xe6;
    if (!has_bits(saved, saved_ymm))
        return PALI__CPU_C;

    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || !has_bits(ebx, bit_AVX2))
        return PALI__CPU_C;
    bool has_avx512 = has_bits(saved, saved_zmm) &&
                      has_bits(ebx, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL);
    if (!has_avx512)
        return PALI__CPU_AVX2;

    bool has_vnni = has_bits(ecx, bit_AVX512VNNI);
    const uint32_t avx512_bf16 = 1u << 5;
    if (eax < 1 || !has_vnni || !__get_cpuid_count(7, 1, &subleaf_eax, &ebx, &ecx, &edx))
        return PALI__CPU_AVX512;
    return has_bits(subleaf_eax, avx512_bf16) ? PALI__CPU_AVX512_BF16 : PALI__CPU_AVX512;
}

#elif defined(__aarch64__)

static enum pali__cpu detect(void)
{
    return PALI__CPU_NEON; /* part of the base architecture */
}

#else

static enum pali__cpu detect(void)
{
    return PALI__CPU_C;
}

#endif

enum pali__cpu pali__cpu_level(void)
{
    enum pali__cpu level = detect();
    const char *wanted = getenv("PALIGEMMA_CPU");
    if (wanted == NULL)
        return level;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool same_architecture = names[i].level == PALI__CPU_C ||
                                 (names[i].level == PALI__CPU_NEON) == (level == PALI__CPU_NEON);
        if (strcmp(names[i].name, wanted) == 0 && same_architecture && names[i].level < level)
            return names[i].level;
    }
    return level;
}
