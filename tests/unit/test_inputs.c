/* SPDX-License-Identifier: BSD-2-Clause */
/* Named tensors: set, get, replace, save, load. */
#include "../test.h"

#include <paligemma/inputs.h>

static void check_values(const pali_inputs *inputs, const char *name, const pali_tensor *want)
{
    const pali_tensor *tensor = pali_inputs_get(inputs, name);
    CHECK_MSG(tensor != NULL, "%s", name);
    if (!tensor)
        return;
    CHECK(tensor->dtype == want->dtype && tensor->rank == want->rank);
    CHECK(memcmp(tensor->shape, want->shape, sizeof want->shape) == 0);
    CHECK(memcmp(tensor->strides, want->strides, sizeof want->strides) == 0);
    CHECK(memcmp(tensor->data, want->data, (size_t)pali_tensor_count(want) * pali_dtype_size(want->dtype)) == 0);
}

int main(void)
{
    int64_t ids[6] = { 1, -2, 3, 4, 5, INT64_MAX };
    float values[4] = { 0.5f, -1.0f, 0.0f, 3.0f };
    const int64_t ids_shape[2] = { 2, 3 }, values_shape[3] = { 2, 1, 2 }, long_shape[1] = { 6 }, none_shape[2] = { 0, 3 };
    const pali_tensor ids_view = pali_tensor_view(ids, PALI_INT64, 2, ids_shape);
    const pali_tensor values_view = pali_tensor_view(values, PALI_FLOAT32, 3, values_shape);
    const pali_tensor long_view = pali_tensor_view(ids, PALI_INT64, 1, long_shape);
    const pali_tensor scalar_view = pali_tensor_view(values, PALI_FLOAT32, 0, NULL);
    const pali_tensor none_view = pali_tensor_view(ids, PALI_INT64, 2, none_shape);
    pali_inputs *inputs = NULL, *again = NULL;
    pali_error *error = NULL;

    CHECK_OK(pali_inputs_create(&inputs, &error), error);
    CHECK(pali_inputs_count(inputs) == 0 && pali_inputs_name(inputs, 0) == NULL && !pali_inputs_get(inputs, "input_ids"));
    CHECK_OK(pali_inputs_set(inputs, "input_ids", &ids_view, &error), error);
    CHECK_OK(pali_inputs_set(inputs, "pixel_values", &values_view, &error), error);
    CHECK_OK(pali_inputs_set(inputs, "scalar", &scalar_view, &error), error);
    CHECK_OK(pali_inputs_set(inputs, "none", &none_view, &error), error);
    CHECK(pali_inputs_count(inputs) == 4);
    CHECK(strcmp(pali_inputs_name(inputs, 0), "input_ids") == 0 && strcmp(pali_inputs_name(inputs, 1), "pixel_values") == 0);
    CHECK(pali_inputs_name(inputs, 4) == NULL);
    check_values(inputs, "input_ids", &ids_view);
    check_values(inputs, "scalar", &scalar_view);

    /* The data is a copy, and a second tensor of the name takes the place of the first. */
    ids[0] = 99;
    CHECK(*(int64_t *)pali_inputs_get(inputs, "input_ids")->data == 1);
    CHECK_OK(pali_inputs_set(inputs, "input_ids", &long_view, &error), error);
    CHECK(pali_inputs_count(inputs) == 4);
    check_values(inputs, "input_ids", &long_view);

    const char *path = test_path(test_scratch(), "test_inputs.safetensors");
    CHECK_OK(pali_inputs_save(inputs, path, &error), error);
    CHECK_OK(pali_inputs_load(&again, path, &error), error);
    CHECK(pali_inputs_count(again) == 4);
    check_values(again, "input_ids", &long_view);
    check_values(again, "pixel_values", &values_view);
    check_values(again, "scalar", &scalar_view);
    pali_inputs_free(again);
    remove(path);

    CHECK_FAILS(pali_inputs_load(&again, path, &error), error, PALI_ERROR_IO, "test_inputs.safetensors");
    CHECK(again == NULL);
    CHECK_FAILS(pali_inputs_set(inputs, NULL, &ids_view, &error), error, PALI_ERROR_ARGUMENT, "name is NULL");
    CHECK_FAILS(pali_inputs_set(inputs, "x", NULL, &error), error, PALI_ERROR_ARGUMENT, "tensor is NULL");
    CHECK_FAILS(pali_inputs_save(inputs, NULL, &error), error, PALI_ERROR_ARGUMENT, "path is NULL");
    CHECK_FAILS(pali_inputs_save(inputs, test_path(test_scratch(), "no/such/folder.safetensors"), &error), error,
                PALI_ERROR_IO, "folder.safetensors");
    pali_tensor broken = ids_view;
    broken.strides[1] = 2;
    CHECK(pali_inputs_set(inputs, "x", &broken, NULL) == PALI_ERROR_ARGUMENT);
    broken = ids_view;
    broken.rank = 9;
    CHECK(pali_inputs_set(inputs, "x", &broken, NULL) == PALI_ERROR_ARGUMENT);
    broken = ids_view;
    broken.dtype = (pali_dtype)77;
    CHECK(pali_inputs_set(inputs, "x", &broken, NULL) == PALI_ERROR_ARGUMENT);
    CHECK(pali_inputs_count(inputs) == 4);
    pali_inputs_free(inputs);
    pali_inputs_free(NULL);
    return test_report("test_inputs");
}
