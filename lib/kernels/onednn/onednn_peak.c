/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/onednn/onednn_peak.h"

#include <omp.h>
#include <string.h>

#include "kernels/onednn/onednn_internal.h"

/* Small normal numbers in float32 and bfloat16, 60 in int8: zeros or denormals would have a speed of their own. */
static dnnl_status_t fill(dnnl_memory_t memory)
{
    size_t size = 0;
    void *data = NULL;
    dnnl_status_t status = pali__onednn_memory_size(memory, &size);
    if (status == dnnl_success)
        status = dnnl_memory_get_data_handle(memory, &data);
    if (status == dnnl_success && data != NULL)
        memset(data, 0x3c, size);
    return status;
}

static dnnl_data_type_t type_of(pali_dtype dtype)
{
    return dtype == PALI_INT8 ? dnnl_s8 : dtype == PALI_BFLOAT16 ? dnnl_bf16 : dnnl_f32;
}

pali_status pali__onednn_peak_create(struct pali__onednn_peak *product, pali_dtype dtype, int64_t m, int64_t n,
                                     int64_t k)
{
    dnnl_engine_t engine = NULL;
    *product = (struct pali__onednn_peak){.m = m, .n = n, .k = k};
    dnnl_status_t status = pali__onednn_engine(&engine);
    if (status == dnnl_success)
        status = pali__onednn_peak_make(product, engine, type_of(dtype), dtype == PALI_INT8 ? dnnl_s32 : dnnl_f32);
    if (status == dnnl_success)
        status = fill(product->a);
    if (status == dnnl_success)
        status = fill(product->b);
    return pali__onednn_status(status);
}

pali_status pali__onednn_peak_run(struct pali__onednn_peak *product, int n_threads)
{
    const dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_SRC, product->a}, {DNNL_ARG_WEIGHTS, product->b}, {DNNL_ARG_DST, product->c}};
    int before = omp_get_max_threads();
    dnnl_engine_t engine = NULL;
    dnnl_stream_t stream = NULL;

    dnnl_status_t status = pali__onednn_engine(&engine);
    if (status == dnnl_success)
        status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    omp_set_num_threads(n_threads);
    if (status == dnnl_success)
        status = dnnl_primitive_execute(product->primitive, stream, 3, arguments);
    if (status == dnnl_success)
        status = dnnl_stream_wait(stream);
    omp_set_num_threads(before);
    if (stream != NULL)
        dnnl_stream_destroy(stream);
    return pali__onednn_status(status);
}

pali_status pali__onednn_peak_run_sgemm(struct pali__onednn_peak *product, int n_threads)
{
    void *a = NULL, *b = NULL, *c = NULL;
    int before = omp_get_max_threads();

    dnnl_status_t status = dnnl_memory_get_data_handle(product->a, &a);
    if (status == dnnl_success)
        status = dnnl_memory_get_data_handle(product->b, &b); /* at least [n, k] */
    if (status == dnnl_success)
        status = dnnl_memory_get_data_handle(product->c, &c);
    omp_set_num_threads(n_threads);
    if (status == dnnl_success)
        status = dnnl_sgemm('N', 'T', product->m, product->n, product->k, 1.0f, a, product->k, b, product->k, 0.0f, c,
                            product->n);
    omp_set_num_threads(before);
    return pali__onednn_status(status);
}

void pali__onednn_peak_free(struct pali__onednn_peak *product)
{
    if (product->primitive != NULL)
        dnnl_primitive_destroy(product->primitive);
    if (product->a != NULL)
        dnnl_memory_destroy(product->a);
    if (product->b != NULL)
        dnnl_memory_destroy(product->b);
    if (product->c != NULL)
        dnnl_memory_destroy(product->c);
    *product = (struct pali__onednn_peak){0};
}
