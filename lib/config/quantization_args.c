/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/quantization_args.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Sizes beyond those of any matrix here say nothing. */
enum { LARGEST_GROUP = 1 << 24 };

pali_status pali__refuse_member(const struct pali__section *section, const char *name, const char *expected)
{
    struct json_object *member = pali__section_get(section, name);
    const char *text = pali__json_string(member);
    char value[128];
    int64_t number;
    bool truth;

    if (text)
        snprintf(value, sizeof value, "\"%.100s\"", text);
    else if (pali__json_bool(member, &truth))
        snprintf(value, sizeof value, "%s", truth ? "true" : "false");
    else if (pali__json_int(member, &number))
        snprintf(value, sizeof value, "%lld", (long long)number);
    else
        snprintf(value, sizeof value, "%s", member ? pali__json_kind_name(pali__json_kind(member)) : "missing");
    return pali__fail(section->error, PALI_ERROR_UNSUPPORTED, "'%s': %s%s is %s, %s", section->path, section->prefix,
                      name, value, expected);
}

/* What both weights and inputs have. */
struct args {
    int64_t num_bits, group_size; /* PALI__UNSET: not given */
    const char *type, *strategy;  /* NULL: not given */
    bool symmetric;
};

static pali_status read_args(struct args *out, const struct pali__section *section)
{
    *out = (struct args){ .num_bits = 8, .group_size = PALI__UNSET, .type = "int", .symmetric = true };
    TRY(pali__read_int(section, "num_bits", NULL, 1, 64, &out->num_bits));
    TRY(pali__read_string(section, "type", NULL, &out->type));
    TRY(pali__read_bool(section, "symmetric", &out->symmetric));
    TRY(pali__read_string(section, "strategy", NULL, &out->strategy));
    TRY(pali__read_int(section, "group_size", NULL, -1, LARGEST_GROUP, &out->group_size));
    if (strcasecmp(out->type, "int") != 0)
        return pali__refuse_member(section, "type", "only \"int\" is served");
    if (pali__section_get(section, "block_structure"))
        return pali__refuse_member(section, "block_structure", "blocks are not served");
    return PALI_OK;
}

/* "dynamic" is a boolean or the word "local". */
static bool is_dynamic(const struct pali__section *section)
{
    struct json_object *member = pali__section_get(section, "dynamic");
    bool dynamic = false;

    return pali__json_bool(member, &dynamic) && dynamic;
}

/* Ordering by importance while calibrating changes nothing in the file, but the kind that puts the inputs in another
 * order, which went with a tensor weight_g_idx. */
static pali_status check_order(const struct pali__section *section)
{
    struct json_object *member = pali__section_get(section, "actorder");
    const char *order = pali__json_string(member);
    bool on = false;

    if (!member || (order && (!strcasecmp(order, "weight") || !strcasecmp(order, "static"))) ||
        (pali__json_bool(member, &on) && !on))
        return PALI_OK;
    return pali__refuse_member(section, "actorder", "only null, \"weight\" and \"static\" are served");
}

/* group_size as struct pali__quantization_group has it, from strategy and group_size, either of which may be absent. */
static pali_status read_grouping(struct pali__quantization_group *out, const struct pali__section *section,
                                 const struct args *args)
{
    const char *strategy = args->strategy;

    if (!strategy)
        strategy = args->group_size == PALI__UNSET ? "tensor" : args->group_size > 0 ? "group" : "channel";
    if (!strcasecmp(strategy, "group")) {
        if (args->group_size == PALI__UNSET || args->group_size <= 0)
            return pali__fail(section->error, PALI_ERROR_FORMAT,
                              "'%s': %sgroup_size should be positive, for the strategy is \"group\"", section->path,
                              section->prefix);
        out->group_size = args->group_size;
        return PALI_OK;
    }
    if (args->group_size != PALI__UNSET && args->group_size > 0)
        return pali__fail(section->error, PALI_ERROR_FORMAT,
                          "'%s': %sgroup_size is %lld, but the strategy is \"%.40s\" and not \"group\"", section->path,
                          section->prefix, (long long)args->group_size, strategy);
    if (strcasecmp(strategy, "tensor") != 0 && strcasecmp(strategy, "channel") != 0)
        return pali__refuse_member(section, "strategy", "only \"tensor\", \"channel\" and \"group\" are served");
    out->group_size = !strcasecmp(strategy, "tensor") ? -1 : 0;
    return PALI_OK;
}

static pali_status read_weights(struct pali__quantization_group *out, const struct pali__section *section)
{
    struct args args;

    TRY(read_args(&args, section));
    if (args.num_bits != 4 && args.num_bits != 8)
        return pali__refuse_member(section, "num_bits", "only 4 and 8 are served");
    if (pali__section_get(section, "dynamic") && (is_dynamic(section) ||
                                                  pali__json_string(pali__section_get(section, "dynamic"))))
        return pali__refuse_member(section, "dynamic", "false was expected of weights");
    TRY(check_order(section));
    TRY(read_grouping(out, section, &args));
    out->num_bits = (int)args.num_bits;
    out->symmetric = args.symmetric;
    return PALI_OK;
}

/* Inputs are rounded as kernels/int8_product.h does it, or not at all. */
static pali_status read_inputs(struct pali__quantization_group *out, const struct pali__section *section)
{
    struct args args;

    TRY(read_args(&args, section));
    if (!is_dynamic(section))
        return pali__refuse_member(section, "dynamic", "only inputs with true are served");
    if (args.num_bits != 8)
        return pali__refuse_member(section, "num_bits", "only 8 is served for inputs");
    if (!args.symmetric)
        return pali__refuse_member(section, "symmetric", "only symmetric inputs are served");
    if (!args.strategy || strcasecmp(args.strategy, "token") != 0)
        return pali__refuse_member(section, "strategy", "only \"token\" is served for inputs");
    out->int8_inputs = true;
    return PALI_OK;
}

/* A member that is an object, as a section of its own. */
static pali_status enter(struct pali__section *out, char prefix[192], const struct pali__section *section,
                         const char *name)
{
    *out = *section;
    out->object = pali__section_get(section, name);
    snprintf(prefix, 192, "%.150s%.40s.", section->prefix, name);
    out->prefix = prefix;
    if (out->object && pali__json_kind(out->object) != PALI__JSON_OBJECT)
        return pali__fail(section->error, PALI_ERROR_FORMAT, "'%s': %s%s is %s, an object was expected", section->path,
                          section->prefix, name, pali__json_kind_name(pali__json_kind(out->object)));
    return PALI_OK;
}

pali_status pali__quantization_args_read(struct pali__quantization_group *out, const struct pali__section *section)
{
    struct pali__section weights, inputs;
    char weights_prefix[192], inputs_prefix[192];

    TRY(enter(&weights, weights_prefix, section, "weights"));
    TRY(enter(&inputs, inputs_prefix, section, "input_activations"));
    if (!weights.object)
        return pali__refuse_member(section, "weights", "an object was expected");
    if (pali__section_get(section, "output_activations"))
        return pali__refuse_member(section, "output_activations", "outputs are not served");
    TRY(read_weights(out, &weights));
    if (!inputs.object)
        return PALI_OK;
    TRY(read_inputs(out, &inputs));
    if (out->num_bits != 8 || out->group_size > 0 || !out->symmetric)
        return pali__fail(section->error, PALI_ERROR_UNSUPPORTED,
                          "'%s': %sinput_activations are served for symmetric weights of 8 bits with one scale for each "
                          "output, not for %d bits, %s", section->path, section->prefix, out->num_bits,
                          out->symmetric ? "symmetric, in groups" : "not symmetric");
    return PALI_OK;
}
