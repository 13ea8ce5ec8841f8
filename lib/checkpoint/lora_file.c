/* SPDX-License-Identifier: BSD-2-Clause */
#include "checkpoint/lora_file.h"

#include <stdlib.h>
#include <string.h>

#include "checkpoint/lora_config.h"
#include "checkpoint/tensors.h"
#include "core/memory.h"

/* What PEFT puts before the module's name in the trained model. */
static const char peft_prefix[] = "base_model.model.";

/* Behind a module's name. "default" is PEFT's own name for an adapter that was given none; its files leave it out. */
static const struct {
    const char *text;
    bool is_b;
} endings[] = {
    { ".lora_A.weight", false },
    { ".lora_B.weight", true },
    { ".lora_A.default.weight", false },
    { ".lora_B.default.weight", true },
};

static int by_weight(const void *a, const void *b)
{
    return strcmp(((const struct pali__lora_pair *)a)->weight, ((const struct pali__lora_pair *)b)->weight);
}

/* What is left of `name` before `ending`; 0 if it does not end so. */
static size_t size_before(const char *name, const char *ending)
{
    size_t size = strlen(name), end = strlen(ending);
    return size > end && strcmp(name + size - end, ending) == 0 ? size - end : 0;
}

/* The length of the module's name in `name`, and which half it is; 0 for a tensor that is neither. */
static size_t split_name(const char *name, bool *is_b)
{
    size_t size = 0;
    for (size_t i = 0; size == 0 && i < sizeof endings / sizeof endings[0]; i++) {
        size = size_before(name, endings[i].text);
        *is_b = endings[i].is_b;
    }
    return size;
}

static pali_status refuse_tensor(const struct pali__lora_file *file, const char *name, pali_error **error)
{
    if (strstr(name, "lora_embedding_"))
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "'%s': tensor \"%.200s\" adapts an embedding, which is not served", file->path, name);
    if (strstr(name, "lora_magnitude_vector"))
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "'%s': tensor \"%.200s\" belongs to DoRA, which is not served",
                          file->path, name);
    return pali__fail(error, PALI_ERROR_FORMAT,
                      "'%s': tensor \"%.200s\" is no half of a LoRA pair (its name should end in .lora_A.weight or "
                      ".lora_B.weight)",
                      file->path, name);
}

static pali_status check_half(const struct pali__lora_file *file, const struct pali__safetensors_tensor *half,
                              pali_error **error)
{
    const pali_tensor *tensor = &half->tensor;
    if (tensor->rank != 2 || tensor->shape[0] < 1 || tensor->shape[1] < 1)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "'%s': tensor \"%.200s\" has %d dimensions, or an empty one; the matrix of a linear layer "
                          "was expected",
                          file->path, half->name, (int)tensor->rank);
    if (tensor->dtype != PALI_FLOAT32 && tensor->dtype != PALI_BFLOAT16 && tensor->dtype != PALI_FLOAT16)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "'%s': tensor \"%.200s\" should be float32, bfloat16 or float16 and is %s", file->path,
                          half->name, pali_dtype_name(tensor->dtype));
    return PALI_OK;
}

/* "base_model.model.model.language_model.layers.0.self_attn.q_proj" to the weight's canonical name. */
static char *weight_name(const char *module, size_t size)
{
    struct pali__text name = { NULL, 0, 0 };
    char *canonical = pali__malloc(size + sizeof ".weight");
    bool done = canonical && pali__text_append(&name, module, size) &&
                pali__text_append(&name, ".weight", strlen(".weight")) &&
                pali__canonical_name(canonical, size + sizeof ".weight", name.data);
    pali__text_clear(&name);
    if (done)
        return canonical;
    pali__free(canonical);
    return NULL;
}

static pali_status add_copy(struct pali__lora_file *file, const struct pali__safetensors_tensor *tensor, size_t size,
                            pali_error **error)
{
    struct pali__lora_copy *copy = &file->copies[file->n_copies];
    *copy = (struct pali__lora_copy){ weight_name(tensor->name, size), tensor->name, &tensor->tensor };
    if (!copy->weight)
        return pali__no_memory(error, size);
    file->n_copies++;
    return PALI_OK;
}

/* One entry for each half, sorted, so that the two halves of a pair lie side by side. */
static pali_status list_halves(struct pali__lora_file *file, pali_error **error)
{
    file->pairs = pali__calloc(file->weights.count, sizeof *file->pairs);
    file->copies = pali__calloc(file->weights.count, sizeof *file->copies);
    if (!file->pairs || !file->copies)
        return pali__no_memory(error, file->weights.count * sizeof *file->pairs);
    for (size_t i = 0; i < file->weights.count; i++) {
        const struct pali__safetensors_tensor *half = &file->weights.tensors[i];
        struct pali__lora_pair *entry = &file->pairs[file->count];
        bool is_b = false;
        size_t size = size_before(half->name, ".base_layer.weight");
        if (size != 0) {
            TRY(add_copy(file, half, size, error));
            continue;
        }
        size = split_name(half->name, &is_b);
        if (size == 0)
            return refuse_tensor(file, half->name, error);
        TRY(check_half(file, half, error));
        *entry = is_b ? (struct pali__lora_pair){ .b_name = half->name, .b = &half->tensor }
                      : (struct pali__lora_pair){ .a_name = half->name, .a = &half->tensor };
        entry->weight = weight_name(half->name, size);
        if (!entry->weight)
            return pali__no_memory(error, size);
        file->count++;
    }
    if (file->count)
        qsort(file->pairs, file->count, sizeof *file->pairs, by_weight);
    return PALI_OK;
}

/* Joins the halves; the list gets half as long. */
static pali_status join_halves(struct pali__lora_file *file, pali_error **error)
{
    size_t count = 0, n_halves = file->count;
    for (size_t i = 0; i < n_halves; i += 2) {
        struct pali__lora_pair *first = &file->pairs[i], *second = i + 1 < n_halves ? first + 1 : NULL;
        const char *name = first->a_name ? first->a_name : first->b_name;
        if (!second || strcmp(first->weight, second->weight) != 0)
            return pali__fail(error, PALI_ERROR_FORMAT, "'%s': tensor \"%.200s\" lacks its other half, lora_%c",
                              file->path, name, first->a ? 'B' : 'A');
        if (!first->a == !second->a)
            return pali__fail(error, PALI_ERROR_FORMAT, "'%s': \"%.200s\" and \"%.200s\" are the same half of one pair",
                              file->path, name, second->a_name ? second->a_name : second->b_name);
        if (!first->a) {
            first->a = second->a;
            first->a_name = second->a_name;
        } else {
            first->b = second->b;
            first->b_name = second->b_name;
        }
        pali__free(second->weight);
        second->weight = NULL;
        if (count != i) { /* the name moves, so that every one is freed once */
            file->pairs[count] = *first;
            first->weight = NULL;
        }
        count++;
    }
    file->count = count;
    return PALI_OK;
}

/* The module's name in the trained model, which the patterns of the configuration are about. */
static pali_status read_scale(const struct pali__lora_file *file, struct pali__lora_pair *pair,
                              const struct pali__lora_config *config, pali_error **error)
{
    bool is_b = false;
    size_t size = split_name(pair->a_name, &is_b), prefix = sizeof peft_prefix - 1;
    const char *start = pair->a_name;
    if (size > prefix && strncmp(start, peft_prefix, prefix) == 0) {
        start += prefix;
        size -= prefix;
    }
    char *module = pali__strndup(start, size);
    if (!module)
        return pali__no_memory(error, size);
    pali_status status = pali__lora_config_module(config, module, &pair->rank, &pair->scale, error);
    pali__free(module);
    if (status == PALI_OK && (pair->a->shape[0] != pair->rank || pair->b->shape[1] != pair->rank))
        status = pali__fail(error, PALI_ERROR_SHAPE,
                            "'%s': \"%.200s\" is [%lld, %lld] and its other half [%lld, %lld]; adapter_config.json "
                            "says rank %lld",
                            file->path, pair->a_name, (long long)pair->a->shape[0], (long long)pair->a->shape[1],
                            (long long)pair->b->shape[0], (long long)pair->b->shape[1], (long long)pair->rank);
    return status;
}

/* From the opened weights. */
static pali_status pair_up(struct pali__lora_file *file, const struct pali__lora_config *config, pali_error **error)
{
    TRY(list_halves(file, error));
    TRY(join_halves(file, error));
    if (file->count == 0)
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s' has no tensors", file->path);
    for (size_t i = 0; i < file->count; i++)
        TRY(read_scale(file, &file->pairs[i], config, error));
    for (size_t i = 0; i < file->n_copies; i++)
        if (!pali__lora_file_find(file, file->copies[i].weight))
            return refuse_tensor(file, file->copies[i].name, error);
    return PALI_OK;
}

pali_status pali__lora_file_open(struct pali__lora_file *out, const char *directory, pali_error **error)
{
    struct pali__lora_config config;

    *out = (struct pali__lora_file){ 0 };
    TRY(pali__lora_config_load(&config, directory, error));
    out->path = pali__path_join(directory, "adapter_model.safetensors");
    pali_status status = out->path ? pali__safetensors_open(&out->weights, out->path, error)
                                   : pali__no_memory(error, strlen(directory) + 32);
    if (status == PALI_OK)
        status = pair_up(out, &config, error);
    pali__lora_config_clear(&config);
    if (status != PALI_OK)
        pali__lora_file_close(out);
    return status;
}

pali_status pali__lora_file_parse(struct pali__lora_file *out, const char *text, size_t text_size,
                                  const unsigned char *weights, size_t weights_size, pali_error **error)
{
    static const char path[] = "adapter_model.safetensors";
    struct pali__lora_config config;

    *out = (struct pali__lora_file){ 0 };
    TRY(pali__lora_config_parse(&config, text, text_size, error));
    out->path = pali__strdup(path);
    pali_status status = out->path ? pali__safetensors_parse(&out->weights, weights, weights_size, path, error)
                                   : pali__no_memory(error, sizeof path);
    if (status == PALI_OK)
        status = pair_up(out, &config, error);
    pali__lora_config_clear(&config);
    if (status != PALI_OK)
        pali__lora_file_close(out);
    return status;
}

void pali__lora_file_close(struct pali__lora_file *file)
{
    /* After a failure halfway there are names behind `count` too, never more than there are tensors. */
    for (size_t i = 0; file->pairs && i < file->weights.count; i++)
        pali__free(file->pairs[i].weight);
    for (size_t i = 0; i < file->n_copies; i++)
        pali__free(file->copies[i].weight);
    pali__free(file->pairs);
    pali__free(file->copies);
    pali__safetensors_close(&file->weights);
    pali__free(file->path);
    *file = (struct pali__lora_file){ 0 };
}

const struct pali__lora_pair *pali__lora_file_find(const struct pali__lora_file *file, const char *weight)
{
    size_t low = 0, high = file->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(file->pairs[middle].weight, weight);
        if (order == 0)
            return &file->pairs[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct pali__lora_copy *pali__lora_file_copy(const struct pali__lora_file *file, const char *weight)
{
    for (size_t i = 0; i < file->n_copies; i++)
        if (strcmp(file->copies[i].weight, weight) == 0)
            return &file->copies[i];
    return NULL;
}
