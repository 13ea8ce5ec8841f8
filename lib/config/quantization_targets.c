/* SPDX-License-Identifier: BSD-2-Clause */
/* Which group of quantization_config a module belongs to. Source: compressed-tensors' utils/match.py. */
#include <string.h>

#include "config/name_pattern.h"
#include "config/quantization_config.h"

/* How narrowly a target names a module, the narrowest first. */
enum match { BY_NAME, BY_PATTERN, BY_CLASS, NO_MATCH };

static enum match match(const char *target, const char *module, const char *class_name)
{
    struct pali__name_pattern pattern;

    if (!strncmp(target, "re:", 3))
        return !pali__name_pattern_parse(&pattern, target + 3) && pali__name_pattern_matches(&pattern, module)
                   ? BY_PATTERN
                   : NO_MATCH;
    return !strcmp(target, module)                                       ? BY_NAME
           : !strcmp(target, class_name) || !strcmp(target, "Module")    ? BY_CLASS
                                                                         : NO_MATCH;
}

const struct pali__quantization_group *pali__quantization_group_of(const struct pali__quantization_config *config,
                                                                   const char *module, const char *class_name)
{
    const struct pali__quantization_group *found = NULL;
    const char *target = NULL;
    enum match best = NO_MATCH;

    for (size_t i = 0; i < config->n_ignore; i++)
        if (match(config->ignore[i], module, class_name) != NO_MATCH)
            return NULL;
    for (size_t i = 0; i < config->n_groups; i++)
        for (size_t j = 0; j < config->groups[i].n_targets; j++) {
            const char *other = config->groups[i].targets[j];
            enum match how = match(other, module, class_name);
            if (how < best || (how == best && how != NO_MATCH && strcmp(other, target) <= 0)) {
                found = &config->groups[i];
                target = other;
                best = how;
            }
        }
    return found;
}
