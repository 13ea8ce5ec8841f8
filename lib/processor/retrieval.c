/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages and queries as ColPaliProcessor lays them out (transformers/models/colpali/processing_colpali.py). */
#include <paligemma/embedding.h>

#include <string.h>

#include "core/file.h"
#include "core/json_file.h"
#include "core/memory.h"
#include "core/options.h"
#include "processor/processor_internal.h"

enum { FILE_LIMIT = 64 << 20, N_AUGMENTATION = 10 };

pali_status pali__retrieval_load(pali_processor *processor, const char *directory, pali_error **error)
{
    char *path = pali__path_join(directory, "processor_config.json");
    struct json_object *root = NULL;
    pali_status status = path ? PALI_OK : pali__no_memory(error, strlen(directory));
    if (status == PALI_OK && pali__file_exists(path))
        status = pali__json_load(&root, path, FILE_LIMIT, error);
    if (status == PALI_OK) {
        const char *page = pali__json_string(pali__json_get(root, "visual_prompt_prefix"));
        const char *query = pali__json_string(pali__json_get(root, "query_prefix"));
        processor->page_prompt = pali__strdup(page ? page : "Describe the image.");
        processor->query_prefix = pali__strdup(query ? query : "Question: ");
        if (!processor->page_prompt || !processor->query_prefix)
            status = pali__no_memory(error, 64);
    }
    pali__json_free(root);
    pali__free(path);
    return status;
}

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; texts && i < count; i++)
        pali__free(texts[i]);
    pali__free(texts);
}

/* "<image>PROMPT", which gives the picture's tokens, <bos>, the prompt, and the newline. */
static char *page_text(const pali_processor *processor)
{
    struct pali__text text = { NULL, 0, 0 };
    if (pali__text_printf(&text, "<image>%s", processor->page_prompt))
        return text.data;
    pali__text_clear(&text);
    return NULL;
}

static char *query_text(const pali_processor *processor, const char *query)
{
    struct pali__text text = { NULL, 0, 0 };
    bool fits = pali__text_append(&text, processor->query_prefix, strlen(processor->query_prefix)) &&
                pali__text_append(&text, query, strlen(query));
    for (int i = 0; fits && i < N_AUGMENTATION; i++)
        fits = pali__text_append(&text, processor->pad, strlen(processor->pad));
    if (fits)
        return text.data;
    pali__text_clear(&text);
    return NULL;
}

/* Suffixes and counts of pictures have no meaning here. */
static pali_status take_options(pali_apply_options *own, const pali_apply_options *options, pali_error **error)
{
    pali_apply_options_init(own);
    TRY(pali__options_take(own, sizeof *own, options, "pali_apply_options", error));
    if (own->suffixes || own->images_per_text)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_apply_options: %s has no meaning for pages and queries",
                          own->suffixes ? "suffixes" : "images_per_text");
    return PALI_OK;
}

pali_status pali_processor_apply_pages(pali_inputs **out, const pali_processor *processor, pali_image *const *images,
                                       size_t n_images, const pali_apply_options *options, pali_error **error)
{
    pali_apply_options own;
    if (!out || !processor)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_processor_apply_pages: %s is NULL", out ? "processor" : "out");
    *out = NULL;
    TRY(take_options(&own, options, error));
    char **texts = pali__calloc(n_images, sizeof *texts);
    pali_status status = texts ? PALI_OK : pali__no_memory(error, n_images * sizeof *texts);
    for (size_t i = 0; i < n_images && status == PALI_OK; i++)
        if (!(texts[i] = page_text(processor)))
            status = pali__no_memory(error, 64);
    if (status == PALI_OK)
        status = pali_processor_apply_batch(out, processor, images, n_images, (const char *const *)texts, n_images, &own,
                                            error);
    free_texts(texts, n_images);
    return status;
}

pali_status pali_processor_apply_queries(pali_inputs **out, const pali_processor *processor, const char *const *texts,
                                         size_t n_texts, const pali_apply_options *options, pali_error **error)
{
    pali_apply_options own;
    if (!out || !processor || (!texts && n_texts))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_processor_apply_queries: %s is NULL",
                          !out ? "out" : !processor ? "processor" : "texts");
    *out = NULL;
    TRY(take_options(&own, options, error));
    char **queries = pali__calloc(n_texts, sizeof *queries);
    pali_status status = queries ? PALI_OK : pali__no_memory(error, n_texts * sizeof *queries);
    for (size_t i = 0; i < n_texts && status == PALI_OK; i++) {
        if (!texts[i])
            status = pali__fail(error, PALI_ERROR_ARGUMENT, "pali_processor_apply_queries: text %zu is NULL", i);
        else if (!(queries[i] = query_text(processor, texts[i])))
            status = pali__no_memory(error, strlen(texts[i]));
    }
    if (status == PALI_OK)
        status = pali__apply_texts(out, processor, (const char *const *)queries, n_texts, &own, error);
    free_texts(queries, n_texts);
    return status;
}
