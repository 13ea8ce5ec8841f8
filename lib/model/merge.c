/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/merge.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"

static size_t row_size(const pali_model *model)
{
    return (size_t)model->settings->text.hidden_size * sizeof(float);
}

float pali__embedding_scale(const pali_model *model)
{
    const struct pali__text_config *config = &model->settings->text;

    return config->scales_embedding ? sqrtf((float)config->hidden_size) : 1.0f;
}

static void take_feature(const pali_model *model, float *row, struct pali__feature_rows *features)
{
    memcpy(row, features->rows + features->used++ * model->settings->text.hidden_size, row_size(model));
}

static pali_status check_count(int64_t n_tokens, const struct pali__feature_rows *features, pali_error **error)
{
    if (features->rows && n_tokens != features->count)
        return pali__fail(error, PALI_ERROR_SHAPE,
                          "image features and image tokens do not match: %lld image tokens, %lld features",
                          (long long)n_tokens, (long long)features->count);
    return PALI_OK;
}

pali_status pali__merge_check(const pali_model *model, const int64_t *ids, int64_t n,
                              const struct pali__feature_rows *features, pali_error **error)
{
    int64_t n_image_tokens = 0, vocab_size = model->settings->text.vocab_size;
    int64_t image_token = model->settings->image_token_id;

    for (int64_t i = 0; i < n; i++) {
        n_image_tokens += ids[i] == image_token;
        if ((ids[i] < 0 || ids[i] >= vocab_size) && ids[i] != image_token)
            return pali__fail(error, PALI_ERROR_ARGUMENT, "input_ids[%lld] is %lld, outside the vocabulary of %lld",
                              (long long)i, (long long)ids[i], (long long)vocab_size);
    }
    return check_count(n_image_tokens, features, error);
}

void pali__merge_ids(const pali_model *model, float *h, const int64_t *ids, int64_t n,
                     struct pali__feature_rows *features)
{
    int64_t hidden = model->settings->text.hidden_size, vocab_size = model->settings->text.vocab_size;
    const struct pali__matrix *embedding = &model->network.decoder.embedding;

    for (int64_t i = 0; i < n; i++) {
        /* An image token past the last embedding row is looked up as token 0, as in the reference (PARITY §1.4). */
        int64_t id = ids[i] < vocab_size ? ids[i] : 0;
        if (features->rows && ids[i] == model->settings->image_token_id)
            take_feature(model, h + i * hidden, features);
        else
            pali__embed(&model->compute, h + i * hidden, embedding, id, pali__embedding_scale(model));
    }
}

static bool same_row(const float *a, const float *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

pali_status pali__merge_embeds(const pali_model *model, float *h, const float *embeds, const int64_t *ids, int64_t n,
                               struct pali__feature_rows *features, pali_error **error)
{
    int64_t hidden = model->settings->text.hidden_size, n_image_tokens = 0;
    int64_t image_token = model->settings->image_token_id;
    float *image_row = NULL;

    memcpy(h, embeds, (size_t)n * row_size(model));
    if (!features->rows)
        return PALI_OK;
    if (!ids) {
        if (image_token >= model->settings->text.vocab_size)
            return pali__fail(error, PALI_ERROR_ARGUMENT,
                              "inputs_embeds with pictures need input_ids too: image token %lld has no embedding to tell "
                              "its rows by", (long long)image_token);
        image_row = pali__malloc(row_size(model));
        if (!image_row)
            return pali__no_memory(error, row_size(model));
        pali__embed(&model->compute, image_row, &model->network.decoder.embedding, image_token,
                    pali__embedding_scale(model));
    }
    for (int64_t i = 0; i < n; i++) {
        bool is_image = ids ? ids[i] == image_token : same_row(embeds + i * hidden, image_row, hidden);
        n_image_tokens += is_image;
        if (is_image && features->used < features->count)
            take_feature(model, h + i * hidden, features);
    }
    pali__free(image_row);
    return check_count(n_image_tokens, features, error);
}
