/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate/steps.h"

#include "core/memory.h"

pali_status pali__steps_init(struct pali__steps *steps, const pali_model *model, int64_t rows, int64_t longest,
                             int64_t capacity, pali_error **error)
{
    const struct pali__text_config *config = &model->settings->text;
    size_t logits_size = 0;
    pali_status status;

    *steps = (struct pali__steps){ .model = model };
    if (!pali__size_product(&logits_size, 3, (int64_t[]){ rows, config->vocab_size, sizeof(float) }))
        return pali__fail(error, PALI_ERROR_LIMIT, "%lld rows are too many", (long long)rows);
    status = pali__kv_init(&steps->kv, rows, config->num_hidden_layers, config->num_key_value_heads, config->head_dim,
                           capacity, true, error);
    if (status == PALI_OK)
        status = pali__pass_init(&steps->pass, model, &steps->kv, longest > rows ? longest : rows, error);
    steps->logits = pali__aligned_malloc(logits_size);
    steps->gathered = pali__aligned_malloc((size_t)(rows * config->hidden_size) * sizeof(float));
    steps->sequences = pali__calloc((size_t)rows, sizeof *steps->sequences);
    steps->last = pali__calloc((size_t)rows, sizeof *steps->last);
    if (status == PALI_OK && (!steps->logits || !steps->gathered || !steps->sequences || !steps->last))
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
    pali__free(steps->last);
    pali__pass_clear(&steps->pass);
    pali__kv_clear(&steps->kv);
    *steps = (struct pali__steps){ 0 };
}

pali_status pali__steps_prefill(struct pali__steps *steps, int64_t row, const int64_t *ids, const uint8_t *types,
                                int64_t n, struct pali__feature_rows *features, const struct pali__watch *watch,
                                pali_error **error)
{
    struct pali__pass *pass = &steps->pass;

    steps->sequences[0] = (struct pali__sequence){ .first = 0, .length = n, .cache_row = row };
    steps->last[0] = n - 1;
    pass->n_sequences = 1;
    pass->n_rows = n;
    pass->watch = watch;
    for (int64_t i = 0; i < n; i++) {
        pass->positions[i] = i + 1;
        pass->real[i] = 1;
        pass->type[i] = types[i];
    }
    pali__merge_ids(steps->model, pass->h, ids, n, features);
    TRY(pali__decoder_run(pass, error));
    return pali__lm_head(pass, steps->logits, steps->last, 1, steps->gathered, error);
}

pali_status pali__steps_decode(struct pali__steps *steps, int64_t n, const int64_t *rows, const int64_t *ids,
                               pali_error **error)
{
    struct pali__feature_rows no_features = { 0 };
    struct pali__pass *pass = &steps->pass;

    for (int64_t i = 0; i < n; i++) {
        steps->sequences[i] = (struct pali__sequence){ .first = i, .length = 1, .cache_row = rows[i] };
        steps->last[i] = i;
        pass->positions[i] = steps->kv.rows[rows[i]].length + 1;
        pass->real[i] = 1;
        pass->type[i] = 1;
    }
    pass->n_sequences = pass->n_rows = n;
    pass->watch = NULL;
    pali__merge_ids(steps->model, pass->h, ids, n, &no_features);
    TRY(pali__decoder_run(pass, error));
    return pali__lm_head(pass, steps->logits, steps->last, n, steps->gathered, error);
}
