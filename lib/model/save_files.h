/* SPDX-License-Identifier: BSD-2-Clause */
/* What a checkpoint directory has beside the weights. */
#ifndef PALI_MODEL_SAVE_FILES_H
#define PALI_MODEL_SAVE_FILES_H

#include "core/error.h"

struct json_object;

/* Changes the root of config.json. */
typedef pali_status pali__config_edit(void *user, struct json_object *root, pali_error **error);

/* Copies the files that Transformers reads from one directory to another, config.json as `edit` leaves it (NULL: byte
 * for byte). */
pali_status pali__save_files(const char *in_dir, const char *out_dir, pali__config_edit *edit, void *user,
                             pali_error **error);

/* An edit: the weights' type, which is *(pali_dtype *)user. */
pali_status pali__config_set_dtype(void *user, struct json_object *root, pali_error **error);

#endif
