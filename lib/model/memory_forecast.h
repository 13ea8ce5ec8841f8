/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PALI_MODEL_MEMORY_FORECAST_H
#define PALI_MODEL_MEMORY_FORECAST_H

#include <paligemma/forecast.h>

#include "model/network.h"

enum { PALI__FORECAST_TOKENS = 128 }; /* of prompt and answer, when a model is loaded */

/* What `model` will need whose configuration, checkpoint and compute are there, and nothing else. */
pali_status pali__memory_forecast(pali_memory_forecast *out, const pali_model *model, const char *path,
                                  const pali_model_options *options, int64_t n_tokens, pali_error **error);

/* PALI_ERROR_MEMORY when a model does not fit. */
pali_status pali__memory_check(const pali_model *model, const char *path, const pali_model_options *options,
                               pali_error **error);

#endif
