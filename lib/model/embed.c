/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ColPaliForRetrieval (transformers/models/colpali/modeling_colpali.py):
 *
 *   e = W · last_hidden_state + b        W: [embedding_dim, hidden]; without a projection e is the hidden state
 *   e = e / |e|                          token by token, or after the mean over a row's tokens
 *   e = 0 where there is padding
 */
#include <paligemma/embedding.h>

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/options.h"
#include "model/network.h"
#include "model/outputs.h"

void pali_embed_options_init(pali_embed_options *options)
{
    static const pali_embed_options defaults = PALI_EMBED_OPTIONS_INIT;
    if (options)
        *options = defaults;
}

int64_t pali_model_embedding_dim(const pali_model *model)
{
    return model ? model->network.embedding_dim : 0;
}

/* `e` of every token, [rows, dim], from h: [rows, hidden]. */
static pali_status project(const pali_model *model, const struct pali__compute *compute, float *e, const float *h,
                           int64_t n_rows, bool projects, pali_error **error)
{
    const struct pali__dense *projection = &model->network.embedding_projection;

    if (!projects) {
        memcpy(e, h, (size_t)(n_rows * model->settings->text.hidden_size) * sizeof *e);
        return PALI_OK;
    }
    size_t size = pali__linear_scratch(compute, n_rows, &projection->weight);
    void *scratch = pali__aligned_malloc(size);
    if (!scratch)
        return pali__no_memory(error, size);
    pali_status status = pali__linear(compute, e, h, n_rows, &projection->weight, projection->bias, PALI__STORE,
                                      scratch, error);
    pali__aligned_free(scratch);
    return status;
}

/* A vector of zeros stays what it is. */
static void normalize(float *vector, int64_t dim)
{
    double sum = 0.0;

    for (int64_t i = 0; i < dim; i++)
        sum += (double)vector[i] * (double)vector[i];
    for (int64_t i = 0; sum > 0.0 && i < dim; i++)
        vector[i] = (float)((double)vector[i] / sqrt(sum));
}

static void zero_padding(float *e, const int64_t *mask, int64_t n_rows, int64_t dim)
{
    for (int64_t row = 0; mask && row < n_rows; row++)
        if (!mask[row])
            memset(e + row * dim, 0, (size_t)dim * sizeof *e);
}

/* The mean over one row's real tokens; of none, zeros. */
static void take_mean(float *mean, const float *e, const int64_t *mask, int64_t length, int64_t dim)
{
    int64_t count = 0;

    for (int64_t i = 0; i < length; i++)
        count += !mask || mask[i];
    for (int64_t j = 0; j < dim; j++) {
        double sum = 0.0;
        for (int64_t i = 0; i < length; i++)
            if (!mask || mask[i])
                sum += (double)e[i * dim + j];
        mean[j] = count ? (float)(sum / (double)count) : 0.0f;
    }
}

static pali_status add_embeddings(pali_outputs *out, const pali_model *model, const pali_tensor *state,
                                  const int64_t *mask, const pali_embed_options *options, pali_error **error)
{
    bool projects = model->network.embedding_dim && !options->skip_projection, pools = options->pooling != 0;
    bool normalizes = options->normalize < 0 ? projects : options->normalize != 0;
    int64_t batch = state->shape[0], length = state->shape[1], n_rows = batch * length;
    int64_t dim = projects ? model->network.embedding_dim : state->shape[2];
    struct pali__compute compute;
    float *tokens = NULL;
    pali_tensor *tensor = NULL;

    TRY(pali__model_compute(&compute, model, options->threads, error));
    TRY(pali__tensor_set_add(&out->tensors, "embeddings", PALI_FLOAT32, pools ? 2 : 3,
                             pools ? (int64_t[]){ batch, dim } : (int64_t[]){ batch, length, dim }, &tensor, error));
    if (pools && !(tokens = pali__aligned_malloc((size_t)(n_rows * dim) * sizeof *tokens)))
        return pali__no_memory(error, (size_t)(n_rows * dim) * sizeof *tokens);
    float *e = pools ? tokens : tensor->data, *made = tensor->data;
    pali_status status = project(model, &compute, e, state->data, n_rows, projects, error);
    if (status == PALI_OK && !pools)
        zero_padding(e, mask, n_rows, dim);
    for (int64_t row = 0; status == PALI_OK && pools && row < batch; row++)
        take_mean(made + row * dim, e + row * length * dim, mask ? mask + row * length : NULL, length, dim);
    for (int64_t row = 0; status == PALI_OK && normalizes && row < (pools ? batch : n_rows); row++)
        normalize(made + row * dim, dim);
    pali__aligned_free(tokens);
    return status;
}

static pali_status check_options(const pali_embed_options *options, pali_error **error)
{
    if (options->pooling != PALI_POOLING_NONE && options->pooling != PALI_POOLING_MEAN)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_embed_options: pooling is %d, expected a pali_pooling",
                          (int)options->pooling);
    if (options->normalize < -1 || options->normalize > 1)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_embed_options: normalize is %d, expected -1, 0 or 1",
                          (int)options->normalize);
    return PALI_OK;
}

pali_status pali_embed(pali_outputs **out, pali_model *model, const pali_inputs *inputs,
                       const pali_embed_options *options, pali_error **error)
{
    static const int64_t no_logits[1] = { 0 };
    pali_embed_options chosen = PALI_EMBED_OPTIONS_INIT;
    pali_forward_options forward = PALI_FORWARD_OPTIONS_INIT;
    pali_outputs *states = NULL;

    if (!out || !model || !inputs)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_embed: %s is NULL",
                          !out ? "out" : !model ? "model" : "inputs");
    *out = NULL;
    TRY(pali__options_take(&chosen, sizeof chosen, options, "pali_embed_options", error));
    TRY(check_options(&chosen, error));
    forward.logits_index = no_logits; /* the head is never computed */
    forward.n_logits_index = 0;
    forward.progress = chosen.progress;
    forward.progress_user = chosen.progress_user;
    forward.adapter = chosen.adapter;
    forward.threads = chosen.threads;
    forward.adapter_scale = chosen.adapter_scale;

    pali_outputs *made = pali__calloc(1, sizeof *made);
    const pali_tensor *mask = pali_inputs_get(inputs, "attention_mask");
    pali_status status = made ? pali_model_forward(&states, model, inputs, &forward, error)
                              : pali__no_memory(error, sizeof *made);
    if (status == PALI_OK)
        status = add_embeddings(made, model, pali_outputs_get(states, "last_hidden_state"), mask ? mask->data : NULL,
                                &chosen, error);
    pali_outputs_free(states);
    if (status != PALI_OK)
        pali_outputs_free(made);
    else
        *out = made;
    return status;
}
