/* SPDX-License-Identifier: BSD-2-Clause */
/* Image features as an object: computed once, used in any number of passes. */
#include "model/image_features.h"

#include "core/memory.h"
#include "model/vision.h"

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

pali_status pali__image_features_compute(pali_image_features **out, pali_model *model, const pali_tensor *pixels,
                                         const struct pali__watch *watch, pali_error **error)
{
    int64_t shape[3] = { 0, model->settings->vision.num_patches, model->settings->text.hidden_size };
    pali_image_features *features;
    pali_status status;
    size_t size;

    *out = NULL;
    TRY(pali__check_pixel_values(model, pixels, error));
    shape[0] = pixels->shape[0];
    if (!pali__size_product(&size, 4, (int64_t[]){ shape[0], shape[1], shape[2], sizeof(float) }))
        return pali__fail(error, PALI_ERROR_LIMIT, "%lld pictures are too many", (long long)shape[0]);
    features = pali__calloc(1, sizeof *features);
    if (!features)
        return pali__no_memory(error, sizeof *features);
    features->model = pali__model_retain(model);
    features->data = pali__aligned_malloc(size);
    status = features->data
                 ? pali__vision_features(model, features->data, pixels->data, shape[0], watch, error)
                 : pali__no_memory(error, size);
    if (status != PALI_OK) {
        pali_image_features_free(features);
        return status;
    }
    features->tensor = pali_tensor_view(features->data, PALI_FLOAT32, 3, shape);
    *out = features;
    return PALI_OK;
}

pali_status pali_model_image_features(pali_image_features **out, pali_model *model, const pali_tensor *pixel_values,
                                      pali_error **error)
{
    if (!out || !model || !pixel_values || !pixel_values->data)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_model_image_features: an argument is NULL");
    return pali__image_features_compute(out, model, pixel_values, NULL, error);
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
