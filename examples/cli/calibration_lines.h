/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of `paligemma quantize --calibrate`: lines as batch_lines.h has them, each with the answer if there is one. */
#ifndef PALIGEMMA_CLI_CALIBRATION_LINES_H
#define PALIGEMMA_CLI_CALIBRATION_LINES_H

#include <paligemma/paligemma.h>

struct calibration {
    pali_inputs **inputs; /* of each line */
    size_t count, capacity;
};

/* Reads all lines of the file `name` (- is standard input) for the checkpoint directory `model`. Returns an exit status:
 * EXIT_FAILED after having said what is wrong. Ended by _free, also then. */
int calibration_read(struct calibration *calibration, const char *name, const char *model);
void calibration_free(struct calibration *calibration);

#endif
