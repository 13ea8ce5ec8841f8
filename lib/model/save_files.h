/* SPDX-License-Identifier: BSD-2-Clause */
/* What a checkpoint directory has beside the weights. */
#ifndef PALI_MODEL_SAVE_FILES_H
#define PALI_MODEL_SAVE_FILES_H

#include "core/error.h"

/* Copies the files that Transformers reads from one directory to another; in config.json, `dtype` becomes the weights'
 * type (0: it stays as it is). */
pali_status pali__save_files(const char *in_dir, const char *out_dir, pali_dtype dtype, pali_error **error);

#endif
