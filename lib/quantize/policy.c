/* SPDX-License-Identifier: BSD-2-Clause */
#include "quantize/policy.h"

#include <stdio.h>
#include <string.h>

#include "core/json_file.h"

/* Where the matrices of a part stand, and how quantization_config names its modules: by patterns that fit every release
 * of Transformers and vLLM, whose names differ in what comes before. */
static const struct {
    pali_quantization_part part;
    const char *canonical;
    bool has_layers;
    const char *pattern;
} parts[] = {
    { PALI_QUANTIZE_DECODER, "language_model.layers.", true, "re:.*language_model.*layers.*" },
    { PALI_QUANTIZE_VISION, "vision_tower.encoder.layers.", true, "re:.*vision_tower.*" },
    { PALI_QUANTIZE_PROJECTOR, "multi_modal_projector.", false, "re:.*multi_modal_projector.*" },
    { PALI_QUANTIZE_HEAD, "lm_head.", false, "re:.*lm_head.*" },
};
enum { N_PARTS = sizeof parts / sizeof parts[0] };

static int part_of(const char *name)
{
    for (int i = 0; i < N_PARTS; i++)
        if (!strncmp(name, parts[i].canonical, strlen(parts[i].canonical)))
            return i;
    return -1;
}

pali_status pali__policy_init(struct pali__policy *policy, const pali_quantize_options *options, pali_error **error)
{
    int all = PALI_QUANTIZE_DECODER | PALI_QUANTIZE_VISION | PALI_QUANTIZE_PROJECTOR | PALI_QUANTIZE_HEAD;
    bool int4 = options->scheme == PALI_INT4_WEIGHT_ONLY, dynamic = options->scheme == PALI_INT8_DYNAMIC;

    *policy = (struct pali__policy){ 0 };
    if (options->scheme != PALI_INT8_WEIGHT_ONLY && !int4 && !dynamic)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "there is no quantization scheme of number %d",
                          (int)options->scheme);
    if (options->parts & ~all)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "parts has a bit that no part of the network has: %d",
                          (int)options->parts);
    if (!int4 && (options->group_size || options->zero_points))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "%s is for int4_weight_only, not for %s",
                          options->group_size ? "group_size" : "zero_points",
                          pali_quantization_scheme_name(options->scheme));
    if (options->group_size != 0 && options->group_size != 32 && options->group_size != 64 &&
        options->group_size != 128)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "group_size should be 32, 64 or 128 and is %d",
                          (int)options->group_size);
    policy->parts = options->parts ? options->parts : PALI_QUANTIZE_DECODER;
    policy->searches = !options->largest_value_scales;
    policy->groups[PALI__POLICY_MAIN] = (struct pali__quantization_group){
        .num_bits = int4 ? 4 : 8,
        .symmetric = !options->zero_points,
        .group_size = !int4 ? 0 : options->group_size ? options->group_size : 128,
        .packed = !dynamic,
        .int8_inputs = dynamic,
    };
    policy->groups[PALI__POLICY_UNEVEN] = (struct pali__quantization_group){
        .num_bits = 8, .symmetric = true, .packed = true,
    };
    policy->groups[PALI__POLICY_TOWER] = (struct pali__quantization_group){ .num_bits = 8, .symmetric = true };
    return PALI_OK;
}

void pali__policy_clear(struct pali__policy *policy)
{
    for (int i = 0; i < PALI__N_POLICY_GROUPS; i++)
        pali__text_clear(&policy->targets[i]);
}

const struct pali__quantization_group *pali__policy_group(const struct pali__policy *policy,
                                                          const struct pali__tensor_spec *spec)
{
    const struct pali__quantization_group *main = &policy->groups[PALI__POLICY_MAIN];
    int part = part_of(spec->name);

    if (!spec->slot.matrix || spec->rank != 2 || part < 0 || !(policy->parts & (int)parts[part].part))
        return NULL;
    if (parts[part].part == PALI_QUANTIZE_VISION && main->packed)
        return &policy->groups[PALI__POLICY_TOWER];
    return main->group_size && spec->shape[1] % main->group_size ? &policy->groups[PALI__POLICY_UNEVEN] : main;
}

struct pali__rounding pali__policy_rounding(const struct pali__policy *policy,
                                            const struct pali__quantization_group *group, int64_t n_in,
                                            pali_dtype scale_dtype)
{
    return (struct pali__rounding){
        .code = !group->packed ? PALI__CODE_INT8 : group->num_bits == 8 ? PALI__CODE_PACKED8 : PALI__CODE_PACKED4,
        .group_size = group->group_size ? group->group_size : n_in,
        .symmetric = group->symmetric,
        .searches = policy->searches,
        .scale_dtype = scale_dtype,
    };
}

/* ---- quantization_config ---- */

/* The matrices of the smaller groups are named one kind after the other: "re:.*vision_tower.*mlp.fc2$". */
static bool note_kind(struct pali__text *targets, const char *name)
{
    int part = part_of(name);
    const char *tail = name + strlen(parts[part].canonical), *end = strrchr(tail, '.');
    const char *dot = parts[part].has_layers ? strchr(tail, '.') : NULL;
    char target[256];

    tail = dot ? dot + 1 : tail;
    snprintf(target, sizeof target, "\"%s%.*s$\"", parts[part].pattern, (int)(end - tail), tail);
    return (targets->data && strstr(targets->data, target)) ||
           pali__text_printf(targets, "%s%s", targets->size ? ", " : "", target);
}

bool pali__policy_note(struct pali__policy *policy, const struct pali__quantization_group *group, const char *name)
{
    struct pali__text *targets = &policy->targets[group - policy->groups];

    policy->n_matrices++;
    if (group != &policy->groups[PALI__POLICY_MAIN])
        return note_kind(targets, name);
    return targets->size || pali__text_printf(targets, "\"Linear\"");
}

static bool print_group(struct pali__text *out, const struct pali__quantization_group *group, const char *targets,
                        int index)
{
    static const char inputs[] = "{\"num_bits\": 8, \"type\": \"int\", \"symmetric\": true, \"group_size\": null, "
                                 "\"strategy\": \"token\", \"dynamic\": true}";
    char size[24] = "null";

    if (group->group_size)
        snprintf(size, sizeof size, "%d", (int)group->group_size);
    return pali__text_printf(out,
                             "%s\"group_%d\": {\"targets\": [%s], \"weights\": {\"num_bits\": %d, \"type\": \"int\", "
                             "\"symmetric\": %s, \"group_size\": %s, \"strategy\": \"%s\", \"dynamic\": false%s}, "
                             "\"input_activations\": %s, \"output_activations\": null, \"format\": \"%s\"}",
                             index ? ", " : "", index, targets, group->num_bits, group->symmetric ? "true" : "false",
                             size, group->group_size ? "group" : "channel",
                             group->symmetric ? "" : ", \"zp_dtype\": \"torch.int8\"",
                             group->int8_inputs ? inputs : "null",
                             group->packed ? "pack-quantized" : "int-quantized");
}

static const char *format_name(const struct pali__policy *policy)
{
    bool packed = policy->targets[PALI__POLICY_UNEVEN].size ||
                  (policy->targets[PALI__POLICY_MAIN].size && policy->groups[PALI__POLICY_MAIN].packed);
    bool plain = policy->targets[PALI__POLICY_TOWER].size ||
                 (policy->targets[PALI__POLICY_MAIN].size && !policy->groups[PALI__POLICY_MAIN].packed);

    return packed && plain ? "mixed-precision" : packed ? "pack-quantized" : "int-quantized";
}

/* The group whose target is a class stands last, as the package looks for patterns before classes. */
static bool print_config(struct pali__text *out, const struct pali__policy *policy)
{
    bool done = pali__text_printf(out, "{\"quant_method\": \"compressed-tensors\", \"config_groups\": {");
    int n = 0;

    for (int i = 0; i < PALI__N_POLICY_GROUPS && done; i++)
        if (policy->targets[i].size)
            done = print_group(out, &policy->groups[i], policy->targets[i].data, n++);
    done = done && pali__text_printf(out,
                                     "}, \"format\": \"%s\", \"quantization_status\": \"compressed\", "
                                     "\"global_compression_ratio\": null, \"kv_cache_scheme\": null, "
                                     "\"version\": \"0.20.0\", \"ignore\": [",
                                     format_name(policy));
    n = 0;
    for (int i = 0; i < N_PARTS && done; i++)
        if (!(policy->parts & (int)parts[i].part))
            done = pali__text_printf(out, "%s\"%s\"", n++ ? ", " : "", parts[i].pattern);
    return done && pali__text_printf(out, "]}");
}

pali_status pali__policy_write(const struct pali__policy *policy, struct json_object *root, pali_error **error)
{
    struct pali__text text = { NULL, 0, 0 };
    pali_status status = print_config(&text, policy)
                             ? pali__json_set_text(root, "quantization_config", text.data, text.size, error)
                             : pali__no_memory(error, 4096);

    pali__text_clear(&text);
    return status;
}
