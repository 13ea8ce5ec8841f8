/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/inventory.h"

#include <stdio.h>
#include <string.h>

#include "checkpoint/tensors.h"

void pali__shape_text(char out[96], int32_t rank, const int64_t *shape)
{
    size_t used = 0;

    out[0] = 0;
    for (int32_t i = 0; i < rank && used < 80; i++)
        used += (size_t)snprintf(out + used, 96 - used, i ? ", %lld" : "%lld", (long long)shape[i]);
}

bool pali__tensor_fits(const pali_tensor *tensor, const struct pali__tensor_spec *spec)
{
    return tensor->rank == spec->rank && !memcmp(tensor->shape, spec->shape, (size_t)spec->rank * sizeof(int64_t));
}

bool pali__head_is_tied(const pali_checkpoint *checkpoint, const struct pali__settings *settings)
{
    bool both_count = settings->text.family == PALI__LLAMA || settings->text.family == PALI__MISTRAL;

    return settings->tie_word_embeddings && !(both_count && pali__checkpoint_find(checkpoint, PALI__HEAD_NAME) &&
                                              pali__checkpoint_find(checkpoint, PALI__EMBEDDING_NAME));
}

static bool is_floating(pali_dtype dtype)
{
    return dtype == PALI_FLOAT32 || dtype == PALI_BFLOAT16 || dtype == PALI_FLOAT16;
}

pali_status pali__inventory_find(const pali_checkpoint *checkpoint, const struct pali__settings *settings,
                                 const char *path, const struct pali__tensor_spec *spec, const pali_tensor **out,
                                 pali_error **error)
{
    bool tied = pali__head_is_tied(checkpoint, settings);
    const pali_tensor *tensor = pali__checkpoint_find(checkpoint, spec->name);
    char expected[96], found[96];

    if (!strcmp(spec->name, PALI__EMBEDDING_NAME) && !tensor && tied)
        tensor = pali__checkpoint_find(checkpoint, PALI__HEAD_NAME);
    if (!strcmp(spec->name, PALI__HEAD_NAME) && tied) {
        const pali_tensor *embedding = pali__checkpoint_find(checkpoint, PALI__EMBEDDING_NAME);
        tensor = embedding ? embedding : tensor;
    }
    pali__shape_text(expected, spec->rank, spec->shape);
    if (!tensor)
        return pali__fail(error, PALI_ERROR_FORMAT, "%s: tensor %s of shape [%s] is missing", path, spec->name,
                          expected);
    if (!pali__tensor_fits(tensor, spec)) {
        pali__shape_text(found, tensor->rank, tensor->shape);
        return pali__fail(error, PALI_ERROR_FORMAT, "%s: tensor %s should have the shape [%s] and has [%s]", path,
                          spec->name, expected, found);
    }
    if (!is_floating(tensor->dtype))
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "%s: tensor %s should be float32, bfloat16 or float16 and is %s", path, spec->name,
                          pali_dtype_name(tensor->dtype));
    *out = tensor;
    return PALI_OK;
}

/* Marks what `spec` uses of the checkpoint's tensors. */
struct expectation {
    const pali_checkpoint *checkpoint;
    unsigned char *known; /* a flag for each tensor of the checkpoint */
    struct pali__text *missing;
    bool tied, no_memory;
};

static bool head_or_embedding(const char *name)
{
    return !strcmp(name, PALI__EMBEDDING_NAME) || !strcmp(name, PALI__HEAD_NAME);
}

static void note_missing(struct expectation *expectation, const struct pali__tensor_spec *spec,
                         const pali_tensor *tensor)
{
    char expected[96], found[96];

    pali__shape_text(expected, spec->rank, spec->shape);
    if (tensor)
        pali__shape_text(found, tensor->rank, tensor->shape);
    if (!(tensor ? pali__text_printf(expectation->missing, "%s: shape [%s], expected [%s]\n", spec->name, found,
                                     expected)
                 : pali__text_printf(expectation->missing, "%s\n", spec->name)))
        expectation->no_memory = true;
}

static pali_status expect_tensor(void *user, const struct pali__tensor_spec *spec, pali_error **error)
{
    struct expectation *expectation = user;
    const pali_tensor *tensor = pali__checkpoint_find(expectation->checkpoint, spec->name);
    const char *other = !strcmp(spec->name, PALI__HEAD_NAME) ? PALI__EMBEDDING_NAME : PALI__HEAD_NAME;

    (void)error;
    for (size_t i = 0; tensor && i < pali_checkpoint_count(expectation->checkpoint); i++)
        if (!strcmp(pali__checkpoint_canonical(expectation->checkpoint, i), spec->name))
            expectation->known[i] = 1;
    if (!tensor && head_or_embedding(spec->name) && expectation->tied &&
        pali__checkpoint_find(expectation->checkpoint, other))
        return PALI_OK;
    if (expectation->missing && (!tensor || !pali__tensor_fits(tensor, spec)))
        note_missing(expectation, spec, tensor);
    return PALI_OK;
}

pali_status pali__inventory_compare(const pali_checkpoint *checkpoint, const struct pali__settings *settings,
                                    struct pali__network *network, struct pali__text *missing,
                                    struct pali__text *unexpected, pali_error **error)
{
    size_t count = pali_checkpoint_count(checkpoint);
    struct expectation expectation = { .checkpoint = checkpoint, .missing = missing,
                                       .tied = pali__head_is_tied(checkpoint, settings) };

    expectation.known = pali__calloc(count, 1);
    if (!expectation.known)
        return pali__no_memory(error, count);
    pali_status status = pali__network_visit(network, settings, expect_tensor, &expectation, error);
    for (size_t i = 0; i < count; i++)
        if (!expectation.known[i] && !pali__tensor_is_ignorable(pali__checkpoint_canonical(checkpoint, i)) &&
            !pali__text_printf(unexpected, "%s\n", pali_checkpoint_name(checkpoint, i)))
            expectation.no_memory = true;
    pali__free(expectation.known);
    if (status == PALI_OK && expectation.no_memory)
        status = pali__no_memory(error, 0);
    return status;
}

pali_status pali__inventory_refuse_unexpected(const pali_checkpoint *checkpoint, const struct pali__settings *settings,
                                              struct pali__network *network, const char *path, pali_error **error)
{
    struct pali__text unexpected = { 0 };
    pali_status status = pali__inventory_compare(checkpoint, settings, network, NULL, &unexpected, error);

    if (status == PALI_OK && unexpected.size > 0)
        status = pali__fail(error, PALI_ERROR_FORMAT, "%s: tensor %.*s is unexpected in a model of this configuration",
                            path, (int)strcspn(unexpected.data, "\n"), unexpected.data);
    pali__text_clear(&unexpected);
    return status;
}

static char *give_away(struct pali__text *text)
{
    char *data = text->data ? text->data : pali__strdup("");

    *text = (struct pali__text){ 0 };
    return data;
}

pali_status pali_checkpoint_compare(const pali_checkpoint *checkpoint, const pali_config *config, char **missing,
                                    char **unexpected, pali_error **error)
{
    struct pali__text missing_text = { 0 }, unexpected_text = { 0 };
    struct pali__network network = { 0 };
    pali_status status;

    if (!missing || !unexpected)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_checkpoint_compare: missing or unexpected is NULL");
    *missing = *unexpected = NULL;
    if (!checkpoint || !config)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_checkpoint_compare: checkpoint or config is NULL");
    status = pali__network_init(&network, pali__config_settings(config), checkpoint, error);
    if (status == PALI_OK)
        status = pali__inventory_compare(checkpoint, pali__config_settings(config), &network, &missing_text,
                                         &unexpected_text, error);
    if (status == PALI_OK) {
        *missing = give_away(&missing_text);
        *unexpected = give_away(&unexpected_text);
        if (!*missing || !*unexpected) {
            pali__free(*missing);
            pali__free(*unexpected);
            *missing = *unexpected = NULL;
            status = pali__no_memory(error, 1);
        }
    }
    pali__text_clear(&missing_text);
    pali__text_clear(&unexpected_text);
    pali__network_clear(&network);
    return status;
}
