/* SPDX-License-Identifier: BSD-2-Clause */
#include <paligemma/base.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [PALI_FLOAT32] = { "float32", 4 }, [PALI_BFLOAT16] = { "bfloat16", 2 }, [PALI_FLOAT16] = { "float16", 2 },
    [PALI_FLOAT64] = { "float64", 8 }, [PALI_INT64] = { "int64", 8 },       [PALI_INT32] = { "int32", 4 },
    [PALI_INT16] = { "int16", 2 },     [PALI_INT8] = { "int8", 1 },         [PALI_UINT8] = { "uint8", 1 },
    [PALI_BOOL] = { "bool", 1 },
};

static int is_known(pali_dtype dtype) { return (int)dtype >= PALI_FLOAT32 && (int)dtype <= PALI_BOOL; }

const char *pali_dtype_name(pali_dtype dtype) { return is_known(dtype) ? dtypes[dtype].name : "unknown"; }

size_t pali_dtype_size(pali_dtype dtype) { return is_known(dtype) ? dtypes[dtype].size : 0; }

/* Sizes that no memory could hold saturate, so that a check against a real size fails. */
static int64_t product(int64_t a, int64_t b)
{
    if (a <= 0 || b <= 0)
        return 0;
    return a > INT64_MAX / b ? INT64_MAX : a * b;
}

pali_tensor pali_tensor_view(void *data, pali_dtype dtype, int32_t rank, const int64_t *shape)
{
    pali_tensor tensor = { 0 };
    /* A rank that no tensor has gives a view of no dtype, which every function refuses. */
    if (rank < 0 || rank > PALI_MAX_RANK)
        return tensor;
    tensor.data = data;
    tensor.dtype = dtype;
    tensor.rank = rank;
    int64_t stride = 1;
    for (int32_t i = rank - 1; i >= 0; i--) {
        tensor.shape[i] = shape[i];
        tensor.strides[i] = stride;
        stride = product(stride, shape[i] > 0 ? shape[i] : 1);
    }
    return tensor;
}

int64_t pali_tensor_count(const pali_tensor *tensor)
{
    if (!tensor || tensor->rank < 0 || tensor->rank > PALI_MAX_RANK)
        return 0;
    int64_t count = 1;
    for (int32_t i = 0; i < tensor->rank; i++)
        count = product(count, tensor->shape[i]);
    return count;
}
