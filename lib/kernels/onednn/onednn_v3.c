/* SPDX-License-Identifier: BSD-2-Clause */
/* The C interface of oneDNN 3: descriptors are objects, and there are no operation descriptors. */
#include "kernels/onednn/onednn_internal.h"

#if DNNL_VERSION_MAJOR >= 3

/* A [rows, columns] matrix whose elements are row_stride and column_stride apart, and a memory object for it. */
static dnnl_status_t describe(dnnl_memory_desc_t *descriptor, void **memory, dnnl_engine_t engine,
                              dnnl_data_type_t type, int64_t rows, int64_t columns, int64_t row_stride,
                              int64_t column_stride)
{
    const dnnl_dims_t sizes = {rows, columns}, strides = {row_stride, column_stride};
    dnnl_status_t status = dnnl_memory_desc_create_with_strides(descriptor, 2, sizes, type, strides);
    if (status != dnnl_success)
        return status;
    dnnl_memory_t made = NULL;
    status = dnnl_memory_create(&made, *descriptor, engine, DNNL_MEMORY_NONE);
    *memory = made;
    return status;
}

dnnl_status_t pali__onednn_matmul_make(struct pali__onednn_matmul *matmul, dnnl_engine_t engine,
                                       dnnl_data_type_t factors, dnnl_data_type_t sums, int64_t b_stride)
{
    int64_t m = matmul->m, n = matmul->n, k = matmul->k;
    dnnl_memory_desc_t a = NULL, b = NULL, c = NULL;
    dnnl_primitive_desc_t descriptor = NULL;
    dnnl_primitive_t primitive = NULL;

    dnnl_status_t status = describe(&a, &matmul->a, engine, factors, m, k, k, 1);
    if (status == dnnl_success)
        status = describe(&b, &matmul->b, engine, factors, k, n, 1, b_stride);
    if (status == dnnl_success)
        status = describe(&c, &matmul->c, engine, sums, m, n, n, 1);
    if (status == dnnl_success)
        status = dnnl_matmul_primitive_desc_create(&descriptor, engine, a, b, NULL, c, NULL);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&primitive, descriptor);
    if (descriptor != NULL)
        dnnl_primitive_desc_destroy(descriptor);
    if (a != NULL)
        dnnl_memory_desc_destroy(a);
    if (b != NULL)
        dnnl_memory_desc_destroy(b);
    if (c != NULL)
        dnnl_memory_desc_destroy(c);
    matmul->primitive = primitive;
    return status;
}

/* A [rows, columns] matrix laid out as `tag` says, and memory of oneDNN's own for it. */
static dnnl_status_t allocate(void **memory, dnnl_engine_t engine, dnnl_data_type_t type, int64_t rows, int64_t columns,
                              dnnl_memory_desc_t *descriptor, dnnl_format_tag_t tag)
{
    const dnnl_dims_t sizes = {rows, columns};
    dnnl_memory_t made = NULL;
    dnnl_status_t status = dnnl_memory_desc_create_with_tag(descriptor, 2, sizes, type, tag);
    if (status == dnnl_success && tag != dnnl_format_tag_any)
        status = dnnl_memory_create(&made, *descriptor, engine, DNNL_MEMORY_ALLOCATE);
    *memory = made;
    return status;
}

dnnl_status_t pali__onednn_peak_make(struct pali__onednn_peak *product, dnnl_engine_t engine, dnnl_data_type_t factors,
                                     dnnl_data_type_t sums)
{
    int64_t m = product->m, n = product->n, k = product->k;
    dnnl_memory_desc_t a = NULL, b = NULL, c = NULL;
    dnnl_primitive_desc_t descriptor = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t weights = NULL;

    dnnl_status_t status = allocate(&product->a, engine, factors, m, k, &a, dnnl_ab);
    if (status == dnnl_success)
        status = allocate(&product->b, engine, factors, k, n, &b, dnnl_format_tag_any);
    if (status == dnnl_success)
        status = allocate(&product->c, engine, sums, m, n, &c, dnnl_ab);
    if (status == dnnl_success)
        status = dnnl_matmul_primitive_desc_create(&descriptor, engine, a, b, NULL, c, NULL);
    if (status == dnnl_success)
        status = dnnl_memory_create(&weights, dnnl_primitive_desc_query_md(descriptor, dnnl_query_weights_md, 0),
                                    engine, DNNL_MEMORY_ALLOCATE);
    product->b = weights;
    if (status == dnnl_success)
        status = dnnl_primitive_create(&primitive, descriptor);
    if (descriptor != NULL)
        dnnl_primitive_desc_destroy(descriptor);
    if (a != NULL)
        dnnl_memory_desc_destroy(a);
    if (b != NULL)
        dnnl_memory_desc_destroy(b);
    if (c != NULL)
        dnnl_memory_desc_destroy(c);
    product->primitive = primitive;
    return status;
}

dnnl_status_t pali__onednn_memory_size(dnnl_memory_t memory, size_t *size)
{
    const_dnnl_memory_desc_t descriptor = NULL;
    dnnl_status_t status = dnnl_memory_get_memory_desc(memory, &descriptor);
    *size = status == dnnl_success ? dnnl_memory_desc_get_size(descriptor) : 0;
    return status;
}

#else
typedef int pali__onednn_is_not_v3; /* a translation unit may not be empty */
#endif
