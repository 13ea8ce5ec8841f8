/* SPDX-License-Identifier: BSD-2-Clause */
/* A directory that is written under a temporary name, so that a half one never bears the final name. */
#ifndef PALI_CORE_DIRECTORY_H
#define PALI_CORE_DIRECTORY_H

#include "core/error.h"

/* Makes "path.tmp-PID" for what shall become `path`, which must not exist or be an empty directory; `*temporary` is
 * freed by whichever of the two functions below ends it. */
pali_status pali__directory_begin(char **temporary, const char *path, pali_error **error);

/* Renames it to `path`, or removes it with the files in it. A failed commit removes it too. */
pali_status pali__directory_commit(char *temporary, const char *path, pali_error **error);
void pali__directory_abort(char *temporary);

#endif
