/* SPDX-License-Identifier: BSD-2-Clause */
/* --constrain: the constraint that the options describe. */
#include <string.h>

#include "commands.h"

int check_constrain(const struct usage *usage, const struct constrain *constrain)
{
    const char *kind = constrain->kind;
    if (kind && strcmp(kind, "detect") != 0 && strcmp(kind, "segment") != 0 && strcmp(kind, "choices") != 0)
        return usage_error(usage, "--constrain takes detect, segment or choices, not \"%s\"", kind);
    bool choices = kind && strcmp(kind, "choices") == 0;
    if (choices != (constrain->choices.count > 0))
        return usage_error(usage, "--constrain choices and --choices TEXT go together");
    if (constrain->labels.count > 0 && (!kind || choices))
        return usage_error(usage, "--labels goes with --constrain detect or segment");
    if (constrain->allow_empty && (!kind || choices))
        return usage_error(usage, "--allow-empty goes with --constrain detect or segment");
    return OPTIONS_GO_ON;
}

pali_status make_constraint(pali_constraint **out, const pali_processor *processor, const struct constrain *constrain,
                            pali_error **error)
{
    pali_constraint_options options = PALI_CONSTRAINT_OPTIONS_INIT;
    const char *const *labels = (const char *const *)constrain->labels.items;

    *out = NULL;
    if (!constrain->kind)
        return PALI_OK;
    options.allow_empty = constrain->allow_empty;
    if (strcmp(constrain->kind, "choices") == 0)
        return pali_constraint_choices(out, processor, (const char *const *)constrain->choices.items,
                                       constrain->choices.count, error);
    if (strcmp(constrain->kind, "detect") == 0)
        return pali_constraint_detect(out, processor, labels, constrain->labels.count, &options, error);
    return pali_constraint_segment(out, processor, labels, constrain->labels.count, &options, error);
}
