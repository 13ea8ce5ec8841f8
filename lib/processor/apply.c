/* SPDX-License-Identifier: BSD-2-Clause */
/* Texts and pictures to the model's tensors: PaliGemmaProcessor.__call__. */
#include "processor/processor_internal.h"

#include <string.h>

#include "core/memory.h"
#include "core/options.h"

#define IGNORED (-100) /* a label that no loss counts */

void pali_apply_options_init(pali_apply_options *options)
{
    static const pali_apply_options defaults = PALI_APPLY_OPTIONS_INIT;
    if (options)
        *options = defaults;
}

/* What was asked for, in one place. */
struct request {
    const pali_processor *processor;
    pali_image *const *images;
    size_t n_images;
    const char *const *texts;
    size_t n_texts;
    bool without_images; /* queries: no text has a picture */
    pali_apply_options options;
    struct pali__prompt *prompts; /* [n_texts] */
    pali_error **error;
};

static pali_status take_options(struct request *request, const pali_apply_options *options)
{
    pali_apply_options *own = &request->options;
    pali_apply_options_init(own);
    TRY(pali__options_take(own, sizeof *own, options, "pali_apply_options", request->error));
    if (own->padding_side != PALI_PADDING_LEFT && own->padding_side != PALI_PADDING_RIGHT)
        return pali__fail(request->error, PALI_ERROR_ARGUMENT,
                          "pali_apply_options: padding_side is %d, expected PALI_PADDING_LEFT or PALI_PADDING_RIGHT",
                          (int)own->padding_side);
    if (own->pad_to < 0 || own->max_length < 0)
        return pali__fail(request->error, PALI_ERROR_ARGUMENT, "pali_apply_options: %s is %lld, expected 0 or more",
                          own->pad_to < 0 ? "pad_to" : "max_length",
                          (long long)(own->pad_to < 0 ? own->pad_to : own->max_length));
    return PALI_OK;
}

static pali_status check_arguments(const struct request *request)
{
    if (!request->processor || (!request->images && request->n_images) || (!request->texts && request->n_texts))
        return pali__fail(request->error, PALI_ERROR_ARGUMENT, "pali_processor_apply: %s is NULL",
                          !request->processor ? "processor" : !request->texts && request->n_texts ? "texts" : "images");
    if (request->n_texts == 0)
        return pali__fail(request->error, PALI_ERROR_ARGUMENT, "pali_processor_apply: there is no text");
    if (request->n_images == 0 && !request->without_images)
        return pali__fail(request->error, PALI_ERROR_ARGUMENT,
                          "pali_processor_apply: there is no picture, expected at least one");
    for (size_t i = 0; i < request->n_images; i++)
        if (!request->images[i])
            return pali__fail(request->error, PALI_ERROR_ARGUMENT, "pali_processor_apply: picture %zu is NULL", i);
    for (size_t i = 0; i < request->n_texts; i++)
        if (!request->texts[i] || (request->options.suffixes && !request->options.suffixes[i]))
            return pali__fail(request->error, PALI_ERROR_ARGUMENT, "pali_processor_apply: %s %zu is NULL",
                              request->texts[i] ? "suffix" : "text", i);
    return PALI_OK;
}

/* ---- which text has how many pictures ---- */

/* Texts that say <image> themselves: the counts have to agree. */
static pali_status check_placed_images(const struct request *request, size_t n_placed)
{
    if (n_placed != request->n_images)
        return pali__fail(request->error, PALI_ERROR_SHAPE,
                          "the texts have %zu <image> in all, but there are %zu pictures", n_placed, request->n_images);
    for (size_t i = 0; request->options.images_per_text && i < request->n_texts; i++) {
        size_t n = pali__prompt_count_images(request->texts[i]);
        if (n != request->options.images_per_text[i])
            return pali__fail(request->error, PALI_ERROR_SHAPE, "text %zu: it has %zu <image>, but images_per_text says %zu",
                              i, n, request->options.images_per_text[i]);
    }
    return PALI_OK;
}

/* Texts without any <image>: the pictures go in front. */
static pali_status check_leading_images(const struct request *request)
{
    size_t left = request->n_images;
    if (!request->options.images_per_text) {
        if (request->n_images != request->n_texts)
            return pali__fail(request->error, PALI_ERROR_SHAPE,
                              "there are %zu pictures for %zu texts, expected one for each or images_per_text",
                              request->n_images, request->n_texts);
        return PALI_OK;
    }
    for (size_t i = 0; i < request->n_texts; i++) {
        size_t n = request->options.images_per_text[i];
        if (n > left)
            return pali__fail(request->error, PALI_ERROR_SHAPE,
                              "images_per_text counts more than the %zu pictures that there are", request->n_images);
        left -= n;
    }
    if (left)
        return pali__fail(request->error, PALI_ERROR_SHAPE, "images_per_text counts %zu pictures, but there are %zu",
                          request->n_images - left, request->n_images);
    return PALI_OK;
}

static pali_status build_prompts(struct request *request)
{
    const pali_apply_options *options = &request->options;
    size_t n_placed = 0;
    for (size_t i = 0; i < request->n_texts; i++)
        n_placed += pali__prompt_count_images(request->texts[i]);
    if (n_placed)
        TRY(check_placed_images(request, n_placed));
    else if (!request->without_images)
        TRY(check_leading_images(request));

    for (size_t i = 0; i < request->n_texts; i++) {
        struct pali__prompt_source source = { request->texts[i], options->suffixes ? options->suffixes[i] : NULL, 1,
                                              n_placed > 0, i };
        if (n_placed)
            source.n_images = pali__prompt_count_images(request->texts[i]);
        else if (request->without_images)
            source.n_images = 0;
        else if (options->images_per_text)
            source.n_images = options->images_per_text[i];
        TRY(pali__prompt_build(&request->prompts[i], &request->processor->rules, &source, request->error));
    }
    return PALI_OK;
}

/* ---- tensors ---- */

/* The common length of all rows. */
static pali_status row_length(const struct request *request, size_t *length)
{
    const pali_apply_options *options = &request->options;
    *length = (size_t)options->pad_to;
    for (size_t i = 0; i < request->n_texts; i++) {
        size_t n = request->prompts[i].n_ids;
        if ((options->max_length && n > (uint64_t)options->max_length) || (options->pad_to && n > (uint64_t)options->pad_to))
            return pali__fail(request->error, PALI_ERROR_LIMIT, "text %zu: it has %zu tokens, more than %s, %lld", i, n,
                              options->max_length && n > (uint64_t)options->max_length ? "max_length" : "pad_to",
                              (long long)(options->max_length && n > (uint64_t)options->max_length ? options->max_length
                                                                                                   : options->pad_to));
        if (n > *length)
            *length = n;
    }
    return PALI_OK;
}

enum { IDS, MASK, TYPES, LABELS, N_TOKEN_TENSORS };

/* One row of each tensor; `rows` points to its beginnings. */
static void fill_row(int64_t *const rows[N_TOKEN_TENSORS], const struct pali__prompt *prompt, size_t length,
                     pali_padding_side side, int64_t pad_id)
{
    const size_t first = side == PALI_PADDING_LEFT ? length - prompt->n_ids : 0;
    for (size_t i = 0; i < length; i++) {
        bool real = i >= first && i - first < prompt->n_ids;
        bool suffix = real && i - first >= prompt->n_prefix;
        rows[IDS][i] = real ? prompt->ids[i - first] : pad_id;
        rows[MASK][i] = real;
        rows[TYPES][i] = suffix;
        rows[LABELS][i] = suffix ? rows[IDS][i] : IGNORED;
    }
}

static pali_status add_tokens(pali_inputs *inputs, const struct request *request)
{
    static const char *const names[N_TOKEN_TENSORS] = { "input_ids", "attention_mask", "token_type_ids", "labels" };
    int64_t *data[N_TOKEN_TENSORS];
    size_t length = 0;
    TRY(row_length(request, &length));
    const int64_t shape[2] = { (int64_t)request->n_texts, (int64_t)length };
    for (int i = 0; i < N_TOKEN_TENSORS; i++) {
        pali_tensor *tensor = NULL;
        TRY(pali__tensor_set_add(&inputs->tensors, names[i], PALI_INT64, 2, shape, &tensor, request->error));
        data[i] = tensor->data;
    }
    for (size_t row = 0; row < request->n_texts; row++) {
        int64_t *rows[N_TOKEN_TENSORS];
        for (int i = 0; i < N_TOKEN_TENSORS; i++)
            rows[i] = data[i] + row * length;
        fill_row(rows, &request->prompts[row], length, request->options.padding_side, request->processor->pad_id);
    }
    return PALI_OK;
}

static pali_status add_pixels(pali_inputs *inputs, const struct request *request)
{
    const struct pali__pixel_options *options = &request->processor->pixels;
    const int64_t shape[4] = { (int64_t)request->n_images, 3, options->height, options->width };
    const size_t image_size = 3 * (size_t)options->height * (size_t)options->width;
    pali_tensor *tensor = NULL;
    TRY(pali__tensor_set_add(&inputs->tensors, "pixel_values", PALI_FLOAT32, 4, shape, &tensor, request->error));
    for (size_t i = 0; i < request->n_images; i++)
        TRY(pali__image_pixel_values((float *)tensor->data + i * image_size, request->images[i], options, request->error));
    return PALI_OK;
}

static pali_status apply(pali_inputs **out, struct request *request)
{
    pali_inputs *inputs = NULL;
    TRY(check_arguments(request));
    request->prompts = pali__calloc(request->n_texts, sizeof *request->prompts);
    if (!request->prompts)
        return pali__no_memory(request->error, request->n_texts * sizeof *request->prompts);

    pali_status status = build_prompts(request);
    if (status == PALI_OK)
        status = pali_inputs_create(&inputs, request->error);
    if (status == PALI_OK)
        status = add_tokens(inputs, request);
    if (status == PALI_OK && !request->without_images)
        status = add_pixels(inputs, request);
    for (size_t i = 0; i < request->n_texts; i++)
        pali__prompt_clear(&request->prompts[i]);
    pali__free(request->prompts);
    if (status != PALI_OK) {
        pali_inputs_free(inputs);
        return status;
    }
    /* Only the count of references changes, which is not what makes a processor immutable to its users. */
    inputs->processor = pali__processor_retain((pali_processor *)(uintptr_t)request->processor);
    *out = inputs;
    return PALI_OK;
}

pali_status pali_processor_apply_batch(pali_inputs **out, const pali_processor *processor, pali_image *const *images,
                                       size_t n_images, const char *const *texts, size_t n_texts,
                                       const pali_apply_options *options, pali_error **error)
{
    struct request request = { .processor = processor, .images = images, .n_images = n_images, .texts = texts,
                               .n_texts = n_texts, .error = error };
    if (!out)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_processor_apply_batch: out is NULL");
    *out = NULL;
    TRY(take_options(&request, options));
    return apply(out, &request);
}

pali_status pali__apply_texts(pali_inputs **out, const pali_processor *processor, const char *const *texts,
                              size_t n_texts, const pali_apply_options *options, pali_error **error)
{
    struct request request = { .processor = processor, .texts = texts, .n_texts = n_texts, .without_images = true,
                               .error = error };
    TRY(take_options(&request, options));
    return apply(out, &request);
}

pali_status pali_processor_apply(pali_inputs **out, const pali_processor *processor, pali_image *const *images,
                                 size_t n_images, const char *text, const pali_apply_options *options,
                                 pali_error **error)
{
    struct request request = { .processor = processor, .images = images, .n_images = n_images, .texts = &text,
                               .n_texts = 1, .error = error };
    if (!out)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_processor_apply: out is NULL");
    *out = NULL;
    TRY(take_options(&request, options));
    if (!request.options.images_per_text)
        request.options.images_per_text = &n_images;
    return apply(out, &request);
}

/* `ids`, `n` of them, in one row; what is not NULL of them is copied, else every value is 1. */
static pali_status add_row(pali_inputs *inputs, const char *name, const int64_t *ids, int64_t n, pali_error **error)
{
    pali_tensor *tensor = NULL;

    TRY(pali__tensor_set_add(&inputs->tensors, name, PALI_INT64, 2, (int64_t[]){ 1, n }, &tensor, error));
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)tensor->data)[i] = ids ? ids[i] : 1;
    return PALI_OK;
}

pali_status pali_processor_apply_continuation(pali_inputs **out, const pali_processor *processor, const char *text,
                                              pali_error **error)
{
    pali_inputs *inputs = NULL;
    int64_t *ids = NULL;
    size_t n = 0;

    if (!out || !processor || !text)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_processor_apply_continuation: %s is NULL",
                          !out ? "out" : !processor ? "processor" : "text");
    *out = NULL;
    TRY(pali_processor_encode(processor, text, strlen(text), &ids, &n, error));
    pali_status status = n > 0 ? PALI_OK : pali__fail(error, PALI_ERROR_ARGUMENT, "the continuation has no text");
    for (size_t i = 0; status == PALI_OK && i < n; i++)
        if (ids[i] == processor->rules.image_id)
            status = pali__fail(error, PALI_ERROR_ARGUMENT, "a continuation cannot contain <image>");
    if (status == PALI_OK)
        status = pali_inputs_create(&inputs, error);
    if (status == PALI_OK)
        status = add_row(inputs, "input_ids", ids, (int64_t)n, error);
    if (status == PALI_OK)
        status = add_row(inputs, "attention_mask", NULL, (int64_t)n, error);
    if (status == PALI_OK)
        status = add_row(inputs, "token_type_ids", NULL, (int64_t)n, error);
    pali__free(ids);
    if (status != PALI_OK) {
        pali_inputs_free(inputs);
        return status;
    }
    inputs->processor = pali__processor_retain((pali_processor *)(uintptr_t)processor);
    *out = inputs;
    return PALI_OK;
}

pali_status pali_processor_inputs(pali_inputs **out, const pali_processor *processor, pali_error **error)
{
    if (!out || !processor)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_processor_inputs: %s is NULL", !out ? "out" : "processor");
    TRY(pali_inputs_create(out, error));
    (*out)->processor = pali__processor_retain((pali_processor *)(uintptr_t)processor);
    return PALI_OK;
}
