/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening a processor, sharing it, and its tokenizer's two directions. */
#include "processor/processor_internal.h"

#include <string.h>

#include "config/model_config.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/options.h"

void pali_processor_options_init(pali_processor_options *options)
{
    static const pali_processor_options defaults = PALI_PROCESSOR_OPTIONS_INIT;
    if (options)
        *options = defaults;
}

/* ---- life ---- */

static pali_status load_tokenizer(pali_processor *processor, const char *path, pali_error **error)
{
    char *file = pali__path_join(path, "tokenizer.json");
    if (!file)
        return pali__no_memory(error, strlen(path));
    pali_status status = pali__tokenizer_load(&processor->tokenizer, file, error);
    if (status == PALI_OK) {
        processor->rules.image_id = pali__tokenizer_id(processor->tokenizer, "<image>");
        if (processor->rules.image_id < 0)
            status = pali__fail(error, PALI_ERROR_FORMAT, "'%s': it has no token <image>, expected PaliGemma's tokenizer",
                                file);
    }
    pali__free(file);
    return status;
}

/* The text of a special token: tokenizer_config.json's, or Gemma's. */
static const char *token_text(const pali_config *config, const char *field, const char *gemma)
{
    const char *text = NULL;
    if (pali_config_get_string(config, field, &text, NULL) != PALI_OK || !text)
        text = gemma;
    return text;
}

static pali_status read_special_tokens(pali_processor *processor, const pali_config *config, const char *path,
                                       pali_error **error)
{
    const char *bos = token_text(config, "tokenizer_config.bos_token", "<bos>");
    const char *eos = token_text(config, "tokenizer_config.eos_token", "<eos>");
    const char *pad = token_text(config, "tokenizer_config.pad_token", "<pad>");
    const char *const tokens[] = { bos, eos, pad };
    for (int i = 0; i < 3; i++)
        if (pali__tokenizer_id(processor->tokenizer, tokens[i]) < 0)
            return pali__fail(error, PALI_ERROR_FORMAT, "'%s/tokenizer.json': it has no token %s", path, tokens[i]);
    processor->bos = pali__strdup(bos);
    processor->eos = pali__strdup(eos);
    processor->pad = pali__strdup(pad);
    processor->pad_id = pali__tokenizer_id(processor->tokenizer, pad);
    return processor->bos && processor->eos && processor->pad ? PALI_OK : pali__no_memory(error, strlen(bos) + strlen(eos));
}

static void read_pixel_options(struct pali__pixel_options *to, const struct pali__preprocessor_config *from,
                               pali_resample resample)
{
    to->height = (int32_t)from->height;
    to->width = (int32_t)from->width;
    to->resample = resample;
    to->do_resize = from->do_resize;
    to->do_rescale = from->do_rescale;
    to->do_normalize = from->do_normalize;
    to->rescale_factor = from->rescale_factor;
    memcpy(to->mean, from->image_mean, sizeof to->mean);
    memcpy(to->std, from->image_std, sizeof to->std);
}

static pali_status load(pali_processor *processor, const char *path, pali_resample resample, pali_error **error)
{
    pali_config *config = NULL;
    TRY(pali_config_load(&config, path, error));
    const struct pali__settings *settings = pali__config_settings(config);
    read_pixel_options(&processor->pixels, &settings->preprocessor, resample);
    processor->rules.tokens_per_image = settings->preprocessor.image_seq_length;
    pali_status status = load_tokenizer(processor, path, error);
    if (status == PALI_OK)
        status = read_special_tokens(processor, config, path, error);
    if (status == PALI_OK)
        status = pali__chat_templates_load(&processor->chat, path, error);
    if (status == PALI_OK)
        status = pali__retrieval_load(processor, path, error);
    processor->rules.tokenizer = processor->tokenizer;
    processor->rules.bos = processor->bos;
    processor->rules.eos = processor->eos;
    pali_config_free(config);
    return status;
}

pali_status pali_processor_load(pali_processor **out, const char *path, const pali_processor_options *options,
                                pali_error **error)
{
    pali_processor_options chosen = PALI_PROCESSOR_OPTIONS_INIT;
    if (!out)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_processor_load: out is NULL");
    *out = NULL;
    if (!path)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_processor_load: path is NULL");
    TRY(pali__options_take(&chosen, sizeof chosen, options, "pali_processor_options", error));
    if (chosen.resample != PALI_RESAMPLE_PILLOW && chosen.resample != PALI_RESAMPLE_TORCHVISION &&
        chosen.resample != PALI_RESAMPLE_PILLOW_12)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_processor_options: resample is %d, expected a pali_resample",
                          (int)chosen.resample);

    pali_processor *processor = pali__calloc(1, sizeof *processor);
    if (!processor)
        return pali__no_memory(error, sizeof *processor);
    atomic_init(&processor->n_references, 1);
    pali_status status = load(processor, path, chosen.resample, error);
    if (status != PALI_OK) {
        pali_processor_free(processor);
        return status;
    }
    *out = processor;
    return PALI_OK;
}

pali_processor *pali__processor_retain(pali_processor *processor)
{
    if (processor)
        atomic_fetch_add_explicit(&processor->n_references, 1, memory_order_relaxed);
    return processor;
}

void pali_processor_free(pali_processor *processor)
{
    if (!processor || atomic_fetch_sub_explicit(&processor->n_references, 1, memory_order_acq_rel) > 1)
        return;
    pali__tokenizer_free(processor->tokenizer);
    pali__free(processor->bos);
    pali__free(processor->eos);
    pali__free(processor->pad);
    pali__free(processor->page_prompt);
    pali__free(processor->query_prefix);
    pali__chat_templates_clear(&processor->chat);
    pali__free(processor);
}

const struct pali__tokenizer *pali__processor_tokenizer(const pali_processor *processor)
{
    return processor ? processor->tokenizer : NULL;
}

const char *pali__processor_eos(const pali_processor *processor)
{
    return processor->eos;
}

/* ---- text and ids ---- */

pali_status pali_processor_encode(const pali_processor *processor, const char *text, size_t size, int64_t **ids,
                                  size_t *n_ids, pali_error **error)
{
    if (!ids || !n_ids)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_processor_encode: %s is NULL", ids ? "n_ids" : "ids");
    *ids = NULL;
    *n_ids = 0;
    if (!processor || (!text && size))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_processor_encode: %s is NULL",
                          processor ? "text" : "processor");
    return pali__tokenizer_encode(processor->tokenizer, text ? text : "", size, ids, n_ids, error);
}

pali_status pali_processor_decode(const pali_processor *processor, const int64_t *ids, size_t n_ids,
                                  int32_t skip_special_tokens, char **text, pali_error **error)
{
    size_t size = 0;
    if (!text)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_processor_decode: text is NULL");
    *text = NULL;
    if (!processor || (!ids && n_ids))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_processor_decode: %s is NULL", processor ? "ids" : "processor");
    return pali__tokenizer_decode(processor->tokenizer, ids, n_ids, skip_special_tokens != 0, text, &size, error);
}

/* One block: the pointers, NULL, and the texts they point to. Each text may hold NUL bytes of its own. */
static pali_status join_texts(char ***out, char *const *rows, const size_t *sizes, size_t n_rows, pali_error **error)
{
    size_t total = (n_rows + 1) * sizeof **out;
    for (size_t i = 0; i < n_rows; i++)
        total += sizes[i] + 1;
    char **texts = pali__malloc(total);
    if (!texts)
        return pali__no_memory(error, total);
    char *to = (char *)(texts + n_rows + 1);
    for (size_t i = 0; i < n_rows; i++) {
        texts[i] = to;
        memcpy(to, rows[i], sizes[i] + 1);
        to += sizes[i] + 1;
    }
    texts[n_rows] = NULL;
    *out = texts;
    return PALI_OK;
}

pali_status pali_processor_batch_decode(const pali_processor *processor, const int64_t *ids, size_t n_rows, size_t n_ids,
                                        int32_t skip_special_tokens, char ***texts, pali_error **error)
{
    if (!texts)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_processor_batch_decode: texts is NULL");
    *texts = NULL;
    if (!processor || (!ids && n_rows && n_ids))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_processor_batch_decode: %s is NULL",
                          processor ? "ids" : "processor");
    char **rows = pali__calloc(n_rows + (n_rows == 0), sizeof *rows);
    size_t *sizes = pali__calloc(n_rows + (n_rows == 0), sizeof *sizes);
    pali_status status = rows && sizes ? PALI_OK : pali__no_memory(error, n_rows * sizeof *rows);
    for (size_t i = 0; status == PALI_OK && i < n_rows; i++)
        status = pali__tokenizer_decode(processor->tokenizer, ids ? ids + i * n_ids : NULL, n_ids,
                                        skip_special_tokens != 0, &rows[i], &sizes[i], error);
    if (status == PALI_OK)
        status = join_texts(texts, rows, sizes, n_rows, error);
    for (size_t i = 0; rows && i < n_rows; i++)
        pali__free(rows[i]);
    pali__free(rows);
    pali__free(sizes);
    return status;
}
