/* SPDX-License-Identifier: BSD-2-Clause */
/* score[q, p] = Σ_i max_j query[q, i] · page[p, j]: ColPaliProcessor.score_retrieval. */
#include <paligemma/embedding.h>

#include <math.h>

#include "core/error.h"
#include "kernels/kernels.h"

/* One query against one page, four vectors of the query at a time; both [length, dim]. */
static float score(const struct pali__kernels *kernels, const float *query, int64_t n_query, const float *page,
                   int64_t n_page, int64_t dim)
{
    enum { PAGE_ROWS = 64 };
    float products[PALI__DOT_ROWS_MAX * PAGE_ROWS];
    double sum = 0.0;

    for (int64_t i = 0; i < n_query; i += PALI__DOT_ROWS_MAX) {
        int64_t n = n_query - i < PALI__DOT_ROWS_MAX ? n_query - i : PALI__DOT_ROWS_MAX;
        float largest[PALI__DOT_ROWS_MAX];
        for (int64_t r = 0; r < n; r++)
            largest[r] = -INFINITY;
        for (int64_t j = 0; j < n_page; j += PAGE_ROWS) {
            int64_t m = n_page - j < PAGE_ROWS ? n_page - j : PAGE_ROWS;
            kernels->dot_rows_f32(products, PAGE_ROWS, query + i * dim, dim, n, page + j * dim, dim, m, dim);
            for (int64_t r = 0; r < n; r++)
                largest[r] = fmaxf(largest[r], kernels->max(products + r * PAGE_ROWS, m));
        }
        for (int64_t r = 0; r < n; r++)
            sum += (double)largest[r];
    }
    return (float)sum;
}

/* A tensor as [count, length, dim]. */
struct vectors {
    const float *data;
    int64_t count, length, dim;
};

static pali_status take(struct vectors *out, const pali_tensor *tensor, const char *name, pali_error **error)
{
    if (tensor->dtype != PALI_FLOAT32 || (tensor->rank != 2 && tensor->rank != 3))
        return pali__fail(error, PALI_ERROR_SHAPE, "pali_max_sim: %s should be float32 [count, length, dim] or "
                          "[length, dim] and is %s of rank %d", name, pali_dtype_name(tensor->dtype), (int)tensor->rank);
    const int64_t *shape = tensor->shape + (tensor->rank - 2);
    *out = (struct vectors){ tensor->data, tensor->rank == 3 ? tensor->shape[0] : 1, shape[0], shape[1] };
    if (!tensor->data || out->count < 1 || out->length < 1 || out->dim < 1)
        return pali__fail(error, PALI_ERROR_SHAPE, "pali_max_sim: %s is empty", name);
    return PALI_OK;
}

pali_status pali_max_sim(float *scores, const pali_tensor *queries, const pali_tensor *pages, pali_error **error)
{
    const struct pali__kernels *kernels = pali__kernels_get(pali__cpu_level());
    struct vectors q, p;

    if (!scores || !queries || !pages)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_max_sim: %s is NULL",
                          !scores ? "scores" : !queries ? "queries" : "pages");
    TRY(take(&q, queries, "queries", error));
    TRY(take(&p, pages, "pages", error));
    if (q.dim != p.dim)
        return pali__fail(error, PALI_ERROR_SHAPE, "pali_max_sim: queries have %lld dimensions and pages %lld",
                          (long long)q.dim, (long long)p.dim);
    for (int64_t i = 0; i < q.count; i++)
        for (int64_t j = 0; j < p.count; j++)
            scores[i * p.count + j] = score(kernels, q.data + i * q.length * q.dim, q.length,
                                            p.data + j * p.length * p.dim, p.length, p.dim);
    return PALI_OK;
}
