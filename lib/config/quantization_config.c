/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/quantization_config.h"

#include <stdio.h>
#include <string.h>

#include "config/name_pattern.h"
#include "config/quantization_args.h"
#include "core/memory.h"

enum { MOST_GROUPS = 1024, MOST_TARGETS = 65536 };

void pali__quantization_config_clear(struct pali__quantization_config *config)
{
    for (size_t i = 0; i < config->n_groups; i++) {
        for (size_t j = 0; j < config->groups[i].n_targets; j++)
            pali__free(config->groups[i].targets[j]);
        pali__free(config->groups[i].targets);
    }
    for (size_t i = 0; i < config->n_ignore; i++)
        pali__free(config->ignore[i]);
    pali__free(config->groups);
    pali__free(config->ignore);
    *config = (struct pali__quantization_config){ 0 };
}

/* ---- names ---- */

static pali_status check_pattern(const struct pali__section *section, const char *field, const char *name)
{
    struct pali__name_pattern pattern;
    const char *wrong = strncmp(name, "re:", 3) ? NULL : pali__name_pattern_parse(&pattern, name + 3);

    if (wrong)
        return pali__fail(section->error, PALI_ERROR_UNSUPPORTED, "'%s': %s%s has the pattern \"%.100s\": %s",
                          section->path, section->prefix, field, name, wrong);
    return PALI_OK;
}

/* A list of names; *out has `*count` of them, also after a failure. */
static pali_status read_names(char ***out, size_t *count, const struct pali__section *section, const char *field)
{
    struct json_object *list = pali__section_get(section, field);
    size_t n = pali__json_count(list);

    if (!list)
        return PALI_OK;
    if (pali__json_kind(list) != PALI__JSON_ARRAY || n > MOST_TARGETS)
        return pali__fail(section->error, PALI_ERROR_FORMAT, "'%s': %s%s is %s, a list of at most %d names was expected",
                          section->path, section->prefix, field, pali__json_kind_name(pali__json_kind(list)),
                          MOST_TARGETS);
    *out = pali__calloc(n, sizeof **out);
    if (!*out)
        return pali__no_memory(section->error, n * sizeof **out);
    for (size_t i = 0; i < n; i++) {
        const char *name = pali__json_string(pali__json_at(list, i));
        char indexed[64];
        if (!name)
            return pali__fail(section->error, PALI_ERROR_FORMAT, "'%s': %s%s has an element that is no string",
                              section->path, section->prefix, field);
        TRY(check_pattern(section, field, name));
        (*out)[i] = pali__strdup(name);
        if (!(*out)[i])
            return pali__no_memory(section->error, strlen(name) + 1);
        *count = i + 1;
        snprintf(indexed, sizeof indexed, "%s.%zu", field, i);
        TRY(pali__note_string(section, indexed, name));
    }
    return PALI_OK;
}

/* ---- the format ---- */

/* Where a group says nothing of its own the file's format counts, and where that says nothing definite the package
 * packs weights unless inputs are rounded too. */
static pali_status read_format(struct pali__quantization_group *out, const struct pali__section *section,
                               const char *file_format)
{
    const char *format = NULL;

    TRY(pali__read_string(section, "format", NULL, &format));
    if (!format)
        format = file_format;
    out->packed = format ? !strcmp(format, "pack-quantized") : !out->int8_inputs;
    if (!format || out->packed || !strcmp(format, "int-quantized") || !strcmp(format, "naive-quantized"))
        return PALI_OK;
    return pali__refuse_member(section, "format",
                               "only \"pack-quantized\", \"int-quantized\" and \"naive-quantized\" are served");
}

/* The format for all groups that have none, NULL if they may differ. */
static pali_status read_file_format(const char **out, const struct pali__section *section)
{
    TRY(pali__read_string(section, "format", NULL, out));
    if (!*out || !strcmp(*out, "pack-quantized") || !strcmp(*out, "int-quantized") || !strcmp(*out, "naive-quantized"))
        return PALI_OK;
    if (strcmp(*out, "mixed-precision") != 0)
        return pali__refuse_member(section, "format", "only \"pack-quantized\", \"int-quantized\", \"naive-quantized\" "
                                                      "and \"mixed-precision\" are served");
    *out = NULL;
    return PALI_OK;
}

/* ---- groups ---- */

static pali_status read_group(struct pali__quantization_group *out, const struct pali__section *section,
                              const char *file_format)
{
    TRY(read_names(&out->targets, &out->n_targets, section, "targets"));
    TRY(pali__quantization_args_read(out, section));
    return read_format(out, section, file_format);
}

static pali_status read_groups(struct pali__quantization_config *out, const struct pali__section *section,
                               const char *file_format)
{
    struct json_object *groups = pali__section_get(section, "config_groups"), *value;
    size_t n = pali__json_count(groups);
    void *cursor = NULL;
    const char *name;

    if (groups && (pali__json_kind(groups) != PALI__JSON_OBJECT || n > MOST_GROUPS))
        return pali__fail(section->error, PALI_ERROR_FORMAT,
                          "'%s': %sconfig_groups is %s, an object of at most %d groups was expected", section->path,
                          section->prefix, pali__json_kind_name(pali__json_kind(groups)), MOST_GROUPS);
    out->groups = pali__calloc(n, sizeof *out->groups);
    if (!out->groups)
        return pali__no_memory(section->error, n * sizeof *out->groups);
    while (groups && (cursor = pali__json_next(groups, cursor, &name, &value)) != NULL) {
        struct pali__section group = *section;
        char prefix[128];
        snprintf(prefix, sizeof prefix, "%sconfig_groups.%.60s.", section->prefix, name);
        group.prefix = prefix;
        group.object = value;
        if (pali__json_kind(value) != PALI__JSON_OBJECT)
            return pali__fail(section->error, PALI_ERROR_UNSUPPORTED,
                              "'%s': %sconfig_groups.%.60s is %s, an object was expected: presets are not served by "
                              "their names", section->path, section->prefix, name,
                              pali__json_kind_name(pali__json_kind(value)));
        TRY(read_group(&out->groups[out->n_groups++], &group, file_format));
    }
    return PALI_OK;
}

/* ---- the whole ---- */

static pali_status check_status(const struct pali__section *section)
{
    const char *status = NULL;

    TRY(pali__read_string(section, "quantization_status", NULL, &status));
    if (status && strcmp(status, "compressed") != 0)
        return pali__refuse_member(section, "quantization_status", "only \"compressed\" is served");
    return PALI_OK;
}

/* Sparsity and rotations of weights: absent, or there to say that there are none. */
static pali_status check_extras(const struct pali__section *section)
{
    struct json_object *sparsity = pali__section_get(section, "sparsity_config");
    struct json_object *transform = pali__section_get(section, "transform_config");
    const char *format = pali__json_string(pali__json_get(sparsity, "format"));

    if (pali__json_count(sparsity) > 0 && (!format || strcmp(format, "dense") != 0))
        return pali__refuse_member(section, "sparsity_config", "sparse weights are not served");
    if (pali__json_count(pali__json_get(transform, "config_groups")) > 0)
        return pali__refuse_member(section, "transform_config", "transforms are not served");
    if (pali__section_get(section, "kv_cache_scheme"))
        return pali__refuse_member(section, "kv_cache_scheme",
                                   "the cache's type is chosen when it is made, not by the file");
    return PALI_OK;
}

pali_status pali__quantization_config_read(struct pali__quantization_config *out, const struct pali__section *section)
{
    const char *method = NULL, *version = NULL, *format = NULL;

    *out = (struct pali__quantization_config){ 0 };
    if (!section->object)
        return PALI_OK;
    TRY(pali__read_string(section, "quant_method", NULL, &method));
    if (!method || strcmp(method, "compressed-tensors") != 0)
        return pali__refuse_member(section, "quant_method", "only \"compressed-tensors\" is served");
    TRY(pali__read_string(section, "version", NULL, &version));
    TRY(check_status(section));
    TRY(check_extras(section));
    TRY(read_file_format(&format, section));
    pali_status status = read_groups(out, section, format);
    if (status == PALI_OK)
        status = read_names(&out->ignore, &out->n_ignore, section, "ignore");
    if (status != PALI_OK)
        pali__quantization_config_clear(out);
    return status;
}
