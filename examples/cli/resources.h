/* SPDX-License-Identifier: BSD-2-Clause */
/* Time and memory of this program. */
#ifndef PALIGEMMA_CLI_RESOURCES_H
#define PALIGEMMA_CLI_RESOURCES_H

#include <stdint.h>

double seconds(void); /* of a clock that never goes back */

int64_t peak_rss_bytes(void);

#endif
