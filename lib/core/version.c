/* SPDX-License-Identifier: BSD-2-Clause */
#include <paligemma/base.h>

#define TEXT_OF(x) #x
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *pali_version(void)
{
    return VERSION_TEXT(PALI_VERSION_MAJOR, PALI_VERSION_MINOR, PALI_VERSION_PATCH);
}
