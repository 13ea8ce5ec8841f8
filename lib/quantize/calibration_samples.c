/* SPDX-License-Identifier: BSD-2-Clause */
#include "quantize/calibration_samples.h"

#include <string.h>

#include "core/memory.h"
#include "model/forward.h"

static int64_t text_width(const pali_model *model)
{
    return model->settings->text.hidden_size;
}

pali_status pali__calibration_sample_pictures(struct pali__calibration_sample *sample, const pali_model *model,
                                              pali_error **error)
{
    const pali_tensor *pixels = pali_inputs_get(sample->inputs, "pixel_values");
    int64_t n_patches = model->settings->vision.num_patches;

    if (!pixels)
        return PALI_OK;
    TRY(pali__check_pixel_values(model, pixels, error));
    sample->pixels = pixels->data;
    sample->n_pictures = pixels->shape[0];
    size_t rows = (size_t)(sample->n_pictures * n_patches) * sizeof(float);
    sample->pictures = pali__aligned_malloc(rows * (size_t)model->settings->vision.hidden_size);
    sample->features = pali__aligned_malloc(rows * (size_t)text_width(model));
    return sample->pictures && sample->features ? PALI_OK
                                                : pali__no_memory(error, rows * (size_t)text_width(model));
}

/* A copy of what the pass has been given. */
static pali_status keep(struct pali__calibration_sample *sample, const struct pali__forward *forward,
                        pali_error **error)
{
    const struct pali__pass *pass = &forward->pass;
    size_t n = (size_t)pass->n_rows, size = n * (size_t)text_width(forward->model) * sizeof(float);

    sample->n_rows = pass->n_rows;
    sample->n_sequences = pass->n_sequences;
    sample->sequences = pali__malloc((size_t)pass->n_sequences * sizeof *sample->sequences);
    sample->positions = pali__malloc(n * sizeof *sample->positions);
    sample->real = pali__malloc(n);
    sample->type = pali__malloc(n);
    sample->h = pali__aligned_malloc(size);
    if (!sample->sequences || !sample->positions || !sample->real || !sample->type || !sample->h)
        return pali__no_memory(error, size);
    memcpy(sample->sequences, pass->sequences, (size_t)pass->n_sequences * sizeof *sample->sequences);
    memcpy(sample->positions, pass->positions, n * sizeof *sample->positions);
    memcpy(sample->real, pass->real, n);
    memcpy(sample->type, pass->type, n);
    memcpy(sample->h, pass->h, size);
    return PALI_OK;
}

pali_status pali__calibration_sample_rows(struct pali__calibration_sample *sample, pali_model *model, int32_t threads,
                                          pali_error **error)
{
    struct pali__forward forward = { .model = model, .inputs = sample->inputs, .options = PALI_FORWARD_OPTIONS_INIT };
    pali_image_features *features = NULL;
    pali_status status = PALI_OK;

    if (sample->features) {
        int64_t shape[] = { sample->n_pictures, model->settings->vision.num_patches, text_width(model) };
        pali_tensor tensor = pali_tensor_view(sample->features, PALI_FLOAT32, 3, shape);
        status = pali_image_features_create(&features, model, &tensor, 0, error);
    }
    forward.options.features = features;
    forward.options.threads = threads;
    if (status == PALI_OK)
        status = pali__forward_begin(&forward, error);
    if (status == PALI_OK)
        status = keep(sample, &forward, error);
    pali__forward_end(&forward);
    pali_image_features_free(features);
    pali__aligned_free(sample->pictures);
    pali__aligned_free(sample->features);
    sample->pictures = sample->features = NULL;
    return status;
}

void pali__calibration_sample_enter(const struct pali__calibration_sample *sample, struct pali__pass *pass)
{
    size_t n = (size_t)sample->n_rows;

    pass->sequences = sample->sequences;
    pass->n_sequences = sample->n_sequences;
    pass->n_rows = sample->n_rows;
    memcpy(pass->positions, sample->positions, n * sizeof *sample->positions);
    memcpy(pass->real, sample->real, n);
    memcpy(pass->type, sample->type, n);
    memcpy(pass->h, sample->h, n * (size_t)text_width(pass->model) * sizeof(float));
}

void pali__calibration_sample_leave(struct pali__calibration_sample *sample, const struct pali__pass *pass)
{
    memcpy(sample->h, pass->h, (size_t)(sample->n_rows * text_width(pass->model)) * sizeof(float));
}

void pali__calibration_sample_clear(struct pali__calibration_sample *sample)
{
    pali__aligned_free(sample->pictures);
    pali__aligned_free(sample->features);
    pali__free(sample->sequences);
    pali__free(sample->positions);
    pali__free(sample->real);
    pali__free(sample->type);
    pali__aligned_free(sample->h);
    *sample = (struct pali__calibration_sample){ 0 };
}
