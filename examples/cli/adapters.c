/* SPDX-License-Identifier: BSD-2-Clause */
/* --adapter DIR[=SCALE]. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

char *split_adapter(const char *text, double *scale)
{
    const char *equals = strrchr(text, '=');
    size_t size = strlen(text);
    char *end, *directory;
    if (equals && equals != text && equals[1]) { /* a folder's name may have a "=" too: no number follows it then */
        double value = strtod(equals + 1, &end);
        if (*end == '\0' && isfinite(value)) {
            *scale = value;
            size = (size_t)(equals - text);
        }
    }
    directory = malloc(size + 1);
    if (!directory) {
        report_text("out of memory");
        return NULL;
    }
    memcpy(directory, text, size);
    directory[size] = '\0';
    return directory;
}

int open_adapter(pali_adapter **out, double *scale, pali_model *model, const char *argument)
{
    pali_error *error = NULL;
    int status = EXIT_DONE;
    if (!argument)
        return EXIT_DONE;
    char *directory = split_adapter(argument, scale);
    if (!directory)
        return EXIT_FAILED;
    if (pali_adapter_load(out, model, directory, &error) != PALI_OK)
        status = report(error);
    pali_error_free(error);
    free(directory);
    return status;
}
