/* SPDX-License-Identifier: BSD-2-Clause */
#include "written.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"

bool take_size(const char *text, int64_t *bytes)
{
    static const struct {
        const char *name;
        double bytes;
    } units[] = { { "", 1 },      { "B", 1 },        { "KB", 1e3 },        { "MB", 1e6 },          { "GB", 1e9 },
                  { "TB", 1e12 }, { "KiB", 1024.0 }, { "MiB", 1048576.0 }, { "GiB", 1073741824.0 } };
    char *end;
    if (!text)
        return true;
    double value = strtod(text, &end);
    if (end == text || !isfinite(value))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        double size = value * units[i].bytes;
        if (strcmp(end, units[i].name) == 0 && size >= 1.0 && size <= 1e18) {
            *bytes = (int64_t)size;
            return true;
        }
    }
    return false;
}

int on_written(void *user, const char *stage, double fraction)
{
    static int last = -1;
    int percent = (int)(fraction * 100.0);
    (void)stage;
    if (percent != last && isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r%s %3d %%%s", (const char *)user, percent, percent == 100 ? "\n" : "");
        fflush(stderr);
    }
    last = percent;
    return interrupted();
}
