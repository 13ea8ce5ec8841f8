/* SPDX-License-Identifier: BSD-2-Clause */
/* The body of pali_detections, for those that make or measure one. */
#ifndef PALI_STRUCTURED_DETECTIONS_H
#define PALI_STRUCTURED_DETECTIONS_H

#include <paligemma/structured.h>

#include "core/error.h"

#define PALI__N_LOC 4
#define PALI__N_SEG 16
#define PALI__LOC_COUNT 1024 /* <loc0000>…<loc1023> */
#define PALI__SEG_COUNT 128

struct pali_detections {
    size_t count;
    pali_detection *items;
    int32_t *seg;          /* PALI__N_SEG for each object, used or not */
    size_t *location_ends; /* where in the text the <loc> and <seg> tokens of each object end */
    char *labels;          /* what the items' labels point into */
    char *text;            /* what was parsed, or NULL */
};

/* Room for `count` objects, zeroed, and `labels_size` bytes of labels. */
pali_status pali__detections_new(pali_detections **out, size_t count, size_t labels_size, pali_error **error);

/* The caller's options over the defaults, checked. */
pali_status pali__detections_options_read(pali_detections_options *to, const pali_detections_options *from,
                                          pali_error **error);

#endif
