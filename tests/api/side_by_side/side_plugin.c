/* SPDX-License-Identifier: BSD-2-Clause */
/* A plugin with the static library inside, hidden: what a host loads beside its own copy. */
#include "side_answer.h"

__attribute__((visibility("default"))) int plugin_answer(struct side_answer *to, const char *directory,
                                                         const char *picture, const char *prompt);
__attribute__((visibility("default"))) const char *plugin_version(void);

int plugin_answer(struct side_answer *to, const char *directory, const char *picture, const char *prompt)
{
    return side_answer(to, directory, picture, prompt);
}

/* A string of the plugin's own copy: its address tells which copy that is. */
const char *plugin_version(void)
{
    return pali_version();
}
