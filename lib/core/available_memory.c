/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/available_memory.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 4096, LINE_SIZE = 4352 };

const char *pali__available_memory_root = "";

static FILE *open_file(const char *folder, const char *name)
{
    char path[2 * PATH_SIZE];
    int size = snprintf(path, sizeof path, "%s%s/%s", pali__available_memory_root, folder, name);

    return size > 0 && (size_t)size < sizeof path ? fopen(path, "re") : NULL;
}

/* The number in the file, or, with `field`, in its line "field number", "field: number kB"; -1: there is none. */
static int64_t read_number(const char *folder, const char *name, const char *field)
{
    FILE *file = open_file(folder, name);
    size_t n = field ? strlen(field) : 0;
    char line[LINE_SIZE];
    int64_t number = -1;

    while (file && number < 0 && fgets(line, sizeof line, file)) {
        if (n > 0 && (strncmp(line, field, n) != 0 || (line[n] != ' ' && line[n] != ':')))
            continue;
        if (sscanf(line + n + (n > 0), "%" SCNd64, &number) != 1)
            number = -1;
        else if (strstr(line, " kB") && number >= 0 && number <= INT64_MAX / 1024)
            number *= 1024;
        if (n == 0)
            break;
    }
    if (file)
        fclose(file);
    return number;
}

struct version {
    const char *mount, *limit, *usage, *fields[2];
};

static const struct version v1 = { "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                                   { "total_inactive_file", "total_active_file" } };
static const struct version v2 = { "/sys/fs/cgroup", "memory.max", "memory.current",
                                   { "inactive_file", "active_file" } };

/* What the group in `folder` leaves: its limit less what is used and does not belong to files. */
static int64_t left_in(const struct version *version, const char *folder)
{
    int64_t limit = read_number(folder, version->limit, NULL), used = read_number(folder, version->usage, NULL);

    if (limit < 0)
        return INT64_MAX;
    used = used < 0 ? 0 : used;
    for (int i = 0; i < 2; i++) {
        int64_t files = read_number(folder, "memory.stat", version->fields[i]);
        used -= files < 0 ? 0 : files < used ? files : used;
    }
    return used < limit ? limit - used : 0;
}

/* The least of the group's and its parents'; those that a container does not show have no file. */
static int64_t left_above(const struct version *version, const char *group)
{
    char folder[2 * PATH_SIZE];
    size_t root = strlen(version->mount);
    int64_t least = INT64_MAX;

    snprintf(folder, sizeof folder, "%s%s", version->mount, group);
    for (;;) {
        int64_t left = left_in(version, folder);
        least = left < least ? left : least;
        char *last = strrchr(folder + root, '/');
        if (!last)
            return least;
        *last = '\0';
    }
}

/* Whether "a,b,memory" names memory. */
static bool names_memory(const char *controllers)
{
    for (const char *at = strstr(controllers, "memory"); at; at = strstr(at + 1, "memory"))
        if ((at == controllers || at[-1] == ',') && (at[6] == '\0' || at[6] == ','))
            return true;
    return false;
}

/* Lines are "number:controllers:/group"; version 2 has the number 0 and no controllers. */
static int64_t left_in_groups(void)
{
    FILE *file = open_file("/proc/self", "cgroup");
    int64_t least = INT64_MAX;
    char line[LINE_SIZE];

    while (file && fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group || strlen(group) >= PATH_SIZE)
            continue;
        *group++ = '\0';
        group[strcspn(group, "\n")] = '\0';
        int64_t left = INT64_MAX;
        if (controllers[1] == '\0')
            left = left_above(&v2, group);
        else if (names_memory(controllers + 1))
            left = left_above(&v1, group);
        least = left < least ? left : least;
    }
    if (file)
        fclose(file);
    return least;
}

int64_t pali__available_memory(void)
{
    int64_t machine = read_number("/proc", "meminfo", "MemAvailable"), groups = left_in_groups();

    if (machine < 0)
        return groups < INT64_MAX ? groups : -1;
    return machine < groups ? machine : groups;
}
