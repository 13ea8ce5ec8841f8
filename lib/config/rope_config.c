/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rotary embedding in text_config: `rope_theta` and `rope_scaling` (Transformers 4), or `rope_parameters` (5), which
 * holds both. Of its types "default", "linear" and "llama3" are served (transformers/modeling_rope_utils.py).
 */
#include <string.h>

#include "config/config_sections.h"

static pali_status read_type(struct pali__rope_config *out, const struct pali__section *section, const char *name,
                             struct json_object *object)
{
    static const char *const types[] = { "default", "linear", "llama3" }; /* in the order of pali__rope_type */
    if (pali__json_kind(object) != PALI__JSON_OBJECT)
        return pali__fail(section->error, PALI_ERROR_FORMAT, "'%s': text_config.%s is %s, an object was expected",
                          section->path, name, pali__json_kind_name(pali__json_kind(object)));
    struct json_object *member = pali__json_get(object, "rope_type");
    if (!member)
        member = pali__json_get(object, "type");
    const char *type = member ? pali__json_string(member) : "default";
    double rotated = 1.0;
    struct json_object *partial = pali__json_get(object, "partial_rotary_factor");
    bool is_whole = (!partial || pali__json_float(partial, &rotated)) && rotated == 1.0;
    for (int i = 0; type && is_whole && i < 3; i++)
        if (strcmp(type, types[i]) == 0) {
            out->type = (enum pali__rope_type)i;
            return PALI_OK;
        }
    return pali__fail(section->error, PALI_ERROR_UNSUPPORTED,
                      "'%s': text_config.%s asks for rotary embedding of type \"%.100s\", only \"default\", "
                      "\"linear\" and \"llama3\" over the whole head are supported",
                      section->path, name, type ? type : "?");
}

/* A number that a type cannot do without. */
static pali_status need(const struct pali__section *section, const char *name, double minimum, double *value)
{
    if (!pali__section_get(section, name))
        return pali__fail(section->error, PALI_ERROR_FORMAT, "'%s': %s%s is missing, a number was expected",
                          section->path, section->prefix, name);
    return pali__read_float(section, name, minimum, 1e12, value);
}

static pali_status read_scaling(struct pali__rope_config *out, const struct pali__section *section)
{
    if (out->type == PALI__ROPE_DEFAULT)
        return PALI_OK;
    TRY(need(section, "factor", 1e-6, &out->factor));
    if (out->type == PALI__ROPE_LINEAR)
        return PALI_OK;
    TRY(need(section, "low_freq_factor", 1e-6, &out->low_freq_factor));
    TRY(need(section, "high_freq_factor", 1e-6, &out->high_freq_factor));
    TRY(pali__read_float(section, "original_max_position_embeddings", 1.0, 1e12, &out->original_length));
    if (!(out->high_freq_factor > out->low_freq_factor))
        return pali__fail(section->error, PALI_ERROR_FORMAT,
                          "'%s': %shigh_freq_factor is %g, more than low_freq_factor (%g) was expected", section->path,
                          section->prefix, out->high_freq_factor, out->low_freq_factor);
    return PALI_OK;
}

pali_status pali__rope_config_read(struct pali__rope_config *out, const struct pali__section *section)
{
    struct json_object *scaling = pali__section_get(section, "rope_scaling");
    struct json_object *parameters = pali__section_get(section, "rope_parameters");
    struct pali__section theta = *section, inner = *section;
    out->type = PALI__ROPE_DEFAULT;
    if (parameters) {
        TRY(read_type(out, section, "rope_parameters", parameters));
        inner.object = parameters;
        inner.prefix = "text_config.rope_parameters.";
        if (pali__json_get(parameters, "rope_theta"))
            theta.object = parameters;
    }
    if (scaling) { /* where a file has both, Transformers takes this one */
        TRY(read_type(out, section, "rope_scaling", scaling));
        inner.object = scaling;
        inner.prefix = "text_config.rope_scaling.";
        if (pali__json_get(scaling, "rope_theta"))
            theta.object = scaling;
    }
    TRY(read_scaling(out, &inner));
    return pali__read_float(&theta, "rope_theta", 1.0, 1e12, &out->theta);
}
