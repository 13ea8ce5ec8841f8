/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/config.h
 * A checkpoint's configuration: config.json, generation_config.json, preprocessor_config.json, tokenizer_config.json.
 * Fields that the files leave out have Transformers' defaults.
 */
#ifndef PALIGEMMA_CONFIG_H
#define PALIGEMMA_CONFIG_H

#include <paligemma/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Immutable; any number of threads may read it. */
typedef struct pali_config pali_config;

/**
 * Reads the configuration of the checkpoint directory `path`. Only config.json must be there.
 * @return PALI_ERROR_IO (no such file), PALI_ERROR_FORMAT (malformed JSON, or a value that is missing, negative, zero,
 * huge or does not divide: the message names the field), PALI_ERROR_UNSUPPORTED (another model_type). Since 0.1.
 */
PALI_API pali_status pali_config_load(pali_config **out, const char *path, pali_error **error);

/** Ends a configuration. NULL is fine. Since 0.1. */
PALI_API void pali_config_free(pali_config *config);

/**
 * Number of fields, and the name of field `index` in the dotted form of Transformers' attributes
 * ("image_token_index", "text_config.hidden_size", "vision_config.patch_size", "generation_config.max_new_tokens",
 * "preprocessor_config.size.height"). NULL past the end. Since 0.1.
 */
PALI_API size_t pali_config_count(const pali_config *config);
PALI_API const char *pali_config_name(const pali_config *config, size_t index);

/**
 * The value of the field `name`. Booleans are 0 and 1. A field that is unset (e.g. no soft cap) or of another kind is
 * PALI_ERROR_ARGUMENT, and `*value` stays as it was. A string is borrowed from the config. Since 0.1.
 */
PALI_API pali_status pali_config_get_int(const pali_config *config, const char *name, int64_t *value,
                                         pali_error **error);
PALI_API pali_status pali_config_get_float(const pali_config *config, const char *name, double *value,
                                           pali_error **error);
PALI_API pali_status pali_config_get_string(const pali_config *config, const char *name, const char **value,
                                            pali_error **error);

#ifdef __cplusplus
}
#endif
#endif
