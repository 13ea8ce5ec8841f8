/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache_choice.h"

#include <string.h>

int cache_choice_check(const struct cache_choice *choice, const struct usage *usage)
{
    if (choice->kind && strcmp(choice->kind, "dynamic") != 0 && strcmp(choice->kind, "static") != 0 &&
        strcmp(choice->kind, "sliding") != 0)
        return usage_error(usage, "--cache takes dynamic, static or sliding, not \"%s\"", choice->kind);
    if (choice->load && (choice->kind || choice->dtype))
        return usage_error(usage, "--load-cache takes the cache as it was saved, without --cache and --cache-dtype");
    return OPTIONS_GO_ON;
}

static int64_t new_tokens(const pali_model *model, int64_t max_new_tokens)
{
    if (max_new_tokens == 0 && pali_config_get_int(pali_model_config(model), "generation_config.max_new_tokens",
                                                   &max_new_tokens, NULL) != PALI_OK)
        max_new_tokens = 20;
    return max_new_tokens;
}

pali_status cache_choice_open(const struct cache_choice *choice, pali_cache **out, pali_model *model,
                              const pali_inputs *inputs, int64_t max_new_tokens, pali_error **error)
{
    pali_cache_options options = PALI_CACHE_OPTIONS_INIT;
    const pali_tensor *ids = pali_inputs_get(inputs, "input_ids");
    *out = NULL;
    if (choice->load)
        return pali_cache_load(out, model, choice->load, error);
    if (!choice->kind && !choice->dtype && !choice->save)
        return PALI_OK;
    options.rows = ids->shape[0];
    options.dtype = choice->dtype;
    options.sliding = choice->kind && strcmp(choice->kind, "sliding") == 0;
    options.fixed = choice->kind && strcmp(choice->kind, "static") == 0;
    if (options.fixed) /* one more for the last token, when the cache is saved */
        options.capacity = ids->shape[1] + new_tokens(model, max_new_tokens);
    return pali_cache_create(out, model, &options, error);
}

/* One row of ids. */
static pali_status inputs_of(pali_inputs **out, const int64_t *ids, size_t n_ids, pali_error **error)
{
    union { /* the tensor is only read */
        const int64_t *ids;
        void *data;
    } view = { .ids = ids };
    pali_tensor tensor = pali_tensor_view(view.data, PALI_INT64, 2, (int64_t[]){ 1, (int64_t)n_ids });
    pali_status status = pali_inputs_create(out, error);
    if (status == PALI_OK)
        status = pali_inputs_set(*out, "input_ids", &tensor, error);
    return status;
}

pali_status cache_choice_save(const struct cache_choice *choice, pali_cache *cache, pali_model *model,
                              const pali_generation *answer, pali_error **error)
{
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_inputs *last = NULL;
    pali_outputs *outputs = NULL;
    size_t n_ids = 0;
    const int64_t *ids = pali_generation_token_ids(answer, 0, &n_ids);
    pali_status status = PALI_OK;
    if (!choice->save)
        return PALI_OK;
    if (n_ids > 0 && pali_generation_finish_reason(answer, 0) != PALI_FINISH_EOS) {
        options.cache = cache;
        options.logits_to_keep = 1;
        status = inputs_of(&last, ids + n_ids - 1, 1, error);
        if (status == PALI_OK)
            status = pali_model_forward(&outputs, model, last, &options, error);
    }
    if (status == PALI_OK)
        status = pali_cache_save(cache, choice->save, error);
    pali_outputs_free(outputs);
    pali_inputs_free(last);
    return status;
}
