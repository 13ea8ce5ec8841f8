/* SPDX-License-Identifier: BSD-2-Clause */
/* Regular expressions over the names of modules, as quantization_config has them behind "re:": Python's re.match. */
#ifndef PALI_CONFIG_NAME_PATTERN_H
#define PALI_CONFIG_NAME_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

enum { PALI__PATTERN_STEPS = 512, PALI__PATTERN_SETS = 32 };

/* One step of the program that a pattern becomes; x and y count steps from this one. */
struct pali__pattern_step {
    int op;
    int32_t x, y;
};

struct pali__name_pattern {
    struct pali__pattern_step steps[PALI__PATTERN_STEPS];
    int n_steps;
    uint8_t sets[PALI__PATTERN_SETS][32]; /* a bit for each byte */
    int n_sets;
};

/*
 * Literals, ., [sets], \d \w \s and the like, groups, |, * + ? {m,n} (lazy ones too), ^ $ \b and lookahead, of ASCII.
 * NULL if the pattern was understood; else why not, static: back references, lookbehind and flags are not served, nor is
 * what becomes more than PALI__PATTERN_STEPS steps.
 */
const char *pali__name_pattern_parse(struct pali__name_pattern *out, const char *pattern);

/* Whether a beginning of `name` matches. Takes time in proportion to the pattern times the name, for each lookahead
 * times the name once more. */
bool pali__name_pattern_matches(const struct pali__name_pattern *pattern, const char *name);

#endif
