/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/onednn/onednn_gemm.h"

#include <omp.h>
#include <pthread.h>

#include "kernels/onednn/onednn_internal.h"

/* Made once and kept for the life of the program: engines are costly, hold no data, and may be shared by threads. */
static struct {
    dnnl_engine_t engine;
    dnnl_status_t status;
} shared;

static void make_engine(void)
{
    shared.status = dnnl_engine_create(&shared.engine, dnnl_cpu, 0);
}

dnnl_status_t pali__onednn_engine(dnnl_engine_t *engine)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_engine);
    *engine = shared.engine;
    return shared.status;
}

/* oneDNN takes as many threads as OpenMP would give the caller. */
static int take_one_thread(void)
{
    int n_threads = omp_get_max_threads();
    omp_set_num_threads(1);
    return n_threads;
}

pali_status pali__onednn_status(dnnl_status_t status)
{
    switch (status) {
    case dnnl_success:
        return PALI_OK;
    case dnnl_out_of_memory:
        return PALI_ERROR_MEMORY;
    case dnnl_unimplemented:
        return PALI_ERROR_UNSUPPORTED;
    default:
        return PALI_ERROR_INTERNAL;
    }
}

/* Makes the product if oneDNN may use the instructions of `isa`: elsewhere it multiplies all the same, bfloat16 a hundred
 * times slower and int8 inexactly. */
static pali_status create(struct pali__onednn_matmul *matmul, dnnl_cpu_isa_t isa, dnnl_data_type_t factors,
                          dnnl_data_type_t sums, int64_t b_stride)
{
    dnnl_engine_t engine = NULL;
    if (((unsigned)dnnl_get_effective_cpu_isa() & (unsigned)isa) != (unsigned)isa)
        return PALI_ERROR_UNSUPPORTED;

    dnnl_status_t status = pali__onednn_engine(&engine);
    int n_threads = take_one_thread();
    if (status == dnnl_success)
        status = pali__onednn_matmul_make(matmul, engine, factors, sums, b_stride);
    omp_set_num_threads(n_threads);
    return pali__onednn_status(status);
}

static pali_status run(struct pali__onednn_matmul *matmul, void *c, const void *a, const void *b)
{
    /* oneDNN writes to c only; its handles have no const. */
    union {
        const void *in;
        void *handle;
    } a_data = {.in = a}, b_data = {.in = b};
    dnnl_stream_t stream = NULL;
    dnnl_status_t status = dnnl_stream_create(&stream, shared.engine, dnnl_stream_default_flags);
    if (status == dnnl_success)
        status = dnnl_memory_set_data_handle(matmul->a, a_data.handle);
    if (status == dnnl_success)
        status = dnnl_memory_set_data_handle(matmul->b, b_data.handle);
    if (status == dnnl_success)
        status = dnnl_memory_set_data_handle(matmul->c, c);
    if (status == dnnl_success) {
        const dnnl_exec_arg_t arguments[] = {
            {DNNL_ARG_SRC, matmul->a}, {DNNL_ARG_WEIGHTS, matmul->b}, {DNNL_ARG_DST, matmul->c}};
        int n_threads = take_one_thread();
        status = dnnl_primitive_execute(matmul->primitive, stream, 3, arguments);
        omp_set_num_threads(n_threads);
    }
    if (status == dnnl_success)
        status = dnnl_stream_wait(stream);
    if (stream != NULL)
        dnnl_stream_destroy(stream);
    return pali__onednn_status(status);
}

static void release(struct pali__onednn_matmul *matmul)
{
    if (matmul->primitive != NULL)
        dnnl_primitive_destroy(matmul->primitive);
    if (matmul->a != NULL)
        dnnl_memory_destroy(matmul->a);
    if (matmul->b != NULL)
        dnnl_memory_destroy(matmul->b);
    if (matmul->c != NULL)
        dnnl_memory_destroy(matmul->c);
    *matmul = (struct pali__onednn_matmul){0};
}

pali_status pali__onednn_bf16_create(struct pali__onednn_bf16 *product, int64_t m, int64_t n, int64_t k)
{
    product->matmul = (struct pali__onednn_matmul){.m = m, .n = n, .k = k};
    return create(&product->matmul, dnnl_cpu_isa_avx512_core_bf16, dnnl_bf16, dnnl_f32, k);
}

pali_status pali__onednn_bf16_run(struct pali__onednn_bf16 *product, float *c, const uint16_t *a, const uint16_t *b)
{
    return run(&product->matmul, c, a, b);
}

void pali__onednn_bf16_free(struct pali__onednn_bf16 *product)
{
    release(&product->matmul);
}

pali_status pali__onednn_int8_create(struct pali__onednn_int8 *product, int64_t m, int64_t n, int64_t k,
                                     int64_t b_stride)
{
    product->matmul = (struct pali__onednn_matmul){.m = m, .n = n, .k = k};
    return create(&product->matmul, dnnl_cpu_isa_avx512_core_vnni, dnnl_s8, dnnl_s32, b_stride);
}

pali_status pali__onednn_int8_run(struct pali__onednn_int8 *product, int32_t *c, const int8_t *a, const int8_t *b)
{
    return run(&product->matmul, c, a, b);
}

void pali__onednn_int8_free(struct pali__onednn_int8 *product)
{
    release(&product->matmul);
}
