/* SPDX-License-Identifier: BSD-2-Clause */
/* The model as a handle: opened, shared, ended. */
#include "model/network.h"

#include <paligemma/checkpoint.h>

#include "checkpoint/tensors.h"
#include "core/memory.h"
#include "core/options.h"
#include "model/load.h"
#include "model/memory_forecast.h"

void pali_model_options_init(pali_model_options *options)
{
    *options = (pali_model_options)PALI_MODEL_OPTIONS_INIT;
}

static pali_status check_threads(int32_t threads, pali_error **error)
{
    if (threads < 0 || threads > 4096)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "the number of threads should be 0…4096 and is %d", (int)threads);
    return PALI_OK;
}

static pali_status check_options(const pali_model_options *options, pali_error **error)
{
    if (options->dtype != 0 && options->dtype != PALI_FLOAT32 && options->dtype != PALI_BFLOAT16)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "a model runs in float32 or bfloat16, not in %s",
                          pali_dtype_name(options->dtype));
    if (options->int8_head < -1 || options->int8_head > 1)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "int8_head should be -1, 0 or 1 and is %d",
                          (int)options->int8_head);
    return check_threads(options->threads, error);
}

/* bfloat16 where the checkpoint's largest tensor is, or its scales if it is quantized; float32 elsewhere. */
static pali_dtype natural_dtype(const pali_checkpoint *checkpoint)
{
    static const char *const names[] = { PALI__EMBEDDING_NAME "_scale", PALI__EMBEDDING_NAME, PALI__HEAD_NAME "_scale",
                                         PALI__HEAD_NAME };
    const pali_tensor *tensor = NULL;

    for (size_t i = 0; !tensor && i < sizeof names / sizeof *names; i++)
        tensor = pali__checkpoint_find(checkpoint, names[i]);
    return tensor && tensor->dtype == PALI_BFLOAT16 ? PALI_BFLOAT16 : PALI_FLOAT32;
}

pali_status pali__model_open(pali_model **out, const char *path, const pali_model_options *options,
                             pali_error **error)
{
    pali_model *model;
    pali_status status;

    *out = NULL;
    TRY(check_options(options, error));
    model = pali__calloc(1, sizeof *model);
    if (!model)
        return pali__no_memory(error, sizeof *model);
    atomic_init(&model->references, 1);
    status = pali_config_load(&model->config, path, error);
    if (status == PALI_OK) {
        model->settings = pali__config_settings(model->config);
        status = pali_checkpoint_open(&model->checkpoint, path, error);
    }
    if (status != PALI_OK) {
        pali_model_free(model);
        return status;
    }
    pali__compute_init(&model->compute, options->dtype ? options->dtype : natural_dtype(model->checkpoint),
                       options->threads);
    *out = model;
    return PALI_OK;
}

pali_status pali_model_load(pali_model **out, const char *path, const pali_model_options *options, pali_error **error)
{
    pali_model_options chosen = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_status status;

    if (!out || !path)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_model_load: %s is NULL", out ? "path" : "out");
    *out = NULL;
    TRY(pali__options_take(&chosen, sizeof chosen, options, "pali_model_options", error));
    TRY(pali__model_open(&model, path, &chosen, error));
    status = pali__memory_check(model, path, &chosen, error);
    if (status == PALI_OK)
        status = pali__model_load_weights(model, path, &chosen, error);
    if (status != PALI_OK) {
        pali_model_free(model);
        return status;
    }
    *out = model;
    return PALI_OK;
}

pali_status pali__model_compute(struct pali__compute *compute, const pali_model *model, int32_t threads,
                                pali_error **error)
{
    TRY(check_threads(threads, error));
    *compute = model->compute;
    compute->n_threads = threads > 0 ? threads : compute->n_threads;
    return PALI_OK;
}

pali_model *pali__model_retain(pali_model *model)
{
    atomic_fetch_add_explicit(&model->references, 1, memory_order_relaxed);
    return model;
}

void pali_model_free(pali_model *model)
{
    if (!model || atomic_fetch_sub_explicit(&model->references, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < model->n_owned; i++)
        pali__aligned_free(model->owned[i]);
    pali__free(model->owned);
    pali__network_clear(&model->network);
    pali_checkpoint_free(model->checkpoint);
    pali_config_free(model->config);
    pali__free(model);
}

const pali_config *pali_model_config(const pali_model *model)
{
    return model ? model->config : NULL;
}

pali_dtype pali_model_dtype(const pali_model *model)
{
    return model ? model->compute.dtype : (pali_dtype)0;
}
