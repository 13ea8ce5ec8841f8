/* SPDX-License-Identifier: BSD-2-Clause */
/* Image features as an object: computed once, used in any number of passes. */
#include "model/image_features.h"

#include "core/memory.h"
#include "core/options.h"
#include "model/merge.h"

pali_status pali__check_pixel_values(const pali_model *model, const pali_tensor *pixels, pali_error **error)
{
    const struct pali__vision_config *config = &model->settings->vision;

    if (pixels->dtype != PALI_FLOAT32 || pixels->rank != 4 || pixels->shape[0] < 1 ||
        pixels->shape[1] != config->num_channels || pixels->shape[2] != config->image_size ||
        pixels->shape[3] != config->image_size)
        return pali__fail(error, PALI_ERROR_SHAPE,
                          "pixel_values should be float32 [images, %lld, %lld, %lld] and is %s [%lld, %lld, %lld, %lld]",
                          (long long)config->num_channels, (long long)config->image_size,
                          (long long)config->image_size, pali_dtype_name(pixels->dtype), (long long)pixels->shape[0],
                          (long long)pixels->shape[1], (long long)pixels->shape[2], (long long)pixels->shape[3]);
    return PALI_OK;
}

/* Features with room for `n_images` pictures, not filled in yet. */
static pali_status features_new(pali_image_features **out, pali_model *model, int64_t n_images, pali_error **error)
{
    int64_t shape[3] = { n_images, model->settings->vision.num_patches, model->settings->text.hidden_size };
    pali_image_features *features;
    size_t size;

    *out = NULL;
    if (!pali__size_product(&size, 4, (int64_t[]){ shape[0], shape[1], shape[2], sizeof(float) }))
        return pali__fail(error, PALI_ERROR_LIMIT, "%lld pictures are too many", (long long)n_images);
    features = pali__calloc(1, sizeof *features);
    if (!features)
        return pali__no_memory(error, sizeof *features);
    features->model = pali__model_retain(model);
    features->data = pali__aligned_malloc(size);
    if (!features->data) {
        pali_image_features_free(features);
        return pali__no_memory(error, size);
    }
    features->tensor = pali_tensor_view(features->data, PALI_FLOAT32, 3, shape);
    *out = features;
    return PALI_OK;
}

pali_status pali__image_features_compute(pali_image_features **out, pali_model *model, const pali_tensor *pixels,
                                         const struct pali__vision_run *run, pali_error **error)
{
    pali_status status;

    *out = NULL;
    TRY(pali__check_pixel_values(model, pixels, error));
    TRY(features_new(out, model, pixels->shape[0], error));
    status = pali__vision_features(model, (*out)->data, pixels->data, pixels->shape[0], run, error);
    if (status != PALI_OK) {
        pali_image_features_free(*out);
        *out = NULL;
    }
    return status;
}

void pali_image_features_options_init(pali_image_features_options *options)
{
    *options = (pali_image_features_options)PALI_IMAGE_FEATURES_OPTIONS_INIT;
}

pali_status pali_model_image_features(pali_image_features **out, pali_model *model, const pali_tensor *pixel_values,
                                      const pali_image_features_options *options, pali_error **error)
{
    pali_image_features_options chosen = PALI_IMAGE_FEATURES_OPTIONS_INIT;

    if (!out || !model || !pixel_values || !pixel_values->data)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_model_image_features: an argument is NULL");
    *out = NULL;
    TRY(pali__options_take(&chosen, sizeof chosen, options, "pali_image_features_options", error));
    struct pali__watch watch = { chosen.progress, chosen.progress_user };
    struct pali__vision_run run = { .adapter = chosen.adapter, .adapter_scale = chosen.adapter_scale, .watch = &watch,
                                    .threads = chosen.threads };
    return pali__image_features_compute(out, model, pixel_values, &run, error);
}

pali_status pali_image_features_create(pali_image_features **out, pali_model *model, const pali_tensor *features,
                                       int32_t divided, pali_error **error)
{
    float factor;

    if (out)
        *out = NULL;
    if (!out || !model || !features || !features->data)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_image_features_create: an argument is NULL");
    if (features->dtype != PALI_FLOAT32 || features->rank != 3 || features->shape[0] < 1 ||
        features->shape[1] != model->settings->vision.num_patches ||
        features->shape[2] != model->settings->text.hidden_size)
        return pali__fail(error, PALI_ERROR_SHAPE,
                          "image features should be float32 [images, %lld, %lld] and are %s [%lld, %lld, %lld] of rank %d",
                          (long long)model->settings->vision.num_patches, (long long)model->settings->text.hidden_size,
                          pali_dtype_name(features->dtype), (long long)features->shape[0],
                          (long long)features->shape[1], (long long)features->shape[2], (int)features->rank);
    TRY(features_new(out, model, features->shape[0], error));
    factor = divided ? pali__embedding_scale(model) : 1.0f;
    for (int64_t i = 0; i < pali_tensor_count(features); i++)
        (*out)->data[i] = ((const float *)features->data)[i] * factor;
    return PALI_OK;
}

void pali_image_features_free(pali_image_features *features)
{
    if (!features)
        return;
    pali__aligned_free(features->data);
    pali_model_free(features->model);
    pali__free(features);
}

const pali_tensor *pali_image_features_tensor(const pali_image_features *features)
{
    return features ? &features->tensor : NULL;
}

pali_status pali__image_features_take(struct pali__feature_rows *rows, pali_image_features **own, pali_model *model,
                                      const pali_image_features *given, const pali_tensor *pixels,
                                      const struct pali__vision_run *run, pali_error **error)
{
    const pali_image_features *features = given;

    *rows = (struct pali__feature_rows){ 0 };
    if (given && given->model != model)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "the image features belong to another model");
    if (!given && pixels) {
        TRY(pali__image_features_compute(own, model, pixels, run, error));
        features = *own;
    }
    if (features)
        *rows = (struct pali__feature_rows){ .rows = features->data,
                                             .count = features->tensor.shape[0] * features->tensor.shape[1] };
    return PALI_OK;
}
