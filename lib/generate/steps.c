/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/steps.h"

#include "core/memory.h"
#include "model/model_cache.h"

pali_status pali__steps_init(struct pali__steps *steps, const pali_model *model, int32_t threads, struct pali__kv *kv,
                             int64_t rows, int64_t longest, int64_t capacity, int64_t width, pali_error **error)
{
    const struct pali__text_config *config = &model->settings->text;
    struct pali__kv_layout layout = pali__cache_layout(model);
    int64_t most = rows * width;
    size_t logits_size = 0;
    pali_status status = PALI_OK;

    *steps = (struct pali__steps){ .model = model, .n_rows = rows };
    if (!pali__size_product(&logits_size, 4, (int64_t[]){ rows, width, config->vocab_size, sizeof(float) }))
        return pali__fail(error, PALI_ERROR_LIMIT, "%lld rows are too many", (long long)rows);
    layout.fixed = true;
    layout.capacity = capacity;
    steps->kv = kv ? kv : &steps->own_kv;
    if (!kv)
        status = pali__kv_init(&steps->own_kv, rows, &layout, error);
    if (status == PALI_OK)
        status = pali__pass_init(&steps->pass, model, threads, steps->kv, longest > most ? longest : most, error);
    steps->logits = pali__aligned_malloc(logits_size);
    steps->gathered = pali__aligned_malloc((size_t)(most * config->hidden_size) * sizeof(float));
    steps->sequences = pali__calloc((size_t)rows, sizeof *steps->sequences);
    steps->heads = pali__calloc((size_t)most, sizeof *steps->heads);
    if (status == PALI_OK && (!steps->logits || !steps->gathered || !steps->sequences || !steps->heads))
        status = pali__no_memory(error, logits_size);
    if (status != PALI_OK)
        pali__steps_clear(steps);
    else
        steps->pass.sequences = steps->sequences;
    return status;
}

void pali__steps_clear(struct pali__steps *steps)
{
    pali__aligned_free(steps->logits);
    pali__aligned_free(steps->gathered);
    pali__free(steps->sequences);
    pali__free(steps->heads);
    pali__pass_clear(&steps->pass);
    pali__kv_clear(&steps->own_kv);
    *steps = (struct pali__steps){ 0 };
}

pali_status pali__steps_prefill(struct pali__steps *steps, int64_t row, const int64_t *ids, const uint8_t *types,
                                int64_t n, struct pali__feature_rows *features, const struct pali__watch *watch,
                                pali_error **error)
{
    int64_t first_position = pali__kv_next_position(steps->kv, row);
    struct pali__pass *pass = &steps->pass;

    steps->sequences[0] = (struct pali__sequence){ .first = 0, .length = n, .cache_row = row };
    pass->n_sequences = 1;
    pass->n_rows = n;
    pass->watch = watch;
    for (int64_t i = 0; i < n; i++) {
        pass->positions[i] = first_position + i;
        pass->real[i] = 1;
        pass->type[i] = types[i];
    }
    pali__merge_ids(steps->model, pass->h, ids, n, features);
    return pali__decoder_run(pass, error);
}

pali_status pali__steps_decode(struct pali__steps *steps, int64_t n, const int64_t *rows, const int64_t *counts,
                               const int64_t *ids, pali_error **error)
{
    struct pali__feature_rows no_features = { 0 };
    struct pali__pass *pass = &steps->pass;
    int64_t at = 0;

    for (int64_t i = 0; i < n; i++) {
        int64_t count = counts ? counts[i] : 1, position = pali__kv_next_position(steps->kv, rows[i]);
        steps->sequences[i] = (struct pali__sequence){ .first = at, .length = count, .cache_row = rows[i],
                                                       .one_by_one = true };
        for (int64_t j = 0; j < count; j++, at++) {
            pass->positions[at] = position + j;
            pass->real[at] = 1;
            pass->type[at] = 1;
        }
    }
    pass->n_sequences = n;
    pass->n_rows = at;
    pass->watch = NULL;
    steps->n_decodes++;
    steps->n_decoded += at;
    pali__merge_ids(steps->model, pass->h, ids, at, &no_features);
    return pali__decoder_run(pass, error);
}

pali_status pali__steps_head(struct pali__steps *steps, int64_t first, int64_t n, pali_error **error)
{
    for (int64_t i = 0; i < n; i++)
        steps->heads[i] = first + i;
    steps->n_head_rows += steps->model->settings->text.vocab_size;
    return pali__lm_head(&steps->pass, steps->logits, steps->heads, n, steps->gathered, error);
}

void pali__steps_head_spans(struct pali__steps *steps, int64_t row, int64_t to, const struct pali__span *spans,
                            int64_t n_spans)
{
    int64_t vocab_size = steps->model->settings->text.vocab_size;

    for (int64_t i = 0; i < n_spans; i++)
        steps->n_head_rows += spans[i].count;
    pali__lm_head_spans(&steps->pass, steps->logits + to * vocab_size, row, spans, n_spans);
}

void pali__steps_roll_back(struct pali__steps *steps, int64_t row, int64_t length)
{
    pali__kv_truncate_row(steps->kv, row, length);
}
