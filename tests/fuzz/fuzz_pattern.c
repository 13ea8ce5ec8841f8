/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a pattern of quantization_config and, behind its first newline, as the name that it is held against. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "config/name_pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char module[] = "model.language_model.layers.12.mlp.gate_proj";
    struct pali__name_pattern *pattern = malloc(sizeof *pattern);
    char *text = malloc(size + 1), *name;

    if (!pattern || !text)
        abort();
    memcpy(text, data, size);
    text[size] = 0;
    name = strchr(text, '\n');
    if (name)
        *name++ = 0;
    const char *wrong = pali__name_pattern_parse(pattern, text);
    if (!wrong && (pattern->n_steps < 1 || pattern->n_steps > PALI__PATTERN_STEPS))
        abort();
    if (!wrong) {
        pali__name_pattern_matches(pattern, module);
        if (name && strlen(name) <= 256)
            pali__name_pattern_matches(pattern, name);
    }
    free(text);
    free(pattern);
    return 0;
}
