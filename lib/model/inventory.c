/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/inventory.h"

#include <stdio.h>
#include <string.h>

#include "checkpoint/tensors.h"
#include "model/quantized_tensors.h"

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
    enum pali__stored head = pali__weight_stored(checkpoint, PALI__HEAD_NAME);
    enum pali__stored embedding = pali__weight_stored(checkpoint, PALI__EMBEDDING_NAME);
    bool both_count = settings->text.family == PALI__LLAMA || settings->text.family == PALI__MISTRAL ||
                      head == PALI__STORED_QUANTIZED || embedding == PALI__STORED_QUANTIZED;

    return settings->tie_word_embeddings &&
           !(both_count && head != PALI__STORED_NOWHERE && embedding != PALI__STORED_NOWHERE);
}

static bool head_or_embedding(const char *name)
{
    return !strcmp(name, PALI__EMBEDDING_NAME) || !strcmp(name, PALI__HEAD_NAME);
}

const char *pali__inventory_name(const pali_checkpoint *checkpoint, const struct pali__settings *settings,
                                 const char *name)
{
    if (!head_or_embedding(name) || !pali__head_is_tied(checkpoint, settings))
        return name;
    if (pali__weight_stored(checkpoint, PALI__EMBEDDING_NAME) != PALI__STORED_NOWHERE)
        return PALI__EMBEDDING_NAME;
    return pali__weight_stored(checkpoint, PALI__HEAD_NAME) != PALI__STORED_NOWHERE ? PALI__HEAD_NAME : name;
}

static bool is_floating(pali_dtype dtype)
{
    return dtype == PALI_FLOAT32 || dtype == PALI_BFLOAT16 || dtype == PALI_FLOAT16;
}

pali_status pali__inventory_find(const pali_checkpoint *checkpoint, const struct pali__settings *settings,
                                 const char *path, const struct pali__tensor_spec *spec, const pali_tensor **out,
                                 pali_error **error)
{
    const char *name = pali__inventory_name(checkpoint, settings, spec->name);
    const pali_tensor *tensor = pali__checkpoint_find(checkpoint, name);
    char expected[96], found[96];

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
    const struct pali__settings *settings;
    unsigned char *known; /* a flag for each tensor of the checkpoint */
    struct pali__text *missing;
    bool no_memory;
};

static void mark(struct expectation *expectation, const char *name)
{
    for (size_t i = 0; i < pali_checkpoint_count(expectation->checkpoint); i++)
        if (!strcmp(pali__checkpoint_canonical(expectation->checkpoint, i), name))
            expectation->known[i] = 1;
}

/* Notes that the tensor is missing, or, if it is not NULL, has another shape than that. */
static void note_missing(struct expectation *expectation, const char *name, int32_t rank, const int64_t *shape,
                         const pali_tensor *tensor)
{
    char expected[96], found[96];

    if (!expectation->missing)
        return;
    pali__shape_text(expected, rank, shape);
    if (tensor)
        pali__shape_text(found, tensor->rank, tensor->shape);
    if (!(tensor ? pali__text_printf(expectation->missing, "%s: shape [%s], expected [%s]\n", name, found, expected)
                 : pali__text_printf(expectation->missing, "%s\n", name)))
        expectation->no_memory = true;
}

static void expect_parts(struct expectation *expectation, const struct pali__quantization_group *group,
                         const struct pali__tensor_spec *spec)
{
    struct pali__part_spec part;

    for (enum pali__part i = 0; i < PALI__N_PARTS; i++) {
        if (!pali__part_spec(&part, i, group, spec))
            continue;
        const pali_tensor *tensor = pali__checkpoint_find(expectation->checkpoint, part.name);
        mark(expectation, part.name);
        if (!tensor || !pali__part_fits(tensor, &part))
            note_missing(expectation, part.name, part.rank, part.shape, tensor);
    }
}

static pali_status expect_tensor(void *user, const struct pali__tensor_spec *spec, pali_error **error)
{
    struct expectation *expectation = user;
    struct pali__tensor_spec stored = *spec;
    const struct pali__quantization_group *group;

    (void)error;
    stored.name = pali__inventory_name(expectation->checkpoint, expectation->settings, spec->name);
    group = pali__quantized_group(expectation->checkpoint, expectation->settings, &stored);
    const pali_tensor *tensor = pali__checkpoint_find(expectation->checkpoint, spec->name);
    bool stands_elsewhere = strcmp(stored.name, spec->name) != 0;
    if (!group || stands_elsewhere) /* a tied head beside the embedding is superfluous, but no stranger */
        mark(expectation, spec->name);
    if (stands_elsewhere && !tensor)
        return PALI_OK;
    if (group)
        expect_parts(expectation, group, &stored);
    else if (!tensor || !pali__tensor_fits(tensor, spec))
        note_missing(expectation, spec->name, spec->rank, spec->shape, tensor);
    return PALI_OK;
}

pali_status pali__inventory_compare(const pali_checkpoint *checkpoint, const struct pali__settings *settings,
                                    struct pali__network *network, struct pali__text *missing,
                                    struct pali__text *unexpected, pali_error **error)
{
    size_t count = pali_checkpoint_count(checkpoint);
    struct expectation expectation = { .checkpoint = checkpoint, .settings = settings, .missing = missing };

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
