/* SPDX-License-Identifier: BSD-2-Clause */
#include "resources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Linux starts a program's ru_maxrss with its parent's, so that the peak of a small one would be that of the script
 * that ran it; VmHWM is this program's own. */
int64_t peak_rss_bytes(void)
{
    char line[256];
    int64_t kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && !kilobytes && fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kilobytes = strtoll(line + 6, NULL, 10);
    if (file)
        fclose(file);
    struct rusage self;
    if (!kilobytes && getrusage(RUSAGE_SELF, &self) == 0)
        kilobytes = self.ru_maxrss;
    return kilobytes * 1024;
}
